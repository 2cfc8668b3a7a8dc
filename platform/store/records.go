package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rotation"
)

// The chain proves what was changed by Change, not what is in the tables: a row that was put in or edited by SQL leaves
// it whole. So the last audited state of each record is compared with its row, member by member. Both are read in the order
// of the records, a page at a time, and merged.

// RecordPoint is a record up to which the tables were compared; the zero one is before the first.
type RecordPoint struct{ Table, Record string }

// Difference is something that is not as the change audit, or this program, says. Member is "" if it is the whole record.
type Difference struct{ Table, Record, Member, Message string }

// RecordsPart is what CompareRecords found.
type RecordsPart struct {
	Compared    int64        // records
	Differences []Difference // at most mostDifferences in a part
	// Unknown are records of which the change audit has nothing since retention removed its oldest rows: nothing can be said
	// about them. UnknownCount counts those that are too many to name, too.
	Unknown      []RecordPoint
	UnknownCount int64
	To           RecordPoint
	Complete     bool
}

const (
	recordsPage     = 500
	mostDifferences = 100 // a part ends with it
	mostUnknown     = 100
)

// CompareRecords compares the tables with the change audit, after a point and for at most limit records. The first part
// (after the zero point) also compares the triggers that guard the change audit with those of the migrations, and the
// counters of revisions with the last change.
func (s *Store) CompareRecords(ctx context.Context, after RecordPoint, limit int) (part RecordsPart, err error) {
	tables := auditedTables(s.dialect.bytewise)
	first := slices.IndexFunc(tables, func(t auditedTable) bool { return t.name == after.Table })
	if after == (RecordPoint{}) {
		first = 0
	}
	if first < 0 {
		return part, fault.Field(fault.InvalidField, "after", "%q is not a table that is compared", after.Table)
	}
	err = s.read(ctx, "compare the tables with the change audit", func(q querier) error {
		part = RecordsPart{To: after}
		if after == (RecordPoint{}) {
			guards, err := s.compareGuards(ctx, q)
			if err != nil {
				return err
			}
			counters, err := compareRevisions(ctx, q)
			if err != nil {
				return err
			}
			part.Differences = append(guards, counters...)
		}
		since, err := auditBegin(ctx, q)
		if err != nil {
			return err
		}
		for i := first; i < len(tables); i++ {
			if i > first {
				part.To = RecordPoint{Table: tables[i].name}
			}
			done, err := part.compare(ctx, q, &tables[i], since, limit)
			if err != nil || !done {
				return err
			}
		}
		part.Complete = true
		return nil
	})
	return part, err
}

// begin is where the change audit begins since retention removed what was before; the zero one if it has removed nothing.
type begin struct {
	anchored bool
	revision int64 // of the first row that is left
	at       int64
}

