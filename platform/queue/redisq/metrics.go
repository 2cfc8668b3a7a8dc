package redisq

import "github.com/prometheus/client_golang/prometheus"

// collector gives the driver's own metrics when they are asked for.
type collector struct{ recall *recall }

func description(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }

// Metrics gives the driver's own metrics.
func (d *Driver) Metrics() prometheus.Collector { return collector{d.recall} }

func (c collector) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, to) }

func (c collector) Collect(to chan<- prometheus.Metric) {
	var restored, lost int64
	if c.recall != nil {
		restored, lost = c.recall.restored.Load(), c.recall.lost.Load()
	}
	to <- prometheus.MustNewConstMetric(description("mutt_queue_restored_events_total",
		"Accepted events that Redis had lost and that were appended again."), prometheus.CounterValue, float64(restored))
	to <- prometheus.MustNewConstMetric(description("mutt_queue_lost_events_total",
		"Accepted events that Redis had lost and that could not be restored, at most."), prometheus.CounterValue, float64(lost))
}
