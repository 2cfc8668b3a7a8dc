package send

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// latencies is a histogram with 16 buckets per power of two of nanoseconds: percentiles are at most 6 % too high.
type latencies struct {
	buckets [64 * 16]atomic.Int64
	max     atomic.Int64
}

func (l *latencies) add(d time.Duration) {
	v := max(int64(d), 1)
	l.buckets[bucketOf(v)].Add(1)
	for {
		m := l.max.Load()
		if v <= m || l.max.CompareAndSwap(m, v) {
			return
		}
	}
}

func bucketOf(v int64) int {
	exp := bits.Len64(uint64(v)) - 1
	if exp < 4 {
		return int(v)
	}
	return exp*16 + int((v>>(exp-4))&15)
}

// upper gives the largest value of a bucket.
func upper(b int) int64 {
	exp, sub := b/16, int64(b%16)
	if exp < 4 {
		return int64(b)
	}
	return (16+sub+1)<<(exp-4) - 1
}

// at gives the value at or below which the share q of all lies; 0 when there is none.
func (l *latencies) at(q float64) time.Duration {
	total := int64(0)
	for i := range l.buckets {
		total += l.buckets[i].Load()
	}
	want := int64(math.Ceil(q * float64(total)))
	seen := int64(0)
	for i := range l.buckets {
		if seen += l.buckets[i].Load(); seen >= want && seen > 0 {
			return time.Duration(min(upper(i), l.max.Load()))
		}
	}
	return 0
}
