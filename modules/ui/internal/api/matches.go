package api

import (
	"bytes"
	"cmp"
	"context"
	"hash/maphash"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rule"
)

// Bounds of what is shown of matches.
const (
	maxMatches = 50
	maxNear    = 20
)

// matchRule tries a draft on the samples of a day.
func (a *API) matchRule(c echo.Context) error {
	var in struct {
		Rule jsontext.Value `json:"rule"`
	}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	if in.Rule == nil || in.Rule.Kind() == 'n' {
		return fault.Field(fault.Unprocessable, "rule", "is required")
	}
	draft, err := rule.Decode(in.Rule)
	if err != nil {
		return ruleFault("rule.", err)
	}
	draft.IsActive, draft.TeamAssignment = true, cmp.Or(draft.TeamAssignment, "none") // a team decides nothing here, and comes last in an editor
	out := apiclient.RuleMatches{Groups: []string{}, Matches: []apiclient.RuleMatch{}, Near: []apiclient.RuleMatch{}}
	err = a.tryOut(c, func(ctx context.Context) error {
		if err := draft.Validate(); err != nil {
			return ruleFault("rule.", err)
		}
		out.Groups = draft.Groups()
		set, err := rule.CompileWithin(ctx, []rule.Rule{draft}, rule.Tables{})
		if err != nil {
			return ruleFault("rule.", err)
		}
		all, err := a.sampled(ctx)
		if err != nil {
			return err
		}
		out.LookedFrom, out.Looked, out.Samples, out.LeftOut = all.from, all.looked, len(all.byKey), all.leftOut
		var matched, near []found
		sc, signatures, seed := set.NewScratch(), map[uint64]bool{}, maphash.MakeSeed()
		for _, s := range all.byKey {
			fits, misses, ok := set.Fit(ctx, &s.event, s.event.ReceivedAt, sc)
			switch {
			case !ok:
				return context.Cause(ctx)
			case len(misses) == 0:
				var d event.Decision
				if err := set.JudgeWithin(ctx, &s.event, s.event.ReceivedAt, sc, &d); err != nil {
					return err
				}
				matched = append(matched, found{sample: s, signature: d.Signature})
				signatures[maphash.String(seed, d.Signature)] = true
				out.Events += s.events
			case len(misses) == 1 && fits > 0:
				near = append(near, found{sample: s, missing: &misses[0]})
			}
		}
		out.Matched, out.Problems = len(matched), len(signatures)
		out.Matches, out.Near = foremost(matched, maxMatches), foremost(near, maxNear)
		return nil
	})
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, out)
}

// found is a sample that a draft matches, or nearly.
type found struct {
	*sample
	missing   *rule.Miss
	signature string // of what the draft matches
}

// foremost returns the n that stand for the most events; of equals, the newest.
func foremost(list []found, n int) []apiclient.RuleMatch {
	slices.SortFunc(list, func(a, b found) int { return cmp.Or(cmp.Compare(b.events, a.events), bytes.Compare(b.id[:], a.id[:])) })
	out := make([]apiclient.RuleMatch, 0, min(n, len(list)))
	for _, f := range list[:min(n, len(list))] {
		m := apiclient.RuleMatch{ID: f.id.String(), ReceivedAt: event.Time(f.event.ReceivedAt), Hostname: f.event.Hostname, Message: f.event.Message, Events: f.events, Missing: f.missing, Signature: f.signature}
		if f.event.Severity != event.Absent {
			severity := int(f.event.Severity)
			m.Severity = &severity
		}
		out = append(out, m)
	}
	return out
}
