package demo

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Event is what a device says.
type Event struct {
	At                 time.Duration // since the origin
	Transport          string
	Host, App, Message string
	Severity           int
}

// write appends the event in the form of its transport: JSON over HTTP, RFC 3164 over UDP, RFC 5424 over TCP.
func (e *Event) write(b *strings.Builder, origin time.Time) {
	at := origin.Add(e.At)
	switch e.Transport {
	case "http":
		line, _ := json.Marshal(map[string]any{"hostname": e.Host, "timestamp": at.UTC().Format(time.RFC3339Nano), "syslog_severity": e.Severity,
			"message": e.App + ": " + e.Message}) // texts and numbers always marshal
		b.Write(line)
	case "syslog-udp":
		fmt.Fprintf(b, "<%d>%s %s %s", local7+e.Severity, at.Local().Format(time.Stamp), e.Host, e.Message)
	default:
		fmt.Fprintf(b, "<%d>1 %s %s %s - - - %s", local7+e.Severity, at.UTC().Format("2006-01-02T15:04:05.000000Z07:00"), e.Host, e.App, e.Message)
	}
	b.WriteByte('\n')
}

// local7 is the facility of network gear, times eight.
const local7 = 23 * 8

// Story is what the gear says over time: everyday lines at random, and scenes at set times.
type Story struct {
	rate   float64 // everyday lines per second
	random *rand.Rand
	gear   []group
	scenes []scene
	next   time.Duration // of the next everyday line
	told   time.Duration // up to which the scenes were told
}

// NewStory returns a story from a time on, which is -Past or 0. A rate of 0 is one in which nothing happens.
func NewStory(seed uint64, rate float64, from time.Duration) *Story {
	s := &Story{rate: rate, random: rand.New(rand.NewPCG(seed, 0)), gear: gear(), told: from}
	if rate > 0 {
		s.scenes = scenes()
		for i := range s.scenes {
			s.scenes[i].random = rand.New(rand.NewPCG(seed, uint64(i)+1))
		}
		s.next = from + s.pause()
	}
	return s
}

// pause returns the time to the next everyday line.
func (s *Story) pause() time.Duration {
	return time.Duration(s.random.ExpFloat64() / s.rate * float64(time.Second))
}

// Until returns what is said from the end of the last call until a time, everyday lines first.
func (s *Story) Until(to time.Duration) (out []Event) {
	for ; s.rate > 0 && s.next < to; s.next += s.pause() {
		out = append(out, s.everyday())
	}
	for i := range s.scenes {
		out = append(out, s.scenes[i].between(s.told, to)...)
	}
	s.told = max(s.told, to)
	return out
}

func (s *Story) everyday() Event {
	g := pick(s.gear, func(g group) int { return g.weight }, s.random)
	l := pick(g.lines, func(l line) int { return l.weight }, s.random)
	return l.event(s.next, g.transport, g.hosts[s.random.IntN(len(g.hosts))], s.random)
}

// scene is a run of lines of one host: from first on, every period, for a length of time, one line after the other.
type scene struct {
	first, period, length, pause time.Duration
	transport, host              string
	lines                        []line
	random                       *rand.Rand
}

// between returns the lines of a scene from (inclusive) to (exclusive).
func (s *scene) between(from, to time.Duration) (out []Event) {
	began := s.first
	if from > s.first {
		began += (from - s.first) / s.period * s.period
	}
	for ; began < to; began += s.period {
		for n := 0; time.Duration(n)*s.pause < s.length; n++ {
			if at := began + time.Duration(n)*s.pause; at >= from && at < to {
				out = append(out, s.lines[n%len(s.lines)].event(at, s.transport, s.host, s.random))
			}
		}
	}
	return out
}

// line is a text with parts that vary.
type line struct {
	weight, severity int
	app, text        string
}

// event fills the parts that vary.
func (l *line) event(at time.Duration, transport, host string, random *rand.Rand) Event {
	message := l.text
	for {
		before, rest, varies := strings.Cut(message, "{")
		if !varies {
			break
		}
		name, after, _ := strings.Cut(rest, "}")
		message = before + part(name, random) + after
	}
	return Event{At: at, Transport: transport, Host: host, App: l.app, Message: message, Severity: l.severity}
}

// part returns a value for a part that varies.
func part(name string, random *rand.Rand) string {
	switch name {
	case "port":
		return fmt.Sprint(1024 + random.IntN(60000))
	case "outside":
		return fmt.Sprintf("203.0.113.%d", 1+random.IntN(254))
	case "inside":
		return fmt.Sprintf("198.51.100.%d", 1+random.IntN(254))
	case "mac":
		return fmt.Sprintf("0050.56a1.%04x", random.IntN(1<<16))
	case "user":
		users := []string{"lena", "tomas", "mira", "jonas"}
		return users[random.IntN(len(users))]
	default:
		return fmt.Sprint(random.IntN(48))
	}
}

// pick draws one of several by their weights.
func pick[T any](all []T, weight func(T) int, random *rand.Rand) *T {
	total := 0
	for _, one := range all {
		total += weight(one)
	}
	at := random.IntN(total)
	i := slices.IndexFunc(all, func(one T) bool { at -= weight(one); return at < 0 })
	return &all[i]
}
