package coord_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"

	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/fault"
)

type breakers struct {
	tb       testing.TB
	clk      *clock
	coord    *coord.Local
	settings coord.BreakerSettings
	registry *prometheus.Registry
}

func newBreakers(tb testing.TB) *breakers {
	clk := newClock()
	return &breakers{tb: tb, clk: clk, coord: coord.NewLocal(clk.Now), registry: prometheus.NewRegistry(),
		settings: coord.BreakerSettings{Enabled: true, Threshold: 3, Timeout: time.Minute}}
}

// process gives the breaker of one more process.
func (s *breakers) process(m *coord.BreakerMetrics) *coord.Breaker {
	return coord.NewBreaker(s.coord, coord.BreakerOptions{Name: "moog", Now: s.clk.Now, Metrics: m,
		Settings: func() coord.BreakerSettings { return s.settings }, ProbeTTL: 20 * time.Second})
}

func (s *breakers) allow(b *coord.Breaker) (coord.Permit, bool) {
	s.tb.Helper()
	p, wait, ok, err := b.Allow(s.tb.Context())
	if err != nil || !ok && wait <= 0 {
		s.tb.Fatalf("wait %v, %v", wait, err)
	}
	return p, ok
}

// read returns what a process that only looks sees.
func (s *breakers) read() coord.BreakerStatus {
	s.tb.Helper()
	got, err := coord.ReadBreaker(s.tb.Context(), s.coord, "moog")
	if err != nil {
		s.tb.Fatal(err)
	}
	return got
}

func (s *breakers) done(p coord.Permit, success bool) {
	s.tb.Helper()
	if err := p.Done(s.tb.Context(), success); err != nil {
		s.tb.Fatal(err)
	}
}

func (s *breakers) call(b *coord.Breaker, success bool) bool {
	s.tb.Helper()
	p, ok := s.allow(b)
	if ok {
		s.done(p, success)
	}
	return ok
}

func TestBreakerOpensOnlyOnFailuresInARow(t *testing.T) {
	t.Parallel()
	s := newBreakers(t)
	b := s.process(coord.NewBreakerMetrics(prometheus.NewRegistry()))
	for _, success := range []bool{false, false, true, false, false} {
		s.call(b, success)
	}
	if b.State() != coord.StateClosed {
		t.Fatal("two failures, a success, two failures are not three in a row")
	}
	s.call(b, false)
	if _, ok := s.allow(b); ok || b.State() != coord.StateOpen {
		t.Fatal("three in a row open it")
	}
}

func TestBreakerIsSharedAndLetsOneProbeThrough(t *testing.T) {
	t.Parallel()
	s := newBreakers(t)
	a, b := s.process(coord.NewBreakerMetrics(s.registry)), s.process(coord.NewBreakerMetrics(prometheus.NewRegistry()))
	s.call(a, false)
	s.call(b, false)
	s.call(a, false)
	s.clk.Advance(time.Second) // b's view of it ages
	if _, ok := s.allow(b); ok {
		t.Fatal("failures of two processes count together, and both stop")
	}
	s.clk.Advance(4 * time.Second)
	probe, ok := s.allow(a)
	if !ok || !probe.Probe() {
		t.Fatal("after 5 s one probe goes")
	}
	for _, x := range []*coord.Breaker{a, b} {
		if _, ok := s.allow(x); ok {
			t.Fatal("a second probe went")
		}
	}
	if got := s.read(); got.State != coord.StateHalfOpen || got.NextProbe != 0 || got.Failures != 3 || s.clk.Now().Sub(got.Since) != 5*time.Second {
		t.Fatalf("while a probe is on its way: %+v", got)
	}
	s.done(probe, false)
	if got := s.read(); got.State != coord.StateOpen || got.NextProbe != 5*time.Second || got.Failures != 4 {
		t.Fatalf("after a failed probe: %+v", got)
	}
	s.clk.Advance(4900 * time.Millisecond)
	if _, ok := s.allow(b); ok {
		t.Fatal("a failed probe closes the door for another pause")
	}
	s.clk.Advance(100 * time.Millisecond)
	probe, _ = s.allow(b)
	s.done(probe, true)
	if !s.call(a, true) || !s.call(b, true) {
		t.Fatal("a good probe closes the breaker for all")
	}
	want := `
# HELP mutt_circuit_breaker_state State of a circuit breaker: 0 closed, 1 half-open, 2 open.
# TYPE mutt_circuit_breaker_state gauge
mutt_circuit_breaker_state{name="moog"} 0
# HELP mutt_circuit_breaker_state_changes_total Changes of a circuit breaker's state made by this process.
# TYPE mutt_circuit_breaker_state_changes_total counter
mutt_circuit_breaker_state_changes_total{from_state="closed",name="moog",to_state="open"} 1
mutt_circuit_breaker_state_changes_total{from_state="half_open",name="moog",to_state="closed"} 0
mutt_circuit_breaker_state_changes_total{from_state="half_open",name="moog",to_state="open"} 1
mutt_circuit_breaker_state_changes_total{from_state="open",name="moog",to_state="half_open"} 1
`
	if err := testutil.GatherAndCompare(s.registry, strings.NewReader(want),
		"mutt_circuit_breaker_state", "mutt_circuit_breaker_state_changes_total"); err != nil {
		t.Fatal(err)
	}
}

