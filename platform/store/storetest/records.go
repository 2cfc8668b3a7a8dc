package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

func recordsCases() map[string]func(*testing.T, Harness) {
	return map[string]func(*testing.T, Harness){
		"what changes made is as the chain has it": recordsHold,
		"what SQL made is named":                   recordsDiffer,
		"what retention removed cannot be said":    recordsUnknown,
		"part after part":                          recordsInParts,
	}
}

// compared gives everything that differs as "table/record/member".
func compared(t testing.TB, s *store.Store, limit int) (differs, unknown []string, n int64) {
	t.Helper()
	for at, parts := (store.RecordPoint{}), 0; ; parts++ {
		part := value[store.RecordsPart](t)(s.CompareRecords(t.Context(), at, limit))
		for _, d := range part.Differences {
			differs = append(differs, d.Table+"/"+d.Record+"/"+d.Member)
			if d.Message == "" {
				t.Errorf("%+v says nothing", d)
			}
		}
		for _, u := range part.Unknown {
			unknown = append(unknown, u.Table+"/"+u.Record)
		}
		n += part.Compared
		if at = part.To; part.Complete {
			return differs, unknown, n
		}
		if parts > 10_000 {
			t.Fatal("it does not end")
		}
	}
}

// busy makes records of all kinds, with updates, deletions and some that come again.
func busy(t testing.TB, s *store.Store) {
	t.Helper()
	r := sampleRule("r")
	change(t, s, func(tx *store.Tx) (err error) { r.ID, err = tx.CreateRule(r); return err })
	r.Priority, r.SyslogSeverity, r.Description, r.Examples = 5, nil, "new <&>", nil
	change(t, s, func(tx *store.Tx) error { return tx.UpdateRule(r) })
	for i := range 12 { // as texts the ids are in another order than as numbers
		change(t, s, func(tx *store.Tx) error { _, err := tx.CreateRule(sampleRule(fmt.Sprint("more", i))); return err })
	}
	change(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.DeleteRule(3), tx.PutDevHost("b"), tx.PutDevHost("a"), tx.PutTeam(store.Team{Hostname: "h", TeamAssignment: "A"}),
			tx.PutTeam(store.Team{Hostname: "Ä", TeamAssignment: "A"}), tx.SetConfig("x", `{"b":1,"a":[1.50]}`), tx.SetConfig("y", "1"))
	})
	change(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.DeleteDevHost("a"), tx.PutTeam(store.Team{Hostname: "h", TeamAssignment: "B"}), tx.UnsetConfig("y"), tx.RestoreRule(withID(sampleRule("more1"), 3)))
	})
	change(t, s, func(tx *store.Tx) error { return errors.Join(tx.PutDevHost("a"), tx.SetConfig("y", "2")) })
	k := sampleKey("k")
	change(t, s, func(tx *store.Tx) (err error) { k.ID, err = tx.PutAPIKey(k); return err })
	k.Second, k.SecondUntil = slices.Clone(k.Hash), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	k.Hash = slices.Repeat([]byte{7}, 32)
	change(t, s, func(tx *store.Tx) error { _, err := tx.PutAPIKey(k); return err })
	change(t, s, func(tx *store.Tx) error { _, err := tx.PutAPIKey(sampleKey("other")); return err })
}

func withID(r rule.Rule, id int64) rule.Rule { r.ID = id; return r }

func recordsHold(t *testing.T, h Harness) {
	s := open(t, h)
	if differs, unknown, n := compared(t, s.Store, 1000); len(differs)+len(unknown) > 0 || n != 0 {
		t.Fatalf("an empty store: %q %q %d", differs, unknown, n)
	}
	busy(t, s.Store)
	ahead := positionOf(t, s.Store)
	ahead.Revision += 10
	if !value[bool](t)(s.NewEpoch(t.Context(), ahead)) {
		t.Fatal("no new epoch")
	}
	change(t, s.Store, func(tx *store.Tx) error { return tx.PutDevHost("c") })
	if differs, unknown, n := compared(t, s.Store, 1000); len(differs)+len(unknown) > 0 || n != 22 {
		t.Fatalf("%q %q, %d compared", differs, unknown, n)
	}
}

