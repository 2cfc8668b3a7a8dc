package alert_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/modules/alert"
	"github.com/muttproject/mutt/platform/config/configtest"
	"github.com/muttproject/mutt/platform/deps/depstest"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/sqliteq"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

// bundle is the module on a real queue and store.
type bundle struct {
	t      *testing.T
	queue  *queue.Queue
	store  *store.Store
	deps   alert.Deps
	alerts chan event.Alert
}

func setup(t *testing.T, partitions int) *bundle {
	t.Helper()
	d, err := sqliteq.Open(t.Context(), filepath.Join(t.TempDir(), "queue.db"), sqliteq.Options{Synchronous: "OFF", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "mutt.db"), Logger: zap.NewNop(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	dynamic, _ := configtest.Load(t, alert.DeclareDynamic, nil)
	q := queue.New(d, queue.Options{Registerer: prometheus.NewRegistry(), Now: time.Now, Partitions: partitions, Process: "run", Owner: "test"})
	b := &bundle{t: t, queue: q, store: st, alerts: make(chan event.Alert, 10_000),
		deps: alert.Deps{Process: "run", Store: st, Unhandled: st, Queue: q, Dynamic: dynamic, Log: zap.NewNop(), Registerer: prometheus.NewRegistry(), Now: time.Now}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- q.Consume(ctx, queue.ConsumeOptions{Queue: queue.Alert, Logger: zap.NewNop()}, b.forward)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// forward plays the forwarder.
func (b *bundle) forward(ctx context.Context, h *queue.Holder) error {
	for {
		got, err := h.Claim(ctx, 10, time.Second)
		if err != nil {
			return err
		}
		for i := range got {
			alerts, err := event.DecodeAlerts(nil, got[i].Body)
			if err != nil {
				return err
			}
			for _, a := range alerts {
				b.alerts <- a
			}
			if err := h.Settle(ctx, queue.Settlement{Ack: []event.ID{got[i].Entry}}); err != nil {
				return err
			}
		}
	}
}

func (b *bundle) send(host, message string) {
	b.t.Helper()
	now := time.Now().UnixMicro()
	e := event.Event{ID: uuid.Must(uuid.NewV7()), ReceivedAt: now, Timestamp: now, Source: event.SourceHTTP, Severity: 3, Facility: event.Absent,
		Hostname: host, Message: message}
	entry := queue.Entry{ID: queue.NewEntryID(), Queue: queue.Ingest, Partition: b.queue.Partition(host), Events: 1, Body: event.EncodeEvents([]event.Event{e})}
	if err := b.queue.Append(b.t.Context(), []queue.Entry{entry}, nil); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bundle) rule(name, match string) {
	b.t.Helper()
	_, err := b.store.Change(b.t.Context(), store.Actor{Name: "test"}, "", func(tx *store.Tx) error {
		_, err := tx.CreateRule(rule.Rule{Name: name, MatchString: match, Priority: 100, ProdHandling: "Page_only", DevHandling: "Ignore",
			TeamAssignment: "NET", IsActive: true})
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// next waits for an alert; the bound is only there so that a broken test ends.
func (b *bundle) next(within time.Duration) (a event.Alert, ok bool) {
	select {
	case a := <-b.alerts:
		return a, true
	case <-time.After(within):
		return a, false
	}
}

func TestRuleTakesEffectWhileTheModuleRuns(t *testing.T) {
	// Registered first, so that it looks after everything was closed.
	t.Cleanup(func() { goleak.VerifyNone(t) })
	b := setup(t, 4)
	m, err := alert.New(b.deps)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.rule("first", "first")
	changed := time.Now()
	var first event.Alert
	for found := false; !found; {
		if time.Since(changed) > 30*time.Second {
			t.Fatal("the rule never took effect")
		}
		b.send("h", "first sign")
		first, found = b.next(50 * time.Millisecond)
	}
	if took := time.Since(changed); took > 5*time.Second { // 1 s is the promise; a busy machine gets some more
		t.Errorf("the rule took effect after %s", took)
	}
	if first.Decision.RuleName != "first" || first.Decision.Team != "NET" || first.Event.Message != "first sign" {
		t.Errorf("alert %+v", first)
	}
	if warnings, err := m.Ready(t.Context()); err != nil || len(warnings) != 0 {
		t.Errorf("ready: %v, %v", warnings, err)
	}
	for i := range 100 {
		b.send(fmt.Sprint("host-", i%10), fmt.Sprint("first ", i))
	}
	last := map[string]int{}
	for seen := 0; seen < 100; {
		a, ok := b.next(30 * time.Second)
		if !ok {
			t.Fatalf("%d of 100 alerts", seen)
		}
		var n int
		if _, err := fmt.Sscanf(a.Event.Message, "first %d", &n); err != nil {
			continue // an earlier "first sign"
		}
		if before, ok := last[a.Event.Hostname]; ok && before >= n {
			t.Fatalf("%s: %d after %d", a.Event.Hostname, n, before)
		}
		last[a.Event.Hostname] = n
		seen++
	}
	if err := m.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := m.Stop(t.Context()); err != nil {
		t.Fatalf("second stop: %v", err)
	}
}

func TestNewNamesEverythingThatIsMissing(t *testing.T) {
	depstest.Refuses(t, setup(t, 1).deps, func(d alert.Deps) error {
		_, err := alert.New(d)
		return err
	})
	_, err := alert.New(alert.Deps{})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, word := range []string{"Process", "Store"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q is not named in %v", word, err)
		}
	}
}

func TestReadyWarnsBeforeTheRulesAreLoaded(t *testing.T) {
	b := setup(t, 1)
	m, err := alert.New(b.deps)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Stop(t.Context()); err != nil {
		t.Fatalf("stop before start: %v", err)
	}
	warnings, err := m.Ready(t.Context())
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "not loaded yet") {
		t.Errorf("ready: %v, %v", warnings, err)
	}
}
