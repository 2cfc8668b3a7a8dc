package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/postgres"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/testkit"
)

// secrets plays the source: CURRENT, and NEXT when it is set.
type secrets struct {
	now     atomic.Pointer[[]postgres.Credential]
	version int
}

func (s *secrets) set(all ...postgres.Credential) {
	s.version++
	for i := range all {
		all[i].Name, all[i].Version = []string{"DB_PASS_CURRENT", "DB_PASS_NEXT"}[i], fmt.Sprint("vault:", s.version)
	}
	s.now.Store(&all)
}

func (s *secrets) source() []postgres.Credential { return *s.now.Load() }

func (s *secrets) credentials(within time.Duration) *connect.Credentials {
	return connect.NewCredentials(connect.Options{Server: "postgres", Source: s.source, Within: within, Refresh: connect.NoRefresh, Metrics: connect.NewMetrics(prometheus.NewRegistry()), Log: zap.NewNop()})
}

// recycle replaces connections as a process does.
func recycle(t *testing.T, c postgres.Config, pool *pgxpool.Pool) {
	t.Helper()
	r, err := postgres.NewRecycler(c, pool)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { _ = r.Run(ctx) })
	t.Cleanup(func() { cancel(); done.Wait() })
}

// load asks all the time, and gives the number of failures at the end.
func load(t *testing.T, pool *pgxpool.Pool, workers int) (stop func() (asked, failed int64)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var asked, failed atomic.Int64
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for ctx.Err() == nil {
				if _, err := pool.Exec(ctx, "SELECT pg_sleep(0.002)"); err != nil && ctx.Err() == nil {
					failed.Add(1)
					t.Error(mayFault(err))
					return
				}
				asked.Add(1)
			}
		})
	}
	var once sync.Once
	end := func() (int64, int64) {
		once.Do(func() { cancel(); all.Wait() })
		return asked.Load(), failed.Load()
	}
	t.Cleanup(func() { end() })
	return end
}

func eventually(t *testing.T, what string, holds func() (bool, any)) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(90 * time.Second); ; <-tick.C {
		ok, state := holds()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %+v", what, state)
		}
	}
}

func converged(c *connect.Credentials, label string) func() (bool, any) {
	return func() (bool, any) {
		s := c.Status()
		return s.Safe && strings.HasSuffix(s.Reason, label), s
	}
}

func password(p *testkit.PostgresServer, to string) {
	p.SQL("postgres", "ALTER ROLE mutt PASSWORD '"+to+"'")
}

// TestRotation has servers of its own: their log counts what was tried.
func TestRotation(t *testing.T) {
	t.Parallel()
	t.Run("one role", testOneRole)
	t.Run("both wrong", testBothWrong)
	t.Run("two roles", testTwoRoles)
}

func counting(t *testing.T) *testkit.PostgresServer {
	t.Helper()
	return testkit.Postgres(t, testkit.PostgresOptions{Settings: []string{"log_connections=on"}})
}

func refusals(p *testkit.PostgresServer) int {
	return strings.Count(p.Log(), `password authentication failed for user "mutt"`)
}

// testOneRole is the procedure for a role with one password, under load: staged, changed, promoted.
func testOneRole(t *testing.T) {
	t.Parallel()
	p := counting(t)
	c := config(t, p)
	s := &secrets{}
	role := func(password string) postgres.Credential {
		return postgres.Credential{User: p.User, Password: secret.New(password)}
	}
	was := p.Password.Reveal()
	now := was
	s.set(role(now))
	c.Credentials, c.MinConns = s.credentials(2*time.Second), 2
	pool := open(t, c)
	recycle(t, c, pool)
	stop := load(t, pool, 6) // more than there are connections
	for round := range 3 {
		next := fmt.Sprint("password-of-round-", round)
		s.set(role(now), role(next))
		password(p, next)
		pool.Reset() // new connections are needed while CURRENT is wrong
		eventually(t, "NEXT is in use", func() (bool, any) {
			st := c.Credentials.Status()
			return strings.Contains(c.Credentials.Warning("PostgreSQL"), "DB_PASS_NEXT") && st.Loaded[0].Refused && !st.Safe, st
		})
		s.set(role(next))
		now = next
		eventually(t, "it converges", converged(c.Credentials, fmt.Sprint("vault:", s.version)))
	}
	asked, failed := stop()
	if failed > 0 || asked == 0 {
		t.Fatalf("%d of %d queries failed", failed, asked)
	}
	// Each round CURRENT is refused once for each connection that was being made, the recycler's included, and not again.
	if n := refusals(p); n < 3 || n > 3*(int(c.MaxConns)+1) {
		t.Fatalf("%d refusals in 3 rotations", n)
	}
	c.Credentials = offer(role(was))
	_, err := postgres.Open(t.Context(), c)
	mustFail(t, err, fault.StoreUnavailable, "refuses the user and password")
}

