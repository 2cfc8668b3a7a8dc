package worker

import (
	"time"

	"github.com/muttproject/mutt/platform/trouble"
)

// troubles are the states of trouble of an alerter.
type troubles struct {
	away      *trouble.State // a storage
	stuck     *trouble.State // a step that must succeed
	unclaimed *trouble.State
	newer     *trouble.State
	split     *trouble.State
	unjudged  *trouble.State
	poison    *trouble.State
	uncounted *trouble.State
}

// quiet is longer than the pause between two tries: a state does not end between them.
const quiet = 15 * time.Second

func newTroubles(b *trouble.Board) *troubles {
	return &troubles{
		away: b.State(trouble.Kind{Name: "alerter_storage_away", Bad: true, Unit: "tries", Quiet: quiet,
			Begins: "the alerter waits for the queue or the store: events stay in the queue until it answers",
			Ends:   "the queue and the store answer the alerter again"}),
		stuck: b.State(trouble.Kind{Name: "alerter_step_fails", Bad: true, Unit: "tries", Quiet: quiet,
			Begins: "a step of the alerter that must succeed fails: events wait in the queue", Ends: "the step of the alerter succeeded",
			Remedy: "look at the error; the alerter tries again by itself"}),
		unclaimed: b.State(trouble.Kind{Name: "alerter_entries_not_claimed", Bad: true, Unit: "tries", Quiet: quiet,
			Begins: "the alerter cannot claim entries of the queue", Ends: "the alerter claims entries again"}),
		newer: b.State(trouble.Kind{Name: "alerter_newer_entries", Unit: "entries",
			Begins: "entries were written by a newer version: they wait until this process is updated", Ends: "no entry of a newer version came any more",
			Remedy: "update this process"}),
		split: b.State(trouble.Kind{Name: "alerter_entries_split", Unit: "entries",
			Begins: "entries that cannot be judged whole are judged one event at a time", Ends: "entries are judged whole again"}),
		unjudged: b.State(trouble.Kind{Name: "alerter_events_not_judged", Unit: "tries",
			Begins: "events could not be judged and are tried again", Ends: "every event can be judged again"}),
		poison: b.State(trouble.Kind{Name: "alerter_events_dead_lettered", Unit: "events",
			Begins: "events that cannot be judged go to the dead letters", Ends: "no more events went to the dead letters of the ingest queue",
			Remedy: "mutt dlq list --queue ingest shows them with the reason"}),
		uncounted: b.State(trouble.Kind{Name: "alerter_unhandled_not_counted", Unit: "tries",
			Begins: "unhandled events could not be counted", Ends: "unhandled events are counted again"}),
	}
}
