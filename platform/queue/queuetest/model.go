package queuetest

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
)

// model is a queue as naive as it can be: lists in memory, looked through from the start.
type model struct {
	lanes [2]modelLane // ingest and alert, partition 0
	lease time.Duration
	wall  time.Duration
	dead  map[queue.Name][]queue.DeadLetter
	given map[event.ID]bool // the dead letters that are given up
	total map[string]int64  // counters by kind
}

type modelLane struct {
	queue   queue.Name
	entries []*modelEntry
	token   int64
	owner   string
	until   time.Duration
}

type modelEntry struct {
	queue.Entry
	claimed              bool
	due                  time.Duration // 0 for not delayed
	deliveries, attempts int
	replays              int
	reason               string
	progress             []byte
}

func newModel() *model {
	// The wall clock may be stepped back, but not to where 0 means something.
	m := &model{wall: time.Hour * 1e5, dead: map[queue.Name][]queue.DeadLetter{}, given: map[event.ID]bool{}, total: map[string]int64{}}
	for i, q := range queue.Names() {
		m.lanes[i].queue = q
	}
	return m
}

func (m *model) lane(q queue.Name) *modelLane {
	for i := range m.lanes {
		if m.lanes[i].queue == q {
			return &m.lanes[i]
		}
	}
	return nil
}

func (m *model) alive(l *modelLane) bool { return l.owner != "" && m.lease < l.until }

// holds reports whether a lease is the one that is alive.
func (m *model) holds(q queue.Lease) bool {
	l := m.lane(q.Queue)
	return m.alive(l) && l.token == q.Token && l.owner == q.Owner
}

func (l *modelLane) find(id event.ID) *modelEntry {
	for _, e := range l.entries {
		if e.ID == id {
			return e
		}
	}
	return nil
}

func (m *model) append(entries ...queue.Entry) {
	for _, e := range entries {
		if l := m.lane(e.Queue); l.find(e.ID) == nil {
			l.entries = append(l.entries, &modelEntry{Entry: e})
		}
	}
}

// handOver makes ready what is claimed.
func (l *modelLane) handOver() {
	for _, e := range l.entries {
		e.claimed = false
	}
}

func (m *model) claim(l *modelLane, most int) []queue.Claimed {
	var got []queue.Claimed
	for _, e := range l.entries {
		if e.due <= m.wall {
			e.due = 0 // for good, wherever the clock goes then
		}
		if e.claimed || e.due > 0 || len(got) == most {
			continue
		}
		e.claimed = true
		e.deliveries++
		got = append(got, queue.Claimed{Entry: e.ID, Events: e.Events, Body: e.Body, Deliveries: e.deliveries,
			Attempts: e.attempts, Replays: e.replays, Reason: e.reason, Progress: e.progress})
	}
	return got
}

// claimedAll reports whether all of these are claimed.
func (l *modelLane) claimedAll(ids []event.ID) bool {
	for _, id := range ids {
		if e := l.find(id); e == nil || !e.claimed {
			return false
		}
	}
	return true
}

func (m *model) settle(l *modelLane, p *queue.SettleParams) {
	for _, n := range p.Progress {
		e := l.find(n.Entry)
		e.progress = n.Note
		if n.Left > 0 {
			e.Events = n.Left
		}
	}
	l.entries = slices.DeleteFunc(l.entries, func(e *modelEntry) bool { return slices.Contains(p.Ack, e.ID) })
	m.append(p.Publish...)
	for _, d := range p.Dead {
		m.dead[d.Queue] = append(m.dead[d.Queue], d)
	}
	for _, q := range queue.Names() {
		slices.SortFunc(m.dead[q], func(a, b queue.DeadLetter) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	}
	for _, c := range p.Counts {
		m.total[c.Kind] += c.N
	}
}

func (m *model) release(l *modelLane, p *queue.ReleaseParams) {
	for _, id := range p.Entries {
		e := l.find(id)
		e.claimed, e.reason = false, p.Reason
		if p.Delay > 0 {
			e.due = m.wall + p.Delay
		}
		if p.CountAttempt {
			e.attempts++
		}
	}
}

// takeDead takes dead letters out, in the order of ids or the oldest.
func (m *model) takeDead(q queue.Name, ids []event.ID, limit int) []queue.DeadLetter {
	var taken []queue.DeadLetter
	if ids == nil {
		taken = slices.Clone(m.dead[q][:min(limit, len(m.dead[q]))])
	}
	for _, id := range ids {
		for _, d := range m.dead[q] {
			if d.ID == id {
				taken = append(taken, d)
			}
		}
	}
	for _, d := range taken {
		delete(m.given, d.ID)
	}
	m.dead[q] = slices.DeleteFunc(slices.Clone(m.dead[q]), func(d queue.DeadLetter) bool {
		return slices.ContainsFunc(taken, func(t queue.DeadLetter) bool { return t.ID == d.ID })
	})
	return taken
}

// giveUp marks dead letters and returns how many were not marked before.
func (m *model) giveUp(ids []event.ID) (n int) {
	for _, id := range ids {
		if !m.given[id] {
			m.given[id] = true
			n++
		}
	}
	return n
}

// depth gives what every driver must say: how claimed and ready share what is not delayed is only sure while
// a lease is alive.
func (m *model) depth(q queue.Name) (live, claimed int64, entries int, sure bool) {
	l := m.lane(q)
	for _, e := range l.entries {
		live += int64(e.Events)
		if e.claimed {
			claimed += int64(e.Events)
		}
	}
	return live, claimed, len(l.entries), m.alive(l)
}

// bytes is what the entries of a lane take.
func (l *modelLane) bytes() (sum int64) {
	for _, e := range l.entries {
		sum += queue.SizeOf(e.Body)
	}
	return sum
}

func sortedIDs(entries []*modelEntry, keep func(*modelEntry) bool) []event.ID {
	var all []event.ID
	for _, e := range entries {
		if keep(e) {
			all = append(all, e.ID)
		}
	}
	slices.SortFunc(all, func(a, b event.ID) int { return cmp.Compare(a.String(), b.String()) })
	return all
}
