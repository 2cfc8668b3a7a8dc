package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/store"
)

func retentionCases() map[string]func(*testing.T, Harness) {
	return map[string]func(*testing.T, Harness){
		"old changes go, and an anchor stays":        pruneChanges,
		"the audit is verified in pieces":            verifyInPieces,
		"only retention removes, and only the old":   onlyRetention,
		"a faked anchor shows":                       fakedAnchors,
		"a point noted outside shows what is hidden": notedOutside,
		"old events go in bounded steps":             pruneEvents,
	}
}

// aged makes n changes, a day apart, and gives the clock.
func aged(t testing.TB, h Harness, n int) (Instance, *clock) {
	t.Helper()
	c := newClock()
	s := h.Open(t, store.Options{Now: c.Now, Logger: zap.NewNop()})
	for i := range n {
		change(t, s.Store, func(tx *store.Tx) error { return tx.SetConfig("a", fmt.Sprint(i)) })
		c.Add(24 * time.Hour)
	}
	return s, c
}

func janitor() store.Actor { return store.Actor{Name: "system:janitor"} }

// prune removes what was changed before the clock's time less a number of days.
func prune(t testing.TB, s Instance, c *clock, days, limit int) int64 {
	t.Helper()
	return value[int64](t)(s.PruneChanges(t.Context(), janitor(), "retention", c.Now().Add(-time.Duration(days)*24*time.Hour), limit))
}

func intact(t testing.TB, s Instance, rows int64) {
	t.Helper()
	n, head, err := s.VerifyChain(t.Context())
	must(t, err)
	if end := value[store.ChainHead](t)(s.ChainHead(t.Context())); n != rows || head != end.Hash {
		t.Errorf("%d rows up to %s hold, want %d up to %s", n, head, rows, end.Hash)
	}
}

func pruneChanges(t *testing.T, h Harness) {
	s, c := aged(t, h, 6) // changed 6, 5, 4, 3, 2 and 1 days ago
	must(t, s.Ping(t.Context()))
	hash := value[*store.Change](t)(s.ChangeByID(t.Context(), 3)).Hash
	before := c.Now().Add(-3 * 24 * time.Hour)
	if n := value[int64](t)(s.ExpiredChanges(t.Context(), before)); n != 3 {
		t.Errorf("%d rows are expired, want 3", n)
	}
	if n := prune(t, s, c, 3, 100); n != 3 {
		t.Fatalf("%d rows were removed, want 3", n)
	}
	head := value[store.ChainHead](t)(s.ChainHead(t.Context()))
	want := &store.Anchor{ChainPoint: store.ChainPoint{ID: 3, Hash: hash}, Removed: 3,
		OlderThan: before.UTC().Truncate(time.Microsecond), MadeAt: c.Now().UTC().Truncate(time.Microsecond)}
	if diff := cmp.Diff(want, head.Anchor); diff != "" || head.ID != 7 {
		t.Errorf("head %d (-want +got):\n%s", head.ID, diff)
	}
	note := value[*store.Change](t)(s.ChangeByID(t.Context(), 7))
	if note.ChangedBy != "system:janitor" || note.Operation != "DELETE" || note.TableName != "config_audit_log" || note.RecordID != "3" ||
		!strings.Contains(note.OldValue, hash) || !strings.Contains(note.OldValue, `"rows":3`) {
		t.Errorf("retention noted %+v", note)
	}
	intact(t, s, 4)
	for range 2 {
		if n := prune(t, s, c, 3, 100); n != 0 {
			t.Errorf("%d more rows were removed", n)
		}
	}
	change(t, s.Store, func(tx *store.Tx) error { return tx.SetConfig("b", "1") })
	intact(t, s, 5)
	c.Add(365 * 24 * time.Hour) // all of it, in pieces, the former anchor's note too
	for _, want := range []int64{2, 2, 1} {
		if n := prune(t, s, c, 3, 2); n != want {
			// the notes of this very retention are young
			t.Errorf("%d rows were removed, want %d", n, want)
		}
	}
	intact(t, s, 3)
	if n := prune(t, s, c, 3, 2); n != 0 {
		t.Errorf("%d young rows were removed", n)
	}
}

