package api

import (
	"context"
	"time"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rule"
)

const (
	checkWithin = 10 * time.Second // the rules of one call, with their examples
	checkTries  = 3                // how often a call is checked again because the rules were changed meanwhile
)

// checkRule refuses what does not compile, and what contradicts its own examples. What a rule expects of the others
// (examples.expect) is checked where the whole set is at hand: at import.
func (a *API) checkRule(ctx context.Context, r rule.Rule) error {
	own, err := ownExamples(r)
	if err != nil || own == nil {
		return err
	}
	return a.checkExamples(ctx, own)
}

// checkExamples runs examples outside of every transaction, because judging waits for those.
func (a *API) checkExamples(ctx context.Context, rules []rule.Rule) error {
	return a.aside(ctx, func(ctx context.Context) error { return examplesWithin(ctx, checkWithin, rules) })
}

// aside runs what compiles rules from outside for one call at a time: it takes a core, and memory, for as long as it is allowed to.
func (a *API) aside(ctx context.Context, do func(context.Context) error) error {
	select {
	case a.checking <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-a.checking }()
	return do(ctx)
}

func examplesWithin(ctx context.Context, bound time.Duration, rules []rule.Rule) error {
	late := fault.Field(fault.Unprocessable, "examples", "take longer than %v to check", bound).
		WithRemedy("make the expressions simpler, or the examples fewer and shorter")
	ctx, done := context.WithTimeoutCause(ctx, bound, late)
	defer done()
	return ruleFault("", rule.CheckExamples(ctx, rules))
}

// ownExamples returns a valid rule with what it says of itself alone; none when there are no examples.
func ownExamples(r rule.Rule) ([]rule.Rule, error) {
	if err := r.Validate(); err != nil {
		return nil, ruleFault("", err)
	}
	if r.Examples == nil {
		return nil, nil
	}
	own := *r.Examples
	own.Expect, r.Examples = nil, &own
	return []rule.Rule{r}, nil
}

// settled runs a change that was checked before its transaction, and runs it again when the transaction found, and said
// by moved, that what was checked has been changed since.
func (a *API) settled(do func(moved func() error) error) error {
	for try := 1; ; try++ {
		again := false
		err := do(func() error {
			again = true
			return fault.New(fault.Conflict, "the rules were changed while this was checked, %d times", checkTries).WithRemedy("send it again")
		})
		if err == nil || !again || try == checkTries {
			return err
		}
	}
}
