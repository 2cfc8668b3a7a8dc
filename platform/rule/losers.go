package rule

import (
	"cmp"
	"context"
	"slices"

	"github.com/muttproject/mutt/platform/event"
)

// Miss is a condition of a rule that an event does not fit.
type Miss struct {
	Field  string `json:"field" doc:"the field of the rule that did not fit"`
	Reason string `json:"reason" doc:"why, in words"`
}

// Loser is a rule that did not win.
type Loser struct {
	RuleID   int64  `json:"rule_id" doc:"its id"`
	Name     string `json:"name" doc:"its name"`
	Priority int    `json:"priority" doc:"its priority"`
	Misses   []Miss `json:"misses" doc:"the conditions that did not fit; none: it matches too, and comes after the winner"`
}

// Losers returns the n rules that came nearest to winning for e at now (Unix µs), nearest first: those that match and come after the
// winner, then those with the fewest conditions that do not fit. Of equals the one with more conditions that fit is nearer, then the one
// that is tried earlier. Its cost grows with the number of rules. When ctx ends, so does Losers, with its cause.
func (s *Set) Losers(ctx context.Context, e *event.Event, now int64, n int) ([]Loser, error) {
	sc := s.NewScratch()
	sc.begin(s, e, now)
	sc.ctx = ctx
	type near struct{ rank, misses, fits int }
	var all []near
	won := false
	for rank := range s.rules {
		at := near{rank: rank}
		for fits := range s.rules[rank].conditions(sc) {
			if fits {
				at.fits++
			} else {
				at.misses++
			}
		}
		if sc.over() {
			return nil, context.Cause(ctx)
		}
		if at.misses == 0 && !won {
			won = true
			continue
		}
		all = append(all, at)
	}
	slices.SortFunc(all, func(a, b near) int {
		return cmp.Or(cmp.Compare(a.misses, b.misses), cmp.Compare(b.fits, a.fits), cmp.Compare(a.rank, b.rank))
	})
	all = all[:min(n, len(all))]
	out := make([]Loser, len(all))
	for i, at := range all {
		c := &s.rules[at.rank]
		out[i] = Loser{RuleID: c.rule.ID, Name: c.rule.Name, Priority: c.rule.Priority, Misses: []Miss{}}
		for fits, miss := range c.conditions(sc) {
			if !fits {
				out[i].Misses = append(out[i].Misses, miss())
			}
		}
	}
	return out, nil
}

// Fit returns how many conditions of the first rule in the order of judging e fits at now (Unix µs), and what does not fit, without reasons
// when it is more than one condition. ok is false when there is no active rule, or the caller has given up.
func (s *Set) Fit(ctx context.Context, e *event.Event, now int64, sc *Scratch) (fits int, misses []Miss, ok bool) {
	if len(s.rules) == 0 {
		return 0, nil, false
	}
	sc.begin(s, e, now)
	sc.ctx = ctx
	defer func() { sc.ctx = nil }()
	for fit, miss := range s.rules[0].conditions(sc) {
		switch {
		case fit:
			fits++
		case len(misses) > 0:
			return fits, append(misses, Miss{}), !sc.over() // two are too many for whoever looks for near misses
		default:
			misses = append(misses, miss())
		}
	}
	return fits, misses, !sc.over()
}
