package queue_test

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/sqliteq"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open gives a driver on a new file.
func open(t testing.TB) *sqliteq.Driver {
	t.Helper()
	d, err := sqliteq.Open(t.Context(), filepath.Join(t.TempDir(), "queue.db"), sqliteq.Options{Synchronous: "OFF", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// gate is a driver whose appends can be held up and refused.
type gate struct {
	queue.Driver
	mu      sync.Mutex
	appends []queue.AppendParams
	hold    chan struct{} // appends wait for it when it is not nil
	begun   chan struct{} // gets a token per append
	refuse  func(queue.AppendParams) error
}

func (g *gate) Append(ctx context.Context, p queue.AppendParams) error {
	g.mu.Lock()
	g.appends = append(g.appends, p)
	g.mu.Unlock()
	if g.begun != nil {
		g.begun <- struct{}{}
	}
	if g.hold != nil {
		select {
		case <-g.hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if g.refuse != nil {
		if err := g.refuse(p); err != nil {
			return err
		}
	}
	return g.Driver.Append(ctx, p)
}

func writer(t *testing.T, d queue.Driver, partitions int, o queue.WriterOptions) (*queue.Queue, *queue.Writer) {
	t.Helper()
	q := queue.New(d, queue.Options{Registerer: prometheus.NewRegistry(), Partitions: partitions, Process: "p1", Owner: "me", Now: func() time.Time { return time.Unix(600, 0) }})
	w := q.Writer(o)
	t.Cleanup(func() {
		if err := w.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return q, w
}

func item(message string, source event.Source) queue.Item {
	e := event.Event{ID: queue.NewEntryID(), Hostname: "sw", Message: message, Source: source}
	return queue.Item{Record: event.AppendRecord(nil, &e), Source: source}
}

func items(prefix string, n int) []queue.Item {
	var all []queue.Item
	for i := range n {
		all = append(all, item(fmt.Sprintf("%s%d", prefix, i), event.SourceHTTP))
	}
	return all
}

func messagesOf(t testing.TB, body []byte) []string {
	t.Helper()
	events, err := event.DecodeEvents(nil, body)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range events {
		all = append(all, e.Message)
	}
	return all
}

// stored takes every entry out of a partition and gives the messages of each, in order.
func stored(t testing.TB, d queue.Driver, partition int) [][]string {
	t.Helper()
	l, err := d.Acquire(t.Context(), queue.LeaseParams{Queue: queue.Ingest, Partition: partition, Owner: "reader", TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.Claim(t.Context(), queue.ClaimParams{Lease: l, Max: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	var all [][]string
	var ids []event.ID
	for _, c := range got {
		ids = append(ids, c.Entry)
		m := messagesOf(t, c.Body)
		if len(m) != c.Events {
			t.Errorf("an entry of %d events says %d", len(m), c.Events)
		}
		all = append(all, m)
	}
	must(t, d.Settle(t.Context(), queue.SettleParams{Lease: l, Ack: ids}))
	must(t, d.Yield(t.Context(), l))
	return all
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected: %v", err)
	}
}

func same(t testing.TB, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
}

// waitPending waits until n one-item calls are in the writer's hands; only the race detector's pace needs the deadline.
func waitPending(t *testing.T, w *queue.Writer, n int) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for w.Waiting() < n {
		runtime.Gosched()
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d are waiting", w.Waiting(), n)
		}
	}
}

func keyed(message string, key byte) queue.Item {
	it := item(message, event.SourceHTTP)
	it.Key, it.HasKey = [16]byte{15: key}, true
	return it
}
