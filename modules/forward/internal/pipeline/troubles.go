package pipeline

import (
	"time"

	"github.com/muttproject/mutt/platform/trouble"
)

// troubles are the states of trouble of an engine.
type troubles struct {
	coordination *trouble.State
	unshared     *trouble.State
	parked       *trouble.State
	newer        *trouble.State
	progress     *trouble.State
}

func newTroubles(b *trouble.Board) *troubles {
	return &troubles{
		coordination: b.State(trouble.Kind{Name: "forwarder_coordination_away", Bad: true, Unit: "tries", Quiet: 10 * time.Second,
			Begins: "rate limit and circuit breaker do not answer and nothing is sent", Ends: "rate limit and circuit breaker answer again"}),
		unshared: b.State(trouble.Kind{Name: "forwarder_results_not_shared", Unit: "requests",
			Begins: "results of requests were not shared with other processes", Ends: "results of requests are shared again"}),
		parked: b.State(trouble.Kind{Name: "alerts_dead_lettered", Runbook: "destination", Unit: "alerts",
			Begins: "alerts went to the dead letters", Ends: "no more alerts went to the dead letters",
			Remedy: "mutt dlq list --queue alert shows them with the reason"}),
		newer: b.State(trouble.Kind{Name: "forwarder_newer_entries", Unit: "entries",
			Begins: "entries of a newer version are left to a newer process", Ends: "no entry of a newer version came any more", Remedy: "update this process"}),
		progress: b.State(trouble.Kind{Name: "forwarder_progress_unreadable", Unit: "entries",
			Begins: "the progress of entries cannot be read: all their alerts are sent", Ends: "the progress of entries can be read again"}),
	}
}