func recordsDiffer(t *testing.T, h Harness) {
	for name, c := range map[string]struct {
		sql  string
		want []string
	}{
		"a rule that was edited": {`UPDATE alert_rules SET definition = replace(definition, '"priority":5', '"priority":1') WHERE id = 1`, []string{"alert_rules/1/priority"}},
		"a rule that was disabled and renamed": {`UPDATE alert_rules SET name = 'z', definition = replace(definition, '"is_active":true', '"is_active":false') WHERE id = 2`,
			[]string{"alert_rules/2/is_active", "alert_rules/2/name"}},
		"a rule that is not JSON any more": {`UPDATE alert_rules SET definition = '{' WHERE id = 2`, []string{"alert_rules/2/definition", "alert_rules/2/dev_handling", "alert_rules/2/examples", "alert_rules/2/is_active", "alert_rules/2/match_string",
			"alert_rules/2/match_type", "alert_rules/2/priority", "alert_rules/2/prod_handling", "alert_rules/2/syslog_severity", "alert_rules/2/team_assignment"}},
		"a rule that was put in":   {`INSERT INTO alert_rules (id, name, definition, revision) VALUES (99, 'n', '{"priority":1}', 1)`, []string{"alert_rules/99/"}},
		"a rule that was removed":  {`DELETE FROM alert_rules WHERE id = 10`, []string{"alert_rules/10/"}},
		"a host that was put in":   {`INSERT INTO development_hosts (hostname, revision) VALUES ('core-1', 1)`, []string{"development_hosts/core-1/"}},
		"a host that was removed":  {`DELETE FROM development_hosts WHERE hostname = 'a'`, []string{"development_hosts/a/"}},
		"a team that was edited":   {`UPDATE device_teams SET team_assignment = 'NOBODY' WHERE hostname = 'h'`, []string{"device_teams/h/team_assignment"}},
		"a value that was edited":  {`UPDATE dynamic_config SET value = '3' WHERE key = 'y'`, []string{"dynamic_config/y/value"}},
		"a value that is not JSON": {`UPDATE dynamic_config SET value = '[' WHERE key = 'y'`, []string{"dynamic_config/y/value"}},
		"an admin key that was put in": {`INSERT INTO api_keys (name, role, hash, bootstrap, created_at, revision) VALUES ('planted', 'admin', $1, 0, 1, 1)`,
			[]string{"api_keys/3/"}},
		"a key that was made admin":         {`UPDATE api_keys SET role = 'admin' WHERE id = 2`, []string{"api_keys/2/role"}},
		"a key with another secret":         {`UPDATE api_keys SET hash = $1 WHERE id = 2`, []string{"api_keys/2/secret_digest"}},
		"a key with another second secret":  {`UPDATE api_keys SET second = $1 WHERE id = 1`, []string{"api_keys/1/second_secret_digest"}},
		"a key with a second secret":        {`UPDATE api_keys SET second = $1 WHERE id = 2`, []string{"api_keys/2/second_secret"}},
		"a key that lives longer":           {`UPDATE api_keys SET second_until = NULL WHERE id = 1`, []string{"api_keys/1/second_until"}},
		"another revision":                  {`UPDATE device_teams SET revision = 1 WHERE hostname = 'h'`, []string{"device_teams/h/revision"}},
		"the counter of revisions":          {`UPDATE revisions SET revision = revision + 1`, []string{"revisions/1/revision"}},
		"the use of a key is not a change":  {`UPDATE api_keys SET last_used = 1 WHERE id = 2`, nil},
		"a row that says the same with pad": {`UPDATE dynamic_config SET value = '{"a": [1.50], "b": 1}' WHERE key = 'x'`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, h)
			busy(t, s.Store)
			if strings.Contains(c.sql, "$1") {
				must(t, s.Exec(c.sql, []byte("planted")))
			} else {
				must(t, s.Exec(c.sql))
			}
			if differs, unknown, _ := compared(t, s.Store, 1000); !slices.Equal(differs, c.want) || len(unknown) > 0 {
				t.Errorf("differs %q, unknown %q, want %q", differs, unknown, c.want)
			}
			if _, _, err := s.VerifyChain(t.Context()); err != nil {
				t.Errorf("the chain: %v", err)
			}
		})
	}
}

