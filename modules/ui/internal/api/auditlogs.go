package api

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
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
	if found.Partial {
		looked := time.UnixMilli(millis(found.Next)).UTC()
		out.Pagination.LookedFrom = &looked
	}
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
	if s := c.QueryParam("source"); s != "" {
		if f.Source, known = event.ParseSource(s); !known {
			return f, fault.Field(fault.InvalidField, "source", "must be http, syslog, snmptrap, replay or meta")
		}
	}
	if s := c.QueryParam("env"); s != "" {
		if s != "prod" && s != "dev" {
			return f, fault.Field(fault.InvalidField, "env", "must be prod or dev")
		}
		dev := s == "dev"
		f.Dev = &dev
	}
	if s := c.QueryParam("severity"); s != "" {
		if f.Severity, known = parseSeverity(s); !known {
			return f, fault.Field(fault.InvalidField, "severity", "must be one of %s, or a number from 0 (emerg) to 7 (debug)", strings.Join(event.SeverityNames(), ", ")).
				WithRemedy("write err for err and worse, err..warning for a range, or err..err for err alone")
		}
	}
	if s := c.QueryParam("id"); s != "" {
		if f.ID, err = uuid.Parse(s); err != nil || len(s) != len(f.ID.String()) || f.ID == uuid.Nil {
			return f, fault.Field(fault.InvalidField, "id", "must be the ID of an event, a UUID such as 019ab3c8-5b4c-7000-8000-000000000001")
		}
	}
	f.Start, f.End, err = timesOf(c)
	return f, err
}

// parseSeverity reads "err", which is err and worse, or a range, "err..warning", in either order; journalctl reads both in the same way.
func parseSeverity(text string) (*store.SeverityRange, bool) {
	one := func(word string) (int8, bool) {
		word = strings.ToLower(word)
		n := slices.Index(event.SeverityNames(), word)
		if len(word) == 1 && word[0] >= '0' && word[0] <= '7' {
			n = int(word[0] - '0')
		}
		return int8(n), n >= 0
	}
	from, to, ranged := strings.Cut(text, "..")
	a, known := one(from)
	if !known || !ranged {
		return &store.SeverityRange{Least: a}, known
	}
	b, known := one(to)
	return &store.SeverityRange{Worst: min(a, b), Least: max(a, b)}, known
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
