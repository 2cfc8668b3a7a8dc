package slo

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Collector shows latencies to Prometheus, as a histogram with the buckets of this package. They are added in batches:
// what is observed event by event would cost the hot path more.
type Collector struct {
	desc *prometheus.Desc
	n    [Buckets]atomic.Int64
	sum  atomic.Int64 // ns
}

// NewCollector makes a Collector.
func NewCollector(name, help string) *Collector {
	return &Collector{desc: prometheus.NewDesc(name, help, nil, nil)}
}

// Add adds what was counted.
func (c *Collector) Add(l *Latencies) {
	for b, n := range l.N {
		if n > 0 {
			c.n[b].Add(n)
		}
	}
	c.sum.Add(int64(l.Sum))
}

// Describe is part of prometheus.Collector.
func (c *Collector) Describe(to chan<- *prometheus.Desc) { to <- c.desc }

// Collect is part of prometheus.Collector.
func (c *Collector) Collect(to chan<- prometheus.Metric) {
	buckets, count := make(map[float64]uint64, Buckets), uint64(0)
	for b := range c.n {
		count += uint64(c.n[b].Load())
		if b < len(bounds) {
			buckets[Bound(b)] = count
		}
	}
	to <- prometheus.MustNewConstHistogram(c.desc, count, float64(c.sum.Load())/1e9, buckets)
}
