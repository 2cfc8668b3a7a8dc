package api

import (
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/store"
)

// listAuditLogs lists judged events, newest first, by page or by cursor.
func (a *API) listAuditLogs(c echo.Context) error {
	p, err := cursorOf(c, auditCursor)
	if err != nil {
		return err
	}
	f, err := auditFilterOf(c)
	if err != nil {
		return err
	}
	f.Limit, f.Offset, f.Before = p.limit, p.offset(), p.cursor
	found, err := a.Store.AuditLogs(c.Request().Context(), f)
	if err != nil {
		return err
	}
	out := apiclient.AuditLogs{Logs: make([]apiclient.AuditLog, len(found.Items)), Pagination: p.pagination(found.Total)}
	for i := range found.Items {
		out.Logs[i] = auditLog(&found.Items[i])
	}
	out.Pagination.TotalIsEstimate, out.Pagination.Partial = found.TotalIsEstimate, found.Partial
	out.Pagination.NextCursor = encodeCursor(auditCursor, found.Next)
	return answerList(c, 0, out)
}

func auditFilterOf(c echo.Context) (f store.AuditFilter, err error) {
	f = store.AuditFilter{
		Hostname: c.QueryParam("hostname"), Team: c.QueryParam("team"),
		CorrelationID: c.QueryParam("correlation_id"), Query: c.QueryParam("q"),
	}
	if s := c.QueryParam("rule_id"); s != "" {
		id, err := strconv.ParseInt(s, 10, 64)
		if err != nil || id < 1 {
			return f, fault.Field(fault.InvalidField, "rule_id", "is a whole number from 1")
		}
		f.RuleID = &id
	}
	var known bool
	if s := c.QueryParam("handling"); s != "" {
		if f.Handling, known = event.ParseHandling(s); !known {
			return f, fault.Field(fault.InvalidField, "handling", "is Page_and_ticket, Page_only, Ticket_only, Ignore or Log_only")
		}
	}
	if s := c.QueryParam("fate"); s != "" {
		if f.Fate, known = event.ParseFate(s); !known {
			return f, fault.Field(fault.InvalidField, "fate", "is forwarded, recorded, ignored, unhandled, silenced, shed or poison")
		}
	}
	f.Start, f.End, err = timesOf(c)
	return f, err
}

func auditLog(l *store.AuditLog) apiclient.AuditLog {
	d := &l.Decision
	return apiclient.AuditLog{
		ID: l.ID.String(), EventTimestamp: l.EventTimestamp.UTC(), ReceivedAt: l.ReceivedAt.UTC(), Hostname: l.Hostname,
		MatchedRuleID: l.RuleID, RuleName: l.RuleName, Handling: d.Handling.String(), Fate: d.Fate.String(),
		ForwardedToMoog: d.Fate == event.FateForwarded || d.Fate == event.FateShed, Team: d.Team, Severity: int(d.Severity),
		Environment: d.Environment(), Signature: d.Signature, RulesetVersion: d.RulesetVersion,
		CorrelationID: l.CorrelationID, RawMessage: rawOrNull(l.RawMessage),
	}
}
