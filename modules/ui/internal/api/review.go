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
	moves         map[[2]int64]int // by the ids of the rules, 0 for none
	names         map[int64]string
	before, after int // events that page
}

// begin makes the preview one with a review: it looks at what depends on the rules alone.
func (p *preview) begin(ctx context.Context, drafted []rule.Rule, hours int, now time.Time) error {
	r := &review{moves: map[[2]int64]int{}, names: map[int64]string{}, RuleReview: apiclient.RuleReview{WindowHours: hours, LookedFrom: now, LookedTo: now,
		Moves: []apiclient.RuleMove{}, Unreachable: []apiclient.RuleRef{}, BrokenExamples: []apiclient.BrokenExample{}}}
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
	}
	if err := rule.CheckExamples(ctx, drafted); err != nil {
		faults := rule.Faults(err)
		if len(faults) == 0 {
			return err
		}
		for _, f := range faults {
			r.BrokenExamples = append(r.BrokenExamples, apiclient.BrokenExample{Field: f.Field, Message: f.Message})
		}
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
	if pages(old) {
		r.before++
	}
	if pages(now) {
		r.after++
	}
	if old.RuleID != now.RuleID {
		r.moves[[2]int64{old.RuleID, now.RuleID}]++
		r.names[old.RuleID], r.names[now.RuleID] = old.RuleName, now.RuleName
	}
}

func pages(d *event.Decision) bool {
	return d.Handling == event.PageAndTicket || d.Handling == event.PageOnly
}

func (r *review) result() *apiclient.RuleReview {
	out := r.RuleReview
	if hours := out.LookedTo.Sub(out.LookedFrom).Hours(); hours > 0 {
		if out.Whole { // nothing older in the window
			hours = float64(out.WindowHours)
		}
		out.PagesBefore, out.PagesAfter = round(float64(r.before)/hours), round(float64(r.after)/hours)
	}
	for ids, n := range r.moves {
		out.Moves = append(out.Moves, apiclient.RuleMove{From: r.ref(ids[0]), To: r.ref(ids[1]), Events: n})
	}
	slices.SortFunc(out.Moves, func(a, b apiclient.RuleMove) int {
		return cmp.Or(cmp.Compare(b.Events, a.Events), strings.Compare(nameOf(a.From), nameOf(b.From)), strings.Compare(nameOf(a.To), nameOf(b.To)))
	})
	out.Moves = out.Moves[:min(maxMoves, len(out.Moves))]
	return &out
}

func (r *review) ref(id int64) *apiclient.RuleRef {
	if id == 0 {
		return nil
	}
	return &apiclient.RuleRef{ID: id, Name: r.names[id]}
}

func nameOf(r *apiclient.RuleRef) string {
	if r == nil {
		return ""
	}
	return r.Name
}
