package connect

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/deps/depstest"
	"github.com/muttproject/mutt/platform/secret"
)

// server plays one that knows some passwords, and counts.
type server struct {
	mu       sync.Mutex
	right    []string
	broken   error
	refusals map[string]int
	all      int
	slow     time.Duration
}

func (s *server) try(_ context.Context, one Credential) error {
	time.Sleep(s.slow)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all++
	switch {
	case s.broken != nil:
		return s.broken
	case slices.Contains(s.right, one.Password.Reveal()):
		return nil
	}
	if s.refusals == nil {
		s.refusals = map[string]int{}
	}
	s.refusals[one.Password.Reveal()]++
	return fmt.Errorf("%w: as tests do", ErrRefused)
}

// vault plays the source of secrets.
type vault struct {
	mu    sync.Mutex
	all   []Credential
	asked int
	news  []Credential // that Refresh brings
}

func (v *vault) set(passwords ...string) []Credential {
	var all []Credential
	for i, p := range passwords {
		all = append(all, Credential{User: "mutt", Password: secret.New(p), Name: []string{"PASS_CURRENT", "PASS_NEXT"}[i], Version: "v" + p})
	}
	v.mu.Lock()
	v.all = all
	v.mu.Unlock()
	return all
}

func (v *vault) source() []Credential {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.all
}

func (v *vault) refresh(context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked++
	if v.news != nil {
		v.all = v.news
	}
	return nil
}

func credentials(v *vault) *Credentials {
	return NewCredentials(Options{Server: "test", Source: v.source, Refresh: v.refresh, Within: 30 * time.Second,
		Metrics: NewMetrics(prometheus.NewRegistry()), Log: zap.NewNop()})
}

// login expects the password that is accepted, "" when all are refused.
func login(t *testing.T, c *Credentials, s *server, want string) {
	t.Helper()
	one, err := c.Login(t.Context(), "a", s.try)
	var refused *RefusedError
	switch {
	case want == "" && !errors.As(err, &refused):
		t.Fatalf("not refused: %v", err)
	case want != "" && (err != nil || one.Password.Reveal() != want):
		t.Fatalf("logged in with %q: %v", one.Version, err)
	}
}

func TestNextIsTriedOnlyAfterARefusal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, s := &vault{}, &server{right: []string{"1", "2"}}
		v.set("1", "2")
		c := credentials(v)
		login(t, c, s, "1")
		s.broken = errors.New("too many connections")
		if _, err := c.Login(t.Context(), "a", s.try); !errors.Is(err, s.broken) || s.all != 2 {
			t.Fatalf("%d tries, %v", s.all, err)
		}
		s.broken, s.right = nil, []string{"2"}
		login(t, c, s, "2")
		login(t, c, s, "2")
		if s.refusals["1"] != 1 {
			t.Fatalf("what worked is not remembered: %v", s.refusals)
		}
		s.right = []string{"1"}
		login(t, c, s, "1")
		if st := c.Status(); st.Shut || st.Loaded[0].Refused || !st.Loaded[1].Refused {
			t.Fatalf("%+v", st)
		}
	})
}

func TestARefusedCurrentIsTriedAgainAfterAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, s := &vault{}, &server{right: []string{"2"}}
		v.set("1", "2")
		c := credentials(v)
		for range 720 { // a connection each 5 s of an hour
			login(t, c, s, "2")
			time.Sleep(5 * time.Second)
		}
		if n := s.refusals["1"]; n < 6 || n > 10 {
			t.Fatalf("it was tried %d times in an hour", n)
		}
		if w := c.Warning("Redis"); !strings.Contains(w, "Redis refused PASS_CURRENT v1, PASS_NEXT v2 is in use") {
			t.Fatalf("warning %q", w)
		}
		s.right = []string{"1", "2"} // set at the server later than here, and NEXT stays right
		time.Sleep(lastBack)
		login(t, c, s, "1")
		if w := c.Warning("Redis"); w != "" {
			t.Fatalf("warning %q", w)
		}
	})
}

func TestAPromotedPasswordIsUsedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, s := &vault{}, &server{right: []string{"1", "2"}}
		v.set("1", "2")
		c := credentials(v)
		login(t, c, s, "1")
		v.set("2", "1") // the old one stays for a while: it must not be preferred because it worked
		login(t, c, s, "2")
	})
}

func TestNoLockoutStorm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, s := &vault{}, &server{right: []string{"1"}, slow: 20 * time.Millisecond}
		v.set("1", "2")
		c := credentials(v)
		login(t, c, s, "1")
		s.right = nil // both wrong at once, under load of a pool of 10
		const pool = 10
		end := time.Now().Add(10 * time.Minute)
		var wg sync.WaitGroup
		for range pool {
			wg.Go(func() {
				for time.Now().Before(end) {
					login(t, c, s, "")
					time.Sleep(500 * time.Millisecond)
				}
			})
		}
		wg.Wait()
		// The logins that were under way, and then 25 rounds: 5 in the first half minute, one each half minute.
		if most := pool + 2*26; s.all > most || v.asked > 26 {
			t.Fatalf("%d tries in 10 minutes, not %d; the providers were asked %d times", s.all, most, v.asked)
		}
		before := s.all
		v.set("3", "2") // the right one is used as soon as it is known
		s.right = []string{"3"}
		login(t, c, s, "3")
		if s.all != before+1 {
			t.Fatalf("%d tries for the right one", s.all-before)
		}
	})
}

func TestTheServerIsCorrectedAndNothingElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, s := &vault{}, &server{}
		v.set("1", "2")
		c := credentials(v)
		began := time.Now()
		for time.Since(began) < 10*time.Minute {
			login(t, c, s, "")
			time.Sleep(time.Second)
		}
		if w := c.Warning("PostgreSQL"); !strings.HasPrefix(w, "PostgreSQL refuses PASS_CURRENT v1 and PASS_NEXT v2: ") {
			t.Fatalf("warning %q", w)
		}
		s.right = []string{"1"}
		time.Sleep(lastWait)
		login(t, c, s, "1")
	})
}

func TestTheProviderIsAskedWhenAllAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, s := &vault{}, &server{right: []string{"3"}}
		v.set("1", "2")
		v.news = (&vault{}).set("3", "2")
		login(t, credentials(v), s, "3")
		if v.asked != 1 || s.all != 3 {
			t.Fatalf("asked %d times, %d tries", v.asked, s.all)
		}
	})
}

func TestALoginThatWaitsForItsTurnEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, s := &vault{}, &server{right: []string{"1"}, slow: time.Minute}
		v.set("1")
		c := credentials(v)
		go func() { _, _ = c.Login(t.Context(), "a", s.try) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Login(ctx, "a", s.try); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if _, err := Known().Login(t.Context(), "a", s.try); !errors.Is(err, ErrNone) {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
	})
}

// TestARotationAtTheServerIsNoticed is why a process logs in now and then while a NEXT is there: open connections know nothing of it.
func TestARotationAtTheServerIsNoticed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, s := &vault{}, &server{right: []string{"1"}}
		v.set("1", "2")
		c := credentials(v)
		login(t, c, s, "1")
		near, far := net.Pipe()
		_ = far.Close()
		_ = c.Track(near, "a", v.source()[0])
		r := &Recycler{Credentials: c, Replace: func(context.Context) error { return nil }, Verify: func(ctx context.Context, server string) error {
			_, err := c.Login(ctx, server, s.try)
			return err
		}}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = r.Run(ctx) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		s.mu.Lock()
		s.right = []string{"2"}
		tries := s.all
		s.mu.Unlock()
		if tries < 5 || tries > 8 {
			t.Fatalf("%d logins in a minute", tries)
		}
		time.Sleep(checkEvery + lookEvery)
		synctest.Wait()
		if l := c.Status().Loaded; !l[0].Refused || l[0].Accepted || !l[1].Accepted {
			t.Fatalf("%+v", l)
		}
	})
}

