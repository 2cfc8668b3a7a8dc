package janitor

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/config/configtest"
	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/deps/depstest"
	"github.com/muttproject/mutt/platform/store"
)

// audited is a store with a change audit.
type audited struct {
	*books
	head   int64
	err    error
	merged []time.Time
}

func (a *audited) MergeBooks(_ context.Context, now time.Time, steps int) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.merged = append(a.merged, now)
	return steps, a.err
}

func (a *audited) ChainHead(context.Context) (store.ChainHead, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return store.ChainHead{ChainPoint: store.ChainPoint{ID: a.head, Hash: "abc"}}, a.err
}

func (a *audited) deps(t *testing.T, log *zap.Logger) Deps {
	type others struct {
		warn    config.Value[int64]
		breaker config.Value[bool]
	}
	keys, _ := configtest.Load(t, DeclareDynamic, map[string]string{"RETENTION_ENABLED": "false", "REMEDIATION_ENABLED": "false"})
	other, _ := configtest.Load(t, func(d config.Declarer) others {
		return others{d.Whole(config.Whole{Name: "warn", Default: 1, Max: 1}), d.Switch(config.Switch{Name: "breaker"})}
	}, nil)
	return Deps{Queue: a, Store: a, Books: NewBooks(BooksDeps{Queue: a, Store: a, Now: time.Now}), Leader: a, Dynamic: keys, Coord: coord.NewLocal(time.Now),
		QueueWarn: other.warn, BreakerEnabled: other.breaker,
		Registerer: prometheus.NewRegistry(), Logger: log, Now: time.Now}
}

func (a *audited) janitor(t *testing.T, log *zap.Logger) *Module {
	m, err := New(a.deps(t, log))
	if err != nil {
		panic(err)
	}
	return m
}

func TestDependenciesAreRequired(t *testing.T) {
	t.Parallel()
	a := &audited{books: &books{}}
	depstest.Refuses(t, a.deps(t, zap.NewNop()), func(d Deps) error { _, err := New(d); return err })
	depstest.Refuses(t, BooksDeps{Queue: a, Store: a, Now: time.Now}, func(d BooksDeps) error { NewBooks(d); return nil })
}

// The leader tells the head of the change audit when it begins to lead, and each hour.
func TestTheHeadOfTheChangeAuditIsToldEachHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.InfoLevel)
		a := &audited{books: &books{folded: map[store.MinuteCount]int64{}}, head: 7}
		m := a.janitor(t, zap.New(core))
		if err := m.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		told := func(want int) {
			t.Helper()
			synctest.Wait()
			got := logs.FilterMessage("head of the change audit").All()
			if len(got) != want {
				t.Fatalf("told %d times, want %d", len(got), want)
			}
			if want > 0 && (got[want-1].ContextMap()["audit_id"] != a.head || got[want-1].ContextMap()["audit_hash"] != "abc") {
				t.Fatalf("told %v", got[want-1].ContextMap())
			}
		}
		time.Sleep(2 * time.Hour)
		told(0)
		a.set(func() { a.leads = true })
		time.Sleep(time.Second)
		told(1)
		a.set(func() { a.head = 9 })
		time.Sleep(time.Hour)
		told(2)
		if n := testutil.ToFloat64(m.hourly.head); n != 9 {
			t.Fatalf("the gauge is at %f", n)
		}
		a.set(func() { a.err = errors.New("away") })
		time.Sleep(time.Hour)
		told(2)
		if n := logs.FilterMessage("cannot read the head of the change audit").Len(); n != 1 {
			t.Fatalf("the failure was told %d times", n)
		}
		if len(a.merged) != 3 || a.merged[2].Sub(a.merged[1]) != time.Hour {
			t.Fatalf("merged the books at %v", a.merged)
		}
		for message, want := range map[string]int{"merged old rows of the books; the next hour goes on": 3, "cannot merge old rows of the books": 1} {
			if n := logs.FilterMessage(message).Len(); n != want {
				t.Errorf("%q was logged %d times, want %d", message, n, want)
			}
		}
		if err := m.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func (a *audited) set(fn func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fn()
}
