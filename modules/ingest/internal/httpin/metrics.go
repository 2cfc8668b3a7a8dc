package httpin

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muttproject/mutt/modules/ingest/internal/decode"
	"github.com/muttproject/mutt/platform/fault"
)

// The fields whose words may be unknown: the label values of mutt_ingest_unknown_words_total.
const (
	fieldSeverity = "severity"
	fieldFacility = "facility"
)

// Metrics of the HTTP listener. The label values are two words and the fault codes.
type Metrics struct {
	requests *prometheus.CounterVec
	latency  prometheus.Histogram
	words    *prometheus.CounterVec
	ok       prometheus.Counter
}

// NewMetrics creates and registers the metrics. depth and bytes are asked at each scrape.
func NewMetrics(r prometheus.Registerer, depth, bytes func() int64) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mutt_ingest_requests_total",
			Help: "Requests to the ingest endpoints, by outcome (success or fail) and reason (a fault code)."}, []string{"status", "reason"}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "mutt_ingest_latency_seconds",
			Help: "Time to answer an ingest request, the durable write included.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16)}),
		words: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mutt_ingest_unknown_words_total",
			Help: "Events whose severity or facility named nothing; the word is kept in fields."}, []string{"field"}),
	}
	r.MustRegister(m.requests, m.latency, m.words, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "mutt_ingest_queue_depth",
		Help: "Events that wait in the ingest queue."}, func() float64 { return float64(depth()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "mutt_ingest_queue_bytes",
			Help: "Bytes of the events in the ingest queue, uncompressed, and 256 for each batch: what max_ingest_queue_bytes bounds."},
			func() float64 { return float64(bytes()) }))
	for _, field := range []string{fieldSeverity, fieldFacility} { // from the start, at 0, so that Prometheus sees the first increment
		m.words.WithLabelValues(field)
	}
	m.ok = m.requests.WithLabelValues("success", "")
	return m
}

// observe counts a request by its error, or by the status of a batch of which nothing was accepted.
func (m *Metrics) observe(status int, err error, took time.Duration) {
	m.latency.Observe(took.Seconds())
	switch {
	case err != nil:
		m.requests.WithLabelValues("fail", string(fault.CodeOf(err))).Inc()
	case status >= 400:
		m.requests.WithLabelValues("fail", string(fault.InvalidField)).Inc()
	default:
		m.ok.Inc()
	}
}

func (m *Metrics) unknown(u decode.Unknown) {
	if u.Severity > 0 {
		m.words.WithLabelValues(fieldSeverity).Add(float64(u.Severity))
	}
	if u.Facility > 0 {
		m.words.WithLabelValues(fieldFacility).Add(float64(u.Facility))
	}
}