// testBothWrong counts at the server what a pool under load does while nothing is right.
func testBothWrong(t *testing.T) {
	t.Parallel()
	p := counting(t)
	c := config(t, p)
	s := &secrets{}
	bad := postgres.Credential{User: p.User, Password: secret.New(wrong)}
	s.set(right(p), bad)
	c.Credentials = s.credentials(0)
	pool := open(t, c)
	password(p, "somebody-changed-it")
	pool.Reset()
	ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
	defer cancel()
	var asked atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for ctx.Err() == nil {
				if _, err := pool.Exec(ctx, "SELECT 1"); err == nil {
					t.Error("it cannot work")
				}
				asked.Add(1)
			}
		})
	}
	all.Wait()
	// The connections that were being made, and rounds of two at 0 s, 1 s and 3 s.
	if n, most := refusals(p), int(c.MaxConns)+2*3; n < 2 || n > most {
		t.Fatalf("%d refusals, not up to %d, for %d queries", n, most, asked.Load())
	}
	f := mustFail(t, ask(t, pool), fault.StoreUnavailable, "refuses the user and password (DB_PASS_CURRENT vault:1 and DB_PASS_NEXT vault:1)")
	if w := c.Credentials.Warning("PostgreSQL"); !strings.HasPrefix(w, "PostgreSQL refuses DB_PASS_CURRENT vault:1 and DB_PASS_NEXT vault:1") || f.Remedy == "" {
		t.Fatalf("warning %q, remedy %q", w, f.Remedy)
	}
	s.set(postgres.Credential{User: p.User, Password: secret.New("somebody-changed-it")})
	if err := ask(t, pool); err != nil {
		t.Fatalf("the right one is known: %v", err)
	}
	if w := c.Credentials.Warning("PostgreSQL"); w != "" {
		t.Fatalf("warning %q", w)
	}
}

// testTwoRoles rotates from role A to role B, and has what is no refusal.
func testTwoRoles(t *testing.T) {
	t.Parallel()
	p := counting(t)
	p.SQL("postgres", "CREATE ROLE mutt_b LOGIN PASSWORD 'b' IN ROLE mutt")
	b := postgres.Credential{User: "mutt_b", Password: secret.New("b")}
	c := config(t, p)
	s := &secrets{}
	s.set(right(p), b)
	c.Credentials = s.credentials(time.Second)
	p.SQL("postgres", "ALTER ROLE mutt CONNECTION LIMIT 0")
	_, err := postgres.Open(t.Context(), c)
	mustFail(t, err, fault.StoreUnavailable, "too many connections")
	if strings.Contains(p.Log(), "mutt_b") {
		t.Fatal("NEXT was tried although CURRENT was not refused")
	}
	p.SQL("postgres", "ALTER ROLE mutt CONNECTION LIMIT -1 NOLOGIN")
	pool := open(t, c) // wrong CURRENT and right NEXT at the first start
	var user string
	if err := pool.QueryRow(t.Context(), "SELECT current_user").Scan(&user); err != nil || user != "mutt_b" {
		t.Fatalf("%q, %v", user, err)
	}
	if w := c.Credentials.Warning("PostgreSQL"); !strings.Contains(w, "PostgreSQL refused DB_PASS_CURRENT") {
		t.Fatalf("warning %q", w)
	}
	recycle(t, c, pool)
	s.set(b)
	eventually(t, "B is the current one", converged(c.Credentials, "vault:2"))
	before := strings.Count(p.Log(), "connection authorized: user=mutt_b")
	p.SQL("postgres", "ALTER ROLE mutt LOGIN")
	running := make(chan error, 1)
	go func() {
		_, err := pool.Exec(t.Context(), "SELECT pg_sleep(4)")
		running <- err
	}()
	eventually(t, "a long query runs", func() (bool, any) { return pool.Stat().AcquiredConns() == 1, nil })
	s.set(right(p), b)
	if err := <-running; err != nil {
		t.Fatalf("a running query was broken: %v", err)
	}
	eventually(t, "A is the current one again", func() (bool, any) {
		st := c.Credentials.Status()
		return strings.HasPrefix(st.Reason, "DB_PASS_NEXT vault:3 is loaded too"), st
	})
	s.set(right(p))
	eventually(t, "B may go", converged(c.Credentials, "DB_PASS_CURRENT vault:4"))
	if n := strings.Count(p.Log(), "connection authorized: user=mutt_b"); n != before {
		t.Fatalf("connections of an old credential were made")
	}
}
