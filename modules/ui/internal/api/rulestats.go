package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

// shadows keeps which rules of a ruleset version are shadowed: finding that out takes time with the square of their number.
type shadows struct{ last atomic.Pointer[shadowed] }

type shadowed struct {
	position store.Position
	by       map[int64]*rule.Rule
}

// ruleStats shows how often each rule won in 24 hours, when it won last, and whether it can win at all.
func (a *API) ruleStats(c echo.Context) error {
	ctx := c.Request().Context()
	if err := a.Fold(ctx); err != nil {
		return err
	}
	since := a.Now().UTC().Add(-24 * time.Hour).Truncate(time.Hour)
	hits, err := a.Store.RuleHits(ctx, since)
	if err != nil {
		return err
	}
	sums, err := a.Store.Sums(ctx, since.Unix()/60, a.Now().Unix()/60+1)
	if err != nil {
		return err
	}
	at, err := a.Store.Position(ctx) // before the rules: what is kept is then at most too old
	if err != nil {
		return err
	}
	rules, tables, err := a.Store.Ruleset(ctx)
	if err != nil {
		return err
	}
	var by map[int64]*rule.Rule
	if last := a.shadows.last.Load(); last != nil && last.position == at {
		by = last.by
	} else {
		err := a.tryOut(c, func(ctx context.Context) error {
			set, err := rule.CompileWithin(ctx, rules, tables)
			if err != nil {
				return ruleFault("", err)
			}
			by, err = set.ShadowedBy(ctx)
			return err
		})
		if err != nil {
			return err
		}
		a.shadows.last.Store(&shadowed{at, by})
	}
	out := apiclient.RuleStats{From: since, Rules: make([]apiclient.RuleStat, 0, len(rules))}
	for _, s := range sums {
		if s.Kind == store.FatePrefix+event.FateUnhandled.String() {
			out.Unhandled += s.N
		}
	}
	counted := make(map[int64]store.RuleHits, len(hits))
	for _, h := range hits {
		counted[h.RuleID] = h
	}
	slices.SortStableFunc(rules, func(a, b rule.Rule) int {
		if a.IsActive != b.IsActive {
			if a.IsActive {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.ID, b.ID))
	})
	for i := range rules {
		r := &rules[i]
		stat := apiclient.RuleStat{RuleID: r.ID, Name: r.Name, IsActive: r.IsActive}
		if h, known := counted[r.ID]; known {
			last := h.Last.UTC()
			stat.Hits, stat.LastMatch = h.N, &last
		}
		if s := by[r.ID]; s != nil {
			stat.ShadowedBy = &apiclient.RuleRef{ID: s.ID, Name: s.Name}
		}
		if until, err := time.Parse(time.RFC3339, r.ValidUntil); err == nil {
			until = until.UTC()
			stat.Expires = &until
		}
		out.Rules = append(out.Rules, stat)
	}
	return answer(c, http.StatusOK, out)
}
