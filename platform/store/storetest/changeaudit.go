package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/store"
)

func changeAuditCases() map[string]func(*testing.T, Harness) {
	return map[string]func(*testing.T, Harness){
		"rows say who, what and why":             changeRows,
		"values hold what changed and who it is": changeValues,
		"no part of a secret is in it":           noSecrets,
		"filters and pages":                      changeFilters,
		"the database refuses to edit it":        appendOnly,
		"the chain shows every tampering":        tampering,
		"one row by its number":                  changeByID,
	}
}

func changeRows(t *testing.T, h Harness) {
	s := open(t, h)
	change(t, s.Store, func(tx *store.Tx) error { return tx.SetConfig("a", "1") })
	got := value[store.Page[store.Change]](t)(s.Changes(t.Context(), store.ChangeFilter{})).Items
	want := []store.Change{{
		ID: 1, ChangedAt: time.Date(2026, 3, 4, 4, 6, 7, 123456000, time.UTC), ChangedBy: "key:netops", Operation: "CREATE",
		TableName: "dynamic_config", RecordID: "a", NewValue: `{"key":"a","value":1}`, Reason: "because",
		CorrelationID: "corr-1", Revision: 1,
		// Fixed for ever: rows of released versions are verified with this encoding.
		Hash: "cd385274f0a6676428eb582466ad13665db34de7bc25b106fd6535844af1c043",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func changeValues(t *testing.T, h Harness) {
	s := open(t, h)
	var id int64
	r := sampleRule("r")
	change(t, s.Store, func(tx *store.Tx) (err error) { id, err = tx.CreateRule(r); return err })
	r.ID, r.Priority, r.SyslogSeverity, r.Description = id, 5, nil, "new"
	change(t, s.Store, func(tx *store.Tx) error { return tx.UpdateRule(r) })
	change(t, s.Store, func(tx *store.Tx) error { return tx.DeleteRule(id) })
	change(t, s.Store, func(tx *store.Tx) error {
		return errors.Join(tx.PutTeam(store.Team{Hostname: "h", TeamAssignment: "A"}), tx.PutTeam(store.Team{Hostname: "h", TeamAssignment: "B"}))
	})
	got := value[store.Page[store.Change]](t)(s.Changes(t.Context(), store.ChangeFilter{})).Items
	for i, want := range []struct{ op, old, now string }{
		{"UPDATE", `{"hostname":"h","team_assignment":"A"}`, `{"hostname":"h","team_assignment":"B"}`},
		{"CREATE", ``, `{"hostname":"h","team_assignment":"A"}`},
		{"DELETE", "whole", ``},
		{"UPDATE", `{"description":null,"id":1,"name":"r","priority":10,"syslog_severity":3}`,
			`{"description":"new","id":1,"name":"r","priority":5,"syslog_severity":null}`},
		{"CREATE", ``, "whole"},
	} {
		c := got[i]
		if c.Operation != want.op {
			t.Errorf("row %d is a %s, want %s", c.ID, c.Operation, want.op)
		}
		for _, pair := range [][2]string{{want.old, c.OldValue}, {want.now, c.NewValue}} {
			if pair[0] == "whole" {
				var all map[string]any
				if err := json.Unmarshal([]byte(pair[1]), &all); err != nil || all["match_string"] == nil || all["id"] != 1.0 || all["name"] != "r" {
					t.Errorf("row %d does not hold the whole rule: %s", c.ID, pair[1])
				}
			} else if pair[0] != pair[1] {
				t.Errorf("row %d (-want +got):\n%s", c.ID, cmp.Diff(pair[0], pair[1]))
			}
		}
	}
}

func noSecrets(t *testing.T, h Harness) {
	s := open(t, h)
	k := sampleKey("k")
	change(t, s.Store, func(tx *store.Tx) (err error) { k.ID, err = tx.PutAPIKey(k); return err })
	k.Hash = []byte(strings.Repeat("n", 32))
	change(t, s.Store, func(tx *store.Tx) error { _, err := tx.PutAPIKey(k); return err })
	change(t, s.Store, func(tx *store.Tx) error { return tx.DeleteAPIKey(k.ID) })
	got := value[store.Page[store.Change]](t)(s.Changes(t.Context(), store.ChangeFilter{TableName: store.TableKeys})).Items
	if len(got) != 3 {
		t.Fatalf("%d rows, want 3", len(got))
	}
	if want := `{"id":1,"name":"k","secret_digest":"`; !strings.HasPrefix(got[1].NewValue, want) || !strings.HasSuffix(got[1].NewValue, `,"secret_replaced":true}`) {
		t.Errorf("a rotation reads %s, want %s…", got[1].NewValue, want)
	}
	for _, c := range got {
		if text := strings.ToLower(c.OldValue + c.NewValue); strings.Contains(text, "hhh") || strings.Contains(text, "nnn") || strings.Contains(text, "6868") {
			t.Errorf("row %d shows the hash: %s", c.ID, text)
		}
	}
}

func changeFilters(t *testing.T, h Harness) {
	c := newClock()
	s := h.Open(t, store.Options{Now: c.Now, Logger: zap.NewNop()})
	for i := range 10 {
		by := store.Actor{Name: fmt.Sprintf("user:%d", i%2)}
		_, err := s.Change(t.Context(), by, "", func(tx *store.Tx) error {
			if i == 9 {
				return tx.UnsetConfig("k0")
			}
			return tx.SetConfig(fmt.Sprintf("k%d", i%4), fmt.Sprint(i))
		})
		must(t, err)
		c.Add(time.Minute)
	}
	start := newClock().Now()
	for name, tc := range map[string]struct {
		f     store.ChangeFilter
		ids   []int64
		total int64
	}{
		"all":            {store.ChangeFilter{}, []int64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, 10},
		"by":             {store.ChangeFilter{ChangedBy: "user:1", Limit: 2}, []int64{10, 8}, 5},
		"operation":      {store.ChangeFilter{Operation: "DELETE"}, []int64{10}, 1},
		"record":         {store.ChangeFilter{TableName: "dynamic_config", RecordID: "k0"}, []int64{10, 9, 5, 1}, 4},
		"other table":    {store.ChangeFilter{TableName: "alert_rules", RecordID: "k0"}, []int64{}, 0},
		"page":           {store.ChangeFilter{Limit: 3, Offset: 8}, []int64{2, 1}, 10},
		"beyond the end": {store.ChangeFilter{Limit: 3, Offset: 80}, []int64{}, 10},
		"time, [ )":      {store.ChangeFilter{Start: start.Add(time.Minute), End: start.Add(3 * time.Minute)}, []int64{3, 2}, 2},
	} {
		page := value[store.Page[store.Change]](t)(s.Changes(t.Context(), tc.f))
		ids := []int64{}
		for _, ch := range page.Items {
			ids = append(ids, ch.ID)
		}
		if diff := cmp.Diff(tc.ids, ids); diff != "" || page.Total != tc.total || page.TotalIsEstimate {
			t.Errorf("%s: total %d, want %d; (-want +got):\n%s", name, page.Total, tc.total, diff)
		}
	}
}

func appendOnly(t *testing.T, h Harness) {
	s := open(t, h)
	change(t, s.Store, func(tx *store.Tx) error { return errors.Join(tx.SetConfig("a", "1"), tx.SetConfig("b", "1")) })
	before := snapshot(t, s.Store)
	const insert = `INTO config_audit_log (id, changed_at, changed_by, operation, table_name, record_id, reason,
		correlation_id, revision, prev_hash, hash) VALUES (1, 0, '', 'CREATE', '', '', '', '', 1, '', '')`
	for _, attempt := range []string{
		`UPDATE config_audit_log SET reason = 'other' WHERE id = 1`,
		`DELETE FROM config_audit_log WHERE id = 2`,
		`DELETE FROM config_audit_log`,
		`INSERT ` + insert,
		`INSERT OR REPLACE ` + insert, // a syntax error where there is no such statement
	} {
		if err := s.Exec(attempt); err == nil {
			t.Errorf("the database lets pass: %s", attempt)
		}
	}
	if diff := cmp.Diff(before, snapshot(t, s.Store)); diff != "" {
		t.Errorf("something changed (-before +after):\n%s", diff)
	}
}

func tampering(t *testing.T, h Harness) {
	for name, tc := range map[string]struct {
		statement string
		row       string // named in the error
	}{
		"a field is edited":      {`UPDATE config_audit_log SET changed_by = 'nobody' WHERE id = 2`, "row 2"},
		"NULL becomes empty":     {`UPDATE config_audit_log SET old_value = '{}' WHERE id = 1`, "row 1"},
		"a row is removed":       {`DELETE FROM config_audit_log WHERE id = 2`, "row 2"},
		"the first is removed":   {`DELETE FROM config_audit_log WHERE id = 1`, "row 1"},
		"the tail is cut off":    {`DELETE FROM config_audit_log WHERE id >= 3`, "row 3"},
		"all is removed":         {`DELETE FROM config_audit_log`, "row 1"},
		"a hash is made to fit":  {`UPDATE config_audit_log SET reason = 'x', hash = '00' WHERE id = 4`, "row 4"},
		"numbers are moved up":   {`UPDATE config_audit_log SET id = 9 WHERE id = 4`, "row 4"},
		"the head is set back":   {`UPDATE revisions SET audit_id = 3`, "row 4"},
		"a row with another end": {`UPDATE config_audit_log SET prev_hash = '' WHERE id = 3`, "row 3"},
	} {
		s := open(t, h)
		for i := range 4 {
			change(t, s.Store, func(tx *store.Tx) error { return tx.SetConfig("a", fmt.Sprint(i)) })
		}
		rows, head, err := s.VerifyChain(t.Context())
		if err != nil || rows != 4 || head != snapshot(t, s.Store).Changes[0].Hash {
			t.Fatalf("%s: an honest chain: %d rows, head %s, %v", name, rows, head, err)
		}
		must(t, s.Unguard())
		must(t, s.Exec(tc.statement))
		_, _, err = s.VerifyChain(t.Context())
		if !fault.Is(err, fault.Corrupt) || !strings.Contains(err.Error(), tc.row+":") {
			t.Errorf("%s: %v, want Corrupt at %s", name, err, tc.row)
		}
	}
}

func changeByID(t *testing.T, h Harness) {
	s := open(t, h)
	change(t, s.Store, func(tx *store.Tx) error { return tx.SetConfig("a", "1") })
	got := value[*store.Change](t)(s.ChangeByID(t.Context(), 1))
	if diff := cmp.Diff(&snapshot(t, s.Store).Changes[0], got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if none := value[*store.Change](t)(s.ChangeByID(t.Context(), 2)); none != nil {
		t.Errorf("a row that is not there: %v", none)
	}
}
