package api

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

// checkedRules are rules that are valid and whose examples hold, by their records in JSON.
type checkedRules map[string]rule.Rule

// checkUndone checks the rules that a rollback puts back, before its transaction. It compiles them and runs their examples, and
// judging waits for transactions. What else is wrong with the rollback is left to the transaction.
func (a *API) checkUndone(ctx context.Context, in apiclient.RollbackRequest) (checkedRules, error) {
	targets, err := a.undoneRules(ctx, in)
	if err != nil || len(targets) == 0 {
		return nil, err
	}
	checked := make(checkedRules, len(targets))
	var rules, own []rule.Rule
	for _, text := range targets {
		r, err := rule.Decode(text)
		if err != nil {
			return nil, ruleFault("", err)
		}
		checked[string(text)] = r
		rules = append(rules, r)
	}
	if err := rule.CheckSteps(rules); err != nil {
		return nil, err
	}
	return checked, a.aside(ctx, func(ctx context.Context) error {
		for _, r := range rules {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			examples, err := ownExamples(r)
			if err != nil {
				return err
			}
			own = append(own, examples...)
		}
		return examplesWithin(ctx, checkWithin, own)
	})
}

// undoneRules returns the records of the rules that a rollback puts back, as far as it can: where the rollback will fail, they end.
func (a *API) undoneRules(ctx context.Context, in apiclient.RollbackRequest) (targets []json.RawMessage, err error) {
	row, err := a.Store.ChangeByID(ctx, in.AuditID)
	if err != nil || row == nil {
		return nil, err
	}
	rows := []store.Change{*row}
	if in.Whole {
		if rows, err = a.Store.ChangesWith(ctx, row, maxWhole+1); err != nil || len(rows) > maxWhole {
			return nil, err
		}
	}
	rows = slices.DeleteFunc(rows, func(c store.Change) bool { return c.TableName != store.TableRules })
	if len(rows) == 0 {
		return nil, nil
	}
	present, err := a.ruleRecords(ctx)
	if err != nil {
		return nil, err
	}
	for i := range slices.Backward(rows) {
		u, err := newUndo(&rows[i], present[rows[i].RecordID])
		if err != nil {
			return nil, err
		}
		target, already, err := u.target(in.Force)
		switch {
		case err != nil:
			return targets, nil
		case already != "":
			continue
		}
		if present[rows[i].RecordID] = target; target == nil {
			continue
		}
		text, err := json.Marshal(target)
		if err != nil {
			return nil, fmt.Errorf("render rule %s: %w", rows[i].RecordID, err)
		}
		targets = append(targets, text)
	}
	return targets, nil
}

// ruleRecords returns the stored rules as the change audit shows them, by their ids.
func (a *API) ruleRecords(ctx context.Context) (map[string]record, error) {
	rules, err := a.Store.Rules(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[string]record, len(rules))
	for _, r := range rules {
		r.Revision = 0
		text, err := json.Marshal(r)
		if err != nil {
			return nil, fmt.Errorf("render rule %d: %w", r.ID, err)
		}
		var shown record
		if err := json.Unmarshal(text, &shown); err != nil {
			return nil, fmt.Errorf("render rule %d: %w", r.ID, err)
		}
		out[strconv.FormatInt(r.ID, 10)] = shown
	}
	return out, nil
}
