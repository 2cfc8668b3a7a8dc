package ingest

import "github.com/muttproject/mutt/platform/trouble"

// troubles are the states of trouble of the intake. Those of the syslog listeners are their own.
type troubles struct {
	full, away  *trouble.State // the queue, for whatever listener
	rate, wrong *trouble.State // HTTP
}

// unwritten is the consequence of a queue that takes nothing.
const unwritten = "senders that retry send the refused events again; syslog messages over UDP are lost"

func newTroubles(b *trouble.Board) *troubles {
	return &troubles{
		full: b.State(trouble.Kind{Name: "ingest_queue_full", Bad: true, Unit: "submissions", Quiet: failureTold,
			Begins: "the queue is full and senders are told to wait", Ends: "the queue takes events again",
			Title: "Events are not taken in: the queue is full", Advice: trouble.Advice{Consequence: unwritten,
				Remedy: "look at what keeps the alerter from judging, or raise max_ingest_queue_size or max_ingest_queue_bytes", Runbook: "intake"}}),
		away: b.State(trouble.Kind{Name: "ingest_queue_away", Bad: true, Unit: "submissions", Quiet: failureTold,
			Begins: "the queue cannot be written and senders are told to wait", Ends: "the queue can be written again",
			Title: "Events are not taken in: the queue cannot be written", Advice: trouble.Advice{Consequence: unwritten,
				Remedy: "look at the storage of the queue; the intake goes on by itself", Runbook: "intake"}}),
		rate: b.State(trouble.Kind{Name: "ingest_rate_limited", Unit: "events",
			Begins: "events over HTTP are refused: more arrive than ingest_max_rate or source_max_rate allows", Ends: "no more events are refused for the rate",
			Advice: trouble.Advice{Consequence: "the refused events are not taken in unless their senders send them again; others are not affected",
				Remedy: "raise the limit, or find who sends so much: the access metrics count by key", Runbook: "intake"}}),
		wrong: b.State(trouble.Kind{Name: "ingest_events_rejected", Unit: "events",
			Begins: "events over HTTP are refused because they are wrong", Ends: "no more events are refused as wrong",
			Advice: trouble.Advice{Consequence: "the refused events are not taken in; the others of the same request are",
				Remedy: "the answers name the field and what would be right; mutt_ingest_rejected_events_total counts them by reason", Runbook: "intake"}}),
	}
}
