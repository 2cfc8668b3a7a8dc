package authn

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muttproject/mutt/platform/netguard"
)

// How often a source may fail, how often it is told of in the log, and how many sources are remembered.
const (
	attemptsPerMinute = 10
	attemptCost       = time.Minute / attemptsPerMinute
	maxSources        = 4096
)

// Attempts limits failed attempts by where they come from: ten at once, and one more every six seconds (GCRA). While a source has
// used up its attempts it is throttled: the caller then evaluates only what cannot be guessed, as a right guess among many wrong
// ones must not be let in.
//
// Sources beyond the bound share one allowance, so that who has many addresses gains nothing.
type Attempts struct {
	now func() time.Time

	mu      sync.Mutex
	sources map[netguard.Source]*attempter
	rest    attempter // those who found no room
	swept   time.Time

	latest atomic.Int64 // Unix nanoseconds: the latest until of all sources, for Any
}

// attempter is one source.
type attempter struct {
	until time.Time // when its allowance is whole again
	told  time.Time
}

// NewAttempts makes an empty Attempts.
func NewAttempts(now func() time.Time) *Attempts {
	return &Attempts{now: now, sources: map[netguard.Source]*attempter{}}
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
	if wait = s.wait(now); wait > 0 {
		return wait, tell
	}
	s.until = s.until.Add(attemptCost)
	a.latest.Store(max(a.latest.Load(), s.until.UnixNano()))
	return 0, tell
}

// Any reports whether some source may be throttled. It costs next to nothing, so that nobody pays for Throttled while nobody fails.
func (a *Attempts) Any() bool {
	latest := attempter{until: time.Unix(0, a.latest.Load())}
	return latest.wait(a.now()) > 0
}

// Throttled reports how long a source has no attempt left; 0 when it has one. tell is as that of Failed.
func (a *Attempts) Throttled(from netip.Addr) (wait time.Duration, tell bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	s, known := a.sources[netguard.SourceOf(from)]
	if !known && len(a.sources) < maxSources {
		return 0, false
	}
	if !known {
		s = &a.rest
	}
	if wait = s.wait(now); wait > 0 && now.Sub(s.told) >= time.Minute {
		s.told, tell = now, true
	}
	return wait, tell
}

// Left returns how many attempts of a source may fail before it is throttled.
func (a *Attempts) Left(from netip.Addr) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, known := a.sources[netguard.SourceOf(from)]
	switch {
	case !known && len(a.sources) < maxSources:
		return attemptsPerMinute
	case !known:
		s = &a.rest
	}
	used := max(0, s.until.Sub(a.now()))
	return max(0, int((time.Minute-used)/attemptCost))
}

// wait returns how long the source has no attempt left, 0 or less when it has one.
func (s *attempter) wait(now time.Time) time.Duration {
	return s.until.Sub(now.Add(time.Minute - attemptCost))
}

func (a *Attempts) source(from netip.Addr, now time.Time) *attempter {
	key := netguard.SourceOf(from)
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
