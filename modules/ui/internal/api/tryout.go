package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

const (
	maxSteps      = 500 // of an explanation
	maxSamples    = 20
	maxTreatments = 100
	previewEvents = 1000
	maxPreview    = 10_000
	previewPage   = 1000
	previewBytes  = 4 << 20 // of the events that a walk holds at once
)

// testRule reports how an event is judged by the stored rules, or by them and a draft, and why. Nothing is stored.
func (a *API) testRule(c echo.Context) error {
	var in struct {
		Event *apiclient.TestEvent `json:"event"`
		Rule  jsontext.Value       `json:"rule"`
	}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	if in.Event == nil {
		return fault.Field(fault.Unprocessable, "event", "is required")
	}
	e, err := a.testEvent(in.Event)
	if err != nil {
		return err
	}
	var drafts []jsontext.Value
	if in.Rule != nil && in.Rule.Kind() != 'n' {
		drafts = append(drafts, in.Rule)
	}
	var out apiclient.RuleTest
	err = a.tryOut(c, func(ctx context.Context) error {
		rules, tables, err := a.withDrafts(ctx, draftSet{drafts: drafts, mode: modeMerge, where: func(int) string { return "rule." }})
		if err != nil {
			return err
		}
		set, err := rule.CompileWithin(ctx, rules, tables)
		if err != nil {
			return ruleFault("", err)
		}
		out, err = a.explained(ctx, set, e)
		return err
	})
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, out)
}

// explained judges an event and says why it is judged so.
func (a *API) explained(ctx context.Context, set *rule.Set, e *event.Event) (out apiclient.RuleTest, err error) {
	steps, err := set.Explain(ctx, e, e.ReceivedAt)
	if n := len(steps); fault.Is(err, fault.Unprocessable) && n > 0 {
		last := &steps[n-1]
		return out, a.tooExpensive(fmt.Sprintf(": rule %q (id %d), %d of %d in the order of judging, was not judged to its end", last.Name, last.RuleID, n, set.Len()))
	}
	if err != nil {
		return out, err
	}
	var d event.Decision
	if err := set.JudgeWithin(ctx, e, e.ReceivedAt, set.NewScratch(), &d); err != nil {
		return out, err
	}
	out = apiclient.RuleTest{Verdict: verdict(&d), Signature: d.Signature, Severity: int(d.Severity), Steps: steps}
	if n := len(out.Steps) - maxSteps; n > 0 {
		out.Steps, out.StepsLeftOut = out.Steps[n:], n
	}
	if out.Steps == nil {
		out.Steps = []rule.Step{}
	}
	return out, nil
}

// testEvent creates an event from what a caller says of it.
func (a *API) testEvent(in *apiclient.TestEvent) (*event.Event, error) {
	e := &event.Event{Hostname: in.Hostname, Message: in.Message, Severity: event.Absent, Facility: event.Absent, TrapOID: in.TrapOID,
		Source: event.SourceHTTP, SourceIP: in.SourceIP, AppName: in.AppName}
	if err := checkHostname(in.Hostname); err != nil {
		return nil, err
	}
	for _, text := range []struct {
		field, value string
		most         int
	}{{"message", in.Message, maxMessage}, {"trap_oid", in.TrapOID, maxDetail}, {"source_ip", in.SourceIP, maxDetail}, {"app_name", in.AppName, maxDetail}} {
		if n := utf8.RuneCountInString(text.value); n > text.most {
			return nil, fault.Field(fault.Unprocessable, "event."+text.field, "has %d characters, at most %d are allowed", n, text.most)
		}
	}
	if in.Severity != nil {
		if *in.Severity < 0 || *in.Severity > 7 {
			return nil, fault.Field(fault.Unprocessable, "event.syslog_severity", "is a whole number from 0 to 7")
		}
		e.Severity = int8(*in.Severity)
	}
	if in.Source != "" {
		var known bool
		if e.Source, known = event.ParseSource(in.Source); !known {
			return nil, fault.Field(fault.Unprocessable, "event.source", "%q is no source of events", printable(in.Source))
		}
	}
	at := a.Now()
	if in.ReceivedAt != nil {
		at = *in.ReceivedAt
	}
	e.ReceivedAt, e.Timestamp = at.UnixMicro(), at.UnixMicro()
	return e, nil
}

// draftSet is the drafts of a call.
type draftSet struct {
	drafts   []jsontext.Value
	replaces []int64 // for each draft the id of the stored rule that it replaces, 0 for a new one; nil: they are known by their names
	mode     string
	where    func(int) string // names a draft's fields in errors
}

