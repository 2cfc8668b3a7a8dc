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
			Ends:   "the queue and the store answer the alerter again", Title: "Events are not judged",
			Advice: trouble.Advice{Consequence: "no alert is created meanwhile; intake goes on until the queue is full",
				Remedy: "look at the error in the log of the alerter, and at the storage that it names; the alerter goes on by itself", Promise: trouble.NothingLost}}),
		stuck: b.State(trouble.Kind{Name: "alerter_step_fails", Bad: true, Unit: "tries", Quiet: quiet,
			Begins: "a step of the alerter that must succeed fails: events wait in the queue", Ends: "the step of the alerter succeeded",
			Title: "Events are not judged", Advice: trouble.Advice{Consequence: "the events of one partition of the queue are not judged meanwhile; intake goes on",
				Remedy: "look at the error in the log of the alerter; the alerter tries again by itself", Promise: trouble.NothingLost}}),
		unclaimed: b.State(trouble.Kind{Name: "alerter_entries_not_claimed", Bad: true, Unit: "tries", Quiet: quiet,
			Begins: "the alerter cannot claim entries of the queue", Ends: "the alerter claims entries again", Title: "Events are not judged",
			Advice: trouble.Advice{Consequence: "events wait in the ingest queue and are not judged; intake goes on until the queue is full",
				Remedy: "look at the error in the log of the alerter, and at the storage of the queue; the alerter tries again by itself", Promise: trouble.NothingLost}}),
		newer: b.State(trouble.Kind{Name: "alerter_newer_entries", Unit: "entries",
			Begins: "entries were written by a newer version: they wait until this process is updated", Ends: "no entry of a newer version came any more",
			Advice: trouble.Advice{Consequence: "this process does not judge the events of these entries; one of the newer version does", Remedy: "update this process",
				Promise: trouble.NothingLost}}),
		split: b.State(trouble.Kind{Name: "alerter_entries_split", Unit: "entries",
			Begins: "entries that cannot be judged whole are judged one event at a time", Ends: "entries are judged whole again",
			Advice: trouble.Advice{Consequence: "judging is slower; an event that cannot be judged alone either goes to the dead letters",
				Remedy: "look at the error in the log of the alerter if this lasts", Promise: trouble.NothingLost}}),
		unjudged: b.State(trouble.Kind{Name: "alerter_events_not_judged", Unit: "tries",
			Begins: "events could not be judged and are tried again", Ends: "every event can be judged again",
			Advice: trouble.Advice{Consequence: "their alerts come late; an event that fails again and again goes to the dead letters",
				Remedy: "look at the error in the log of the alerter; the alerter tries again by itself", Promise: trouble.NothingLost}}),
		poison: b.State(trouble.Kind{Name: "alerter_events_dead_lettered", Unit: "events",
			Begins: "events that cannot be judged go to the dead letters", Ends: "no more events went to the dead letters of the ingest queue",
			Advice: trouble.Advice{Consequence: "no alert is created for these events until they are replayed", Remedy: "list them with the reason: mutt dlq list --queue ingest",
				Promise: trouble.NothingLost}}),
		uncounted: b.State(trouble.Kind{Name: "alerter_unhandled_not_counted", Unit: "tries",
			Begins: "unhandled events could not be counted", Ends: "unhandled events are counted again",
			Advice: trouble.Advice{Consequence: "the meta-alert about many unhandled events may be late or missing; judging is not affected",
				Remedy: "look at the error in the log of the alerter, and at the storage of the counters: Redis, or the disk of a single process"}}),
	}
}