// TestARotationIsTakenBack: the new password was accepted once, no connection was replaced, and the old one is the current one again. It is
// seen that it is accepted, though no connection has to be opened.
func TestARotationIsTakenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, s := &vault{}, &server{right: []string{"1", "2"}}
		v.set("1")
		c := credentials(v)
		login(t, c, s, "1")
		near, far := net.Pipe()
		_ = far.Close()
		_ = c.Track(near, "a", v.source()[0])
		v.set("2")
		login(t, c, s, "2")
		v.set("1")
		if st := c.Status(); st.Safe {
			t.Fatalf("nobody has tried it: %q", st.Reason)
		}
		r := &Recycler{Credentials: c, Replace: func(context.Context) error { return nil }, Verify: func(ctx context.Context, server string) error {
			_, err := c.Login(ctx, server, s.try)
			return err
		}}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = r.Run(ctx) }()
		time.Sleep(lookEvery)
		synctest.Wait()
		if st := c.Status(); !st.Safe || s.all != 3 {
			t.Fatalf("%q after %d logins", st.Reason, s.all)
		}
	})
}

func TestConnectionsAreReplacedOverTheTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, s := &vault{}, &server{right: []string{"1", "2"}}
		v.set("1", "2")
		c := credentials(v)
		pool := map[*Conn]struct{}{}
		dial := func(context.Context, string) error {
			one, err := c.Login(t.Context(), "a", s.try)
			if err != nil {
				return err
			}
			near, far := net.Pipe()
			_ = far.Close()
			pool[c.Track(near, "a", one)] = struct{}{}
			return nil
		}
		for range 10 {
			_ = dial(t.Context(), "a")
		}
		var steps atomic.Int64
		r := &Recycler{Credentials: c, Replace: func(ctx context.Context) error {
			steps.Add(1)
			for conn := range pool {
				if conn.Retired() {
					delete(pool, conn)
					_, _ = conn.Close(), dial(ctx, "a")
				}
			}
			return nil
		}, Verify: func(ctx context.Context, server string) error {
			_, err := c.Login(ctx, server, s.try)
			return err
		}}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = r.Run(ctx) }()
		expect := func(words string, safe bool) {
			t.Helper()
			if st := c.Status(); st.Safe != safe || !strings.Contains(st.Reason, words) {
				t.Fatalf("%v, %q", st.Safe, st.Reason)
			}
		}
		expect("PASS_NEXT v2 is loaded too", false)
		v.set("2", "1") // promoted: NEXT was never used
		expect("still use PASS_NEXT v1: 10", false)
		v.set("2")
		expect("still use the old PASS_CURRENT v1: 10", false)
		time.Sleep(25 * time.Second) // that none of ten is due by then happens once in 10^7
		synctest.Wait()
		if steps.Load() == 0 {
			t.Fatal("nothing was replaced in 25 s")
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		expect("every connection uses PASS_CURRENT v2", true)
		if steps.Load() < 3 {
			t.Fatalf("they were not replaced gradually, but in %d steps", steps.Load())
		}
		v.set("wrong", "2")
		time.Sleep(time.Minute)
		synctest.Wait()
		expect("refused PASS_CURRENT vwrong", false)
		if u := c.Status().InUse; len(u) != 1 || u[0] != (Use{Key: "PASS_NEXT", Version: "v2", Connections: 10}) {
			t.Fatalf("%+v", u)
		}
		if s.refusals["wrong"] > 2 {
			t.Fatalf("%v", s.refusals)
		}
	})
}

func TestDependenciesAreRequired(t *testing.T) {
	t.Parallel()
	depstest.Refuses(t, Options{Source: func() []Credential { return nil }, Refresh: NoRefresh, Metrics: NewMetrics(prometheus.NewRegistry()), Log: zap.NewNop()},
		func(o Options) error { NewCredentials(o); return nil })
}
