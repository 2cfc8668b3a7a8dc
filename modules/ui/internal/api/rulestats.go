package api

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/store"
)

// statHours is how many hours the statistics of rules cover: the current one and the 24 before it.
const statHours = 25

// ruleStats shows how often each rule won in 24 hours, when it won last, and whether it can win at all.
func (a *API) ruleStats(c echo.Context) error {
	ctx := c.Request().Context()
	if err := a.Fold(ctx); err != nil {
		return err
	}
	since := a.Now().UTC().Truncate(time.Hour).Add((1 - statHours) * time.Hour)
	hits, err := a.Store.RuleHits(ctx, since)
	if err != nil {
		return err
	}
	sums, err := a.Store.Steps(ctx, since.Unix()/60, since.Unix()/60+statHours*60, 60)
	if err != nil {
		return err
	}
	ranked, err := a.ranked(ctx)
	if err != nil {
		return err
	}
	out := apiclient.RuleStats{From: since, RulesetVersion: ranked.version, ShadowsKnown: ranked.known, Rules: make([]apiclient.RuleStat, 0, len(ranked.rules)),
		UnhandledHours: make([]int64, statHours)}
	for _, s := range sums {
		if s.Kind == store.FatePrefix+event.FateUnhandled.String() {
			out.Unhandled += s.N
			out.UnhandledHours[s.Step] += s.N
		}
	}
	counted := make(map[int64]*store.RuleHits, len(hits))
	for i := range hits {
		counted[hits[i].RuleID] = &hits[i]
	}
	first := since.Unix() / 3600
	for i := range ranked.rules {
		r := &ranked.rules[i]
		stat := apiclient.RuleStat{RuleID: r.ID, Name: r.Name, IsActive: r.IsActive, Hours: make([]int64, statHours)}
		if h := counted[r.ID]; h != nil {
			last := h.Last.UTC()
			stat.Hits, stat.LastMatch = h.N, &last
			for _, hour := range h.Hours {
				stat.Hours[min(hour.Hour-first, statHours-1)] += hour.N // a sender's or another process's clock may be ahead
			}
		}
		if s := ranked.shadowed[r.ID]; s != nil {
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
