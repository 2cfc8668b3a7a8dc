package store_test

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/store"
	"github.com/muttproject/mutt/platform/testkit"
)

// TestPostgresProcesses holds what several processes on one database must not break. Each case has a database, and a
// store with a pool of its own for each process.
func TestPostgresProcesses(t *testing.T) {
	t.Parallel()
	server := testkit.Postgres(t, testkit.PostgresOptions{})
	for name, run := range map[string]func(*testing.T, *testkit.PostgresServer){
		"migrations at once":            migrateAtOnce,
		"one of them judges an entry":   judgeSameEntry,
		"changes make one chain":        changeAtOnce,
		"folding at once":               foldAtOnce,
		"unhandled counters add up":     countAtOnce,
		"a change of a column's type":   columnChanges,
		"an event comes again alone":    eventAlone,
		"a hostname that fits no index": badRow,
		"texts that no text can hold":   badTexts,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, server)
		})
	}
}

// processes opens n stores on one migrated database.
func processes(t *testing.T, server *testkit.PostgresServer, n int) (stores []*store.Store, pool *pgxpool.Pool) {
	t.Helper()
	database := server.NewDatabase(t)
	for range n {
		pool = newPool(t, server, database)
		s := openOn(t, store.Options{Postgres: pool, Logger: zap.NewNop(), Now: time.Now})
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		stores = append(stores, s)
	}
	return stores, pool
}

// each runs fn for all stores at once.
func each(stores []*store.Store, fn func(process int, s *store.Store)) {
	var wg sync.WaitGroup
	for i, s := range stores {
		wg.Go(func() { fn(i, s) })
	}
	wg.Wait()
}

func migrateAtOnce(t *testing.T, server *testkit.PostgresServer) {
	database := server.NewDatabase(t)
	var stores []*store.Store
	for range 4 {
		stores = append(stores, openOn(t, store.Options{Postgres: newPool(t, server, database), Logger: zap.NewNop(), Now: time.Now}))
	}
	version := func(want int64) {
		if have, wanted, err := stores[0].SchemaVersion(t.Context()); err != nil || have != want || wanted != newest(t) {
			t.Errorf("schema %d, wanted %d, %v", have, wanted, err)
		}
	}
	version(0)
	each(stores, func(i int, s *store.Store) {
		if err := s.Migrate(t.Context()); err != nil {
			t.Errorf("process %d: %v", i, err)
		}
	})
	version(newest(t))
}

// judged makes an event and its decision. The event is of this moment, as those of an entry just made are.
func judged(host, team string) store.AuditRow {
	now := time.Now().UnixMicro()
	return store.AuditRow{
		Event:    &event.Event{ID: uuid.Must(uuid.NewV7()), ReceivedAt: now, Timestamp: now, Hostname: host, Message: "m", Severity: event.Absent, Facility: event.Absent},
		Decision: &event.Decision{Fate: event.FateForwarded, Team: team, RulesetVersion: 1},
	}
}

func judgedEntry(rows ...store.AuditRow) store.JudgedEntry {
	return store.JudgedEntry{Entry: uuid.Must(uuid.NewV7()), Rows: rows,
		Counts: []store.LedgerCount{{Minute: 1, Fate: event.FateForwarded, N: int64(len(rows))}}}
}

func total(t *testing.T, s *store.Store) (rows, counted int64) {
	t.Helper()
	page, err := s.AuditLogs(t.Context(), store.AuditFilter{})
	books, errBooks := s.Books(t.Context())
	if err != nil || errBooks != nil {
		t.Fatal(err, errBooks)
	}
	return page.Total, books.Fates[event.FateForwarded]
}

// judgeSameEntry gives every process the same entries, each with rows of its own making: one inserts, and all others
// are told and find what it stored.
func judgeSameEntry(t *testing.T, server *testkit.PostgresServer) {
	stores, _ := processes(t, server, 3)
	const entries, rows = 30, 20
	shared := make([]store.JudgedEntry, entries)
	for i := range shared {
		for range rows {
			shared[i].Rows = append(shared[i].Rows, judged("h", ""))
		}
		shared[i] = judgedEntry(shared[i].Rows...)
	}
	var mu sync.Mutex
	winner := map[event.ID]string{} // by entry
	each(stores, func(p int, s *store.Store) {
		process := fmt.Sprint("p", p)
		for i := range entries {
			pair := []store.JudgedEntry{ofTeam(shared[i], process)}
			if other := (i*7 + p) % entries; other != i {
				pair = append(pair, ofTeam(shared[other], process))
			}
			known, err := s.Judge(t.Context(), process, pair)
			if err != nil {
				t.Errorf("%s: %v", process, err)
			}
			mu.Lock()
			for _, e := range pair {
				if !slices.Contains(known, e.Entry) {
					if other := winner[e.Entry]; other != "" {
						t.Errorf("%s and %s both stored %s", process, other, e.Entry)
					}
					winner[e.Entry] = process
				}
			}
			mu.Unlock()
		}
	})
	for _, e := range shared {
		ids := []event.ID{}
		for _, r := range e.Rows {
			ids = append(ids, r.Event.ID)
		}
		stored, err := stores[0].Decisions(t.Context(), ids)
		if err != nil || len(stored) != rows {
			t.Fatalf("%d decisions, %v", len(stored), err)
		}
		for d := range maps.Values(stored) {
			if d.Team != winner[e.Entry] {
				t.Errorf("a row of %q, but %q stored the entry", d.Team, winner[e.Entry])
			}
		}
	}
	if n, counted := total(t, stores[0]); n != entries*rows || counted != entries*rows {
		t.Errorf("%d rows, %d in the book, want %d", n, counted, entries*rows)
	}
}

// ofTeam gives the entry as a process judges it.
func ofTeam(e store.JudgedEntry, team string) store.JudgedEntry {
	e.Rows = slices.Clone(e.Rows)
	for i := range e.Rows {
		d := *e.Rows[i].Decision
		d.Team = team
		e.Rows[i].Decision = &d
	}
	return e
}

func changeAtOnce(t *testing.T, server *testkit.PostgresServer) {
	stores, _ := processes(t, server, 3)
	const times = 25
	each(stores, func(p int, s *store.Store) {
		for i := range times {
			_, err := s.Change(t.Context(), store.Actor{Name: fmt.Sprint(p)}, "", func(tx *store.Tx) error {
				old, err := tx.ConfigValue("n")
				if err != nil {
					return err
				}
				n := 0
				if old != nil {
					_, _ = fmt.Sscan(old.Value, &n)
				}
				return tx.SetConfig("n", fmt.Sprint(n+1))
			})
			if err != nil {
				t.Errorf("process %d, change %d: %v", p, i, err)
			}
		}
	})
	values, err := stores[0].ConfigValues(t.Context())
	if err != nil || len(values) != 1 || values[0].Value != fmt.Sprint(3*times) {
		t.Errorf("values %v, %v, want %d", values, err, 3*times)
	}
	if rows, _, err := stores[0].VerifyChain(t.Context()); err != nil || rows != 3*times {
		t.Errorf("a chain of %d rows, %v", rows, err)
	}
}

// foldAtOnce lets processes fold running totals in any order, old ones too: the sum is that of the highest totals.
func foldAtOnce(t *testing.T, server *testkit.PostgresServer) {
	stores, pool := processes(t, server, 3)
	rapid.Check(t, func(rt *rapid.T) {
		if _, err := pool.Exec(t.Context(), `TRUNCATE folded_counts`); err != nil {
			rt.Fatal(err)
		}
		highest := map[store.MinuteCount]int64{}
		folds := make([][][]store.MinuteCount, len(stores))
		for p := range folds {
			for range rapid.IntRange(0, 4).Draw(rt, "folds") {
				fold := []store.MinuteCount{}
				for range rapid.IntRange(0, 12).Draw(rt, "counts") {
					c := store.MinuteCount{Minute: rapid.Int64Range(1, 3).Draw(rt, "minute"), Kind: "received",
						Process: rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "process"), Label: rapid.SampledFrom([]string{"", "http"}).Draw(rt, "label")}
					n := rapid.Int64Range(1, 100).Draw(rt, "n")
					highest[c] = max(highest[c], n)
					c.N = n
					fold = append(fold, c)
				}
				folds[p] = append(folds[p], fold)
			}
		}
		each(stores, func(p int, s *store.Store) {
			for _, fold := range folds[p] {
				if err := s.FoldCounts(t.Context(), fold); err != nil {
					t.Errorf("process %d: %v", p, err)
				}
			}
		})
		want := int64(0)
		for _, n := range highest {
			want += n
		}
		if b, err := stores[0].Books(t.Context()); err != nil || b.Kinds["received"] != want {
			rt.Fatalf("%d, %v, want %d", b.Kinds["received"], err, want)
		}
	})
}

func countAtOnce(t *testing.T, server *testkit.PostgresServer) {
	stores, _ := processes(t, server, 3)
	const times, masks = 20, 6
	count := func(s *store.Store, n int64) []store.Counter {
		p := store.CountParams{Entry: uuid.Must(uuid.NewV7()), Expiry: time.Hour, MaxPerHost: masks - 2}
		for m := range masks {
			p.Adds = append(p.Adds, store.CounterAdd{Host: "h", Mask: fmt.Sprint(m), N: n, FirstAt: time.Unix(1000, 0)})
		}
		out, err := s.CountUnhandled(t.Context(), p)
		if err != nil {
			t.Error(err)
		}
		return out
	}
	each(stores, func(p int, s *store.Store) {
		for range times {
			if got := count(s, 1); len(got) > 0 && p == 0 {
				if err := s.MarkUnhandled(t.Context(), got[0]); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for i, c := range count(stores[0], 0) {
		want := int64(3 * times)
		if i >= masks-2 {
			want *= 2 // two masks folded into one counter
		}
		if c.N != want || c.Folded != (i >= masks-2) || c.Marked != (i == 0) {
			t.Errorf("mask %d: %+v, want %d", i, c, want)
		}
	}
}

// columnChanges changes the type of a column under statements that every connection has prepared.
func columnChanges(t *testing.T, server *testkit.PostgresServer) {
	stores, pool := processes(t, server, 1)
	s := stores[0]
	set := func(value string) {
		if _, err := s.Change(t.Context(), store.Actor{}, "", func(tx *store.Tx) error { return tx.SetConfig("k", value) }); err != nil {
			t.Error(err)
		}
		if _, _, err := s.Ruleset(t.Context()); err != nil {
			t.Error(err)
		}
	}
	set("1")
	for i, kind := range []string{"INTEGER", "BIGINT"} {
		if _, err := pool.Exec(t.Context(), `ALTER TABLE dynamic_config ALTER revision TYPE `+kind); err != nil {
			t.Fatal(err)
		}
		if _, err := pool.Exec(t.Context(), `ALTER TABLE revisions ALTER ruleset_version TYPE `+kind); err != nil {
			t.Fatal(err)
		}
		set(fmt.Sprint(i + 2))
	}
}
