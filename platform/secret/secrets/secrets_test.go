package secrets

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/muttproject/mutt/platform/deps/depstest"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
)

// fake is a provider that gives what it has, or its error, and takes a while.
type fake struct {
	mu    sync.Mutex // where a Watcher runs meanwhile
	name  string
	have  map[Key]string
	n     int64
	err   error
	takes time.Duration
	asked int
}

func (f *fake) Name() string { return f.name }

func (f *fake) Read(ctx context.Context) (Values, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	select {
	case <-time.After(f.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if f.err != nil {
		return nil, f.err
	}
	out := Values{}
	for k, text := range f.have {
		out[k] = Value{Secret: secret.New(text), Version: Version{f.name, f.n}, Origin: fmt.Sprintf("version %d of %s", f.n, f.name)}
	}
	return out, nil
}

// texts reveals a Set.
func texts(s *Set) map[Key]string {
	out := map[Key]string{}
	for _, k := range Keys() {
		if v := s.Secret(k); !v.Empty() {
			out[k] = v.Reveal()
		}
	}
	return out
}

func watcher(t *testing.T, providers ...Provider) (*Watcher, *observer.ObservedLogs) {
	core, logs := observer.New(zapcore.InfoLevel)
	w := NewWatcher(Options{Providers: providers, Every: 30 * time.Second, Refuse: RefuseNone, Log: zap.New(core), Registerer: prometheus.NewRegistry()})
	t.Cleanup(func() { _ = w.Stop(context.Background()) })
	return w, logs
}

func TestTheFirstProviderThatHasAKeyGivesIt(t *testing.T) {
	t.Parallel()
	a := &fake{name: "a", have: map[Key]string{DBPass: "a1", RedisPass: ""}}
	b := &fake{name: "b", have: map[Key]string{DBPass: "b1", RedisPass: "b2", "DB_PASS": "old", "UNKNOWN": "x"}, n: 3}
	c := &fake{name: "c", have: map[Key]string{"REDIS_PASS": "c2", "DB_PASS": "c1", MoogKey: "c3"}}
	w, _ := watcher(t, a, b, c)
	if w.Current() != nil || !w.Current().Secret(DBPass).Empty() {
		t.Error("nothing is loaded, nothing is there")
	}
	if err := w.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[Key]string{DBPass: "a1", RedisPass: "b2", MoogKey: "c3"}, texts(w.Current())); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]string{"DB_PASS_CURRENT": "a:0", "REDIS_PASS_CURRENT": "b:3", "MOOG_API_KEY": "c:0"}, w.Current().Versions()); d != "" {
		t.Error(d)
	}
	if set, err := NewSet(Values{"DB_PASS": {Secret: secret.New("x")}}); err != nil || texts(set)[DBPass] != "x" {
		t.Errorf("the older name counts where the present one is missing: %v %v", texts(set), err)
	}
}

func TestAProviderThatIsAwayLetsNothingFallThrough(t *testing.T) {
	t.Parallel()
	away := fault.New(fault.SecretsUnavailable, "it is sealed").WithRemedy("unseal it")
	first := &fake{name: "first", have: map[Key]string{DBPass: "1"}, err: away}
	second := &fake{name: "second", have: map[Key]string{DBPass: "2", MoogKey: "m"}}
	w, logs := watcher(t, first, second)
	if err := w.Reload(t.Context()); !fault.Is(err, fault.SecretsUnavailable) || w.Current() != nil {
		t.Fatalf("before the first answer there is no set: %v", err)
	}
	first.err = nil
	if err := w.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	first.err, second.have[MoogKey] = away, "n"
	if err := w.Reload(t.Context()); !fault.Is(err, fault.SecretsUnavailable) {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[Key]string{DBPass: "1", MoogKey: "n"}, texts(w.Current())); d != "" {
		t.Error(d)
	}
	warnings, err := w.Ready(t.Context())
	if want := []string{"they cannot be read from first, the last ones stay in force: it is sealed (unseal it)"}; err != nil || !cmp.Equal(warnings, want) {
		t.Errorf("%q %v", warnings, err)
	}
	first.err = nil
	delete(first.have, DBPass)
	_ = w.Reload(t.Context())
	if warnings, _ := w.Ready(t.Context()); len(warnings) > 0 || w.Current().Secret(DBPass).Reveal() != "2" {
		t.Errorf("a key that it does not have falls through: %q", warnings)
	}
	if logs.FilterMessage("secrets cannot be read: the last ones stay in force").Len() != 1 || logs.FilterMessage("secrets can be read again").Len() != 2 {
		t.Errorf("%+v", logs.All())
	}
}

