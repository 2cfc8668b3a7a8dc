package queue_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/faultq"
	"github.com/muttproject/mutt/platform/queue/sqliteq"
)

// inBubble runs a test in virtual time on a real file.
func inBubble(t *testing.T, test func(t *testing.T, d *sqliteq.Driver)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "queue.db")
	synctest.Test(t, func(t *testing.T) {
		d, err := sqliteq.Open(t.Context(), path, sqliteq.Options{Synchronous: "OFF", Now: time.Now})
		must(t, err)
		defer d.Close()
		test(t, d)
	})
}

const ttl = 9 * time.Second

func consumer(d queue.Driver) *queue.Queue {
	return queue.New(d, queue.Options{Registerer: prometheus.NewRegistry(), Now: time.Now, Partitions: 2, Process: "p1", Owner: "me"})
}

// consume begins to consume and gives what ends it and its result.
func consume(t *testing.T, q *queue.Queue, work queue.Work) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- q.Consume(ctx, queue.ConsumeOptions{Queue: queue.Ingest, LeaseTTL: ttl, Logger: zap.NewNop()}, work)
	}()
	return func() error {
		cancel()
		return <-done
	}
}

func put(t *testing.T, d queue.Driver, partition int) event.ID {
	t.Helper()
	e := queue.Entry{ID: queue.NewEntryID(), Queue: queue.Ingest, Partition: partition, Events: 1}
	must(t, d.Append(t.Context(), queue.AppendParams{Entries: []queue.Entry{e}}))
	return e.ID
}

// ackAll is work that acks what comes.
func ackAll(seen *sync.Map) queue.Work {
	return func(ctx context.Context, h *queue.Holder) error {
		for {
			got, err := h.Claim(ctx, 10, time.Minute)
			if err != nil {
				return err
			}
			for _, c := range got {
				if err := h.Settle(ctx, queue.Settlement{Ack: []event.ID{c.Entry}}); err != nil {
					return err
				}
				seen.Store(c.Entry, h.Partition())
			}
		}
	}
}

func TestConsumeWorksOnEveryPartition(t *testing.T) {
	inBubble(t, func(t *testing.T, d *sqliteq.Driver) {
		var seen sync.Map
		stop := consume(t, consumer(d), ackAll(&seen))
		for p := range 2 {
			id := put(t, d, p)
			time.Sleep(time.Hour) // leases are renewed all along
			if got, ok := seen.Load(id); !ok || got != p {
				t.Errorf("entry of partition %d: %v, %v", p, got, ok)
			}
		}
		must(t, stop())
		// The leases were given back.
		_, err := d.Acquire(t.Context(), queue.LeaseParams{Queue: queue.Ingest, Owner: "next", TTL: ttl})
		must(t, err)
	})
}

func TestSecondConsumerTakesOver(t *testing.T) {
	inBubble(t, func(t *testing.T, d *sqliteq.Driver) {
		q := consumer(d)
		var first, second atomic.Int64
		count := func(n *atomic.Int64) queue.Work {
			return func(ctx context.Context, _ *queue.Holder) error {
				n.Add(1)
				defer n.Add(-1)
				<-ctx.Done()
				return nil
			}
		}
		stopFirst := consume(t, q, count(&first))
		synctest.Wait()
		stopSecond := consume(t, q, count(&second))
		time.Sleep(10 * ttl)
		if first.Load() != 2 || second.Load() != 0 {
			t.Fatalf("%d and %d partitions are held", first.Load(), second.Load())
		}
		must(t, stopFirst())
		time.Sleep(ttl / 3)
		synctest.Wait()
		if second.Load() != 2 {
			t.Fatalf("%d partitions were taken over", second.Load())
		}
		must(t, stopSecond())
	})
}

// renewals is a driver whose Renew fails as told.
type renewals struct {
	queue.Driver
	err atomic.Pointer[error]
}

func (r *renewals) Renew(ctx context.Context, l queue.Lease, d time.Duration) error {
	if err := r.err.Load(); err != nil {
		return *err
	}
	return r.Driver.Renew(ctx, l, d)
}