// withDrafts returns the stored rules with drafts among them. A new draft gets the id that it would get next, so that
// ties are decided as they would be. Drafts that are too large together are refused before the first is compiled.
func (a *API) withDrafts(ctx context.Context, in draftSet) ([]rule.Rule, rule.Tables, error) {
	drafts, where := in.drafts, in.where
	stored, tables, err := a.Store.Ruleset(ctx)
	if err != nil {
		return nil, tables, err
	}
	next := int64(1)
	for i := range stored {
		next = max(next, stored[i].ID+1)
	}
	list := make([]rule.Rule, len(drafts))
	for i, raw := range drafts {
		if list[i], err = rule.Decode(raw); err != nil {
			return nil, tables, ruleFault(where(i), err)
		}
	}
	if err := rule.CheckSteps(list); err != nil {
		return nil, tables, err
	}
	for i := range list {
		if ctx.Err() != nil {
			return nil, tables, context.Cause(ctx)
		}
		if err := list[i].Validate(); err != nil {
			return nil, tables, ruleFault(where(i), err)
		}
	}
	if in.mode == modeReplace {
		stored = nil
	}
	if in.replaces != nil {
		if stored, err = replaced(stored, list, in.replaces, where); err != nil {
			return nil, tables, err
		}
	}
	rules := merged(stored, list)
	for i := range rules {
		if rules[i].ID == 0 {
			rules[i].ID = next
			next++
		}
	}
	return rules, tables, nil
}

// replaced gives the stored rules that drafts replace the names of those drafts, so that both are known to be the same rule. A name that
// another rule has is refused, as it is when the draft is saved.
func replaced(stored, drafts []rule.Rule, ids []int64, where func(int) string) ([]rule.Rule, error) {
	stored = slices.Clone(stored)
	for i, id := range ids {
		at := slices.IndexFunc(stored, func(r rule.Rule) bool { return r.ID == id })
		if id != 0 && at < 0 {
			return nil, fault.Field(fault.Unprocessable, fmt.Sprintf("replaces[%d]", i), "there is no rule %d", id).WithRemedy("it was deleted: read the rules again")
		}
		if other := slices.IndexFunc(stored, func(r rule.Rule) bool { return r.Name == drafts[i].Name && r.ID != id }); other >= 0 {
			return nil, fault.Field(fault.AlreadyExists, where(i)+"name", "rule %d has the name %q already", stored[other].ID, stored[other].Name)
		}
		if at >= 0 {
			stored[at].Name = drafts[i].Name
		}
	}
	return stored, nil
}

func verdict(d *event.Decision) apiclient.Verdict {
	v := apiclient.Verdict{RuleName: d.RuleName, Handling: d.Handling.String(), Fate: d.Fate.String(), Team: d.Team, Environment: d.Environment()}
	if d.RuleID != 0 {
		id := d.RuleID
		v.RuleID = &id
	}
	return v
}

// previewRules judges the newest audited events by the stored rules and by drafts, and reports what would change.
func (a *API) previewRules(c echo.Context) error {
	var in struct {
		Rules    *[]jsontext.Value `json:"rules"`
		Replaces []int64           `json:"replaces"`
		Mode     string            `json:"mode"`
		Events   int               `json:"events"`
		Hours    int               `json:"window_hours"`
		Without  []int64           `json:"without"`
	}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	mode := cmp.Or(in.Mode, modeMerge)
	wanted := cmp.Or(in.Events, previewEvents)
	switch {
	case in.Rules == nil:
		return fault.Field(fault.Unprocessable, "rules", "is required: a list of drafts")
	case len(*in.Rules) > maxDrafts:
		return fault.Field(fault.Unprocessable, "rules", "has %d drafts, at most %d are allowed", len(*in.Rules), maxDrafts)
	case mode != modeMerge && mode != modeReplace:
		return fault.Field(fault.Unprocessable, "mode", "is merge or replace")
	case wanted < 1 || wanted > maxPreview:
		return fault.Field(fault.Unprocessable, "events", "is a whole number from 0 to %d; 0 takes %d", maxPreview, previewEvents)
	case in.Hours < 0 || in.Hours > maxReviewHours:
		return fault.Field(fault.Unprocessable, "window_hours", "must be a whole number from 0 to %d", maxReviewHours)
	case in.Hours > 0 && in.Events > 0:
		return fault.Field(fault.Unprocessable, "events", "goes without window_hours, which has a bound of its own")
	case in.Replaces != nil && len(in.Replaces) != len(*in.Rules):
		return fault.Field(fault.Unprocessable, "replaces", "has %d ids, and must have one for each of the %d drafts", len(in.Replaces), len(*in.Rules))
	case in.Replaces != nil && mode == modeReplace:
		return fault.Field(fault.Unprocessable, "replaces", "goes with mode merge only")
	case len(in.Without) > maxDrafts:
		return fault.Field(fault.Unprocessable, "without", "has %d ids, at most %d are allowed", len(in.Without), maxDrafts)
	}
	now, since := a.Now().UTC(), time.Time{}
	if in.Hours > 0 {
		wanted, since = maxReview, now.Add(-time.Duration(in.Hours)*time.Hour)
	}
	var out apiclient.RulePreview
	err := a.tryOut(c, func(ctx context.Context) error {
		present, tables, err := a.Store.Ruleset(ctx)
		if err != nil {
			return err
		}
		drafted, _, err := a.withDrafts(ctx, draftSet{*in.Rules, in.Replaces, mode, func(i int) string { return fmt.Sprintf("rules[%d].", i) }})
		if err != nil {
			return err
		}
		drafted = slices.DeleteFunc(drafted, func(r rule.Rule) bool { return slices.Contains(in.Without, r.ID) })
		p, err := newPreview(ctx, present, drafted, tables)
		if err != nil {
			return ruleFault("", err)
		}
		if in.Hours > 0 {
			if err := p.begin(ctx, present, drafted, in.Hours, now); err != nil {
				return err
			}
		}
		looked, err := a.newestEvents(ctx, store.AuditFilter{Start: since}, wanted, p.judge)
		if p.review != nil {
			p.review.Whole = err == nil && looked < wanted
		}
		if p.out.Partial = c.Request().Context().Err() == nil && ctx.Err() != nil; err != nil && !p.out.Partial {
			return err
		}
		out = p.result()
		return nil
	})
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, out)
}

