package store

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/rule"
)

// TestRulesArePreparedAhead holds that changes of rules need no write transaction, for which judging would wait, until they are stored.
func TestRulesArePreparedAhead(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), Options{Path: filepath.Join(t.TempDir(), "mutt.db"), Logger: zap.NewNop(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func(*Tx) error{
		"create":  func(tx *Tx) error { _, err := tx.CreateRule(rule.Rule{Name: "new"}); return err },
		"update":  func(tx *Tx) error { return tx.UpdateRule(rule.Rule{ID: 1, Name: "other"}) },
		"delete":  func(tx *Tx) error { return tx.DeleteRule(1) },
		"restore": func(tx *Tx) error { return tx.RestoreRule(rule.Rule{ID: 7, Name: "old"}) },
	} {
		if _, err := s.Change(t.Context(), Actor{}, "", func(tx *Tx) error {
			if have, err := tx.Rules(); err != nil || len(have) > 0 {
				return err
			}
			return tx.RestoreRule(rule.Rule{ID: 1, Name: "stored"})
		}); err != nil {
			t.Fatal(err)
		}
		if ahead, err := s.prepareChange(t.Context(), Actor{}, "", do); err != nil || ahead == nil {
			t.Errorf("%s: %v, %v", name, ahead, err)
		}
	}
}

// TestManyEntriesAreFewStatements holds how long the write transaction of many entries is: the rows are stored in few statements
// that are ready before it, in the order of their names.
func TestManyEntriesAreFewStatements(t *testing.T) {
	t.Parallel()
	const n = 10_000
	b := newChanging(sqliteDialect())
	for name, do := range map[string]func(*Tx, string) error{
		"hosts are added":   (*Tx).PutDevHost,
		"hosts are removed": func(tx *Tx, host string) error { tx.removeDevHost(host); return nil },
		"teams are added":   func(tx *Tx, host string) error { return tx.PutTeam(Team{Hostname: host, TeamAssignment: "A"}) },
		"rules are removed": func(tx *Tx, host string) error {
			tx.rules.touch(int64(len(tx.pending)), host, nil)
			tx.record(TableRules, host, hostObject(host), nil)
			return nil
		},
		"teams are removed": func(tx *Tx, host string) error { tx.removeTeam(Team{Hostname: host, TeamAssignment: "A"}); return nil },
	} {
		tx := &Tx{revision: 1}
		tx.hosts.whole, tx.teams.whole = true, true
		for i := range n {
			if err := do(tx, fmt.Sprintf("host-%05d", i*7919%n)); err != nil {
				t.Fatal(err)
			}
		}
		rows := tx.prepare(ChainPoint{}, "")
		statements, entries := 0, 0
		for _, part := range []struct {
			bulk *bulk
			args []any
		}{{&b.audit, rows.audit}, {&b.putHosts, rows.putHosts}, {&b.dropHosts, rows.dropHosts}, {&b.putTeams, rows.putTeams}, {&b.dropTeams, rows.dropTeams}, {&b.dropRules, rows.dropRules}} {
			entries += len(part.args) / part.bulk.columns
			if err := part.bulk.run(part.args, make([]statement, len(part.bulk.sizes)), func(statement, []any) error { statements++; return nil }); err != nil {
				t.Fatal(err)
			}
			for at := part.bulk.columns; part.bulk != &b.audit && part.bulk != &b.dropRules && at < len(part.args); at += part.bulk.columns {
				if before, after := part.args[at-part.bulk.columns].(string), part.args[at].(string); before >= after {
					t.Fatalf("%s: %s is stored before %s", name, before, after)
				}
			}
		}
		if entries != 2*n || statements > 2*n/50 {
			t.Errorf("%s: %d statements for %d rows, want at most one for 50", name, statements, entries)
		}
	}
}