func (s *breakers) open(b *coord.Breaker) {
	for range s.settings.Threshold {
		s.call(b, false)
	}
}

func TestBreakerProbeThatDiesIsReplaced(t *testing.T) {
	t.Parallel()
	s := newBreakers(t)
	b := s.process(coord.NewBreakerMetrics(prometheus.NewRegistry()))
	s.open(b)
	s.clk.Advance(time.Minute)
	dead, _ := s.allow(b)
	s.clk.Advance(20 * time.Second)
	next, ok := s.allow(b)
	if !ok || !next.Probe() {
		t.Fatal("a probe that never reported blocks the breaker")
	}
	if err := dead.Cancel(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.allow(b); ok {
		t.Fatal("the dead probe gave the living one's place away")
	}
	if err := next.Cancel(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.allow(b); !ok {
		t.Fatal("a cancelled probe makes room at once")
	}
}

func TestBreakerLateAnswersDecideNothing(t *testing.T) {
	t.Parallel()
	s := newBreakers(t)
	b := s.process(coord.NewBreakerMetrics(prometheus.NewRegistry()))
	early, _ := s.allow(b)
	late, _ := s.allow(b)
	s.open(b)
	s.done(early, true)
	s.done(late, false)
	if _, ok := s.allow(b); ok || b.State() != coord.StateOpen {
		t.Fatal("an answer to a request of before closed an open breaker")
	}
}

// A shorter timeout is in force for a circuit that is open already; a probe's hold is not touched.
func TestBreakerTimeoutIsShortenedWhileOpen(t *testing.T) {
	t.Parallel()
	s := newBreakers(t)
	s.settings.Timeout = time.Hour
	b := s.process(coord.NewBreakerMetrics(prometheus.NewRegistry()))
	s.open(b)
	s.settings.Timeout = 3 * time.Second
	if _, ok := s.allow(b); ok {
		t.Fatal("it is open still")
	}
	s.clk.Advance(3 * time.Second)
	p, ok := s.allow(b)
	if !ok || !p.Probe() {
		t.Fatal("the new timeout is over: one probe passes")
	}
	s.settings.Timeout = time.Second
	if _, ok := s.allow(s.process(coord.NewBreakerMetrics(prometheus.NewRegistry()))); ok {
		t.Fatal("a probe is under way")
	}
	s.clk.Advance(2 * time.Second)
	if _, ok := s.allow(s.process(coord.NewBreakerMetrics(prometheus.NewRegistry()))); ok {
		t.Fatal("the probe is under way still")
	}
	s.done(p, true)
	if _, ok := s.allow(b); !ok {
		t.Fatal("closed")
	}
}

func TestBreakerOff(t *testing.T) {
	t.Parallel()
	s := newBreakers(t)
	b := s.process(coord.NewBreakerMetrics(s.registry))
	s.open(b)
	s.settings.Enabled = false
	if !s.call(b, false) || b.State() != coord.StateClosed {
		t.Fatal("a breaker that is off lets everything through at once")
	}
	const closed = "# HELP mutt_circuit_breaker_state State of a circuit breaker: 0 closed, 1 half-open, 2 open.\n" +
		"# TYPE mutt_circuit_breaker_state gauge\nmutt_circuit_breaker_state{name=\"moog\"} 0\n"
	if err := testutil.GatherAndCompare(s.registry, strings.NewReader(closed), "mutt_circuit_breaker_state"); err != nil {
		t.Errorf("while it is off: %v", err)
	}
	s.settings.Enabled = true
	if _, ok := s.allow(b); ok || b.State() != coord.StateOpen {
		t.Fatal("switched on again it is as open as it was")
	}
}

func TestBreakerFailsClosed(t *testing.T) {
	t.Parallel()
	s := newBreakers(t)
	b := s.process(coord.NewBreakerMetrics(prometheus.NewRegistry()))
	if err := s.coord.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, ok, err := b.Allow(t.Context()); ok || !fault.Is(err, fault.Closed) {
		t.Fatalf("got %v, %v", ok, err)
	}
}

func TestBreakerConcurrentFailuresAllCount(t *testing.T) {
	t.Parallel()
	s := newBreakers(t)
	s.settings.Threshold = 64
	b := s.process(coord.NewBreakerMetrics(prometheus.NewRegistry()))
	var wg sync.WaitGroup
	for range 63 {
		wg.Go(func() { s.call(b, false) })
	}
	wg.Wait()
	if b.State() != coord.StateClosed {
		t.Fatal("opened early")
	}
	s.call(b, false)
	if b.State() != coord.StateOpen {
		t.Fatal("a failure was not counted")
	}
}

// TestBreakerModel compares with a model of a few lines, for two processes and any order of calls.
func TestBreakerModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := newBreakers(t)
		s.settings.Threshold = rapid.Int64Range(1, 4).Draw(rt, "threshold")
		bs := []*coord.Breaker{s.process(coord.NewBreakerMetrics(prometheus.NewRegistry())), s.process(coord.NewBreakerMetrics(prometheus.NewRegistry()))}
		open, failures, since, opened := false, int64(0), time.Duration(0), time.Time{}
		for range rapid.IntRange(1, 80).Draw(rt, "calls") {
			d := time.Duration(rapid.SampledFrom([]int{1, 1, 5, 60}).Draw(rt, "pause")) * time.Second
			s.clk.Advance(d)
			since += d
			success := rapid.Bool().Draw(rt, "success")
			went := s.call(bs[rapid.IntRange(0, 1).Draw(rt, "process")], success)
			if want := !open || since >= modelPause(s.clk.Now().Add(-since).Sub(opened), s.settings.Timeout); went != want {
				rt.Fatalf("went %v, want %v (open %v, last probe %v ago)", went, want, open, since)
			}
			switch {
			case !went:
			case success:
				open, failures = false, 0
			default:
				if failures++; open || failures >= s.settings.Threshold {
					if !open {
						opened = s.clk.Now()
					}
					open, since = true, 0
				}
			}
		}
	})
}

