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
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

func configurationCases() map[string]func(*testing.T, Harness) {
	return map[string]func(*testing.T, Harness){
		"rules read back as written":            rulesRoundTrip,
		"hosts, teams, config read back":        tablesRoundTrip,
		"keys read back, to the microsecond":    keysRoundTrip,
		"codes of refusals":                     refusals,
		"a change sees its own writes":          readsInside,
		"readers see no change before its end":  readersDoNotWait,
		"hostile texts are kept as they are":    hostileTexts,
		"ids are not given twice":               idsNotReused,
		"a deleted rule comes back as it was":   rulesComeBack,
		"records read as the audit shows them":  recordsAsAudited,
		"empty lists are lists":                 emptyLists,
		"a host is one whatever its case":       oneHost,
		"order of lists does not depend on age": listOrder,
	}
}

func rulesComeBack(t *testing.T, h Harness) {
	s := open(t, h)
	r := sampleRule("r")
	change(t, s.Store, func(tx *store.Tx) (err error) { r.ID, err = tx.CreateRule(r); return err })
	refuse := func(what string, r rule.Rule) {
		t.Helper()
		if _, err := s.Change(t.Context(), actor(), "", func(tx *store.Tx) error { return tx.RestoreRule(r) }); !fault.Is(err, fault.AlreadyExists) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refuse("its id is taken", r)
	change(t, s.Store, func(tx *store.Tx) error { return tx.DeleteRule(r.ID) })
	var other int64
	change(t, s.Store, func(tx *store.Tx) (err error) { other, err = tx.CreateRule(sampleRule("r")); return err })
	refuse("its name is taken", r)
	change(t, s.Store, func(tx *store.Tx) error { return errors.Join(tx.DeleteRule(other), tx.RestoreRule(r)) })
	got := value[rule.Rule](t)(s.RuleByID(t.Context(), r.ID))
	r.Revision = 4
	if diff := cmp.Diff(r, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var next int64
	change(t, s.Store, func(tx *store.Tx) (err error) { next, err = tx.CreateRule(sampleRule("n")); return err })
	if next <= other {
		t.Errorf("the next rule has the id %d after %d", next, other)
	}
}

func recordsAsAudited(t *testing.T, h Harness) {
	s := open(t, h)
	change(t, s.Store, func(tx *store.Tx) error {
		_, err := tx.CreateRule(sampleRule("r"))
		return errors.Join(err, tx.PutDevHost("lab"), tx.PutTeam(store.Team{Hostname: "sw1", TeamAssignment: "NOC"}), tx.SetConfig("a", "1"))
	})
	rows := value[store.Page[store.Change]](t)(s.Changes(t.Context(), store.ChangeFilter{})).Items
	change(t, s.Store, func(tx *store.Tx) error {
		if tx.AuditID() != 4 {
			t.Errorf("%d audit rows before", tx.AuditID())
		}
		for _, c := range rows {
			got, revision, err := tx.Record(c.TableName, c.RecordID)
			must(t, err)
			text := string(value[[]byte](t)(json.Marshal(got)))
			if text != c.NewValue || revision != 1 {
				t.Errorf("%s %s at revision %d: %s, want %s", c.TableName, c.RecordID, revision, text, c.NewValue)
			}
			if got, revision, err = tx.Record(c.TableName, c.RecordID+"9"); err != nil || got != nil || revision != 0 {
				t.Errorf("%s without a record: %v %d %v", c.TableName, got, revision, err)
			}
		}
		if _, _, err := tx.Record(store.TableKeys, "1"); !fault.Is(err, fault.Unprocessable) {
			t.Errorf("keys: %v", err)
		}
		err := tx.SetConfig("b", "1")
		if row, none := tx.ChangeByID(tx.AuditID()); row != nil || none != nil || tx.AuditID() != 5 {
			t.Errorf("a row to come: %d %v %v", tx.AuditID(), row, none)
		}
		return err
	})
	if row := value[*store.Change](t)(s.ChangeByID(t.Context(), 5)); row == nil || row.RecordID != "b" {
		t.Errorf("got %v", row)
	}
}

func containsText(s, part string) bool { return strings.Contains(s, part) }

func sampleKey(name string) store.APIKey {
	return store.APIKey{Name: name, Role: "viewer", Hash: []byte(strings.Repeat("h", 32))}
}

func rulesRoundTrip(t *testing.T, h Harness) {
	s := open(t, h)
	want := []rule.Rule{sampleRule("b"), {Name: "a", MatchType: rule.OIDPrefix, TrapOID: "1.3"}}
	change(t, s.Store, func(tx *store.Tx) error {
		for i := range want {
			id, err := tx.CreateRule(want[i])
			if err != nil {
				return err
			}
			want[i].ID, want[i].Revision = id, 1
		}
		return nil
	})
	got := value[[]rule.Rule](t)(s.Rules(t.Context()))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want[0].SyslogSeverity, want[0].Name, want[0].Revision = nil, "renamed", 2
	change(t, s.Store, func(tx *store.Tx) error { return tx.UpdateRule(want[0]) })
	one := value[rule.Rule](t)(s.RuleByID(t.Context(), want[0].ID))
	if diff := cmp.Diff(want[0], one); diff != "" {
		t.Errorf("after an update (-want +got):\n%s", diff)
	}
	change(t, s.Store, func(tx *store.Tx) error { return tx.DeleteRule(want[0].ID) })
	if _, err := s.RuleByID(t.Context(), want[0].ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("a deleted rule: %v", err)
	}
}

func tablesRoundTrip(t *testing.T, h Harness) {
	c := newClock()
	s := h.Open(t, store.Options{Now: c.Now, Logger: zap.NewNop()})
	change(t, s.Store, func(tx *store.Tx) error {
		return errors.Join(tx.PutDevHost("lab-*"), tx.PutDevHost("10.0.0.0/8"), tx.PutTeam(store.Team{Hostname: "r1", TeamAssignment: "A"}),
			tx.SetConfig("moog_rate_limit", "50"))
	})
	c.Add(time.Second)
	change(t, s.Store, func(tx *store.Tx) error {
		return errors.Join(tx.PutTeam(store.Team{Hostname: "r1", TeamAssignment: "B"}), tx.SetConfig("moog_rate_limit", " 60 "))
	})
	hosts := value[[]store.DevHost](t)(s.DevHosts(t.Context()))
	teams := value[[]store.Team](t)(s.Teams(t.Context()))
	values := value[[]store.ConfigValue](t)(s.ConfigValues(t.Context()))
	if diff := cmp.Diff([]store.DevHost{{Hostname: "10.0.0.0/8", Revision: 1}, {Hostname: "lab-*", Revision: 1}}, hosts); diff != "" {
		t.Errorf("hosts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]store.Team{{Hostname: "r1", TeamAssignment: "B", Revision: 2}}, teams); diff != "" {
		t.Errorf("teams (-want +got):\n%s", diff)
	}
	want := []store.ConfigValue{{Key: "moog_rate_limit", Value: "60", UpdatedBy: "key:netops", Revision: 2,
		UpdatedAt: time.Date(2026, 3, 4, 4, 6, 8, 123456000, time.UTC)}}
	if diff := cmp.Diff(want, values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	_, tables, err := s.Ruleset(t.Context())
	must(t, err)
	if diff := cmp.Diff(rule.Tables{DevHosts: []string{"10.0.0.0/8", "lab-*"}, Teams: map[string]string{"r1": "B"}, Version: 2}, tables); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
}

func keysRoundTrip(t *testing.T, h Harness) {
	s := open(t, h)
	k := sampleKey("netops")
	k.Bootstrap, k.ExpiresAt = true, time.Date(2027, 1, 2, 3, 4, 5, 678901999, time.FixedZone("x", -7200))
	change(t, s.Store, func(tx *store.Tx) (err error) { k.ID, err = tx.PutAPIKey(k); return err })
	want := k
	want.ExpiresAt, want.Revision = time.Date(2027, 1, 2, 5, 4, 5, 678901000, time.UTC), 1
	want.CreatedAt = time.Date(2026, 3, 4, 4, 6, 7, 123456000, time.UTC)
	if diff := cmp.Diff([]store.APIKey{want}, value[[]store.APIKey](t)(s.APIKeys(t.Context()))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	k.ExpiresAt, k.Hash = time.Time{}, []byte(strings.Repeat("n", 32))
	change(t, s.Store, func(tx *store.Tx) error { _, err := tx.PutAPIKey(k); return err })
	want.ExpiresAt, want.Hash, want.Revision = time.Time{}, k.Hash, 2
	if diff := cmp.Diff([]store.APIKey{want}, value[[]store.APIKey](t)(s.APIKeys(t.Context()))); diff != "" {
		t.Errorf("rotated (-want +got):\n%s", diff)
	}
	change(t, s.Store, func(tx *store.Tx) error { return tx.DeleteAPIKey(k.ID) })
	if left := value[[]store.APIKey](t)(s.APIKeys(t.Context())); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

func refusals(t *testing.T, h Harness) {
	s := open(t, h)
	var id int64
	change(t, s.Store, func(tx *store.Tx) (err error) {
		id, err = tx.CreateRule(sampleRule("taken"))
		must(t, err)
		_, err = tx.CreateRule(sampleRule("other"))
		must(t, err)
		_, err = tx.PutAPIKey(sampleKey("k"))
		return errors.Join(err, tx.PutDevHost("d"))
	})
	before := snapshot(t, s.Store)
	renamed := sampleRule("other")
	renamed.ID = id
	ghost := sampleRule("ghost")
	ghost.ID = 99
	ghostKey := sampleKey("ghost")
	ghostKey.ID = 99
	for name, tc := range map[string]struct {
		do    func(tx *store.Tx) error
		code  fault.Code
		field string
	}{
		"rule name taken":       {func(tx *store.Tx) error { _, err := tx.CreateRule(sampleRule("taken")); return err }, fault.AlreadyExists, "name"},
		"rename to taken":       {func(tx *store.Tx) error { return tx.UpdateRule(renamed) }, fault.AlreadyExists, "name"},
		"rule without name":     {func(tx *store.Tx) error { _, err := tx.CreateRule(rule.Rule{}); return err }, fault.Unprocessable, "name"},
		"update missing rule":   {func(tx *store.Tx) error { return tx.UpdateRule(ghost) }, fault.NotFound, ""},
		"delete missing rule":   {func(tx *store.Tx) error { return tx.DeleteRule(99) }, fault.NotFound, ""},
		"host again":            {func(tx *store.Tx) error { return tx.PutDevHost("d") }, fault.AlreadyExists, "hostname"},
		"host in another case":  {func(tx *store.Tx) error { return tx.PutDevHost("D") }, fault.AlreadyExists, "hostname"},
		"host without name":     {func(tx *store.Tx) error { return tx.PutDevHost("") }, fault.Unprocessable, "hostname"},
		"delete missing host":   {func(tx *store.Tx) error { return tx.DeleteDevHost("x") }, fault.NotFound, ""},
		"team without name":     {func(tx *store.Tx) error { return tx.PutTeam(store.Team{Hostname: "h"}) }, fault.Unprocessable, "team_assignment"},
		"delete missing team":   {func(tx *store.Tx) error { return tx.DeleteTeam("x") }, fault.NotFound, ""},
		"config not JSON":       {func(tx *store.Tx) error { return tx.SetConfig("a", "{") }, fault.Unprocessable, "a"},
		"config empty":          {func(tx *store.Tx) error { return tx.SetConfig("a", "") }, fault.Unprocessable, "a"},
		"unset missing config":  {func(tx *store.Tx) error { return tx.UnsetConfig("a") }, fault.NotFound, ""},
		"key name taken":        {func(tx *store.Tx) error { _, err := tx.PutAPIKey(sampleKey("k")); return err }, fault.AlreadyExists, "name"},
		"key without role":      {func(tx *store.Tx) error { _, err := tx.PutAPIKey(store.APIKey{Name: "x"}); return err }, fault.Unprocessable, "name"},
		"key without hash":      {func(tx *store.Tx) error { _, err := tx.PutAPIKey(store.APIKey{Name: "x", Role: "y"}); return err }, fault.Internal, ""},
		"replace a missing key": {func(tx *store.Tx) error { _, err := tx.PutAPIKey(ghostKey); return err }, fault.NotFound, ""},
		"delete a missing key":  {func(tx *store.Tx) error { return tx.DeleteAPIKey(99) }, fault.NotFound, ""},
	} {
		_, err := s.Change(t.Context(), actor(), "", tc.do)
		if !fault.Is(err, tc.code) && tc.code != fault.Internal || err == nil {
			t.Errorf("%s: %v, want %s", name, err, tc.code)
		} else if f, ok := fault.As(err); ok && f.Field != tc.field {
			t.Errorf("%s: field %q, want %q", name, f.Field, tc.field)
		}
	}
	if diff := cmp.Diff(before, snapshot(t, s.Store)); diff != "" {
		t.Errorf("a refusal left something (-before +after):\n%s", diff)
	}
}

func readsInside(t *testing.T, h Harness) {
	s := open(t, h)
	change(t, s.Store, func(tx *store.Tx) error {
		id, err := tx.CreateRule(sampleRule("r"))
		must(t, err)
		must(t, errors.Join(tx.PutDevHost("d"), tx.PutTeam(store.Team{Hostname: "h", TeamAssignment: "X"}), tx.SetConfig("a", "1")))
		one := value[rule.Rule](t)(tx.Rule(id))
		all := value[[]rule.Rule](t)(tx.Rules())
		hosts := value[[]store.DevHost](t)(tx.DevHosts())
		teams := value[[]store.Team](t)(tx.Teams())
		set := value[*store.ConfigValue](t)(tx.ConfigValue("a"))
		unset := value[*store.ConfigValue](t)(tx.ConfigValue("b"))
		if one.Name != "r" || len(all) != 1 || len(hosts) != 1 || len(teams) != 1 || set.Value != "1" || unset != nil {
			t.Errorf("inside: %v %v %v %v %v %v", one, all, hosts, teams, set, unset)
		}
		if one.Revision != tx.Revision() {
			t.Errorf("the rule is at revision %d, the change at %d", one.Revision, tx.Revision())
		}
		return nil
	})
}

func readersDoNotWait(t *testing.T, h Harness) {
	s := open(t, h)
	change(t, s.Store, func(tx *store.Tx) error {
		must(t, tx.SetConfig("a", "1"))
		if got := value[[]store.ConfigValue](t)(s.ConfigValues(t.Context())); len(got) != 0 {
			t.Errorf("a reader sees what is not committed: %v", got)
		}
		return nil
	})
}

func hostileTexts(t *testing.T, h Harness) {
	s := open(t, h)
	texts := []string{`'; DROP TABLE alert_rules; --`, "a\r\nX-Injected: 1", "% _ \\ \" ' `", "ä€😀 \u202e", strings.Repeat("k", 1<<10), "$1 ? :x @y"}
	for i, text := range texts {
		r := sampleRule(fmt.Sprintf("%d %s", i, text))
		r.MatchString, r.Description = text, text
		must(t, func() error {
			_, err := s.Change(t.Context(), store.Actor{Name: text, CorrelationID: text}, text, func(tx *store.Tx) error {
				id, err := tx.CreateRule(r)
				r.ID, r.Revision = id, tx.Revision()
				return errors.Join(err, tx.PutDevHost(text), tx.PutTeam(store.Team{Hostname: text, TeamAssignment: text}),
					tx.SetConfig(text, "1"))
			})
			return err
		}())
		got := value[rule.Rule](t)(s.RuleByID(t.Context(), r.ID))
		if diff := cmp.Diff(r, got); diff != "" {
			t.Errorf("rule of %.20q (-want +got):\n%s", text, diff)
		}
		page := value[store.Page[store.Change]](t)(s.Changes(t.Context(), store.ChangeFilter{ChangedBy: text}))
		if len(page.Items) != 4 || page.Items[0].Reason != text || page.Items[0].CorrelationID != text || page.Items[0].RecordID != text {
			t.Errorf("changes by %.20q: %d", text, len(page.Items))
		}
	}
	if _, _, err := s.VerifyChain(t.Context()); err != nil {
		t.Error(err)
	}
}

func idsNotReused(t *testing.T, h Harness) {
	s := open(t, h)
	seen := map[int64]bool{}
	for range 3 {
		var id int64
		change(t, s.Store, func(tx *store.Tx) (err error) { id, err = tx.CreateRule(sampleRule("r")); return err })
		if seen[id] {
			t.Errorf("rule id %d was given twice: its audit rows would be mixed", id)
		}
		seen[id] = true
		change(t, s.Store, func(tx *store.Tx) error { return tx.DeleteRule(id) })
	}
}

func emptyLists(t *testing.T, h Harness) {
	s := open(t, h)
	st := snapshot(t, s.Store)
	if st.Rules == nil || st.Config == nil || st.Keys == nil || st.Changes == nil {
		t.Errorf("a list of nothing is nil, which JSON shows as null: %+v", st)
	}
	page := value[store.Page[store.AuditLog]](t)(s.AuditLogs(t.Context(), store.AuditFilter{}))
	if page.Items == nil || page.Total != 0 {
		t.Errorf("audit page of nothing: %+v", page)
	}
}

// oneHost holds that an entry is found in any case of its name, keeps its spelling, and is unique in the database too.
func oneHost(t *testing.T, h Harness) {
	s := open(t, h)
	change(t, s.Store, func(tx *store.Tx) error {
		return errors.Join(tx.PutDevHost("CORE-1"), tx.PutDevHost("KÖLN"), tx.PutDevHost("köln"), tx.PutTeam(store.Team{Hostname: "Edge-1", TeamAssignment: "A"}))
	})
	change(t, s.Store, func(tx *store.Tx) error { return tx.PutTeam(store.Team{Hostname: "edge-1", TeamAssignment: "B"}) })
	_, err := s.Change(t.Context(), actor(), "", func(tx *store.Tx) error { return tx.PutDevHost("core-1") })
	if f, ok := fault.As(err); !ok || f.Code != fault.AlreadyExists || !strings.Contains(f.Message, "CORE-1") {
		t.Errorf("the refusal does not name the entry that is there: %v", err)
	}
	for _, statement := range []string{`INSERT INTO development_hosts (hostname, revision) VALUES ('core-1', 1)`,
		`INSERT INTO device_teams (hostname, team_assignment, revision) VALUES ('EDGE-1', 'C', 1)`} {
		if s.Exec(statement) == nil {
			t.Errorf("the database took a second entry of a host: %s", statement)
		}
	}
	teams := value[[]store.Team](t)(s.Teams(t.Context()))
	if len(teams) != 1 || teams[0].Hostname != "Edge-1" || teams[0].TeamAssignment != "B" {
		t.Errorf("teams %+v", teams)
	}
	change(t, s.Store, func(tx *store.Tx) error { return errors.Join(tx.DeleteDevHost("core-1"), tx.DeleteTeam("EDGE-1")) })
	var left []string
	for _, host := range value[[]store.DevHost](t)(s.DevHosts(t.Context())) {
		left = append(left, host.Hostname)
	}
	if diff := cmp.Diff([]string{"KÖLN", "köln"}, left); diff != "" || len(value[[]store.Team](t)(s.Teams(t.Context()))) > 0 {
		t.Errorf("hosts that are left (-want +got):\n%s", diff)
	}
	for f, want := range map[store.ChangeFilter]int64{
		{RecordID: "core-1"}: 2, {RecordID: "EDGE-1"}: 3, {RecordID: "edge-1", TableName: store.TableTeams}: 3,
		{RecordID: "CORE-1", TableName: store.TableTeams}: 0, {RecordID: "köln"}: 1,
	} {
		if page := value[store.Page[store.Change]](t)(s.Changes(t.Context(), f)); page.Total != want || int64(len(page.Items)) != want {
			t.Errorf("%+v: %d changes, want %d", f, page.Total, want)
		}
	}
	if _, _, err := s.VerifyChain(t.Context()); err != nil {
		t.Error(err)
	}
}

func listOrder(t *testing.T, h Harness) {
	s := open(t, h)
	for _, name := range []string{"m", "Z", "a", "10", "9"} {
		change(t, s.Store, func(tx *store.Tx) error {
			return errors.Join(tx.PutDevHost(name), tx.PutTeam(store.Team{Hostname: name, TeamAssignment: "x"}), tx.SetConfig(name, "1"))
		})
	}
	want := []string{"10", "9", "Z", "a", "m"} // by bytes, in every database
	var hosts, teams, keys []string
	for i, d := range value[[]store.DevHost](t)(s.DevHosts(t.Context())) {
		hosts = append(hosts, d.Hostname)
		teams = append(teams, value[[]store.Team](t)(s.Teams(t.Context()))[i].Hostname)
		keys = append(keys, value[[]store.ConfigValue](t)(s.ConfigValues(t.Context()))[i].Key)
	}
	for name, got := range map[string][]string{"hosts": hosts, "teams": teams, "config": keys} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
