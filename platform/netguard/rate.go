package netguard

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/trouble"
)

// rateBurst is how long a source may send at once what it may send in that time.
const rateBurst = int64(2 * time.Second)

const rateRemedy = "find out what the source sends, raise source_max_rate, or add a relay to limits.trusted_relays"

// Rate limits how many events a source may send per second (GCRA). It remembers limits.sources_tracked sources; beyond that the one
// that was not seen for longest is forgotten, in constant time. Relays are not limited. It is safe for concurrent use.
type Rate struct {
	guard *Guard
	limit func() int64 // events per second; 0 for none

	slowed, refused *trouble.State

	mu             sync.Mutex
	places         map[Source]int32 // in records
	records        []record
	newest, oldest int32 // the ends of the list by the time that a source was last seen; -1 when it is empty
}

// record is what is remembered of a source.
type record struct {
	source       Source
	full         int64 // when its allowance is whole again, on the Guard's clock
	newer, older int32 // neighbours in the list, -1 for none
}

// NewRate returns a Rate without sources. limit returns the events per second in force, 0 for no limit; it is asked at each use.
func (g *Guard) NewRate(limit func() int64) *Rate {
	return &Rate{guard: g, limit: limit, places: map[Source]int32{}, newest: -1, oldest: -1,
		slowed: g.board.State(trouble.Kind{Name: "source_rate_slowed", Unit: "waits",
			Begins: "syslog connections are read slowly: their sources send more than source_max_rate allows",
			Ends:   "no syslog connection is slowed down for the rate of its source any more",
			Advice: trouble.Advice{Consequence: "messages of these sources are late; other sources are not affected", Remedy: rateRemedy, Promise: trouble.NothingLost, Runbook: "intake"}}),
		refused: g.board.State(trouble.Kind{Name: "source_rate_refused", Unit: "requests",
			Begins: "requests are answered with 429: their sources send more than source_max_rate allows",
			Ends:   "no request is refused for the rate of its source any more",
			Advice: trouble.Advice{Consequence: "these requests are not taken in unless their senders repeat them; other sources are not affected", Remedy: rateRemedy, Runbook: "intake"}})}
}

// Datagrams takes up to n events from the allowance of a source and returns how many there were: the caller drops the others.
func (r *Rate) Datagrams(p Peer, n int) int {
	limit := r.limit()
	if limit == 0 || p.Relay {
		return n
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now, each := r.guard.now(), max(1, int64(time.Second)/limit)
	s := r.see(p.Source)
	s.full = max(s.full, now)
	granted := min(n, int(max(0, now+rateBurst-s.full)/each))
	s.full += int64(granted) * each
	return granted
}

// Stream takes n events that were read from the allowance of a source, and returns how long the caller must read nothing more.
func (r *Rate) Stream(p Peer, n int) time.Duration {
	wait := r.spend(p, n)
	if wait > 0 {
		r.slowed.Add(1, zap.Stringer("source", p.Source))
	}
	return wait
}

// Request returns how long a source has no allowance, before anything of its request is read; 0 lets the request in.
func (r *Rate) Request(p Peer) time.Duration {
	wait := r.spend(p, 0)
	if wait > 0 {
		r.refused.Add(1, zap.Stringer("source", p.Source))
	}
	return wait
}

// Took takes the n events of a request that was let in. They are taken whole: what is over the allowance delays the next request.
func (r *Rate) Took(p Peer, n int) { r.spend(p, n) }

// On reports whether there is a limit.
func (r *Rate) On() bool { return r.limit() != 0 }

// spend takes n events from the allowance of a source, which may go below zero, and returns how long the source has none then.
func (r *Rate) spend(p Peer, n int) time.Duration {
	limit := r.limit()
	if limit == 0 || p.Relay {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now, each := r.guard.now(), max(1, int64(time.Second)/limit)
	s := r.see(p.Source)
	s.full = max(s.full, now) + int64(n)*each
	return time.Duration(max(0, s.full-now-rateBurst))
}

// see returns the record of a source, which becomes the newest. It may be that of the oldest one, which is forgotten.
func (r *Rate) see(source Source) *record {
	at, known := r.places[source]
	switch {
	case known && at == r.newest:
		return &r.records[at]
	case known:
		r.unlink(at)
	case len(r.records) < r.guard.limits.SourcesTracked:
		at = int32(len(r.records))
		r.records = append(r.records, record{source: source})
		r.places[source] = at
	default:
		at = r.oldest
		r.unlink(at)
		delete(r.places, r.records[at].source)
		r.records[at] = record{source: source}
		r.places[source] = at
	}
	s := &r.records[at]
	s.newer, s.older = -1, r.newest
	if r.newest >= 0 {
		r.records[r.newest].newer = at
	} else {
		r.oldest = at
	}
	r.newest = at
	return s
}

func (r *Rate) unlink(at int32) {
	s := &r.records[at]
	if s.newer >= 0 {
		r.records[s.newer].older = s.older
	} else {
		r.newest = s.older
	}
	if s.older >= 0 {
		r.records[s.older].newer = s.newer
	} else {
		r.oldest = s.newer
	}
}
