package worker

import (
	"encoding/binary"
	"slices"

	"github.com/muttproject/mutt/modules/alert/internal/unhandled"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

// terms are what judging depends on beside the event; they are taken once for each claim.
type terms struct {
	rules  Judge
	now    int64 // Unix µs
	team   string
	sample uint64 // unhandled events whose hash is below get an audit row
	shed   bool
}

func (w *Worker) terms(shed bool) terms {
	percent := w.p.Dynamic.SamplePercent.Get()
	t := terms{rules: w.p.Rules(), now: w.p.Now().UnixMicro(), team: w.p.Dynamic.UnhandledTeam.Get(), shed: shed}
	if t.sample = ^uint64(0); percent < 100 {
		t.sample = uint64(percent / 100 * (1 << 63) * 2)
	}
	return t
}

// sampled decides by the event's id, so that every process and every repeat decides alike.
func (t *terms) sampled(id *event.ID) bool {
	if t.sample == ^uint64(0) {
		return true
	}
	h := binary.BigEndian.Uint64(id[:8])*0x9e3779b97f4a7c15 ^ binary.BigEndian.Uint64(id[8:])
	h = (h ^ h>>32) * 0xd6e8feb86659fd93
	return (h^h>>32)*0xd6e8feb86659fd93 < t.sample
}

// judge is the memory of one goroutine that judges.
type judge struct {
	scratch   *rule.Scratch
	collector unhandled.Collector
}

// decide judges the events of u and tallies the unhandled ones. A panic leaves u undecided.
func (j *judge) decide(u *unit, t *terms) {
	if j.scratch == nil {
		j.scratch = t.rules.NewScratch()
	}
	u.decisions = slices.Grow(u.decisions[:0], len(u.events))[:len(u.events)]
	for i := range u.events {
		j.one(&u.events[i], &u.decisions[i], t)
	}
	u.tallies = j.collector.Collect(u.tallies[:0], u.events, u.decisions)
}

func (j *judge) one(e *event.Event, d *event.Decision, t *terms) {
	t.rules.Judge(e, t.now, j.scratch, d)
	switch d.Fate {
	case event.FateUnhandled:
		if d.Team == "" {
			d.Team = t.team
		}
	case event.FateForwarded:
		if t.shed {
			d.Fate = event.FateShed
		}
	}
}

// unit is what is committed and recognised as one: a queue entry, or one part of an entry that was split.
type unit struct {
	id        event.ID
	events    []event.Event
	decisions []event.Decision
	poison    *verdict // why its one event cannot be judged

	rows    []store.AuditRow
	counts  []store.LedgerCount
	tallies []unhandled.Tally
}

// verdict is the end of one event's attempts.
type verdict struct {
	Reason   string `json:"reason"`
	Attempts int    `json:"attempts"`
	First    int64  `json:"first"`             // Unix µs of the first attempt
	Replays  int    `json:"replays,omitempty"` // of the dead letter that the event was
}

// book fills in what is stored of u.
func (u *unit) book(t *terms) {
	u.rows, u.counts = u.rows[:0], u.counts[:0]
	for i := range u.events {
		e, d := &u.events[i], &u.decisions[i]
		u.count(t.now/60_000_000, e.Source, d.Fate)
		if d.Fate == event.FateUnhandled && !t.sampled(&e.ID) {
			continue
		}
		u.rows = append(u.rows, store.AuditRow{Event: e, Decision: d})
	}
}

// count looks from the end: events of one entry mostly share minute, source and fate with a recent one.
func (u *unit) count(minute int64, source event.Source, fate event.Fate) {
	for i := len(u.counts) - 1; i >= 0; i-- {
		if c := &u.counts[i]; c.Fate == fate && c.Minute == minute && c.Source == source {
			c.N++
			return
		}
	}
	u.counts = append(u.counts, store.LedgerCount{Minute: minute, Source: source, Fate: fate, N: 1})
}

// recall replaces what was judged now by what was stored then. An event without a row was unhandled and not in
// the sample, or belongs to a part that is being dead-lettered.
func (u *unit) recall(stored map[event.ID]event.Decision, team string) {
	for i := range u.events {
		d, ok := stored[u.events[i].ID]
		switch {
		case ok:
			u.decisions[i] = d
		case u.poison != nil:
		case u.decisions[i].Fate != event.FateUnhandled:
			u.decisions[i] = event.Decision{Fate: event.FateUnhandled, Team: team, Severity: u.decisions[i].Severity}
		}
	}
}
