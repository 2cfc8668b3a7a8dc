package slo

import (
	"math"
	"strconv"
	"time"
)

// bounds are the upper bounds of the latency buckets, inclusive, in µs. One more bucket takes what is above.
// They are few because each is a counter of its own per minute and process.
var bounds = [...]int64{100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000, 300_000_000}

// Buckets is the number of latency buckets.
const Buckets = len(bounds) + 1

// Bound gives the upper bound of a bucket in seconds, +Inf for the last one.
func Bound(bucket int) float64 {
	if bucket == len(bounds) {
		return math.Inf(1)
	}
	return float64(bounds[bucket]) / 1e6
}

// Label names a bucket as Prometheus does: its upper bound in seconds, "0.5", "+Inf".
func Label(bucket int) string { return strconv.FormatFloat(Bound(bucket), 'g', -1, 64) }

// Latencies counts latencies by bucket. The zero value is ready.
type Latencies struct {
	N   [Buckets]int64
	Sum time.Duration
}

// Add counts one. A negative one, from clocks that differ, counts as 0.
func (l *Latencies) Add(d time.Duration) {
	d = max(d, 0)
	us, b := d.Microseconds(), 0
	for b < len(bounds) && us > bounds[b] {
		b++
	}
	l.N[b]++
	l.Sum += d
}

// Merge adds what another one counted.
func (l *Latencies) Merge(o *Latencies) {
	for b := range l.N {
		l.N[b] += o.N[b]
	}
	l.Sum += o.Sum
}

// Histogram is how many latencies fell into each bucket.
type Histogram [Buckets]float64

// Total is how many there are.
func (h *Histogram) Total() (n float64) {
	for _, k := range h {
		n += k
	}
	return n
}

// Within tells those that took at most so many seconds from the others. Inside a bucket they are taken to be spread
// evenly, as Prometheus's histogram_quantile does; those above the last bound took longer than any target.
func (h *Histogram) Within(seconds float64) (e Events) {
	low := 0.0
	for b, n := range h {
		high := Bound(b)
		in := 0.0
		switch {
		case high <= seconds:
			in = n
		case low < seconds && !math.IsInf(high, 1):
			in = n * (seconds - low) / (high - low)
		}
		e.Good += in
		e.Bad += n - in
		low = high
	}
	return e
}

// At gives the time in seconds that the share q of the latencies kept, the last bound when it is above; 0 of none.
func (h *Histogram) At(q float64) float64 {
	rank, below, low := q*h.Total(), 0.0, 0.0
	if h.Total() == 0 {
		return 0
	}
	for b, n := range h[:len(bounds)] {
		if n > 0 && rank <= below+n {
			return low + (Bound(b)-low)*max(rank-below, 0)/n
		}
		below += n
		low = Bound(b)
	}
	return low
}
