package objectives

import (
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/slo"
	"github.com/muttproject/mutt/platform/store"
)

// measure says what an objective counts, for both sources.
type measure struct {
	objective slo.Objective
	good, bad []count
	latency   count // instead of good and bad, for a latency; its labels are the buckets
}

// count is one summand: a kind of the store's Sums, and the same events as a metric.
type count struct {
	kind   string
	except string // a label that does not count, "" for none
	series string // a selector of a counter, or the name of a histogram
}

// measures lists what is measured, in the order of slo.Objectives.
func measures() []measure {
	judged := measure{bad: []count{fate(event.FatePoison)}}
	for _, f := range event.Fates() {
		if f != event.FatePoison {
			judged.good = append(judged.good, fate(f))
		}
	}
	by := map[string]measure{
		slo.IngestAvailability: {
			// A replayed event was taken in long ago.
			good: []count{{kind: queue.CountReceived, except: event.SourceReplay.String(), series: `mutt_ingest_events_total{result="accepted"}`}},
			bad:  []count{{kind: queue.CountRefused, series: `mutt_ingest_refused_events_total`}},
		},
		slo.JudgingSuccess: judged,
		slo.DeliverySuccess: {
			good: []count{{kind: queue.CountDelivered, series: `mutt_moog_alerts_processed_total{status="delivered"}`}},
			bad: []count{{kind: queue.CountParked, series: `mutt_moog_alerts_processed_total{status=~"rejected|exhausted|poison"}`},
				{series: `mutt_alerter_shed_events_total{mode="dlq"}`}}, // parked too, among the counters
		},
		slo.JudgingLatency:  {latency: count{kind: queue.CountJudgingLatency, series: "mutt_alerter_judging_latency_seconds"}},
		slo.DeliveryLatency: {latency: count{kind: queue.CountDeliveryLatency, series: "mutt_moog_delivery_latency_seconds"}},
	}
	var all []measure
	for _, o := range slo.Objectives() {
		m := by[o.Name]
		m.objective = o
		all = append(all, m)
	}
	return all
}

func fate(f event.Fate) count {
	return count{kind: store.FatePrefix + f.String(), series: `mutt_alerter_events_processed_total{status="` + f.String() + `"}`}
}

// bucketOf finds a bucket by its label; false for one that this version does not know.
func bucketOf(label string) (int, bool) {
	for b := range slo.Buckets {
		if slo.Label(b) == label {
			return b, true
		}
	}
	return 0, false
}
