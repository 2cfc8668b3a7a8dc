package api

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"

	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

// ranking keeps the rules of a state of the configuration in the order of judging, and which of them are shadowed. Finding that out takes
// time with the square of their number, so one call does it at once, for all that wait.
type ranking struct {
	finding chan struct{} // held by the call that finds out
	last    atomic.Pointer[ranked]
}

type ranked struct {
	position store.Position
	rules    []rule.Rule // inactive ones last
	version  int64       // of the ruleset
	shadowed map[int64]*rule.Rule
	known    bool // false: which are shadowed took longer than a call may, or the rules do not compile
}

func newRanking() *ranking { return &ranking{finding: make(chan struct{}, 1)} }

// ranked returns the rules as they are now.
func (a *API) ranked(ctx context.Context) (*ranked, error) {
	at, err := a.Store.Position(ctx) // before the rules: what is kept is then at most too old
	if err != nil {
		return nil, err
	}
	fresh := func() *ranked {
		if last := a.ranking.last.Load(); last != nil && last.position == at {
			return last
		}
		return nil
	}
	if found := fresh(); found != nil {
		return found, nil
	}
	select {
	case a.ranking.finding <- struct{}{}:
		defer func() { <-a.ranking.finding }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if found := fresh(); found != nil {
		return found, nil
	}
	found := &ranked{position: at}
	var tables rule.Tables
	if found.rules, tables, err = a.Store.Ruleset(ctx); err != nil {
		return nil, err
	}
	found.version = tables.Version
	slices.SortFunc(found.rules, func(a, b rule.Rule) int {
		if a.IsActive != b.IsActive {
			if a.IsActive {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.ID, b.ID))
	})
	bounded, cancel := context.WithTimeout(ctx, a.TryoutTime)
	defer cancel()
	if set, err := rule.CompileWithin(bounded, found.rules, tables); err == nil {
		found.shadowed, err = set.ShadowedBy(bounded)
		found.known = err == nil
	}
	if ctx.Err() != nil { // the caller has gone: the next one tries again
		return nil, ctx.Err()
	}
	a.ranking.last.Store(found)
	return found, nil
}
