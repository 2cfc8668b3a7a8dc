package ingest

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muttproject/mutt/modules/ingest/internal/syslog"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// Beside counts beside the books; *queue.Tally is one.
type Beside interface {
	Add(kind, label string, n int64)
}

// turnedAway counts the events that were not taken in: refused when MUTT was not there to take them, so that the sender
// tries again or they are lost; rejected when they are wrong, or over the rate limit that an operator set.
type turnedAway struct {
	beside            Beside
	refused, rejected *prometheus.CounterVec
	troubles          *troubles
}

func newTurnedAway(r prometheus.Registerer, beside Beside, troubles *troubles) *turnedAway {
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"reason"})
	}
	t := &turnedAway{beside: beside, troubles: troubles,
		refused:  counter("mutt_ingest_refused_events_total", "Events that MUTT was not there to take, by reason; an event that is sent again counts again."),
		rejected: counter("mutt_ingest_rejected_events_total", "Events that are wrong or over the rate limit, by reason."),
	}
	r.MustRegister(t.refused, t.rejected)
	// Every counter exists from the start, at 0: Prometheus misses the first increment of a counter that appears with it.
	for _, why := range queue.FullReasons() {
		t.refused.WithLabelValues(string(why))
	}
	for _, code := range []fault.Code{fault.QueueUnavailable, fault.Busy, fault.Closed, fault.Internal} {
		t.refused.WithLabelValues(string(code))
	}
	for _, reason := range []string{string(fault.InvalidField), string(fault.TooLarge), string(fault.RateLimited), syslog.CauseRefused, syslog.CauseRateLimited, syslog.CauseSourceRate} {
		t.rejected.WithLabelValues(reason)
	}
	return t
}

// http counts what a request was answered with.
func (t *turnedAway) http(why error, n int) {
	code := fault.CodeOf(why)
	reason := string(code)
	if code == fault.QueueFull {
		reason = string(queue.WhyFull(why))
	}
	refused := fault.Describe(code).Status >= http.StatusInternalServerError // the writer reports what keeps it from storing
	switch {
	case code == fault.RateLimited:
		t.troubles.rate.Add(int64(n))
	case !refused:
		t.troubles.wrong.Add(int64(n))
	}
	t.count(refused, reason, int64(n))
}

// syslog counts messages that were lost.
func (t *turnedAway) syslog(why string, n int64) {
	t.count(why != syslog.CauseRefused && why != syslog.CauseRateLimited && why != syslog.CauseSourceRate, why, n)
}

func (t *turnedAway) count(refused bool, reason string, n int64) {
	kind, metric := queue.CountRejected, t.rejected
	if refused {
		kind, metric = queue.CountRefused, t.refused
	}
	t.beside.Add(kind, reason, n)
	metric.WithLabelValues(reason).Add(float64(n))
}
