package demo

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestStory: a seed tells the same story however often it is asked, in order and without gaps, and a rate of 0 is silence.
func TestStory(t *testing.T) {
	t.Parallel()
	tell := func(seed uint64, rate float64, steps time.Duration) (out []Event) {
		s := NewStory(seed, rate, -Past)
		for at := -Past; at < 10*time.Minute; at += steps {
			for _, e := range s.Until(at + steps) {
				if e.At < at || e.At >= at+steps {
					t.Fatalf("from %s to %s it says %+v", at, at+steps, e)
				}
				out = append(out, e)
			}
		}
		slices.SortStableFunc(out, func(a, b Event) int { return cmp.Or(int(a.At-b.At), cmp.Compare(a.Message, b.Message)) })
		return out
	}
	whole := tell(1, 4, time.Minute)
	if !reflect.DeepEqual(whole, tell(1, 4, time.Minute)) {
		t.Error("a seed tells different stories")
	}
	if reflect.DeepEqual(whole, tell(2, 4, time.Minute)) {
		t.Error("two seeds tell the same story")
	}
	if !reflect.DeepEqual(whole, tell(1, 4, time.Second)) {
		t.Error("asked each second it tells another story")
	}
	if silent := tell(1, 0, time.Minute); len(silent) > 0 {
		t.Errorf("at a rate of 0 it says %d lines", len(silent))
	}
	for _, e := range NewStory(1, 4, 0).Until(time.Minute) {
		if e.At < 0 {
			t.Fatalf("a story of the present says %+v", e)
		}
	}
	seen := map[string]int{}
	for _, e := range whole {
		if strings.ContainsAny(e.Message, "{}") {
			t.Fatalf("a part was not filled: %s", e.Message)
		}
		seen[e.Transport]++
		seen[e.Host]++
		if e.At > 0 && strings.Contains(e.Message, "MACFLAP") {
			seen["flood of the present"]++
		}
	}
	for _, g := range gear() {
		for _, name := range append(g.hosts, g.transport) {
			if seen[name] < 20 {
				t.Errorf("%s says %d lines", name, seen[name])
			}
		}
	}
	if seen["flood of the present"] < 300 {
		t.Errorf("the flood has %d lines", seen["flood of the present"])
	}
}

// TestLines: an event is what its transport carries.
func TestLines(t *testing.T) {
	t.Parallel()
	origin := time.Date(2026, 11, 30, 3, 12, 44, 0, time.UTC)
	written := func(transport string) string {
		var b strings.Builder
		e := Event{At: -time.Second, Transport: transport, Host: "mx-par-1", App: "rpd", Message: `a "b"`, Severity: 4}
		e.write(&b, origin)
		return b.String()
	}
	if got, want := written("syslog-udp"), "<188>"+origin.Add(-time.Second).Local().Format(time.Stamp)+` mx-par-1 a "b"`+"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := written("syslog-tcp"); got != `<188>1 2026-11-30T03:12:43.000000Z mx-par-1 rpd - - - a "b"`+"\n" {
		t.Errorf("got %q", got)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(written("http")), &got); err != nil || fmt.Sprint(got) != `map[hostname:mx-par-1 message:rpd: a "b" syslog_severity:4 timestamp:2026-11-30T03:12:43Z]` {
		t.Errorf("got %v %v", got, err)
	}
}

// TestClock: the clock of the past goes on by itself, is moved on, and never goes back.
func TestClock(t *testing.T) {
	t.Parallel()
	c := NewClock(time.Hour)
	begin := c.Now()
	if behind := time.Since(begin); behind < time.Hour || behind > time.Hour+time.Minute {
		t.Errorf("it is %s behind", behind)
	}
	later := begin.Add(10 * time.Minute)
	c.moveTo(later)
	now := c.Now()
	if now.Before(later) || now.Sub(later) > time.Minute {
		t.Errorf("moved to %s it shows %s", later, now)
	}
	c.moveTo(begin)
	if c.Now().Before(now) {
		t.Error("it went back")
	}
	c.moveTo(time.Now().Add(time.Hour))
	if ahead := time.Until(c.Now()); ahead > 0 {
		t.Errorf("it is %s ahead of the real time", ahead)
	}
}

// TestOutages: the destination fails for a minute, soon after the start and every ten minutes.
func TestOutages(t *testing.T) {
	t.Parallel()
	failing := time.Duration(0)
	for at := -time.Minute; at < 20*time.Minute; at += time.Second {
		if fails(at) {
			failing += time.Second
		}
		if at < time.Minute && fails(at) {
			t.Errorf("it fails at %s", at)
		}
	}
	if failing != 2*time.Minute {
		t.Errorf("in 20 minutes it fails for %s", failing)
	}
}
