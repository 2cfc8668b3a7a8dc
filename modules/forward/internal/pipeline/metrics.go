package pipeline

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muttproject/mutt/modules/forward/internal/dest"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/slo"
)

// What became of an alert in one step: with the codes of dead letters the label values of mutt_moog_alerts_processed_total.
const (
	fateDelivered = "delivered"
	fateScheduled = "scheduled" // for another try
)

// The outcomes of a request: the status in mutt_moog_requests_total.
const (
	statusSuccess = "success"
	statusFail    = "fail"
)

// Metrics are the metrics of the pipeline.
type Metrics struct {
	requests *prometheus.CounterVec
	latency  prometheus.Histogram
	limited  prometheus.Counter
	alerts   *prometheus.CounterVec
	delivery *slo.Collector

	delivered prometheus.Counter // of alerts, for the hot path
}

// NewMetrics creates and registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mutt_moog_requests_total",
			Help: "Requests to the destination, by outcome."}, []string{"status", "reason"}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "mutt_moog_request_latency_seconds",
			Help:    "Time from a request to the destination to its answer or failure.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}}),
		limited: prometheus.NewCounter(prometheus.CounterOpts{Name: "mutt_moog_rate_limit_hits_total",
			Help: "Requests that waited for the rate limit."}),
		alerts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mutt_moog_alerts_processed_total",
			Help: "Alerts by what became of them in one step."}, []string{"status"}),
		delivery: slo.NewCollector("mutt_moog_delivery_latency_seconds", "Time from the receipt of an event to the delivery of its alert, queueing and retries included."),
	}
	r.MustRegister(m.requests, m.latency, m.limited, m.alerts, m.delivery)
	m.delivered = m.alerts.WithLabelValues(fateDelivered)
	// Every counter exists from the start, at 0: Prometheus misses the first increment of a counter that appears with it.
	m.requests.WithLabelValues(statusSuccess, dest.ReasonOK)
	for _, reason := range dest.FailureReasons() {
		m.requests.WithLabelValues(statusFail, reason)
	}
	for _, fate := range []string{fateScheduled, queue.DeadRejected, queue.DeadExhausted, queue.DeadOutage, queue.DeadPoison} {
		m.alerts.WithLabelValues(fate)
	}
	return m
}

func (m *Metrics) request(r dest.Result, took time.Duration) {
	status := statusFail
	if r.Class == dest.Delivered {
		status = statusSuccess
	}
	m.requests.WithLabelValues(status, r.Reason).Inc()
	m.latency.Observe(took.Seconds())
}

func (m *Metrics) alert(fate string, n int) { m.alerts.WithLabelValues(fate).Add(float64(n)) }
