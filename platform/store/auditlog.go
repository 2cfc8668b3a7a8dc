package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
)

const auditColumns = `id, event_timestamp, received_at, hostname, matched_rule_id, rule_name, handling, fate, environment,
	severity, team, signature, ruleset_version, correlation_id, raw_message`

func scanAuditLog(rows *sql.Rows, a *AuditLog) error {
	var at, received int64
	var ruleID sql.NullInt64
	d := &a.Decision
	if err := rows.Scan(&a.ID, &at, &received, &a.Hostname, &ruleID, &a.RuleName, &d.Handling, &d.Fate, &d.Dev,
		&d.Severity, &d.Team, &d.Signature, &d.RulesetVersion, &a.CorrelationID, &a.RawMessage); err != nil {
		return err
	}
	if ruleID.Valid {
		a.RuleID, d.RuleID = &ruleID.Int64, ruleID.Int64
	}
	a.EventTimestamp, a.ReceivedAt, d.RuleName = event.Time(at), event.Time(received), a.RuleName
	return nil
}

// AuditLogs lists judged events, newest first. Start (inclusive) and End (exclusive) are compared with the time in the
// id, in whole milliseconds: that of the receipt, whatever the device's clock says. Team, Handling, Fate,
// CorrelationID and Query look through Options.ScanWindow rows at most; Partial then says that the window ended, and Next goes on.
// Query is a part of RawMessage and ignores the case of ASCII letters. A walk by Next neither repeats nor skips.
func (s *Store) AuditLogs(ctx context.Context, f AuditFilter) (Page[AuditLog], error) {
	var page Page[AuditLog]
	err := s.read(ctx, "read the event audit", func(q querier) (err error) {
		if s.dialect.preferIndex != "" {
			if _, err := q.ExecContext(ctx, s.dialect.preferIndex); err != nil {
				return err
			}
		}
		page, err = s.auditPage(ctx, q, f)
		return err
	})
	return page, err
}

// AuditByID gives one judged event; NotFound when there is none.
func (s *Store) AuditByID(ctx context.Context, id event.ID) (AuditLog, error) {
	a, err := first(list(ctx, s.reader, scanAuditLog,
		`SELECT `+auditColumns+` FROM event_audit WHERE id = $1`, s.dialect.id(&id)))
	if err != nil {
		return AuditLog{}, s.fail(ctx, err, "read the event audit")
	}
	if a == nil {
		return AuditLog{}, fault.New(fault.NotFound, "there is no audit row for event %s", id)
	}
	return *a, nil
}

func (s *Store) auditPage(ctx context.Context, q querier, f AuditFilter) (page Page[AuditLog], err error) {
	indexed, scans := s.auditRange(&f)
	walk := indexed.below(f.Before)
	limit, offset := pageLimit(f.Limit), max(f.Offset, 0)
	var floor event.ID // the last row of the window, zero when it holds all
	if scans {
		if floor, err = walk.nth(ctx, q, s.window-1); err != nil {
			return page, err
		}
		walk.from(floor)
		s.dialect.residual(&walk.filter, &f)
	} else if err = walk.bound(ctx, q, offset+limit); err != nil {
		return page, err
	}
	page.Items, err = list(ctx, q, scanAuditLog, fmt.Sprintf(`SELECT %s FROM event_audit%s ORDER BY id DESC LIMIT %d OFFSET %d`,
		auditColumns, walk.where(), limit+1, offset), walk.args...)
	switch {
	case err != nil:
		return page, err
	case len(page.Items) > limit:
		page.Items = page.Items[:limit]
		page.Next = page.Items[limit-1].ID
	case floor != (event.ID{}):
		page.Partial, page.Next = true, floor
	}
	switch {
	case !scans:
		page.Total, page.TotalIsEstimate, err = indexed.total(ctx, q)
	case len(page.Items) == limit || offset > 0:
		page.Total, err = walk.count(ctx, q, "event_audit")
	default: // a second look through the window would find the same
		page.Total = int64(len(page.Items))
	}
	page.TotalIsEstimate = page.TotalIsEstimate || floor != (event.ID{}) || page.Total > exactTotal
	return page, err
}

// residual adds the conditions that no index serves.
func (d *dialect) residual(w *filter, f *AuditFilter) {
	w.text("team = $%d", f.Team)
	if f.Handling != 0 {
		w.add("handling = $%d", int64(f.Handling))
	}
	if f.Fate != 0 {
		w.add("fate = $%d", int64(f.Fate))
	}
	w.text("correlation_id = $%d", f.CorrelationID)
	if f.Query != "" {
		w.add(d.search, likePattern(f.Query))
	}
}

// likePattern looks for text as it stands in raw_message, which is JSON.
func likePattern(text string) string {
	quoted := string(event.AppendJSONString(nil, text))
	return "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(quoted[1:len(quoted)-1]) + "%"
}
