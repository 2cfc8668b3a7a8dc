package intake

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/sqliteq"
)

// partialWriter refuses the events whose message says so.
type partialWriter struct{ stored []string }

func (w *partialWriter) Append(_ context.Context, items []queue.Item) error {
	failed := map[int]error{}
	for i, it := range items {
		es, err := event.DecodeEvents(nil, event.Seal(it.Record, 1))
		if err != nil {
			return err
		}
		switch m := strings.Trim(es[0].Message, "x"); m {
		case "seen":
			failed[i] = fault.New(fault.DuplicateKey, "seen")
		case "away":
			failed[i] = fault.New(fault.QueueUnavailable, "away")
		default:
			w.stored = append(w.stored, es[0].Message)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return &queue.PartialError{Failed: failed}
}

// TestOutcomeFollowsAModel: for any mixture of events, each position has the fate that a naive account gives it,
// over and over with pooled batches.
func TestOutcomeFollowsAModel(t *testing.T) {
	t.Parallel()
	in := newIntake(&partialWriter{}, Limits{MaxEvent: 1000})
	rapid.Check(t, func(t *rapid.T) {
		w := &partialWriter{}
		in.deps.Writer = w
		b := in.NewBatch(event.SourceHTTP)
		var want Outcome
		var stored []string
		codes := map[int]fault.Code{}
		for i, kind := range rapid.SliceOfN(rapid.SampledFrom([]string{"fine", "large", "huge", "seen", "away"}), 0, 20).Draw(t, "kinds") {
			m := kind
			switch kind {
			case "large":
				m, codes[i] = strings.Repeat("x", 980), fault.TooLarge // under the limit, but not with what else is encoded
			case "huge":
				m, codes[i] = strings.Repeat("x", 3<<20), fault.TooLarge
			case "away":
				codes[i] = fault.QueueUnavailable
			case "seen":
				want.Repeated++
				want.Accepted++
			default:
				m = fmt.Sprintf("%s %d", kind, i)
				stored = append(stored, m)
				want.Accepted++
			}
			b.Add(&event.Event{Hostname: "h", Message: m}, nil)
			if b.Len() != i+1 {
				t.Fatalf("Len is %d after %d", b.Len(), i+1)
			}
		}
		out, err := in.Submit(context.Background(), b)
		if err != nil || out.Accepted != want.Accepted || out.Repeated != want.Repeated || len(out.Failed) != len(codes) {
			t.Fatalf("got %+v, %v, want %+v and %v", out, err, want, codes)
		}
		for i, code := range codes {
			if !fault.Is(out.Failed[i], code) {
				t.Fatalf("position %d: got %v, want %s", i, out.Failed[i], code)
			}
		}
		if d := cmp.Diff(stored, w.stored); d != "" {
			t.Fatal(d)
		}
	})
}

// TestOnTheRealQueue: many submitters with keys; what was answered as accepted is stored once, in each submitter's order.
func TestOnTheRealQueue(t *testing.T) {
	defer goleak.VerifyNone(t)
	driver, err := sqliteq.Open(t.Context(), filepath.Join(t.TempDir(), "queue.db"), sqliteq.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	q := queue.New(driver, queue.Options{Registerer: prometheus.NewRegistry(), Now: time.Now, Partitions: 3, Process: "test", Owner: "test"})
	w := q.Writer(queue.WriterOptions{})
	in := New(Deps{Writer: w, Partition: q.Partition, Depth: func() int64 { return 0 }, Limiter: unlimited{}, Now: time.Now,
		Metrics: NewMetrics(prometheus.NewRegistry())}, Limits{MaxEvent: MaxEvent})
	const submitters, batches, each = 6, 10, 7
	var wg sync.WaitGroup
	for s := range submitters {
		wg.Go(func() {
			for n := range batches {
				for round := range 2 { // the second time every event is a repeat
					b := in.NewBatch(event.SourceSyslog)
					for i := range each {
						key := [16]byte{1, byte(s), byte(n), byte(i)}
						b.Add(&event.Event{Hostname: fmt.Sprintf("s%d-%d", s, i%2), Message: fmt.Sprintf("%d %d", n, i)}, &key)
					}
					out, err := in.Submit(t.Context(), b)
					if err != nil || out.Accepted != each || out.Repeated != round*each || out.Failed != nil {
						t.Errorf("round %d: got %+v, %v", round, out, err)
					}
				}
			}
		})
	}
	wg.Wait()
	if err := w.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	byHost := stored(t, driver, q.Partitions())
	if err := driver.Close(); err != nil {
		t.Error(err)
	}
	for s := range submitters {
		for h := range 2 {
			var want []string
			for n := range batches {
				for i := h; i < each; i += 2 {
					want = append(want, fmt.Sprintf("%d %d", n, i))
				}
			}
			host := fmt.Sprintf("s%d-%d", s, h)
			if d := cmp.Diff(want, byHost[host]); d != "" {
				t.Errorf("%s: %s", host, d)
			}
		}
	}
}

// stored reads the messages of each host in the order of the queue.
func stored(t *testing.T, d queue.Driver, partitions int) map[string][]string {
	t.Helper()
	byHost := map[string][]string{}
	for p := range partitions {
		lease, err := d.Acquire(t.Context(), queue.LeaseParams{Queue: queue.Ingest, Partition: p, Owner: "reader", TTL: 1e9})
		if err != nil {
			t.Fatal(err)
		}
		claimed, err := d.Claim(t.Context(), queue.ClaimParams{Lease: lease, Max: 10_000})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range claimed {
			events, err := event.DecodeEvents(nil, c.Body)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				byHost[e.Hostname] = append(byHost[e.Hostname], e.Message)
			}
		}
	}
	return byHost
}