func TestLostLeaseEndsTheWork(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		within time.Duration
	}{
		"told":        {fault.New(fault.LeaseLost, "gone"), ttl/3 + time.Second},
		"out of time": {fault.New(fault.QueueUnavailable, "away"), ttl},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, d *sqliteq.Driver) {
				r := &renewals{Driver: d}
				reg := prometheus.NewRegistry()
				q := queue.New(r, queue.Options{Now: time.Now, Registerer: reg})
				causes, begun := make(chan error, 10), make(chan struct{}, 10)
				stop := consume(t, q, func(ctx context.Context, _ *queue.Holder) error {
					begun <- struct{}{}
					<-ctx.Done()
					causes <- context.Cause(ctx)
					return ctx.Err()
				})
				<-begun
				start := time.Now()
				r.err.Store(&c.err)
				if cause := <-causes; !fault.Is(cause, fault.LeaseLost) {
					t.Errorf("the work ended for %v", cause)
				}
				if took := time.Since(start); took > c.within {
					t.Errorf("noticed after %v", took)
				}
				r.err.Store(nil)
				<-begun // and begins again
				must(t, stop())
				if n := testutil.ToFloat64(lostLeases(t, reg)); n < 1 {
					t.Errorf("%v leases lost by the metrics", n)
				}
			})
		})
	}
}

// lostLeases gives the registered counter of lost leases as a collector of its sum.
func lostLeases(t *testing.T, reg *prometheus.Registry) prometheus.Collector {
	t.Helper()
	families, err := reg.Gather()
	must(t, err)
	sum := prometheus.NewGauge(prometheus.GaugeOpts{Name: "sum"})
	for _, f := range families {
		if f.GetName() == "mutt_queue_leases_lost_total" {
			for _, m := range f.GetMetric() {
				sum.Add(m.GetCounter().GetValue())
			}
		}
	}
	return sum
}

func TestFailingWorkIsNoBusyLoop(t *testing.T) {
	inBubble(t, func(t *testing.T, d *sqliteq.Driver) {
		core, logs := observer.New(zap.WarnLevel)
		runs := 0
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		q := queue.New(d, queue.Options{Registerer: prometheus.NewRegistry(), Now: time.Now})
		must(t, q.Consume(ctx, queue.ConsumeOptions{Queue: queue.Ingest, Logger: zap.New(core)}, func(context.Context, *queue.Holder) error {
			runs++
			return errors.New("no")
		}))
		if runs < 25 || runs > 100 {
			t.Errorf("%d runs in a minute", runs)
		}
		if logs.Len() < runs-1 {
			t.Errorf("%d of %d failures were logged", logs.Len(), runs)
		}
	})
}

func TestConsumeEndsWithTheQueue(t *testing.T) {
	inBubble(t, func(t *testing.T, d *sqliteq.Driver) {
		var seen sync.Map
		done := make(chan error, 1)
		go func() {
			done <- consumer(d).Consume(t.Context(), queue.ConsumeOptions{Queue: queue.Ingest, Logger: zap.NewNop()}, ackAll(&seen))
		}()
		synctest.Wait()
		must(t, d.Close())
		if err := <-done; !fault.Is(err, fault.Closed) {
			t.Errorf("consume ended with %v", err)
		}
	})
}

// TestUnknownClaimEndsTheTurn: what a claim took whose answer was lost comes back with the next lease.
func TestUnknownClaimEndsTheTurn(t *testing.T) {
	inBubble(t, func(t *testing.T, d *sqliteq.Driver) {
		id := put(t, d, 0)
		var seen sync.Map
		stop := consume(t, consumer(faultq.New(d, faultq.Script(faultq.Claim, faultq.After))), ackAll(&seen))
		time.Sleep(ttl)
		if _, ok := seen.Load(id); !ok {
			t.Error("the entry is stuck")
		}
		must(t, stop())
	})
}

// unyielding is a driver whose first Yields fail, as on a full disk.
type unyielding struct {
	queue.Driver
	left atomic.Int64
}

func (u *unyielding) Yield(ctx context.Context, l queue.Lease) error {
	if u.left.Add(-1) >= 0 {
		return fault.New(fault.QueueUnavailable, "the disk is full")
	}
	return u.Driver.Yield(ctx, l)
}

// TestLeaseThatCannotBeGivenBack: taking it anew would renew it, and what it had claimed would be stuck in it.
func TestLeaseThatCannotBeGivenBack(t *testing.T) {
	inBubble(t, func(t *testing.T, d *sqliteq.Driver) {
		id := put(t, d, 0)
		u := &unyielding{Driver: faultq.New(d, faultq.Script(faultq.Claim, faultq.After))}
		u.left.Store(3)
		var seen sync.Map
		stop := consume(t, consumer(u), ackAll(&seen))
		time.Sleep(4 * ttl)
		if _, ok := seen.Load(id); !ok {
			t.Error("the entry is stuck")
		}
		must(t, stop())
	})
}

