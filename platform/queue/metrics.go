package queue

import (
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muttproject/mutt/platform/fault"
)

// metrics are the queue's own. Depths are exported by the modules, under the names of their roles.
type metrics struct {
	seconds *prometheus.HistogramVec
	events  *prometheus.HistogramVec
	failed  *prometheus.CounterVec
	lost    *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "mutt_queue_append_seconds",
			Help: "Time of one durable append.", Buckets: prometheus.ExponentialBuckets(0.0002, 2, 16)}, []string{"queue"}),
		events: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "mutt_queue_append_events",
			Help: "Events of one durable append.", Buckets: prometheus.ExponentialBuckets(1, 4, 8)}, []string{"queue"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mutt_queue_append_failures_total",
			Help: "Appends that failed, by fault code."}, []string{"queue", "code"}),
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mutt_queue_leases_lost_total",
			Help: "Leases that ended while their partition was being worked on."}, []string{"queue"}),
	}
	r.MustRegister(m.seconds, m.events, m.failed, m.lost)
	// Every counter exists from the start, at 0: Prometheus misses the first increment of a counter that appears with it.
	for _, q := range Names() {
		m.seconds.WithLabelValues(string(q))
		m.events.WithLabelValues(string(q))
		m.lost.WithLabelValues(string(q))
		for _, code := range []string{string(fault.QueueFull), string(fault.QueueUnavailable), string(fault.Closed), string(fault.Internal), cancelled} {
			m.failed.WithLabelValues(string(q), code)
		}
	}
	return m
}

// cancelled is the code of an append whose context ended first.
const cancelled = "cancelled"

func (m *metrics) appended(entries []Entry, took time.Duration, err error) {
	name := string(entries[0].Queue)
	if err != nil {
		code := string(fault.CodeOf(err))
		if gone(err) {
			code = cancelled
		}
		m.failed.WithLabelValues(name, code).Inc()
		return
	}
	events := 0
	for i := range entries {
		events += entries[i].Events
	}
	m.seconds.WithLabelValues(name).Observe(took.Seconds())
	m.events.WithLabelValues(name).Observe(float64(events))
}

func (m *metrics) leaseLost(q Name) { m.lost.WithLabelValues(string(q)).Inc() }

// jitter spreads pauses over half to the whole, so that processes do not retry in lockstep.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }
