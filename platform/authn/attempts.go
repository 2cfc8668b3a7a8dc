package authn

import (
	"net/netip"
	"sync"
	"time"
)

// How often a source may fail, how often it is told of in the log, and how many sources are remembered.
const (
	attemptsPerMinute = 10
	attemptCost       = time.Minute / attemptsPerMinute
	maxSources        = 4096
)

// Attempts limits failed attempts by where they come from: ten at once, and one more every six seconds (GCRA). It says
// nothing about callers with a valid key, who may share an address with one that has none.
//
// Sources beyond the bound share one allowance, so that who has many addresses gains nothing.
type Attempts struct {
	now func() time.Time

	mu      sync.Mutex
	sources map[netip.Prefix]*attempter
	rest    attempter // those who found no room
	swept   time.Time
}

// attempter is one source.
type attempter struct {
	until time.Time // when its allowance is whole again
	told  time.Time
}

// NewAttempts makes an empty Attempts.
func NewAttempts(now func() time.Time) *Attempts {
	return &Attempts{now: now, sources: map[netip.Prefix]*attempter{}}
}

// Failed notes a failed attempt. A positive wait says that there were too many, and when the next one is taken; tell
// says that the log should hear of it: once a minute for each source.
func (a *Attempts) Failed(from netip.Addr) (wait time.Duration, tell bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	s := a.source(from, now)
	if now.Sub(s.told) >= time.Minute {
		s.told, tell = now, true
	}
	if s.until.Before(now) {
		s.until = now
	}
	if next := s.until.Add(attemptCost); next.Sub(now) <= time.Minute {
		s.until = next
		return 0, tell
	}
	return s.until.Add(attemptCost).Sub(now) - time.Minute, tell
}

func (a *Attempts) source(from netip.Addr, now time.Time) *attempter {
	bits := 32
	if from = from.Unmap(); from.Is6() {
		bits = 64 // one customer's network
	}
	key, _ := from.WithZone("").Prefix(bits) // fails for no valid address, and then it is the zero Prefix
	s, known := a.sources[key]
	if known {
		return s
	}
	if len(a.sources) >= maxSources {
		a.sweep(now)
	}
	if len(a.sources) >= maxSources {
		return &a.rest
	}
	s = &attempter{}
	a.sources[key] = s
	return s
}

// sweep forgets the sources that have their allowance back, at most once a second.
func (a *Attempts) sweep(now time.Time) {
	if now.Sub(a.swept) < time.Second {
		return
	}
	a.swept = now
	for key, s := range a.sources {
		if !now.Before(s.until) && now.Sub(s.told) >= time.Minute {
			delete(a.sources, key)
		}
	}
}
