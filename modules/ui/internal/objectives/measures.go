package objectives

import (
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/slo"
	"github.com/muttproject/mutt/platform/store"
)

// measure says what an objective counts.
type measure struct {
	objective slo.Objective
	good, bad summands
	latency   summands // instead of good and bad, for a latency: one kind whose labels are the buckets, one histogram
}

// summands say where the same events are found in both sources.
type summands struct {
	kinds  []string // of the store's Sums
	except string   // a label of theirs that does not count, "" for none
	series []string // selectors of counters, or the name of a histogram
}

// measures lists what is measured, in the order of slo.Objectives.
func measures() []measure {
	by := map[string]measure{
		slo.IngestAvailability: {
			// A replayed event was taken in long ago.
			good: summands{[]string{queue.CountReceived}, event.SourceReplay.String(), []string{`mutt_ingest_events_total{result="accepted"}`}},
			bad:  summands{kinds: []string{queue.CountRefused}, series: []string{`mutt_ingest_refused_events_total`}},
		},
		slo.JudgingSuccess: {
			good: summands{kinds: judged(), series: []string{`mutt_alerter_events_processed_total{status!="poison"}`}},
			bad:  summands{kinds: []string{fate(event.FatePoison)}, series: []string{`mutt_alerter_events_processed_total{status="poison"}`}},
		},
		slo.DeliverySuccess: {
			good: summands{kinds: []string{queue.CountDelivered}, series: []string{`mutt_moog_alerts_processed_total{status="delivered"}`}},
			// Among the counters what is shed is parked too.
			bad: summands{kinds: []string{queue.CountParked},
				series: []string{`mutt_moog_alerts_processed_total{status=~"rejected|exhausted|outage|poison"}`, `mutt_alerter_shed_events_total{mode="dlq"}`}},
		},
		slo.JudgingLatency:  {latency: summands{kinds: []string{queue.CountJudgingLatency}, series: []string{"mutt_alerter_judging_latency_seconds"}}},
		slo.DeliveryLatency: {latency: summands{kinds: []string{queue.CountDeliveryLatency}, series: []string{"mutt_moog_delivery_latency_seconds"}}},
	}
	var all []measure
	for _, o := range slo.Objectives() {
		m := by[o.Name]
		m.objective = o
		all = append(all, m)
	}
	return all
}

func fate(f event.Fate) string { return store.FatePrefix + f.String() }

func judged() (kinds []string) {
	for _, f := range event.Fates() {
		if f != event.FatePoison {
			kinds = append(kinds, fate(f))
		}
	}
	return kinds
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
