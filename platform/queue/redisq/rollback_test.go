package redisq_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/redisq"
	"github.com/muttproject/mutt/platform/testkit"
)

// ages is a Redis that can be taken back to an earlier state, as by a power cut.
type ages struct {
	t      *testing.T
	server *testkit.RedisServer
}

func newAges(t *testing.T) ages {
	return ages{t, testkit.Redis(t, testkit.RedisOptions{AOF: "everysec"})}
}

func (a ages) driver() *redisq.Driver {
	return open(a.t, redisq.Options{Client: connect(a.t, redis.Standalone, a.server), Config: config("mutt", 1), Logger: zap.NewNop(), Now: time.Now})
}

// size is that of the file. Redis holds writes back while it syncs, so they are awaited.
func (a ages) size() int64 {
	a.t.Helper()
	until(a.t, "all is written", func() bool {
		return strings.Contains(a.server.Do("INFO", "persistence"), "aof_buffer_length:0")
	})
	return a.server.AOFSize()
}

// back kills Redis and starts it as it was when its file had a size.
func (a ages) back(size int64) {
	a.t.Helper()
	a.server.Kill()
	if cut := a.server.AOFSize() - size; cut > 0 {
		a.server.CutAOF(cut)
	}
	a.server.Start()
}

// until waits for something that will be so soon.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	deadline, tick := time.After(20*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still not so: %s", what)
		}
	}
}

// some appends n entries of one event each, and counts them as received.
func some(t *testing.T, d queue.Driver, n int) (ids []event.ID) {
	t.Helper()
	for range n {
		e := queue.Entry{ID: queue.NewEntryID(), Queue: queue.Ingest, Events: 1, Body: []byte(strings.Repeat("x", 100))}
		err := d.Append(t.Context(), queue.AppendParams{Entries: []queue.Entry{e}, Process: "p",
			Counts: []queue.Count{{Minute: 1, Kind: queue.CountReceived, Label: "http", N: 1}}})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, e.ID)
	}
	return ids
}