func recordsUnknown(t *testing.T, h Harness) {
	clock := newClock()
	s := h.Open(t, store.Options{Now: clock.Now, Logger: zap.NewNop()})
	change(t, s.Store, func(tx *store.Tx) error {
		return errors.Join(tx.PutDevHost("old"), tx.PutTeam(store.Team{Hostname: "edited", TeamAssignment: "A"}), tx.SetConfig("gone", "1"))
	})
	change(t, s.Store, func(tx *store.Tx) error { _, err := tx.PutAPIKey(sampleKey("old")); return err })
	clock.Add(48 * time.Hour)
	change(t, s.Store, func(tx *store.Tx) error {
		return errors.Join(tx.PutTeam(store.Team{Hostname: "edited", TeamAssignment: "B"}), tx.UnsetConfig("gone"), tx.PutDevHost("young"))
	})
	if n := value[int64](t)(s.PruneChanges(t.Context(), actor(), "", clock.Now().Add(-24*time.Hour), 100)); n != 4 {
		t.Fatalf("removed %d", n)
	}
	want := []string{"development_hosts/old", "api_keys/1"}
	if differs, unknown, _ := compared(t, s.Store, 1000); len(differs) > 0 || !slices.Equal(unknown, want) {
		t.Errorf("differs %q, unknown %q", differs, unknown)
	}
	// What came after the anchor must be in the chain.
	must(t, s.Exec(`INSERT INTO development_hosts (hostname, revision) VALUES ('planted', 3)`))
	must(t, s.Exec(`UPDATE development_hosts SET revision = 3 WHERE hostname = 'old'`))
	must(t, s.Exec(`INSERT INTO api_keys (name, role, hash, bootstrap, created_at, revision) VALUES ('planted', 'admin', $1, 0, `+
		fmt.Sprint(event.Micros(clock.Now())+1)+`, 1)`, []byte("planted")))
	must(t, s.Exec(`UPDATE device_teams SET team_assignment = 'C'`))
	differs, unknown, _ := compared(t, s.Store, 1000)
	if !slices.Equal(differs, []string{"device_teams/edited/team_assignment", "api_keys/2/"}) || len(unknown) != 3 {
		t.Errorf("differs %q, unknown %q", differs, unknown)
	}
}

func recordsInParts(t *testing.T, h Harness) {
	s := open(t, h)
	busy(t, s.Store)
	change(t, s.Store, func(tx *store.Tx) error {
		for i := range 1200 { // more than a page
			if err := tx.PutDevHost(fmt.Sprintf("host-%04d", i)); err != nil {
				return err
			}
		}
		return nil
	})
	must(t, s.Exec(`DELETE FROM development_hosts WHERE hostname = 'host-0700'`))
	must(t, s.Exec(`UPDATE device_teams SET team_assignment = 'C' WHERE hostname = 'h'`))
	want := []string{"development_hosts/host-0700/", "device_teams/h/team_assignment"}
	for _, limit := range []int{1, 7, 500, 100_000} {
		if differs, _, n := compared(t, s.Store, limit); !slices.Equal(differs, want) || n != 1221 {
			t.Errorf("in parts of %d: %q, %d compared", limit, differs, n)
		}
	}
}