func TestSettleIsPatient(t *testing.T) {
	inBubble(t, func(t *testing.T, d *sqliteq.Driver) {
		f := faultq.New(d, faultq.Script(faultq.Settle, faultq.Before, faultq.Before, faultq.After))
		q := queue.New(f, queue.Options{Registerer: prometheus.NewRegistry(), Now: time.Now, Process: "p1"})
		id := put(t, d, 0)
		var seen sync.Map
		stop := consume(t, q, ackAll(&seen))
		time.Sleep(time.Minute)
		if _, ok := seen.Load(id); !ok {
			t.Error("the repeated settlement was not told as done")
		}
		must(t, stop())
		if depth, err := q.Depth(t.Context(), queue.Ingest); err != nil || depth.Live() != 0 {
			t.Errorf("%d left, %v", depth.Live(), err)
		}
	})
}

func TestSettleWithoutAcksIsDoneOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, d *sqliteq.Driver) {
		f := faultq.New(d, faultq.Script(faultq.Settle, faultq.Before, faultq.After))
		q := queue.New(f, queue.Options{Registerer: prometheus.NewRegistry(), Now: time.Now, Process: "p1"})
		result := make(chan error, 1)
		stop := consume(t, q, func(ctx context.Context, h *queue.Holder) error {
			result <- h.Settle(ctx, queue.Settlement{Counts: []queue.Count{{Kind: queue.CountDelivered, N: 1}}})
			<-ctx.Done()
			return nil
		})
		must(t, <-result)
		must(t, stop())
		got, err := q.Counters(t.Context(), 0)
		must(t, err)
		if len(got) != 1 || got[0].N != 1 {
			t.Errorf("counted %+v", got)
		}
	})
}

func TestHolderFillsInAndReports(t *testing.T) {
	inBubble(t, func(t *testing.T, d *sqliteq.Driver) {
		q := queue.New(d, queue.Options{Registerer: prometheus.NewRegistry(), Process: "p1", Now: func() time.Time { return time.Unix(120, 0) }})
		a, b := put(t, d, 0), put(t, d, 0)
		result := make(chan error, 1)
		stop := consume(t, q, func(ctx context.Context, h *queue.Holder) error {
			result <- useHolder(ctx, h, a, b)
			<-ctx.Done()
			return nil
		})
		must(t, <-result)
		must(t, stop())
		got, err := q.Counters(t.Context(), 0)
		must(t, err)
		same(t, []queue.Counter{{Minute: 2, Process: "p1", Kind: "parked", N: 1}}, got)
		n, err := q.Requeue(t.Context(), queue.RequeueParams{Queue: queue.Alert, Limit: 5})
		must(t, err)
		same(t, 1, n)
		got, err = q.Counters(t.Context(), 2)
		must(t, err)
		same(t, 2, len(got))
		dead, err := q.Dead(t.Context(), queue.DeadParams{Queue: queue.Alert})
		must(t, err)
		same(t, 0, len(dead))
		must(t, q.Ping(t.Context()))
		must(t, q.Purge(t.Context(), 3))
	})
}

func useHolder(ctx context.Context, h *queue.Holder, a, b event.ID) error {
	if _, err := h.Claim(ctx, 5, 0); err != nil {
		return err
	}
	if err := h.Release(ctx, queue.Giveback{Entries: []event.ID{b}, Reason: "not yet", CountAttempt: true}); err != nil {
		return err
	}
	again, err := h.Claim(ctx, 5, time.Second)
	if err != nil || len(again) != 1 || again[0].Entry != b || again[0].Attempts != 1 || again[0].Reason != "not yet" {
		return errors.Join(errors.New("the released entry did not come back as it was"), err)
	}
	err = h.Settle(ctx, queue.Settlement{Ack: []event.ID{a, a}, Counts: []queue.Count{{Kind: queue.CountParked, N: 7}}})
	if !fault.Is(err, fault.StaleReceipt) {
		return errors.Join(errors.New("an entry was acked twice in one step"), err)
	}
	return h.Settle(ctx, queue.Settlement{Ack: []event.ID{a, b}, Counts: []queue.Count{{Kind: queue.CountParked, N: 1}},
		Dead: []queue.DeadLetter{{ID: a, Queue: queue.Alert}}})
}
