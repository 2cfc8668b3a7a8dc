package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/store"
	"github.com/muttproject/mutt/platform/testkit"
)

// TestPostgresBreaks holds what callers meet when connections and the server end.
func TestPostgresBreaks(t *testing.T) {
	t.Parallel()
	server := testkit.Postgres(t, testkit.PostgresOptions{TLS: true})
	for name, run := range map[string]func(*testing.T, *testkit.PostgresServer){
		"a connection is killed in a transaction": killedConnection,
		"calls are cancelled":                     cancelledCalls,
		"the server is killed while judging":      killedServer,
		"the server is away":                      awayServer,
		"the server stands still":                 pausedServer,
	} {
		t.Run(name, func(t *testing.T) { run(t, server) })
	}
}

func killedConnection(t *testing.T, server *testkit.PostgresServer) {
	stores, pool := processes(t, server, 2)
	s := stores[0]
	kill := func() {
		if _, err := pool.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`); err != nil {
			t.Fatal(err)
		}
	}
	tries := 0
	change := func(tx *store.Tx) error {
		if tries++; tries == 1 {
			kill()
		}
		return tx.SetConfig("k", "1")
	}
	if _, err := s.Change(t.Context(), store.Actor{}, "", change); !fault.Is(err, fault.StoreUnavailable) {
		t.Errorf("the connection was killed: %v", err)
	}
	if values, err := s.ConfigValues(t.Context()); err != nil || len(values) != 0 {
		t.Errorf("it left %v, %v", values, err)
	}
	if _, err := s.Change(t.Context(), store.Actor{}, "", change); err != nil {
		t.Errorf("again: %v", err)
	}
}

// cancelledCalls ends many calls in the middle: the pool must not lose connections.
func cancelledCalls(t *testing.T, server *testkit.PostgresServer) {
	stores, pool := processes(t, server, 2)
	s := stores[1] // whose pool it is
	for range 3 * pool.Config().MaxConns {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := s.Change(ctx, store.Actor{}, "", func(tx *store.Tx) error {
			cancel()
			return tx.SetConfig("k", "1")
		})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("cancelled: %v", err)
		}
	}
	judgeOK(t, s, judgedEntry(judged("h", "")))
	if rev, _, err := s.Revisions(t.Context()); err != nil || rev != 0 {
		t.Errorf("revision %d, %v", rev, err)
	}
	if held := pool.Stat().AcquiredConns(); held != 0 {
		t.Errorf("%d connections are held", held)
	}
}

// killedServer kills the server again and again while entries are judged, each until it succeeds: no row twice, none lost.
func killedServer(t *testing.T, server *testkit.PostgresServer) {
	stores, _ := processes(t, server, 1)
	s := stores[0]
	const rows, kills = 40, 3
	var entries int64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			var e store.JudgedEntry
			for range rows {
				e.Rows = append(e.Rows, judged("h", ""))
			}
			if !untilStored(t, s, judgedEntry(e.Rows...)) {
				return
			}
			entries++
		}
	}()
	for range kills {
		before := stored(t, s)
		for stored(t, s) < before+5*rows {
			select {
			case <-done:
				t.Fatal("judging ended by itself")
			default:
			}
		}
		server.Kill()
		server.Start()
	}
	before := stored(t, s)
	for stored(t, s) < before+5*rows && !t.Failed() { // it goes on after the last one
	}
	close(stop)
	<-done
	if n, counted := total(t, s); n != entries*rows || counted != entries*rows {
		t.Errorf("%d rows, %d in the book, want %d", n, counted, entries*rows)
	}
}

// untilStored judges an entry until the store answers, as an alerter does.
func untilStored(t *testing.T, s *store.Store, e store.JudgedEntry) bool {
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		_, err := s.Judge(t.Context(), "p", []store.JudgedEntry{e})
		if err == nil {
			return true
		}
		if !fault.Is(err, fault.StoreUnavailable) {
			t.Errorf("judge: %v", err)
			return false
		}
	}
	t.Error("the store does not come back")
	return false
}

// stored is how many events the book has, by a store that may be away.
func stored(t *testing.T, s *store.Store) (n int64) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if b, err := s.Books(t.Context()); err == nil {
			for _, of := range b.Fates {
				n += of
			}
			return n
		}
	}
	t.Fatal("the store does not come back")
	return 0
}

func awayServer(t *testing.T, server *testkit.PostgresServer) {
	stores, _ := processes(t, server, 1)
	s := stores[0]
	server.Stop()
	_, errJudge := s.Judge(t.Context(), "p", []store.JudgedEntry{judgedEntry(judged("h", ""))})
	_, errChange := s.Change(t.Context(), store.Actor{}, "", func(tx *store.Tx) error { return tx.SetConfig("k", "1") })
	_, errRead := s.Rules(t.Context())
	_, _, errStatus := s.SchemaVersion(t.Context())
	for i, err := range []error{errJudge, errChange, errRead, errStatus, s.Ping(t.Context()), s.Migrate(t.Context())} {
		if !fault.Is(err, fault.StoreUnavailable) {
			t.Errorf("call %d: %v, want StoreUnavailable", i, err)
		}
	}
	server.Start()
	judgeOK(t, s, judgedEntry(judged("h", "")))
}

// pausedServer holds that calls end with their context when nothing answers, and that all goes on afterwards.
func pausedServer(t *testing.T, server *testkit.PostgresServer) {
	stores, _ := processes(t, server, 1)
	s := stores[0]
	judgeOK(t, s, judgedEntry(judged("h", "")))
	server.Pause()
	for name, call := range map[string]func(context.Context) error{
		"judge": func(ctx context.Context) error {
			_, err := s.Judge(ctx, "p", []store.JudgedEntry{judgedEntry(judged("h", ""))})
			return err
		},
		"change": func(ctx context.Context) error {
			_, err := s.Change(ctx, store.Actor{}, "", func(tx *store.Tx) error { return tx.SetConfig("k", "1") })
			return err
		},
		"rules":   func(ctx context.Context) error { _, err := s.Rules(ctx); return err },
		"ruleset": func(ctx context.Context) error { _, _, err := s.Ruleset(ctx); return err },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		began := time.Now()
		if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 5*time.Second {
			t.Errorf("%s: %v after %v", name, err, time.Since(began))
		}
		cancel()
	}
	server.Resume()
	judgeOK(t, s, judgedEntry(judged("h", "")))
}