// modelPause is the pause after a probe that failed when the breaker had been open for some time: counted up, as an operator reads it.
func modelPause(open, longest time.Duration) time.Duration {
	pause, until := 5*time.Second, 2*time.Minute
	for open >= until {
		pause *= 2
		until += pause
	}
	return min(pause, longest)
}

// TestBreakerProbesOftenAtFirst holds the schedule of an outage, over processes that end and others that begin.
func TestBreakerProbesOftenAtFirst(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		longest time.Duration
		want    []int // seconds since the opening, from the 23rd probe on
	}{
		{5 * time.Minute, []int{115, 120, 130, 150, 190, 270, 430, 730, 1030, 1330}},
		{time.Minute, []int{115, 120, 130, 150, 190, 250, 310}},
		{7 * time.Second, []int{115, 120, 127, 134}},
	} {
		t.Run(row.longest.String(), func(t *testing.T) {
			t.Parallel()
			s := newBreakers(t)
			s.settings.Timeout = row.longest
			s.open(s.process(coord.NewBreakerMetrics(prometheus.NewRegistry())))
			var at []int
			for second := 1; second <= row.want[len(row.want)-1]; second++ {
				s.clk.Advance(time.Second)
				b := s.process(coord.NewBreakerMetrics(prometheus.NewRegistry())) // another process each time
				if p, ok := s.allow(b); ok {
					at = append(at, second)
					s.done(p, false)
				}
			}
			if len(at) < 24 || !slices.Equal(at[:3], []int{5, 10, 15}) || !slices.Equal(at[22:], row.want) {
				t.Fatalf("probes at %v", at)
			}
		})
	}
}

// TestPulse: a beat is seen by every process, also over the end of one.
func TestPulse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := coord.NewLocal(time.Now)
		a, b := coord.NewPulse(c, "x"), coord.NewPulse(c, "x")
		last := int64(0)
		for i, step := range []struct {
			pause time.Duration
			by    *coord.Pulse
			moved bool
		}{{0, nil, false}, {0, a, true}, {0, a, false}, {time.Second, a, true}, {0, b, true}, {time.Second, a, true}, {time.Second, b, true},
			{72 * time.Hour, a, true}, {0, coord.NewPulse(c, "x"), true}, {time.Hour, nil, false}} {
			time.Sleep(step.pause)
			if step.by != nil {
				if err := step.by.Beat(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			now, err := b.Count(t.Context())
			if err != nil || (now != last) != step.moved {
				t.Fatalf("step %d: %d after %d, %v", i, now, last, err)
			}
			last = now
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Count(t.Context()); !fault.Is(err, fault.Closed) {
			t.Fatal(err)
		}
		if err := coord.NewPulse(c, "x").Beat(t.Context()); !fault.Is(err, fault.Closed) {
			t.Fatal(err)
		}
	})
}
