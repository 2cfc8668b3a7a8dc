package worker

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/slo"
)

// Metrics are the figures of judging; the names but two are the predecessor's (contracts.md section 8).
type Metrics struct {
	processed  [16]prometheus.Counter // by fate
	forwarded  prometheus.Counter
	metaAlerts prometheus.Counter
	shed       *prometheus.CounterVec
	waits      prometheus.Counter
	latency    prometheus.Histogram
	judged     *slo.Collector
	dbWrite    prometheus.Histogram
	alertDepth prometheus.Gauge
	deadDepth  prometheus.Gauge
}

// NewMetrics makes and registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	processed := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mutt_alerter_events_processed_total",
		Help: "Events judged, by fate."}, []string{"status"})
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &Metrics{
		forwarded:  counter("mutt_alerter_alerts_forwarded_total", "Alerts published for the forwarder, without meta-alerts."),
		metaAlerts: counter("mutt_alerter_unhandled_meta_alerts_total", "Meta-alerts published for unhandled events."),
		shed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mutt_alerter_shed_events_total",
			Help: "Alerts moved to the dead letters under pressure (dlq), pauses of reading (defer)."}, []string{"mode"}),
		waits: counter("mutt_alerter_storage_waits_total", "Waits for a queue or store that was away."),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "mutt_alerter_processing_latency_seconds",
			Help: "Time from the claim of an entry to its acknowledgement.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}),
		judged: slo.NewCollector("mutt_alerter_judging_latency_seconds", "Time from the receipt of an event to its judgement, queueing included."),
		dbWrite: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "mutt_db_write_latency_ms",
			Help: "Time of the transaction that stores judged events, in milliseconds.", Buckets: prometheus.ExponentialBuckets(0.5, 2, 14)}),
		alertDepth: prometheus.NewGauge(prometheus.GaugeOpts{Name: "mutt_alerter_queue_depth",
			Help: "Alerts that wait for the forwarder; what the thresholds of pressure are compared with."}),
		deadDepth: prometheus.NewGauge(prometheus.GaugeOpts{Name: "mutt_alerter_dlq_depth",
			Help: "Events in the dead letters that could not be judged."}),
	}
	for _, mode := range []string{shedDeadLetter, shedDefer} { // from the start, at 0, so that Prometheus sees the first increment
		m.shed.WithLabelValues(mode)
	}
	for _, f := range event.Fates() {
		m.processed[f] = processed.WithLabelValues(f.String())
	}
	r.MustRegister(processed, m.forwarded, m.metaAlerts, m.shed, m.waits, m.latency, m.judged, m.dbWrite, m.alertDepth, m.deadDepth)
	return m
}

// count adds the fates of judged events.
func (m *Metrics) count(decisions []event.Decision) {
	var n [len(m.processed)]int
	for i := range decisions {
		n[decisions[i].Fate&15]++
	}
	for f, k := range n {
		if k > 0 && m.processed[f] != nil {
			m.processed[f].Add(float64(k))
		}
	}
	m.forwarded.Add(float64(n[event.FateForwarded]))
	m.shed.WithLabelValues(shedDeadLetter).Add(float64(n[event.FateShed]))
}