func verifyInPieces(t *testing.T, h Harness) {
	s, c := aged(t, h, 7)
	prune(t, s, c, 5, 100) // the rows 1 and 2 go, row 8 is the note
	var after store.ChainPoint
	var rows []int64
	for range 10 {
		part := value[store.ChainPart](t)(s.VerifyPart(t.Context(), store.VerifyParams{After: after, Limit: 2}))
		rows = append(rows, part.Rows)
		if part.From.ID < 2 || part.Head.ID != 8 || part.Anchor == nil {
			t.Errorf("got %+v", part)
		}
		if after = part.To; part.Complete {
			break
		}
	}
	if diff := cmp.Diff([]int64{2, 2, 2}, rows); diff != "" {
		t.Error(diff)
	}
	part := value[store.ChainPart](t)(s.VerifyPart(t.Context(), store.VerifyParams{After: after, Limit: 2}))
	if part.Rows != 0 || !part.Complete {
		t.Errorf("nothing is left: %+v", part)
	}
	for _, wrong := range []store.ChainPoint{{ID: 4, Hash: "x"}, {ID: 9, Hash: "x"}, {ID: 8, Hash: "x"}} {
		if part, err := s.VerifyPart(t.Context(), store.VerifyParams{After: wrong}); !fault.Is(err, fault.Corrupt) || part.Broken == 0 {
			t.Errorf("after %v: %+v %v", wrong, part, err)
		}
	}
	// Retention that went past what was verified begins anew at its anchor.
	prune(t, s, c, 3, 100)
	part = value[store.ChainPart](t)(s.VerifyPart(t.Context(), store.VerifyParams{After: store.ChainPoint{ID: 3, Hash: "forgotten"}}))
	if part.From != part.Anchor.ChainPoint || !part.Complete {
		t.Errorf("got %+v", part)
	}
}

func onlyRetention(t *testing.T, h Harness) {
	s, c := aged(t, h, 5)
	prune(t, s, c, 3, 100) // the rows 1 and 2
	before := snapshot(t, s.Store)
	hash := func(id int64) string { return value[*store.Change](t)(s.ChangeByID(t.Context(), id)).Hash }
	now := c.Now().UnixMicro()
	day := (24 * time.Hour).Microseconds()
	anchor := func(verb string, id int64, hash string, removed, older int64) string {
		return fmt.Sprintf(`%s INTO config_audit_anchors (audit_id, hash, removed, older_than, made_at) VALUES (%d, '%s', %d, %d, 0)`, verb, id, hash, removed, older)
	}
	for _, attempt := range []string{
		`UPDATE config_audit_log SET reason = 'other' WHERE id = 4`,
		`DELETE FROM config_audit_log WHERE id = 3`,
		`DELETE FROM config_audit_log`,
		`TRUNCATE config_audit_log`,
		`TRUNCATE config_audit_log, config_audit_anchors CASCADE`,
		`UPDATE config_audit_anchors SET audit_id = 4`,
		`UPDATE config_audit_anchors SET hash = 'x'`,
		`DELETE FROM config_audit_anchors`,
		`TRUNCATE config_audit_anchors`,
		anchor("INSERT", 4, "x", 2, now),             // another row's hash
		anchor("INSERT", 4, hash(4), 4, now),         // the count is wrong
		anchor("INSERT", 4, hash(4), 2, now-3*day),   // row 4 is younger
		anchor("INSERT", 2, hash(3), 0, now),         // before the last anchor
		anchor("INSERT", 99, hash(5), 4, now),        // there is no such row
		anchor("INSERT OR REPLACE", 2, "x", 0, now),  // a syntax error where there is no such statement
		anchor("INSERT OR IGNORE", 99, "x", 99, now), // no way past the check either
	} {
		if err := s.Exec(attempt); err == nil {
			t.Errorf("the database lets pass: %s", attempt)
		}
	}
	if diff := cmp.Diff(before, snapshot(t, s.Store)); diff != "" {
		t.Errorf("something changed (-before +after):\n%s", diff)
	}
	intact(t, s, 4)
}

// fakedAnchors: who has the rights of the database's owner can do a lot, but not unseen.
func fakedAnchors(t *testing.T, h Harness) {
	anchored := func() Instance {
		s, c := aged(t, h, 5)
		prune(t, s, c, 3, 100) // the rows 1 and 2; 6 is the note
		intact(t, s, 4)
		return s
	}
	broken := func(s Instance, what string, row int64) {
		t.Helper()
		part, err := s.VerifyPart(t.Context(), store.VerifyParams{})
		if !fault.Is(err, fault.Corrupt) || part.Broken != row || !strings.Contains(err.Error(), fmt.Sprintf("row %d:", row)) {
			t.Errorf("%s: %v, row %d; want Corrupt at row %d", what, err, part.Broken, row)
		}
	}
	const insert = `INSERT INTO config_audit_anchors (audit_id, hash, removed, older_than, made_at)
		SELECT id, hash, %d, 9000000000000000, 0 FROM config_audit_log WHERE id = %d`
	s := anchored() // with everything that guards it
	must(t, s.Exec(fmt.Sprintf(insert, 2, 4)))
	broken(s, "an anchor that retention did not note", 4)
	must(t, s.Exec(fmt.Sprintf(insert, 2, 6)))
	broken(s, "an anchor up to the end", 6)

	s = anchored()
	must(t, s.Unguard())
	hash := value[store.ChainHead](t)(s.ChainHead(t.Context())).Anchor.Hash
	for what, tc := range map[string]struct {
		row       int64
		do, undo  string
		arguments []any
	}{
		"the anchor is moved up":       {3, `UPDATE config_audit_anchors SET audit_id = 3`, `UPDATE config_audit_anchors SET audit_id = 2`, nil},
		"the anchor is moved back":     {1, `UPDATE config_audit_anchors SET audit_id = 1`, `UPDATE config_audit_anchors SET audit_id = 2`, nil},
		"the anchor has another hash":  {2, `UPDATE config_audit_anchors SET hash = 'x'`, `UPDATE config_audit_anchors SET hash = $1`, []any{hash}},
		"the anchor has another count": {2, `UPDATE config_audit_anchors SET removed = 1`, `UPDATE config_audit_anchors SET removed = 2`, nil},
		"a removed row comes back": {1, `INSERT INTO config_audit_log (id, changed_at, changed_by, operation, table_name, record_id,
			reason, correlation_id, revision, prev_hash, hash) VALUES (1, 0, '', 'CREATE', '', '', '', '', 1, '', '')`,
			`DELETE FROM config_audit_log WHERE id = 1`, nil},
	} {
		must(t, s.Exec(tc.do))
		broken(s, what, tc.row)
		must(t, s.Exec(tc.undo, tc.arguments...))
		intact(t, s, 4)
	}
	must(t, s.Exec(`DELETE FROM config_audit_log WHERE id = 3`))
	broken(s, "more rows go than the anchor says", 3)
	must(t, s.Exec(`DELETE FROM config_audit_anchors`))
	broken(s, "the anchor is removed", 1)
}

