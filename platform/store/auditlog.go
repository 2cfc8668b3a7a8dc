package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
)

const auditColumns = `id, event_timestamp, received_at, hostname, matched_rule_id, rule_name, handling, fate, environment,
	severity, team, signature, ruleset_version, correlation_id, source, syslog_severity, raw_message`

func scanAuditLog(rows *sql.Rows, a *AuditLog) error {
	var at, received int64
	var ruleID sql.NullInt64
	var severity sql.NullInt16
	d := &a.Decision
	if err := rows.Scan(&a.ID, &at, &received, &a.Hostname, &ruleID, &a.RuleName, &d.Handling, &d.Fate, &d.Dev,
		&d.Severity, &d.Team, &d.Signature, &d.RulesetVersion, &a.CorrelationID, &a.Source, &severity, &a.RawMessage); err != nil {
		return err
	}
	if ruleID.Valid {
		a.RuleID, d.RuleID = &ruleID.Int64, ruleID.Int64
	}
	if a.SyslogSeverity = event.Absent; severity.Valid {
		a.SyslogSeverity = int8(severity.Int16)
	}
	a.EventTimestamp, a.ReceivedAt, d.RuleName = event.Time(at), event.Time(received), a.RuleName
	return nil
}

// AuditLogs lists judged events, newest first. Start (inclusive) and End (exclusive) are compared with the time in the
// id, in whole milliseconds: that of the receipt, whatever the device's clock says. Hostname finds all spellings of the
// host. Team, Handling, Fate, Source, Severity, Dev, CorrelationID, Query, RuleID together with Hostname, and a Hostname with many spellings look
// through at most Options.ScanWindow rows; Partial then says that the window ended, and Next goes on. Query is a part of
// RawMessage and ignores the case of ASCII letters. A walk by Next neither repeats nor skips. A page that Bytes ends is never empty, and the
// page after it may be.
func (s *Store) AuditLogs(ctx context.Context, f AuditFilter) (Page[AuditLog], error) {
	var page Page[AuditLog]
	err := s.read(ctx, "read the event audit", func(q querier) (err error) {
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
	indexed, others, err := s.auditFilter(ctx, q, &f)
	if err != nil {
		return page, err
	}
	walk := indexed.and()
	if f.Before != (event.ID{}) {
		walk.add("id < $%d", s.dialect.id(&f.Before))
	}
	var floor event.ID // the last row of the window, zero when it holds all
	if len(others) > 0 {
		if floor, err = nthID(ctx, q, walk, s.window-1); err != nil {
			return page, err
		}
		if floor != (event.ID{}) {
			walk.add("id >= $%d", s.dialect.id(&floor))
		}
		for _, c := range others {
			walk.add(c.text, c.arg)
		}
	}
	limit, offset := pageLimit(f.Limit), max(f.Offset, 0)
	held, cut := 0, false
	page.Items, err = listWhile(ctx, q, scanAuditLog, func(a *AuditLog) bool {
		held += len(a.RawMessage)
		cut = f.Bytes > 0 && held >= f.Bytes
		return !cut
	}, walk.byID(auditColumns, "DESC", limit+1, offset), walk.args...)
	switch {
	case err != nil:
		return page, err
	case len(page.Items) > limit:
		page.Items = page.Items[:limit]
		page.Next = page.Items[limit-1].ID
	case cut:
		page.Next = page.Items[len(page.Items)-1].ID
	case floor != (event.ID{}):
		page.Partial, page.Next = true, floor
	}
	switch {
	case f.WithoutTotal:
	case len(others) == 0:
		page.Total, page.TotalIsEstimate, err = auditTotal(ctx, q, indexed)
	case len(page.Items) == limit || offset > 0:
		page.Total, err = walk.count(ctx, q)
	default: // a second look through the window would find the same
		page.Total = int64(len(page.Items))
	}
	page.TotalIsEstimate = page.TotalIsEstimate || floor != (event.ID{}) || page.Total > exactTotal
	return page, err
}

// condition is what filter.add takes.
type condition struct {
	text string
	arg  any
}

// auditFilter returns the conditions that an index serves, and the others.
func (s *Store) auditFilter(ctx context.Context, q querier, f *AuditFilter) (indexed *filter, others []condition, err error) {
	indexed = &filter{table: "event_audit"}
	if f.Hostname != "" {
		found, whole, err := spellings(ctx, f.Hostname, func(ctx context.Context, from string) (stored string, err error) {
			err = q.QueryRowContext(ctx, `SELECT hostname FROM event_audit WHERE hostname >= $1 ORDER BY hostname LIMIT 1`, from).Scan(&stored)
			return stored, err
		})
		switch {
		case err != nil:
			return nil, nil, err
		case !whole:
			others = append(others, condition{"lower(hostname) = $%d", event.FoldHost(f.Hostname)})
		case len(found) == 0:
			indexed.host([]string{f.Hostname}) // of which there is no row
		default:
			indexed.host(found)
		}
	}
	// One index serves one of them: of a busy host and a busy rule together, all rows of one would be read for a few of both.
	switch {
	case f.RuleID == nil:
	case f.Hostname == "":
		indexed.add("matched_rule_id = $%d", *f.RuleID)
	default:
		others = append(others, condition{"matched_rule_id = $%d", *f.RuleID})
	}
	if f.ID != (event.ID{}) {
		indexed.add("id = $%d", s.dialect.id(&f.ID))
	}
	if !f.Start.IsZero() {
		start := idFloor(f.Start)
		indexed.add("id >= $%d", s.dialect.id(&start))
	}
	if !f.End.IsZero() {
		end := idFloor(f.End.Add(time.Millisecond - time.Nanosecond))
		indexed.add("id < $%d", s.dialect.id(&end))
	}
	if f.Team != "" {
		others = append(others, condition{"team = $%d", f.Team})
	}
	if f.Handling != 0 {
		others = append(others, condition{"handling = $%d", int64(f.Handling)})
	}
	if f.Fate != 0 {
		others = append(others, condition{"fate = $%d", int64(f.Fate)})
	}
	if f.Source != 0 {
		others = append(others, condition{"source = $%d", int64(f.Source)})
	}
	if f.Severity != nil {
		others = append(others, condition{"syslog_severity >= $%d", int64(f.Severity.Worst)}, condition{"syslog_severity <= $%d", int64(f.Severity.Least)})
	}
	if f.Dev != nil {
		environment := int64(0)
		if *f.Dev {
			environment = 1
		}
		others = append(others, condition{"environment = $%d", environment})
	}
	if f.CorrelationID != "" {
		others = append(others, condition{"correlation_id = $%d", f.CorrelationID})
	}
	if f.Query != "" {
		others = append(others, condition{s.dialect.search, likePattern(f.Query)})
	}
	return indexed, others, nil
}

// likePattern looks for text as it stands in raw_message, which is JSON.
func likePattern(text string) string {
	quoted := string(event.AppendJSONString(nil, text))
	return "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(quoted[1:len(quoted)-1]) + "%"
}

// auditTotal counts, or above exactTotal extrapolates from the time that the newest of them span.
func auditTotal(ctx context.Context, q querier, f *filter) (n int64, estimate bool, err error) {
	if n, err = f.count(ctx, q); err != nil || n <= exactTotal {
		return n, false, err
	}
	newest, err := nthID(ctx, q, f, 0)
	if err != nil {
		return n, true, err
	}
	sample, err := nthID(ctx, q, f, exactTotal)
	if err != nil {
		return n, true, err
	}
	var oldest event.ID
	if err := q.QueryRowContext(ctx, f.byID("id", "ASC", 1, 0), f.args...).Scan(&oldest); err != nil {
		return n, true, err
	}
	span, all := idMillis(newest)-idMillis(sample), idMillis(newest)-idMillis(oldest)
	return max(n, int64(float64(n)*float64(all)/float64(max(span, 1)))), true, nil
}

// nthID gives the id of the n-th newest row, counted from 0; the zero id when there are fewer.
func nthID(ctx context.Context, q querier, f *filter, n int) (id event.ID, err error) {
	err = q.QueryRowContext(ctx, f.byID("id", "DESC", 1, n), f.args...).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return event.ID{}, nil
	}
	return id, err
}

// idFloor is the lowest UUIDv7 of a millisecond (RFC 9562 section 5.7: the first 48 bits are Unix milliseconds).
func idFloor(t time.Time) (id event.ID) {
	ms := uint64(max(t.UnixMilli(), 0))
	binary.BigEndian.PutUint16(id[:2], uint16(ms>>32))
	binary.BigEndian.PutUint32(id[2:6], uint32(ms))
	return id
}

func idMillis(id event.ID) int64 {
	return int64(binary.BigEndian.Uint16(id[:2]))<<32 | int64(binary.BigEndian.Uint32(id[2:6]))
}
