package intake

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/muttproject/mutt/platform/event"
)

// The results of an event; the label values of mutt_ingest_events_total.
const (
	resultAccepted = "accepted"
	resultRepeated = "repeated"
	resultRefused  = "refused" // by itself: too large, or the queue refused this one
	resultFailed   = "failed"  // with its whole submission
)

// Metrics are the counters of an Intake. Labels are bounded: the sources and the results.
type Metrics struct {
	events      *prometheus.CounterVec
	repaired    *prometheus.CounterVec
	rateLimited prometheus.Counter
}

// NewMetrics makes and registers the counters.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mutt_ingest_events_total",
			Help: "Events handed to the ingest queue, by source and result."}, []string{"source", "result"}),
		repaired: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mutt_ingest_texts_repaired_total",
			Help: "Events with a text that was cleaned: invalid UTF-8, control or bidirectional characters, or a name that is too long."}, []string{"source"}),
		rateLimited: prometheus.NewCounter(prometheus.CounterOpts{Name: "mutt_ingest_rate_limit_hits_total",
			Help: "Submissions refused by the event rate limit."}),
	}
	r.MustRegister(m.events, m.repaired, m.rateLimited)
	for _, s := range event.Sources() { // there from the start: Prometheus misses the first count of one that appears
		for _, result := range []string{resultAccepted, resultRepeated, resultRefused, resultFailed} {
			m.events.WithLabelValues(s.String(), result)
		}
		m.repaired.WithLabelValues(s.String())
	}
	return m
}

func (m *Metrics) count(s event.Source, result string, n int) {
	if n > 0 {
		m.events.WithLabelValues(s.String(), result).Add(float64(n))
	}
}

// observe counts a submission that was stored, at least in part.
func (m *Metrics) observe(b *Batch, o *Outcome) {
	m.count(b.source, resultAccepted, o.Accepted-o.Repeated)
	m.count(b.source, resultRepeated, o.Repeated)
	m.count(b.source, resultRefused, len(o.Failed))
	if b.repaired > 0 {
		m.repaired.WithLabelValues(b.source.String()).Add(float64(b.repaired))
	}
}
