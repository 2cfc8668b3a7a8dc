package api

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
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

// The examples that a change of a rule is checked against.
const (
	examplesOwn  = "own"  // what the rule says of itself
	examplesAll  = "all"  // and what every rule expects of the others
	examplesNone = "none" // of an admin who gives a reason
)

// overExamples begins the reason of a change that was not checked against examples.
const overExamples = "saved without checking examples: "

// examplesOf returns what a change is to be checked against, and its reason as it is kept.
func examplesOf(c echo.Context, reason string) (check, kept string, err error) {
	switch check = cmp.Or(c.QueryParam("examples"), examplesOwn); check {
	case examplesOwn, examplesAll:
		return check, reason, nil
	case examplesNone:
	default:
		return "", "", fault.Field(fault.InvalidField, "examples", "must be own, all or none")
	}
	kept, err = unchecked(c, reason, "examples=none")
	return check, kept, err
}

// unchecked returns the reason, as it is kept, of a change that is not checked against examples because the caller asked for it by a parameter:
// only an admin who says why may do so.
func unchecked(c echo.Context, reason, parameter string) (kept string, err error) {
	if id := httpserver.Identity(c); !id.Role.Allows(authn.Admin) {
		return "", fault.New(fault.Forbidden, "saving rules without checking examples (%s) needs the role admin, and %s has %s", parameter, id.Name, id.Role)
	}
	if reason, err = reasonOf(c, reason); err != nil {
		return "", err
	}
	if reason == "" {
		return "", fault.Field(fault.Unprocessable, "reason", "is required with %s", parameter)
	}
	if len(overExamples)+len(reason) <= maxReason {
		reason = overExamples + reason
	}
	return reason, nil
}

// checkedAt is the revision of the configuration at which a change was checked against all rules.
type checkedAt struct{ revision int64 }

// moved reports whether something was changed since.
func (at checkedAt) moved(tx change) bool { return at.revision > 0 && tx.Revision()-1 != at.revision }

// checkSaved checks the rule of an id (0 for a new one) as it will be saved, nil when it will be deleted.
func (a *API) checkSaved(ctx context.Context, check string, id int64, r *rule.Rule) (at checkedAt, err error) {
	switch {
	case check == examplesNone && r != nil:
		return at, ruleFault("", r.Validate())
	case check == examplesOwn && r != nil:
		return at, a.checkRule(ctx, *r)
	case check != examplesAll:
		return at, nil
	}
	if at.revision, _, err = a.Store.Revisions(ctx); err != nil { // before the rules: a change in between is noticed
		return at, err
	}
	present, err := a.Store.Rules(ctx)
	if err != nil {
		return at, err
	}
	after := slices.DeleteFunc(slices.Clone(present), func(old rule.Rule) bool { return old.ID == id })
	if r != nil {
		if err := r.Validate(); err != nil {
			return at, ruleFault("", err)
		}
		saved := *r
		for i := range present { // a new rule gets the next id
			if id == 0 {
				saved.ID = max(saved.ID, present[i].ID+1)
			}
		}
		after = append(after, saved)
	}
	return at, a.aside(ctx, func(ctx context.Context) error {
		ctx, done := context.WithTimeoutCause(ctx, checkWithin, tooManyExamples(checkWithin))
		defer done()
		broken, err := newlyBroken(ctx, present, after)
		if err != nil {
			return err
		}
		var all []error
		for _, f := range broken {
			all = append(all, f)
		}
		return ruleFault("", errors.Join(all...))
	})
}

// newlyBroken returns the examples that do not hold with drafts among the rules: those of the drafts, and those of other rules that hold
// today.
func newlyBroken(ctx context.Context, present, drafted []rule.Rule) ([]*fault.Error, error) {
	broken, err := brokenExamples(ctx, drafted)
	if err != nil || len(broken) == 0 {
		return nil, err
	}
	after := make(map[int64]rule.Rule, len(drafted))
	for _, r := range drafted {
		after[r.ID] = r
	}
	kept := slices.Clone(present)
	for i := range kept {
		if !reflect.DeepEqual(after[kept[i].ID], kept[i]) {
			kept[i].Examples = nil // of a draft
		}
	}
	before, err := brokenExamples(ctx, kept)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(broken, func(f *fault.Error) bool {
		return slices.ContainsFunc(before, func(old *fault.Error) bool { return old.Message == f.Message })
	}), nil
}

func brokenExamples(ctx context.Context, rules []rule.Rule) ([]*fault.Error, error) {
	err := rule.CheckExamples(ctx, rules)
	if err == nil {
		return nil, nil
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return rule.Faults(err), nil
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
	ctx, done := context.WithTimeoutCause(ctx, bound, tooManyExamples(bound))
	defer done()
	return ruleFault("", rule.CheckExamples(ctx, rules))
}

func tooManyExamples(bound time.Duration) *fault.Error {
	return fault.Field(fault.Unprocessable, "examples", "take longer than %v to check", bound).
		WithRemedy("make the expressions simpler, or the examples fewer and shorter")
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
