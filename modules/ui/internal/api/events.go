package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

// bestLosers is how many rules that came near are shown.
const bestLosers = 3

// getAuditLog shows one judged event.
func (a *API) getAuditLog(c echo.Context) error {
	row, err := a.auditedRow(c)
	if err != nil {
		return err
	}
	return answerList(c, 0, auditLog(&row))
}

// auditedRow returns the row that the path names.
func (a *API) auditedRow(c echo.Context) (store.AuditLog, error) {
	text, err := pathParam(c, "id")
	if err != nil {
		return store.AuditLog{}, err
	}
	id, err := uuid.Parse(text)
	if err != nil || len(text) != len(id.String()) {
		return store.AuditLog{}, fault.Field(fault.NotFound, "id", "%q is not the id of an event, which is a UUID", printable(text))
	}
	row, err := a.Store.AuditByID(c.Request().Context(), id)
	if fault.Is(err, fault.NotFound) {
		return row, fault.Field(fault.NotFound, "id", "there is no row for the event %s: it was never received, is not judged yet, is older than retention_event_audit_days, or was left out by audit_unhandled_sample_percent", id)
	}
	return row, err
}

// getEvent shows one judged event, and how the rules of then, of today or of both judge it.
func (a *API) getEvent(c echo.Context) error {
	which := c.QueryParam("ruleset")
	if which != "" && which != "then" && which != "now" {
		return fault.Field(fault.InvalidField, "ruleset", "must be then or now; both are shown when it is absent")
	}
	row, err := a.auditedRow(c)
	if err != nil {
		return err
	}
	e, ok := auditedEvent(&row)
	if !ok {
		return fault.New(fault.Corrupt, "the stored text of event %s does not decode", row.ID)
	}
	out := apiclient.EventExplained{Event: auditLog(&row)}
	err = a.tryOut(c, func(ctx context.Context) error {
		rules, tables, err := a.Store.Ruleset(ctx)
		if err != nil {
			return err
		}
		unchanged := tables.Version == row.Decision.RulesetVersion
		if which != "then" || unchanged {
			now, err := judgedBy(ctx, rules, tables, &e, &row)
			if err != nil {
				return err
			}
			if which != "then" {
				out.Now = &now
			}
			if which != "now" && unchanged {
				out.Then = &now
			}
		}
		if which == "now" || unchanged {
			return nil
		}
		rules, tables, out.ThenUnknown, err = a.rulesetAt(ctx, row.Decision.RulesetVersion, rules, tables)
		if err != nil || out.ThenUnknown != "" {
			return err
		}
		then, err := judgedBy(ctx, rules, tables, &e, &row)
		if err != nil {
			return err
		}
		out.Then = &then
		return nil
	})
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, out)
}

// draftRule suggests a rule for events like a judged one.
func (a *API) draftRule(c echo.Context) error {
	row, err := a.auditedRow(c)
	if err != nil {
		return err
	}
	e, ok := auditedEvent(&row)
	if !ok {
		return fault.New(fault.Corrupt, "the stored text of event %s does not decode", row.ID)
	}
	draft := rule.Suggest(&e)
	draft.TeamAssignment = row.Decision.Team
	out, err := inFile(&draft)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, map[string]any{"rule": out})
}

// judgedBy judges an audited event by a ruleset.
func judgedBy(ctx context.Context, rules []rule.Rule, tables rule.Tables, e *event.Event, row *store.AuditLog) (apiclient.Judging, error) {
	set, err := rule.CompileWithin(ctx, rules, tables)
	if err != nil {
		return apiclient.Judging{}, ruleFault("", err)
	}
	var d event.Decision
	if err := set.JudgeWithin(ctx, e, e.ReceivedAt, set.NewScratch(), &d); err != nil {
		return apiclient.Judging{}, err
	}
	losers, err := set.Losers(ctx, e, e.ReceivedAt, bestLosers)
	if err != nil {
		return apiclient.Judging{}, err
	}
	out := apiclient.Judging{Verdict: verdict(&d), Signature: d.Signature, Severity: int(d.Severity), RulesetVersion: tables.Version, Rules: set.Len(),
		AsRecorded: asRecorded(&d, &row.Decision), Losers: losers}
	if won := slices.IndexFunc(rules, func(r rule.Rule) bool { return r.ID == d.RuleID }); won >= 0 {
		out.Priority = &rules[won].Priority
	}
	return out, nil
}

// asRecorded reports whether a judging agrees with a stored decision. The fate is left out: pressure makes "shed" of "forwarded".
func asRecorded(d, stored *event.Decision) bool {
	return d.RuleID == stored.RuleID && d.Handling == stored.Handling && d.Team == stored.Team && d.Dev == stored.Dev
}

// auditedEvent returns an audited event as far as rules look at it; false when its text was written by a MUTT that wrote something else.
func auditedEvent(l *store.AuditLog) (event.Event, bool) {
	var raw struct {
		Message  string
		Severity *int8  `json:"syslog_severity"`
		TrapOID  string `json:"trap_oid"`
		Source   string
		SourceIP string `json:"source_ip"`
		AppName  string `json:"app_name"`
	}
	if json.Unmarshal([]byte(l.RawMessage), &raw) != nil {
		return event.Event{}, false
	}
	e := event.Event{Hostname: l.Hostname, Message: raw.Message, Severity: event.Absent, Facility: event.Absent, TrapOID: raw.TrapOID,
		SourceIP: raw.SourceIP, AppName: raw.AppName, ReceivedAt: l.ReceivedAt.UnixMicro()}
	if raw.Severity != nil {
		e.Severity = *raw.Severity
	}
	e.Source, _ = event.ParseSource(raw.Source)
	return e, true
}

// maxWalkedBack bounds the changes that are undone to find an older ruleset.
const maxWalkedBack = 5000

// rulesetAt returns the ruleset of a version: the present one without what was changed since, by the change audit. unknown says why there
// is none.
func (a *API) rulesetAt(ctx context.Context, version int64, rules []rule.Rule, tables rule.Tables) (_ []rule.Rule, _ rule.Tables, unknown string, err error) {
	if version > tables.Version {
		return nil, tables, fmt.Sprintf("the rules of version %d are not in this store, which is at %d: it was restored from an older state", version, tables.Version), nil
	}
	changes, known, err := a.Store.RulesetChanges(ctx, version, maxWalkedBack+1)
	switch {
	case err != nil:
		return nil, tables, "", err
	case !known:
		return nil, tables, fmt.Sprintf("the change audit does not reach back to version %d of the rules (retention_audit_days)", version), nil
	case len(changes) > maxWalkedBack:
		return nil, tables, fmt.Sprintf("the rules were changed more than %d times since version %d", maxWalkedBack, version), nil
	}
	back, err := newWalkBack(rules, tables)
	if err != nil {
		return nil, tables, "", err
	}
	for i := range changes {
		if ctx.Err() != nil {
			return nil, tables, "", context.Cause(ctx)
		}
		if err := back.undo(&changes[i]); err != nil {
			return nil, tables, "", err
		}
	}
	rules, tables, err = back.ruleset(version)
	return rules, tables, "", err
}