// notedOutside: the tail and the head go together, so that the database agrees with itself.
func notedOutside(t *testing.T, h Harness) {
	s, c := aged(t, h, 5)
	noted := value[store.ChainHead](t)(s.ChainHead(t.Context())).ChainPoint
	third := value[*store.Change](t)(s.ChangeByID(t.Context(), 3))
	verify := func(expect store.ChainPoint) (store.ChainPart, error) {
		return s.VerifyPart(t.Context(), store.VerifyParams{Expect: expect})
	}
	for _, good := range []store.ChainPoint{{}, noted, {ID: 3, Hash: third.Hash}} {
		if part, err := verify(good); err != nil || !part.Complete {
			t.Errorf("expecting %v: %+v %v", good, part, err)
		}
	}
	if part, err := verify(store.ChainPoint{ID: 3, Hash: "x"}); !fault.Is(err, fault.Corrupt) || part.Broken != 3 {
		t.Errorf("another hash: %+v %v", part, err)
	}
	prune(t, s, c, 1, 100) // the rows 1 to 4, the rest is 5 and the note 6
	if part, err := verify(store.ChainPoint{ID: 3, Hash: third.Hash}); !fault.Is(err, fault.Corrupt) || part.Broken != 3 || !strings.Contains(err.Error(), "retention") {
		t.Errorf("what retention removed cannot be compared: %+v %v", part, err)
	}
	head := value[store.ChainHead](t)(s.ChainHead(t.Context()))
	if _, err := verify(head.Anchor.ChainPoint); err != nil {
		t.Errorf("the anchor itself: %v", err)
	}
	must(t, s.Unguard())
	must(t, errors.Join(s.Exec(`UPDATE revisions SET audit_id = 5, audit_hash = (SELECT hash FROM config_audit_log WHERE id = 5)`),
		s.Exec(`DELETE FROM config_audit_log WHERE id > 5`), s.Exec(`DELETE FROM config_audit_anchors`),
		s.Exec(`UPDATE config_audit_log SET id = 1, prev_hash = '' WHERE id = 5`)))
	if part, err := verify(head.ChainPoint); !fault.Is(err, fault.Corrupt) || part.Broken == 0 {
		t.Errorf("a chain that was written anew: %+v %v", part, err)
	}
}

func pruneEvents(t *testing.T, h Harness) {
	s := open(t, h)
	rows := make([]store.AuditRow, 10)
	for i := range rows {
		rows[i] = row(i*1000, nil) // a second apart
	}
	judge(t, s.Store, entry(rows...))
	before := epoch().Add(7 * time.Second)
	if n := value[int64](t)(s.ExpiredEvents(t.Context(), before)); n != 7 {
		t.Errorf("%d rows are expired, want 7", n)
	}
	for _, want := range []int64{4, 3, 0} {
		if n := value[int64](t)(s.PruneEvents(t.Context(), before, 4)); n != want {
			t.Errorf("%d rows were removed, want %d", n, want)
		}
	}
	left := value[store.Page[store.AuditLog]](t)(s.AuditLogs(t.Context(), store.AuditFilter{})).Items
	var ids []event.ID
	for i := range left {
		ids = append(ids, left[i].ID)
	}
	if diff := cmp.Diff([]event.ID{rows[9].Event.ID, rows[8].Event.ID, rows[7].Event.ID}, ids); diff != "" {
		t.Error(diff)
	}
	change(t, s.Store, func(tx *store.Tx) error {
		return tx.RecordOperation(store.OpDelete, store.TableEventAudit, "2026-05-01", map[string]any{"rows": 7})
	})
	if c := value[*store.Change](t)(s.ChangeByID(t.Context(), 1)); c.Operation != "DELETE" || c.OldValue != `{"rows":7}` || c.RecordID != "2026-05-01" {
		t.Errorf("noted %+v", c)
	}
}
