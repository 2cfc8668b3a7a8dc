package remedy

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/muttproject/mutt/platform/queue"
)

// The reasons of a replay that failed, in addition to the codes of dead letters.
const (
	reasonQueue = "queue_error"
	reasonOther = "other" // a code that this version does not know
)

// metrics are the figures of remediation; the names are the predecessor's (contracts.md section 8).
type metrics struct {
	loops    prometheus.Counter
	depth    *prometheus.GaugeVec
	success  prometheus.Counter
	failed   *prometheus.CounterVec
	poison   prometheus.Counter
	health   prometheus.Gauge
	duration prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		loops: prometheus.NewCounter(prometheus.CounterOpts{Name: "mutt_remediation_loops_total",
			Help: "Times that the dead letters of a queue were looked through."}),
		depth: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "mutt_remediation_dlq_depth",
			Help: "Dead letters, as the janitor that leads sees them."}, []string{"dlq_name"}),
		success: prometheus.NewCounter(prometheus.CounterOpts{Name: "mutt_remediation_replay_success_total",
			Help: "Dead letters that were replayed automatically and did not come back."}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mutt_remediation_replay_fail_total",
			Help: "Dead letters that were replayed automatically and came back, by the code they came back with; queue_error: runs that could not replay."},
			[]string{"reason"}),
		poison: prometheus.NewCounter(prometheus.CounterOpts{Name: "mutt_remediation_poison_messages_total",
			Help: "Dead letters that were given up after max_poison_retries automatic replays."}),
		health: prometheus.NewGauge(prometheus.GaugeOpts{Name: "mutt_remediation_moog_health",
			Help: "1 while the destination took an alert within the last minute and its circuit breaker is closed, else 0."}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "mutt_remediation_loop_duration_seconds",
			Help: "Time of one look through the dead letters of a queue, waiting for replayed ones included.", Buckets: []float64{.01, .1, 1, 10, 60, 300, 1800}}),
	}
	r.MustRegister(m.loops, m.depth, m.success, m.failed, m.poison, m.health, m.duration)
	for _, q := range queue.Names() {
		m.depth.WithLabelValues(string(q))
	}
	for _, reason := range append(codes(), reasonQueue, reasonOther) {
		m.failed.WithLabelValues(reason)
	}
	return m
}

func codes() []string {
	return []string{queue.DeadRejected, queue.DeadExhausted, queue.DeadOutage, queue.DeadShed, queue.DeadPoison}
}

// failure counts a letter that came back.
func (m *metrics) failure(code string) {
	for _, known := range codes() {
		if code == known {
			m.failed.WithLabelValues(code).Inc()
			return
		}
	}
	m.failed.WithLabelValues(reasonOther).Inc()
}

func (m *metrics) healthy(yes bool) {
	if yes {
		m.health.Set(1)
		return
	}
	m.health.Set(0)
}
