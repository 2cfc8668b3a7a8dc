package store

import (
	"fmt"
	"testing"
)

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
		}{{&b.audit, rows.audit}, {&b.putHosts, rows.putHosts}, {&b.dropHosts, rows.dropHosts}, {&b.putTeams, rows.putTeams}, {&b.dropTeams, rows.dropTeams}} {
			entries += len(part.args) / part.bulk.columns
			if err := part.bulk.run(part.args, make([]statement, len(part.bulk.sizes)), func(statement, []any) error { statements++; return nil }); err != nil {
				t.Fatal(err)
			}
			for at := part.bulk.columns; part.bulk != &b.audit && at < len(part.args); at += part.bulk.columns {
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
