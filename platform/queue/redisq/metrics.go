package redisq

import "github.com/prometheus/client_golang/prometheus"

// collector gives the driver's own metrics when they are asked for.
type collector struct {
	recall *recall
	memory *memory
}

func description(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }

// Metrics gives the driver's own metrics.
func (d *Driver) Metrics() prometheus.Collector { return collector{d.recall, d.memory} }

func (c collector) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, to) }

func (c collector) Collect(to chan<- prometheus.Metric) {
	var restored, lost int64
	if c.recall != nil {
		restored, lost = c.recall.restored.Load(), c.recall.lost.Load()
	}
	used, limit := c.memory.nearest()
	to <- prometheus.MustNewConstMetric(description("mutt_redis_memory_used_bytes",
		"Memory that Redis uses; of a Cluster, on the node with partitions of the queues that is nearest to its limit."), prometheus.GaugeValue, float64(used))
	to <- prometheus.MustNewConstMetric(description("mutt_redis_memory_max_bytes", "The maxmemory of that Redis, 0 for none."),
		prometheus.GaugeValue, float64(limit))
	to <- prometheus.MustNewConstMetric(description("mutt_queue_restored_events_total",
		"Accepted events that Redis had lost and that were appended again."), prometheus.CounterValue, float64(restored))
	to <- prometheus.MustNewConstMetric(description("mutt_queue_lost_events_total",
		"Accepted events that Redis had lost and that could not be restored, at most."), prometheus.CounterValue, float64(lost))
}
