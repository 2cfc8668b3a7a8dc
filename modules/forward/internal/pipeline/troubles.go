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
			Begins: "rate limit and circuit breaker do not answer and nothing is sent", Ends: "rate limit and circuit breaker answer again", Title: "Alerts are not sent",
			Advice: trouble.Advice{Consequence: "alerts wait in the queue; intake and judging are not affected", Remedy: "look at Redis; the forwarder goes on by itself when it answers",
				Promise: trouble.NothingLost, Runbook: "destination"}}),
		unshared: b.State(trouble.Kind{Name: "forwarder_results_not_shared", Unit: "requests",
			Begins: "results of requests were not shared with other processes", Ends: "results of requests are shared again",
			Advice: trouble.Advice{Consequence: "other forwarders learn late that the destination fails or has recovered", Remedy: "look at Redis; the forwarder goes on by itself when it answers"}}),
		parked: b.State(trouble.Kind{Name: "alerts_dead_lettered", Unit: "alerts",
			Begins: "alerts went to the dead letters", Ends: "no more alerts went to the dead letters",
			Advice: trouble.Advice{Consequence: "the destination did not get these alerts, and gets them only when they are replayed",
				Remedy: "list them with the reason: mutt dlq list --queue alert", Promise: trouble.NothingLost, Runbook: "destination"}}),
		newer: b.State(trouble.Kind{Name: "forwarder_newer_entries", Unit: "entries",
			Begins: "entries of a newer version are left to a newer process", Ends: "no entry of a newer version came any more",
			Advice: trouble.Advice{Consequence: "this process does not send the alerts of these entries; one of the newer version does", Remedy: "update this process", Promise: trouble.NothingLost}}),
		progress: b.State(trouble.Kind{Name: "forwarder_progress_unreadable", Unit: "entries",
			Begins: "the progress of entries cannot be read: all their alerts are sent", Ends: "the progress of entries can be read again",
			Advice: trouble.Advice{Consequence: "the destination may get some alerts twice", Remedy: "look at the error in the log of the forwarder if this lasts", Promise: trouble.NothingLost}}),
	}
}
