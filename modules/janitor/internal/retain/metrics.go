package retain

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/muttproject/mutt/platform/config"
)

// metrics are the figures of retention; the names are the predecessor's (contracts.md section 8).
type metrics struct {
	deleted *prometheus.CounterVec
	lastRun prometheus.Gauge
}

func newMetrics(r prometheus.Registerer, keys Dynamic) *metrics {
	m := &metrics{
		deleted: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mutt_retention_cleanup_records_deleted_total",
			Help: "Records that retention removed, by what they were."}, []string{"type"}),
		lastRun: prometheus.NewGauge(prometheus.GaugeOpts{Name: "mutt_retention_cleanup_last_run_timestamp_seconds",
			Help: "When this process ended a run of retention without a failure, in Unix seconds; 0 when it has not."}),
	}
	r.MustRegister(m.deleted, m.lastRun)
	for name, days := range map[string]config.Value[int64]{"audit": keys.AuditDays, "event_audit": keys.EventAuditDays, "dlq": keys.DLQDays} {
		m.deleted.WithLabelValues(name)
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "mutt_retention_policy_days",
			Help: "How many days something is kept.", ConstLabels: prometheus.Labels{"type": name}}, func() float64 { return float64(days.Get()) }))
	}
	return m
}