func lease(t *testing.T, d queue.Driver, owner string) queue.Lease {
	t.Helper()
	l, err := d.Acquire(t.Context(), queue.LeaseParams{Queue: queue.Ingest, Owner: owner, TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func claim(t *testing.T, d queue.Driver, l queue.Lease) (ids []event.ID) {
	t.Helper()
	got, err := d.Claim(t.Context(), queue.ClaimParams{Lease: l, Max: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range got {
		ids = append(ids, c.Entry)
	}
	return ids
}

// received gives the sum of what is counted as received.
func received(t *testing.T, d queue.Driver) (n int64) {
	t.Helper()
	all, err := d.Counters(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		n += c.N
	}
	return n
}

func TestLostAppendsComeBackByThemselves(t *testing.T) {
	t.Parallel()
	a := newAges(t)
	d := a.driver()
	ids := some(t, d, 20)
	size := a.size()
	ids = append(ids, some(t, d, 30)...)
	a.back(size)
	until(t, "the lost events are there again", func() bool { return d.Restored() == 30 })
	if got := claim(t, d, lease(t, d, "me")); !slices.Equal(ids, got) {
		t.Errorf("%d entries are there, or in another order", len(got))
	}
	if n := received(t, d); n != 50 || d.Lost() != 0 {
		t.Errorf("%d events count as received, %d as lost", n, d.Lost())
	}
}

// TestNewEventsComeAfterTheLostOnes, when the next append notices first: every one of several processes restores its own.
func TestNewEventsComeAfterTheLostOnes(t *testing.T) {
	t.Parallel()
	a := newAges(t)
	one, two := a.driver(), a.driver()
	some(t, one, 1)
	size := a.size()
	var lost [2][]event.ID
	for range 5 {
		lost[0] = append(lost[0], some(t, one, 1)...)
		lost[1] = append(lost[1], some(t, two, 1)...)
	}
	a.back(size)
	for i, d := range []*redisq.Driver{one, two} {
		until(t, "Redis answers", func() bool { return d.Ping(t.Context()) == nil })
		lost[i] = append(lost[i], some(t, d, 3)...)
	}
	got := claim(t, one, lease(t, one, "me"))
	if len(got) != 17 || received(t, one) != 17 {
		t.Errorf("%d entries, %d received of 17", len(got), received(t, one))
	}
	for _, want := range lost {
		own := slices.DeleteFunc(slices.Clone(got), func(id event.ID) bool { return !slices.Contains(want, id) })
		if !slices.Equal(want, own) {
			t.Error("one process' entries changed their order")
		}
	}
}

func TestWhatIsTooOldIsCounted(t *testing.T) {
	t.Parallel()
	a := newAges(t)
	d := a.driver()
	size := a.size()
	some(t, d, 10)
	until(t, "what is old is forgotten", func() bool { return d.Kept() == 0 })
	ids := some(t, d, 4)
	a.back(size)
	until(t, "the loss is noticed", func() bool { return d.Lost() == 10 && d.Restored() == 4 })
	if w := d.Warnings(); !slices.ContainsFunc(w, func(w string) bool { return strings.Contains(w, "up to 10 events") }) {
		t.Errorf("warnings: %q", w)
	}
	if got := claim(t, d, lease(t, d, "me")); !slices.Equal(ids, got) {
		t.Errorf("%d entries are there", len(got))
	}
}

// TestHoldersNoticeARollback: what was settled comes back, and is not stuck with a holder that believes to be done with it.
func TestHoldersNoticeARollback(t *testing.T) {
	t.Parallel()
	a := newAges(t)
	d := a.driver()
	ids := some(t, d, 3)
	l := lease(t, d, "me")
	claim(t, d, l)
	size := a.size()
	if err := d.Settle(t.Context(), queue.SettleParams{Lease: l, Ack: ids}); err != nil {
		t.Fatal(err)
	}
	a.back(size)
	until(t, "the lease is lost", func() bool { return fault.Is(d.Renew(t.Context(), l, time.Hour), fault.LeaseLost) })
	if err := d.Yield(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	next := lease(t, d, "me")
	if got := claim(t, d, next); !slices.Equal(ids, got) || next.Token <= l.Token {
		t.Errorf("%d entries came back under token %d after %d", len(got), next.Token, l.Token)
	}
}

// TestLeaseThatCameBack was given back, and is there again: its claims must not stay with the former holder.
func TestLeaseThatCameBack(t *testing.T) {
	t.Parallel()
	a := newAges(t)
	d := a.driver()
	ids := some(t, d, 3)
	l := lease(t, d, "me")
	claim(t, d, l)
	size := a.size()
	if err := d.Yield(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	a.back(size)
	until(t, "Redis answers", func() bool { return d.Ping(t.Context()) == nil })
	next := lease(t, d, "me")
	if got := claim(t, d, next); !slices.Equal(ids, got) || next.Token <= l.Token {
		t.Errorf("%d entries came back under token %d after %d", len(got), next.Token, l.Token)
	}
}

// TestPowerCutsUnderLoad: writers and consumers go on while Redis dies and loses its tail again and again. Every acknowledged
// event is judged, and in the end nothing is left.
func TestPowerCutsUnderLoad(t *testing.T) {
	t.Parallel()
	a := newAges(t)
	d := a.driver()
	q := queue.New(d, queue.Options{Registerer: prometheus.NewRegistry(), Now: time.Now, Partitions: 1, Process: "p", Owner: "me"})
	w := q.Writer(queue.WriterOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	var judged sync.Map
	var consuming, sending sync.WaitGroup
	consuming.Go(func() {
		_ = q.Consume(ctx, queue.ConsumeOptions{Queue: queue.Ingest, Logger: zap.NewNop()}, func(ctx context.Context, h *queue.Holder) error {
			return judge(ctx, h, &judged)
		})
	})
	acked := make([][]string, 4)
	stop := make(chan struct{})
	for s := range acked {
		sending.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				m := fmt.Sprintf("%d-%d", s, n)
				e := event.Event{ID: queue.NewEntryID(), Hostname: "sw", Message: m, Source: event.SourceHTTP}
				if w.Append(ctx, []queue.Item{{Record: event.AppendRecord(nil, &e), Source: e.Source}}) == nil {
					acked[s] = append(acked[s], m)
				}
			}
		})
	}
	for range 3 {
		begin := time.Now()
		until(t, "some work is done", func() bool { return time.Since(begin) > 300*time.Millisecond })
		size := a.size()
		until(t, "more work is done", func() bool { return time.Since(begin) > 600*time.Millisecond })
		a.back(size)
		until(t, "Redis answers", func() bool { return d.Ping(ctx) == nil })
	}
	close(stop)
	sending.Wait()
	until(t, "all is judged", func() bool {
		depth, err := q.Depth(ctx, queue.Ingest)
		return err == nil && depth.Live() == 0 && d.Kept() == 0
	})
	cancel()
	consuming.Wait()
	if err := w.Stop(context.WithoutCancel(ctx)); err != nil {
		t.Error(err)
	}
	n := 0
	for _, messages := range acked {
		for _, m := range messages {
			if n++; !found(&judged, m) {
				t.Errorf("event %s was acknowledged and is lost", m)
			}
		}
	}
	// Each stored event counts as received once: those that were acknowledged, and some whose sender heard nothing.
	all := 0
	judged.Range(func(any, any) bool { all++; return true })
	if r := received(t, d); r < int64(n) || r > int64(all) {
		t.Errorf("%d events count as received, %d were acknowledged and %d judged", r, n, all)
	}
	if n < 100 || d.Restored() == 0 || d.Lost() != 0 {
		t.Errorf("%d acknowledged, %d restored, %d lost", n, d.Restored(), d.Lost())
	}
}

func found(m *sync.Map, key string) bool { _, ok := m.Load(key); return ok }

// judge notes the messages of what it acks.
func judge(ctx context.Context, h *queue.Holder, judged *sync.Map) error {
	for {
		got, err := h.Claim(ctx, 10, time.Second)
		if err != nil {
			return err
		}
		var s queue.Settlement
		for _, c := range got {
			events, err := event.DecodeEvents(nil, c.Body)
			if err != nil {
				return err
			}
			for _, e := range events {
				judged.Store(e.Message, true)
			}
			s.Ack = append(s.Ack, c.Entry)
		}
		if len(got) == 0 {
			continue
		}
		if err := h.Settle(ctx, s); err != nil {
			return err
		}
	}
}
