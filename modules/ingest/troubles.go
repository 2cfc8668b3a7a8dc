package ingest

import "github.com/muttproject/mutt/platform/trouble"

// troubles are the states of trouble of the intake. Those of the syslog listeners are their own.
type troubles struct {
	full, away  *trouble.State // the queue, for whatever listener
	rate, wrong *trouble.State // HTTP
}

func newTroubles(b *trouble.Board) *troubles {
	return &troubles{
		full: b.State(trouble.Kind{Name: "ingest_queue_full", Bad: true, Runbook: "intake", Unit: "submissions", Quiet: failureTold,
			Begins: "the queue is full and senders are told to wait", Ends: "the queue takes events again",
			Remedy: "look at what keeps the alerter from judging, or raise max_ingest_queue_size or max_ingest_queue_bytes"}),
		away: b.State(trouble.Kind{Name: "ingest_queue_away", Bad: true, Runbook: "intake", Unit: "submissions", Quiet: failureTold,
			Begins: "the queue cannot be written and senders are told to wait", Ends: "the queue can be written again",
			Remedy: "look at the storage of the queue; what was refused is sent again by the senders"}),
		rate: b.State(trouble.Kind{Name: "ingest_rate_limited", Runbook: "intake", Unit: "events",
			Begins: "events over HTTP are refused: more arrive than ingest_max_rate or source_max_rate allows", Ends: "no more events are refused for the rate",
			Remedy: "raise the limit, or find who sends so much: the access metrics count by key"}),
		wrong: b.State(trouble.Kind{Name: "ingest_events_rejected", Runbook: "intake", Unit: "events",
			Begins: "events over HTTP are refused because they are wrong", Ends: "no more events are refused as wrong",
			Remedy: "the answers name the field and what would be right; mutt_ingest_rejected_events_total counts them by reason"}),
	}
}