// newestEvents walks over the newest audited events that a filter fits, at most n, and returns how many there were. It holds few of them at
// once, however large they are.
func (a *API) newestEvents(ctx context.Context, f store.AuditFilter, n int, do func(context.Context, *store.AuditLog) error) (looked int, err error) {
	f.WithoutTotal, f.Bytes = true, previewBytes
	for rows := previewPage; looked < n; {
		f.Limit = min(n-looked, rows)
		page, err := a.Store.AuditLogs(ctx, f)
		if err != nil {
			return looked, err
		}
		for i := range page.Items {
			if err := do(ctx, &page.Items[i]); err != nil {
				return looked, err
			}
			looked++
		}
		if f.Before = page.Next; page.Next == (event.ID{}) {
			break
		}
		if rows = min(2*rows, previewPage); len(page.Items) < f.Limit { // what a page leaves out is read from the store all the same
			rows = max(1, len(page.Items))
		}
	}
	return looked, nil
}

// preview is two rulesets and what differs between them.
type preview struct {
	before, after *rule.Set
	scratch       [2]*rule.Scratch
	out           apiclient.RulePreview
	counts        map[[2]treatment]int
	review        *review // nil without a window
}

func newPreview(ctx context.Context, present, drafted []rule.Rule, tables rule.Tables) (*preview, error) {
	p := &preview{counts: map[[2]treatment]int{}, out: apiclient.RulePreview{Changes: []apiclient.PreviewChange{}, Samples: []apiclient.PreviewSample{}}}
	var err error
	if p.before, err = rule.CompileWithin(ctx, present, tables); err != nil {
		return nil, err
	}
	if p.after, err = rule.CompileWithin(ctx, drafted, tables); err != nil {
		return nil, err
	}
	p.scratch = [2]*rule.Scratch{p.before.NewScratch(), p.after.NewScratch()}
	return p, nil
}

// judge judges one audited event by both.
func (p *preview) judge(ctx context.Context, l *store.AuditLog) error {
	e, ok := auditedEvent(l)
	if !ok {
		p.out.Unreadable++
		return nil
	}
	var old, now event.Decision
	if err := p.before.JudgeWithin(ctx, &e, e.ReceivedAt, p.scratch[0], &old); err != nil {
		return err
	}
	if err := p.after.JudgeWithin(ctx, &e, e.ReceivedAt, p.scratch[1], &now); err != nil {
		return err
	}
	p.out.Events++
	if p.review != nil {
		p.review.note(l, &old, &now)
	}
	if old.Handling == now.Handling && old.Fate == now.Fate && old.Team == now.Team {
		return nil
	}
	p.out.Changed++
	p.counts[[2]treatment{treated(&old), treated(&now)}]++
	if len(p.out.Samples) < maxSamples {
		p.out.Samples = append(p.out.Samples, apiclient.PreviewSample{ID: l.ID.String(), ReceivedAt: l.ReceivedAt.UTC().Truncate(time.Microsecond),
			Hostname: l.Hostname, Message: e.Message, Before: verdict(&old), After: verdict(&now)})
	}
	return nil
}

// treatment is what is done with an event.
type treatment struct {
	outcome, team string
	dev           bool
}

func treated(d *event.Decision) treatment {
	return treatment{cmp.Or(d.Handling.String(), d.Fate.String()), d.Team, d.Dev}
}

func (p *preview) result() apiclient.RulePreview {
	for pair, n := range p.counts {
		from, to := pair[0], pair[1]
		environment := (&event.Decision{Dev: to.dev}).Environment()
		p.out.Changes = append(p.out.Changes, apiclient.PreviewChange{From: from.outcome, FromTeam: from.team, To: to.outcome, ToTeam: to.team, Environment: environment, Events: n})
	}
	slices.SortFunc(p.out.Changes, func(a, b apiclient.PreviewChange) int {
		return cmp.Or(b.Events-a.Events, cmp.Compare(a.From+a.To, b.From+b.To), cmp.Compare(a.FromTeam, b.FromTeam), cmp.Compare(a.ToTeam, b.ToTeam), cmp.Compare(a.Environment, b.Environment))
	})
	p.out.Changes = p.out.Changes[:min(maxTreatments, len(p.out.Changes))]
	if p.review != nil {
		p.out.Review = p.review.result()
	}
	return p.out
}
