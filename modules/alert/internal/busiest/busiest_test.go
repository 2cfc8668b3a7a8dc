package busiest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/event"
)

func count(t *Tracker, host, ruleName string, n int) {
	events, decisions := make([]event.Event, n), make([]event.Decision, n)
	for i := range events {
		events[i].Hostname, decisions[i].RuleName = host, ruleName
		if ruleName != "" {
			decisions[i].RuleID = 1
		}
	}
	t.Add(events, decisions)
}

func TestFewNamesAreCountedExactly(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000*60, 0)
	b := New(func() time.Time { return now })
	count(b, "old", "r", 50)
	now = now.Add(time.Minute)
	count(b, "SW1", "link", 3)
	count(b, "sw1", "", 2)
	count(b, "sw2", "link", 4)
	now = now.Add(13 * time.Minute)
	got, bounded := b.Hosts(10)
	if d := cmp.Diff([]Count{{"old", 50}, {"sw1", 5}, {"sw2", 4}}, got); d != "" || bounded {
		t.Errorf("bounded %v: %s", bounded, d)
	}
	now = now.Add(time.Minute) // the first minute is too old
	got, bounded = b.Hosts(1)
	if d := cmp.Diff([]Count{{"sw1", 5}}, got); d != "" || !bounded {
		t.Errorf("bounded %v: %s", bounded, d)
	}
	if got, bounded = b.Rules(10); !cmp.Equal([]Count{{"link", 7}}, got) || bounded {
		t.Errorf("rules %v, bounded %v", got, bounded)
	}
	count(b, "new", "", 1) // takes the place of the first minute
	if got, _ = b.Hosts(10); len(got) != 3 {
		t.Errorf("got %v", got)
	}
}

// TestManyNamesAgreeWithANaiveCount floods a minute with more names than there are counters: the busy ones are there, their counts are never
// too low and too high by total/counters at most.
func TestManyNamesAgreeWithANaiveCount(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		random, now := rand.New(rand.NewPCG(seed, 1)), time.Unix(6_000_000, 0)
		b, naive, total := New(func() time.Time { return now }), map[string]int64{}, 0
		for range 20_000 {
			name := fmt.Sprint("host-", int(math.Floor(math.Pow(random.Float64(), 4)*5000)))
			count(b, name, "", 1)
			naive[name]++
			total++
		}
		got, bounded := b.Hosts(counters)
		found := map[string]int64{}
		for _, c := range got {
			found[c.Name] = c.N
			if over := c.N - naive[c.Name]; over < 0 || over > int64(total/counters) {
				t.Fatalf("seed %d: %s has %d, counted %d", seed, c.Name, naive[c.Name], c.N)
			}
		}
		for name, n := range naive {
			if n > int64(total/counters) && found[name] == 0 {
				t.Fatalf("seed %d: %s with %d events is missing", seed, name, n)
			}
		}
		if !bounded {
			t.Errorf("seed %d: it does not say that it is bounded", seed)
		}
	}
}

// BenchmarkAdd counts events of ever new hosts, and of few.
func BenchmarkAdd(b *testing.B) {
	for _, hosts := range []int{200, 100_000} {
		b.Run(fmt.Sprint(hosts), func(b *testing.B) {
			tracker := New(time.Now)
			events, decisions := make([]event.Event, 500), make([]event.Decision, 500)
			n := 0
			names := make([]string, hosts)
			for i := range names {
				names[i] = fmt.Sprintf("sw-%06d.example.net", i)
			}
			b.ReportAllocs()
			for b.Loop() {
				for i := range events {
					events[i].Hostname = names[n%hosts]
					n++
				}
				tracker.Add(events, decisions)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/event")
		})
	}
}
