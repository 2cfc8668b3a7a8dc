package api

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

// Bounds of a review.
const (
	maxReviewHours = 24
	maxReview      = 100_000 // events
	maxMoves       = 50
)

// review is what a preview over a window of time finds out in addition.
type review struct {
	apiclient.RuleReview
	moves map[[2]int64]int                // by the ids of the rules, 0 for none
	wins  map[int64]*apiclient.RuleShare  // by the id of the rule
	hours map[int64]*apiclient.ReviewHour // by the hour's begin, in Unix seconds
	rules map[int64]*rule.Rule            // the drafts, and the stored rules
}

// begin makes the preview one with a review: it looks at what depends on the rules alone.
func (p *preview) begin(ctx context.Context, present, drafted []rule.Rule, hours int, now time.Time) error {
	r := &review{moves: map[[2]int64]int{}, wins: map[int64]*apiclient.RuleShare{}, hours: map[int64]*apiclient.ReviewHour{}, rules: map[int64]*rule.Rule{},
		RuleReview: apiclient.RuleReview{WindowHours: hours, LookedFrom: now, LookedTo: now, Moves: []apiclient.RuleMove{}, Hours: []apiclient.ReviewHour{},
			Rules: []apiclient.RuleShare{}, Unreachable: []apiclient.RuleRef{}, BrokenExamples: []apiclient.BrokenExample{}}}
	for _, list := range [][]rule.Rule{present, drafted} {
		for i := range list {
			r.rules[list[i].ID] = &list[i]
		}
	}
	was, err := p.before.ShadowedBy(ctx)
	if err != nil {
		return err
	}
	will, err := p.after.ShadowedBy(ctx)
	if err != nil {
		return err
	}
	for i := range drafted {
		if id := drafted[i].ID; will[id] != nil && was[id] == nil {
			r.Unreachable = append(r.Unreachable, apiclient.RuleRef{ID: id, Name: drafted[i].Name})
		}
		if x := drafted[i].Examples; x != nil {
			r.Examples += len(x.Matches) + len(x.NotMatches) + len(x.Expect)
		}
	}
	broken, err := newlyBroken(ctx, present, drafted)
	if err != nil {
		return err
	}
	for _, f := range broken {
		r.BrokenExamples = append(r.BrokenExamples, apiclient.BrokenExample{Field: f.Field, Message: f.Message})
	}
	p.review = r
	return nil
}

// note counts an event that both rulesets have judged.
func (r *review) note(l *store.AuditLog, old, now *event.Decision) {
	r.LookedFrom = l.ReceivedAt.UTC()
	if !asRecorded(old, &l.Decision) {
		r.NotAsRecorded++
	}
	from := r.LookedFrom.Truncate(time.Hour)
	hour := r.hours[from.Unix()]
	if hour == nil {
		hour = &apiclient.ReviewHour{From: from}
		r.hours[from.Unix()] = hour
	}
	tally(&r.Before, &hour.Before, old)
	tally(&r.After, &hour.After, now)
	r.share(old).Before++
	r.share(now).After++
	if old.RuleID != now.RuleID {
		r.moves[[2]int64{old.RuleID, now.RuleID}]++
	}
	if old.Fate == event.FateForwarded && old.Handling == now.Handling && old.Team == now.Team &&
		(old.Severity != now.Severity || old.Signature != now.Signature || old.RuleName != now.RuleName) {
		r.SentOtherwise++
	}
}

// tally counts one judged event, and in pages one that pages.
func tally(c *apiclient.ReviewCounts, pages *int, d *event.Decision) {
	switch {
	case d.RuleID == 0:
		c.Unhandled++
	case d.Fate == event.FateForwarded:
		c.Alerts++
	}
	if d.Handling == event.PageAndTicket || d.Handling == event.PageOnly {
		c.Pages++
		*pages++
	}
}

func (r *review) share(d *event.Decision) *apiclient.RuleShare {
	s := r.wins[d.RuleID]
	if s == nil {
		s = &apiclient.RuleShare{Rule: r.ref(d.RuleID)}
		if known := r.rules[d.RuleID]; known != nil {
			s.Priority = &known.Priority
		}
		r.wins[d.RuleID] = s
	}
	return s
}

func (r *review) result() *apiclient.RuleReview {
	out := r.RuleReview
	if hours := out.LookedTo.Sub(out.LookedFrom).Hours(); hours > 0 {
		if out.Whole { // nothing older in the window
			hours = float64(out.WindowHours)
		}
		out.PagesBefore, out.PagesAfter = round(float64(out.Before.Pages)/hours), round(float64(out.After.Pages)/hours)
	}
	for ids, n := range r.moves {
		out.Moves = append(out.Moves, apiclient.RuleMove{From: r.ref(ids[0]), To: r.ref(ids[1]), Events: n})
	}
	slices.SortFunc(out.Moves, func(a, b apiclient.RuleMove) int {
		return cmp.Or(cmp.Compare(b.Events, a.Events), strings.Compare(nameOf(a.From), nameOf(b.From)), strings.Compare(nameOf(a.To), nameOf(b.To)))
	})
	out.Moves = out.Moves[:min(maxMoves, len(out.Moves))]
	for _, s := range r.wins {
		if s.Before != s.After {
			out.Rules = append(out.Rules, *s)
		}
	}
	slices.SortFunc(out.Rules, func(a, b apiclient.RuleShare) int {
		return cmp.Or(cmp.Compare(a.After-a.Before, b.After-b.Before), strings.Compare(nameOf(a.Rule), nameOf(b.Rule)))
	})
	out.Rules = out.Rules[:min(maxMoves, len(out.Rules))]
	for _, h := range r.hours {
		out.Hours = append(out.Hours, *h)
	}
	slices.SortFunc(out.Hours, func(a, b apiclient.ReviewHour) int { return a.From.Compare(b.From) })
	return &out
}

func (r *review) ref(id int64) *apiclient.RuleRef {
	if id == 0 || r.rules[id] == nil {
		return nil
	}
	return &apiclient.RuleRef{ID: id, Name: r.rules[id].Name}
}

func nameOf(r *apiclient.RuleRef) string {
	if r == nil {
		return ""
	}
	return r.Name
}