func TestChangesAreTold(t *testing.T) {
	t.Parallel()
	p := &fake{name: "p", have: map[Key]string{DBPass: "hush-1", DBPassNext: "hush-2"}}
	w, logs := watcher(t, p)
	var sets []*Set
	w.OnChange(func(s *Set) { sets = append(sets, s) })
	reload := func(n int64, have map[Key]string) {
		t.Helper()
		p.n, p.have = n, have
		if err := w.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	reload(1, p.have)
	reload(1, p.have) // the same
	if len(sets) != 0 || logs.Len() != 0 {
		t.Fatalf("the first load and a repeat are no changes: %d %v", len(sets), logs.All())
	}
	reload(2, p.have) // written again
	if len(sets) != 1 || logs.Len() != 0 {
		t.Fatalf("a version without a change of value is told to who asked, and not logged: %d %v", len(sets), logs.All())
	}
	reload(3, map[Key]string{DBPass: "hush-2"})
	if len(sets) != 2 || sets[1] != w.Current() || logs.Len() != 2 {
		t.Fatalf("%d %v", len(sets), logs.All())
	}
	if got := logs.All()[0].ContextMap(); !cmp.Equal(got, map[string]any{"secret": "DB_PASS_CURRENT", "version": "version 3 of p", "former": "version 2 of p"}) {
		t.Errorf("%v", got)
	}
	if got := logs.All()[1]; got.Level != zap.WarnLevel || !cmp.Equal(got.ContextMap(), map[string]any{"secret": "DB_PASS_NEXT", "former": "version 2 of p"}) {
		t.Errorf("%v", got)
	}
	reload(3, map[Key]string{DBPass: "hush-3"})
	if _, v := w.Current().Get(DBPass); v != (Version{"p", 4}) {
		t.Errorf("another value has another version: %v", v)
	}
}

func TestRefreshIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &fake{name: "p", have: map[Key]string{DBPass: "1"}, takes: 100 * time.Millisecond}
		w, _ := watcher(t, p)
		refresh := func(want int) {
			t.Helper()
			if err := w.Refresh(t.Context()); err != nil || p.asked != want {
				t.Fatalf("asked %d times, not %d: %v", p.asked, want, err)
			}
		}
		refresh(1)
		refresh(1) // a moment ago
		time.Sleep(1001 * time.Millisecond)
		done := make(chan error, 50)
		for range cap(done) {
			go func() { done <- w.Refresh(t.Context()) }()
		}
		for range cap(done) {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		if p.asked != 2 {
			t.Fatalf("50 at once asked %d times", p.asked-1)
		}
		asked := p.asked
		for range 600 { // 5 minutes of storm
			time.Sleep(500 * time.Millisecond)
			_ = w.Refresh(t.Context())
		}
		if n := p.asked - asked; n < 10 || n > 15 {
			t.Fatalf("asked %d times in 5 minutes", n)
		}
		p.have = map[Key]string{DBPass: "2"}
		time.Sleep(lastPause)
		_ = w.Refresh(t.Context())
		if w.Current().Secret(DBPass).Reveal() != "2" {
			t.Fatal("the new one is not in force")
		}
		asked = p.asked
		time.Sleep(1001 * time.Millisecond) // what brought news may be asked soon again
		refresh(asked + 1)
	})
}

func TestWhoWaitsIsNotCutByWhoReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &fake{name: "p", have: map[Key]string{DBPass: "1"}, takes: time.Second}
		w, logs := watcher(t, p)
		hasty, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		first, second := make(chan error), make(chan error)
		go func() { first <- w.Refresh(hasty) }()
		synctest.Wait()
		go func() { second <- w.Reload(t.Context()) }()
		if err := <-first; !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if err := <-second; err != nil || w.Current().Secret(DBPass).Reveal() != "1" || logs.Len() > 0 {
			t.Error(err, logs.All())
		}
	})
}

func TestAReadingThatWasCutCountsForNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &fake{name: "p", have: map[Key]string{DBPass: "1"}, takes: time.Second}
		w, _ := watcher(t, p)
		hasty, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if err := w.Refresh(hasty); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if err := w.Refresh(t.Context()); err != nil || p.asked != 2 || w.Current().Secret(DBPass).Reveal() != "1" {
			t.Errorf("asked %d times: %v", p.asked, err)
		}
	})
}

// kept is a provider with something to keep.
type kept struct {
	*fake
	ended chan struct{}
}

func (k kept) Keep(ctx context.Context) { <-ctx.Done(); close(k.ended) }

func TestItLooksForNewVersions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &fake{name: "p", have: map[Key]string{DBPass: "1"}}
		ended := make(chan struct{})
		w, _ := watcher(t, kept{p, ended})
		if err := w.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		p.mu.Lock()
		p.have = map[Key]string{DBPass: "2"}
		p.mu.Unlock()
		time.Sleep(30*time.Second + time.Millisecond)
		if w.Current().Secret(DBPass).Reveal() != "2" {
			t.Error("a new version is not noticed")
		}
		if err := w.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		<-ended
	})
}

func TestVersions(t *testing.T) {
	t.Parallel()
	for _, v := range []Version{{}, {"vault", 7}, {"a:b", -1}} {
		if got := ParseVersion(v.String()); got != v {
			t.Errorf("%v read back as %v", v, got)
		}
	}
	for _, bad := range []string{"", "7", ":7", "vault", "vault:", "vault:x"} {
		if got := ParseVersion(bad); got != (Version{}) {
			t.Errorf("%q: %v", bad, got)
		}
	}
	if (Version{"vault", 7}).Compare(Version{"vault", 8}) >= 0 || (Version{"vault", 7}).Compare(Version{"vault", 7}) != 0 {
		t.Error("versions of one provider are ordered")
	}
}

func TestDependenciesAreRequired(t *testing.T) {
	t.Parallel()
	depstest.Refuses(t, Options{Providers: []Provider{&fake{}}, Refuse: RefuseNone, Log: zap.NewNop(), Registerer: prometheus.NewRegistry()},
		func(o Options) error { NewWatcher(o); return nil })
}
