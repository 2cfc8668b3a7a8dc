package slo

import (
	"math"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"
)

// TestBudget holds the arithmetic to the definitions in whole events: the budget is the number of events that may fail.
func TestBudget(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		permille := rapid.Int64Range(500, 999).Draw(t, "target in permille")
		draw := func(name string, least int64) (good, bad int64) {
			total := rapid.Int64Range(least, 1e9).Draw(t, name)
			bad = rapid.Int64Range(0, total).Draw(t, name+" bad")
			return total - bad, bad
		}
		good, bad := draw("window", 1)
		recentGood, recentBad := draw("recent", 0)
		got := NewBudget(float64(permille)/1000, Events{float64(good), float64(bad)}, Events{float64(recentGood), float64(recentBad)})

		// failed ÷ (total × (1 - target)), exactly.
		used := func(bad, total int64) float64 {
			if total == 0 {
				return 0
			}
			f, _ := big.NewRat(bad*1000, total*(1000-permille)).Float64()
			return f
		}
		near := func(what string, have, want float64) {
			if math.Abs(have-want) > 1e-9*max(1, math.Abs(want)) {
				t.Fatalf("%s is %v, want %v", what, have, want)
			}
		}
		near("the share", got.Share, float64(good)/float64(good+bad))
		near("what remains", got.Remaining, 1-used(bad, good+bad))
		near("the burn rate", got.BurnRate, used(recentBad, recentGood+recentBad))
	})
}

func TestStatus(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		budget Budget
		want   Status
	}{
		{Budget{1, 1, 0}, OK},
		{Budget{0.999, 0, 1}, OK}, // exactly what may fail
		{Budget{0.998, -0.1, 1}, Breaching},
		{Budget{1, 0.9, 6}, Warning},
		{Budget{0.9, -5, 6}, Warning},
		{Budget{1, 0.9, 14.4}, Critical},
	} {
		if got := c.budget.Status(6, 14.4); got != c.want {
			t.Errorf("%+v is %s, want %s", c.budget, got, c.want)
		}
	}
}

// TestLatencies holds the buckets to the latencies themselves: exact at the bounds, and in between no further off than
// the bucket is wide.
func TestLatencies(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.Int64Range(-1e6, 400e6), 0, 200).Draw(t, "latencies in µs")
		var l, rest Latencies
		for i, us := range all {
			if i%2 == 0 {
				l.Add(time.Duration(us) * time.Microsecond)
			} else {
				rest.Add(time.Duration(us) * time.Microsecond)
			}
		}
		l.Merge(&rest)
		var h Histogram
		for b, n := range l.N {
			h[b] = float64(n)
		}
		if h.Total() != float64(len(all)) {
			t.Fatalf("%v latencies, want %d", h.Total(), len(all))
		}
		naive := func(seconds float64) (n float64) {
			for _, us := range all {
				if float64(us) <= seconds*1e6 {
					n++
				}
			}
			return n
		}
		b := rapid.IntRange(0, Buckets-2).Draw(t, "bound")
		if got := h.Within(Bound(b)); got.Good != naive(Bound(b)) || got.Total() != float64(len(all)) {
			t.Fatalf("within %v s: %+v, want %v of %d", Bound(b), got, naive(Bound(b)), len(all))
		}
		low := 0.0
		if b > 0 {
			low = Bound(b - 1)
		}
		target := rapid.Float64Range(low, Bound(b)).Draw(t, "target")
		good := h.Within(target).Good
		if good < h.Within(low).Good-1e-9 || good > naive(Bound(b))+1e-9 {
			t.Fatalf("within %v s: %v, want something from %v to %v", target, good, naive(low), naive(Bound(b)))
		}
		quantile(t, &h, all)
	})
}

// quantile holds Histogram.At to the sorted latencies: both are in the same bucket.
func quantile(t *rapid.T, h *Histogram, all []int64) {
	if len(all) == 0 {
		if h.At(0.99) != 0 {
			t.Fatal("a quantile of nothing")
		}
		return
	}
	q := rapid.Float64Range(0.01, 1).Draw(t, "quantile")
	sorted := slices.Sorted(slices.Values(all))
	rank := int(math.Ceil(q * float64(len(all))))
	want := float64(max(sorted[rank-1], 0)) / 1e6
	low, high := 0.0, Bound(Buckets-2)
	for b := range Buckets - 1 {
		if want <= Bound(b) {
			high = Bound(b)
			break
		}
		low = Bound(b)
	}
	if got := h.At(q); got < low-1e-9 || got > high+1e-9 {
		t.Fatalf("quantile %v is %v s, want something from %v to %v (%v)", q, got, low, high, want)
	}
}

func TestCollector(t *testing.T) {
	t.Parallel()
	c := NewCollector("x_seconds", "Of a test.")
	if problems, err := testutil.CollectAndLint(c); err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
	var l Latencies
	for _, ms := range []time.Duration{1, 100, 101, 400_000} {
		l.Add(ms * time.Millisecond)
	}
	c.Add(&l)
	c.Add(&l)
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(c)
	got, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	h := got[0].GetMetric()[0].GetHistogram()
	if h.GetSampleCount() != 8 || math.Abs(h.GetSampleSum()-800.404) > 1e-9 || h.GetBucket()[0].GetCumulativeCount() != 4 || len(h.GetBucket()) != Buckets-1 {
		t.Fatalf("%v", h)
	}
}

func TestObjectives(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, o := range Objectives() {
		if seen[o.Name] || o.Description == "" {
			t.Errorf("%s is declared twice, or says nothing of itself", o.Name)
		}
		seen[o.Name] = true
		if share := o.Share(o.Target); share < 0.5 || share >= 1 {
			t.Errorf("%s wants a share of %v", o.Name, share)
		}
		if o.Latency() && (o.Target < Bound(0) || o.Target > Bound(Buckets-2)) {
			t.Errorf("%s wants %v s, which the buckets cannot tell", o.Name, o.Target)
		}
	}
	if Label(2) != "0.5" || Label(Buckets-1) != "+Inf" {
		t.Errorf("labels %s and %s", Label(2), Label(Buckets-1))
	}
}

// BenchmarkAdd is what one event costs the hot path.
func BenchmarkAdd(b *testing.B) {
	var l Latencies
	b.ReportAllocs()
	for i := range b.N {
		l.Add(time.Duration(i%2000) * time.Millisecond)
	}
}