func auditBegin(ctx context.Context, q querier) (b begin, err error) {
	var revision, at sql.NullInt64
	err = q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM config_audit_anchors), (SELECT revision FROM config_audit_log ORDER BY id LIMIT 1),
		(SELECT changed_at FROM config_audit_log ORDER BY id LIMIT 1)`).Scan(&b.anchored, &revision, &at)
	b.revision, b.at = revision.Int64, at.Int64
	return b, err
}

// compareRevisions compares the counters that every process polls with the last change.
func compareRevisions(ctx context.Context, q querier) ([]Difference, error) {
	now, err := position(ctx, q)
	if err != nil {
		return nil, err
	}
	var last sql.NullInt64
	var epoch sql.NullString
	if err := q.QueryRowContext(ctx, `SELECT (SELECT revision FROM config_audit_log ORDER BY id DESC LIMIT 1),
		(SELECT new_value FROM config_audit_log WHERE table_name = $1 AND record_id = 'epoch' ORDER BY id DESC LIMIT 1)`, TableRevisions).
		Scan(&last, &epoch); err != nil {
		return nil, err
	}
	var out []Difference
	if last.Int64 != now.Revision {
		out = append(out, Difference{TableRevisions, "1", "revision", fmt.Sprintf("it is %d, and the last change had %d", now.Revision, last.Int64)})
	}
	var noted struct{ Epoch int64 }
	if epoch.Valid && (json.Unmarshal([]byte(epoch.String), &noted) != nil || noted.Epoch != now.Epoch) {
		out = append(out, Difference{TableRevisions, "1", "epoch", fmt.Sprintf("it is %d, and the change audit says %s", now.Epoch, epoch.String)})
	}
	return out, nil
}

// presentRow is a row of an audited table in the form of the change audit.
type presentRow struct {
	record   string
	revision int64
	created  int64 // 0 if the table does not say
	shown    object
}

// auditedTable reads a table page by page in the order of its records; query takes the last record and the number of rows.
type auditedTable struct {
	name, query string
	scan        func(*sql.Rows, *presentRow) error
}

// auditedTables lists the tables that only Change writes. bytewise is what makes a database compare by bytes.
func auditedTables(bytewise string) []auditedTable {
	id := `CAST(id AS TEXT)` + bytewise
	page := func(columns, table, key string) string {
		return `SELECT ` + columns + ` FROM ` + table + ` WHERE ` + key + ` > $1 ORDER BY ` + key + ` LIMIT $2`
	}
	return []auditedTable{
		{TableRules, page(ruleColumns, TableRules, id), scanPresentRule},
		{TableDevHosts, page(`hostname, revision`, TableDevHosts, `hostname`), func(rows *sql.Rows, p *presentRow) error {
			var h DevHost
			if err := scanDevHost(rows, &h); err != nil {
				return err
			}
			p.record, p.revision, p.shown = h.Hostname, h.Revision, hostObject(h.Hostname)
			return nil
		}},
		{TableTeams, page(`hostname, team_assignment, revision`, TableTeams, `hostname`), func(rows *sql.Rows, p *presentRow) error {
			var t Team
			if err := scanTeam(rows, &t); err != nil {
				return err
			}
			p.record, p.revision, p.shown = t.Hostname, t.Revision, teamObject(t)
			return nil
		}},
		{TableConfig, page(configColumns, TableConfig, `key`), func(rows *sql.Rows, p *presentRow) error {
			var v ConfigValue
			if err := scanConfigValue(rows, &v); err != nil {
				return err
			}
			p.record, p.revision, p.shown = v.Key, v.Revision, configObject(v.Key, v.Value)
			return nil
		}},
		{TableKeys, page(keyColumns, TableKeys, id), func(rows *sql.Rows, p *presentRow) error {
			var k APIKey
			if err := scanAPIKey(rows, &k); err != nil {
				return err
			}
			p.record, p.revision, p.created, p.shown = strconv.FormatInt(k.ID, 10), k.Revision, event.Micros(k.CreatedAt), keyObject(&k)
			return nil
		}},
		{TableRotations, page(rotationColumns, TableRotations, `subject`), func(rows *sql.Rows, p *presentRow) error {
			var r rotation.State
			if err := scanRotation(rows, &r); err != nil {
				return err
			}
			p.record, p.revision, p.created, p.shown = string(r.Subject), r.Revision, event.Micros(r.StartedAt), rotationObject(&r)
			return nil
		}},
	}
}

// scanPresentRule shows the stored definition as it is: what this program would not read of it counts too.
func scanPresentRule(rows *sql.Rows, p *presentRow) error {
	var id int64
	var name, definition string
	if err := rows.Scan(&id, &name, &definition, &p.revision); err != nil {
		return err
	}
	p.record = strconv.FormatInt(id, 10)
	if json.Unmarshal([]byte(definition), &p.shown) != nil || p.shown == nil {
		p.shown = object{"definition": event.AppendJSONString(nil, definition)} // which no change has
	}
	p.shown["id"], p.shown["name"] = json.RawMessage(p.record), event.AppendJSONString(nil, name)
	return nil
}

// pager reads items in pages; next returns nil at the end.
type pager[T any] struct {
	fetch func(last *T) ([]T, error)
	page  []T
	last  *T
	ended bool
}

func (p *pager[T]) peek() (*T, error) {
	if len(p.page) == 0 && !p.ended {
		page, err := p.fetch(p.last)
		if err != nil {
			return nil, err
		}
		if p.page = page; len(page) > 0 {
			p.last = &page[len(page)-1]
		}
		p.ended = len(page) < recordsPage
	}
	if len(p.page) == 0 {
		return nil, nil
	}
	return &p.page[0], nil
}

func (p *pager[T]) drop() { p.page = p.page[1:] }

// compare merges a table with the change audit, after part.To. It is done unless the limit ends it.
func (part *RecordsPart) compare(ctx context.Context, q querier, table *auditedTable, since begin, limit int) (done bool, err error) {
	start := part.To.Record
	rows := pager[presentRow]{fetch: func(last *presentRow) ([]presentRow, error) {
		from := start
		if last != nil {
			from = last.record
		}
		return list(ctx, q, table.scan, table.query, from, recordsPage)
	}}
	changes := pager[Change]{fetch: func(last *Change) ([]Change, error) {
		record, id := start, int64(1)<<62
		if last != nil {
			record, id = last.RecordID, last.ID
		}
		return list(ctx, q, scanChange, `SELECT `+changeColumns+` FROM config_audit_log WHERE table_name = $1 AND (record_id, id) > ($2, $3)
			ORDER BY record_id, id LIMIT $4`, table.name, record, id, recordsPage)
	}}
	for {
		row, err := rows.peek()
		if err != nil {
			return false, err
		}
		change, err := changes.peek()
		if err != nil {
			return false, err
		}
		if row == nil && change == nil {
			return true, nil
		}
		if part.Compared >= int64(limit) || len(part.Differences) >= mostDifferences {
			return false, nil
		}
		var present *presentRow
		var past history
		part.To = RecordPoint{table.name, nextRecord(row, change)}
		if row != nil && row.record == part.To.Record {
			present = row
			rows.drop()
		}
		for change != nil && change.RecordID == part.To.Record {
			past.add(change)
			changes.drop()
			if change, err = changes.peek(); err != nil {
				return false, err
			}
		}
		part.Compared++
		part.judge(present, &past, since)
	}
}

func nextRecord(row *presentRow, change *Change) string {
	switch {
	case row == nil:
		return change.RecordID
	case change == nil:
		return row.record
	default:
		return min(row.record, change.RecordID)
	}
}

// history is what the changes of a record add up to.
type history struct {
	rows     int
	whole    bool // it begins with the creation
	deleted  bool
	last     int64 // number of the last row
	revision int64
	state    object
}

func (h *history) add(c *Change) {
	h.rows++
	h.last, h.revision, h.deleted = c.ID, c.Revision, c.Operation == OpDelete
	var now object
	if json.Unmarshal([]byte(c.NewValue), &now) != nil {
		now = nil // a deletion has none
	}
	if c.Operation != OpUpdate {
		h.whole, h.state = true, now
		return
	}
	if h.state == nil {
		h.state = object{}
	}
	for member, value := range now {
		h.state[member] = value
	}
}

// judge compares a row with its history.
func (part *RecordsPart) judge(row *presentRow, past *history, since begin) {
	differs := func(member, format string, args ...any) {
		part.Differences = append(part.Differences, Difference{part.To.Table, part.To.Record, member, fmt.Sprintf(format, args...)})
	}
	switch {
	case row == nil && past.deleted:
		return
	case row == nil:
		differs("", "it is missing, and row %d of the change audit has it", past.last)
		return
	case past.rows == 0 && since.anchored && row.revision <= since.revision && row.created <= since.at:
		if part.UnknownCount++; len(part.Unknown) < mostUnknown {
			part.Unknown = append(part.Unknown, part.To)
		}
		return
	case past.rows == 0:
		differs("", "it is there, and no change has created it")
		return
	case past.deleted:
		differs("", "it is there, and row %d of the change audit deleted it", past.last)
		return
	}
	if row.revision != past.revision {
		differs("revision", "it is %d, and the last change, row %d, had %d", row.revision, past.last, past.revision)
	}
	members := map[string]bool{}
	for m := range row.shown {
		members[m] = true
	}
	for m := range past.state {
		members[m] = true
	}
	for _, m := range slices.Sorted(maps.Keys(members)) {
		audited, known := past.state[m]
		if isNote(m) || !known && (!past.whole || lateMember(m)) {
			continue
		}
		if !sameValue(row.shown[m], audited) {
			differs(m, "it is not what the change audit has, up to row %d", past.last)
		}
	}
}

// isNote reports whether a member tells of the change and is not of the record.
func isNote(member string) bool {
	return member == "secret_replaced" || member == "second_secret_replaced"
}

// lateMember reports whether a member is missing in changes of earlier versions, so that its absence says nothing.
func lateMember(member string) bool {
	return member == "secret_digest" || member == "second_secret_digest"
}

// sameValue compares what JSON texts mean. A member that is absent is the same as an empty value: a later version may show
// a member with its zero value that an earlier one did not have.
func sameValue(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	v, isJSON := meaning(a)
	w, isJSONToo := meaning(b)
	return isJSON && isJSONToo && (reflect.DeepEqual(v, w) || v == nil && isZero(w) || w == nil && isZero(v))
}

func meaning(text json.RawMessage) (v any, ok bool) {
	if text == nil {
		return nil, true
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	err := d.Decode(&v)
	return v, err == nil && !d.More()
}

func isZero(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case json.Number:
		return v == "0"
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}
