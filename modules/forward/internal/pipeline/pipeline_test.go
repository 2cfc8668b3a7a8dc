package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/muttproject/mutt/modules/forward/internal/dest"
	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func always(r dest.Result) func(context.Context, []event.ID) dest.Result {
	return func(context.Context, []event.ID) dest.Result { return r }
}

// drained waits, in virtual time, until the queue is empty.
func (b *bench) drained(within time.Duration) {
	b.t.Helper()
	for end := time.Now().Add(within); b.queue.left() > 0; time.Sleep(max(time.Millisecond, within/50_000)) {
		if time.Now().After(end) {
			b.t.Fatalf("%d entries are left after %v; sent: %v", b.queue.left(), within, b.target.sent())
		}
	}
}

func ids(ns ...int) (out []event.ID) {
	for _, n := range ns {
		out = append(out, number(n))
	}
	return out
}

func TestDeliversAndAcksWithCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, always(ok()))
		p := b.start()
		b.queue.append(alert(1, "a"), alert(2, "b"))
		b.queue.append(alert(3, "a"))
		start := time.Now()
		b.drained(time.Second)
		if took := time.Since(start); took > 110*time.Millisecond {
			t.Errorf("acked after %v, progress is to be written every 100 ms", took)
		}
		p.stop()
		if got := b.queue.count(queue.CountDelivered); got != 3 || b.queue.count(queue.CountParked) != 0 {
			t.Errorf("delivered %d", got)
		}
		if h := p.engine.seen(); h.failures > 0 {
			t.Error("a destination that takes all is not failing")
		}
	})
}

// TestCountsTheTimeSinceReceipt: queueing and retries are part of it.
func TestCountsTheTimeSinceReceipt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := time.Now().Add(3 * time.Second)
		b := newBench(t, func(context.Context, []event.ID) dest.Result {
			if time.Now().Before(up) {
				return unreachable()
			}
			return ok()
		})
		p := b.start()
		quick, late := alert(1, "a"), alert(2, "b")
		quick.Event.ReceivedAt, late.Event.ReceivedAt = time.Now().UnixMicro(), time.Now().Add(-50*time.Second).UnixMicro()
		b.queue.append(quick, late)
		b.drained(time.Minute)
		p.stop()
		got := map[string]int64{}
		for _, c := range b.queue.latencies {
			got[c.Label] += c.N
		}
		if got["60"] != 1 || got["5"]+got["10"]+got["30"] != 1 || len(got) != 2 {
			t.Errorf("latencies %v", got)
		}
	})
}

func TestRetryHoldsBackOnlyItsOwnSignature(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		failures := 0
		b := newBench(t, func(_ context.Context, alerts []event.ID) dest.Result {
			if alerts[0] == number(1) && failures < 3 {
				failures++
				r := status(503)
				r.RetryAfter = 10 * time.Second
				return r
			}
			return ok()
		})
		p := b.start()
		b.queue.append(alert(1, "bad"), alert(2, "good"), alert(3, "bad"), alert(4, "good"), alert(5, "bad"))
		b.queue.append(alert(6, "bad"), alert(7, "good"))
		time.Sleep(5 * time.Second)
		if got := b.target.delivered(); !slices.Equal(got, ids(2, 4, 7)) {
			t.Fatalf("others wait for a retried alert: %v", got)
		}
		start := time.Now()
		b.drained(time.Minute)
		if got := b.target.delivered(); !slices.Equal(got, ids(2, 4, 7, 1, 3, 5, 6)) {
			t.Fatalf("order: %v", got)
		}
		if took := time.Since(start); took < 25*time.Second || took > 26*time.Second {
			t.Errorf("three times Retry-After 10 s, but it took 5 s + %v", took)
		}
		p.stop()
	})
}

// feed appends an alert of another signature every second, which answer may take.
func (b *bench) feed(during time.Duration) {
	for end, n := time.Now().Add(during), 1000; time.Now().Before(end); n++ {
		b.queue.append(alert(n, fmt.Sprint("other ", n%7)))
		time.Sleep(time.Second)
	}
}

// only refuses some alerts and takes all others.
func only(r dest.Result, refused ...int) func(context.Context, []event.ID) dest.Result {
	return func(_ context.Context, alerts []event.ID) dest.Result {
		for _, n := range refused {
			if slices.Contains(alerts, number(n)) {
				return r
			}
		}
		return ok()
	}
}

func TestRejectedIsDeadLetteredAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(_ context.Context, a []event.ID) dest.Result {
			if a[0] == number(1) {
				return status(400)
			}
			return ok()
		})
		p := b.start()
		b.queue.append(alert(1, "a"), alert(2, "a"))
		b.drained(time.Second)
		p.stop()
		if d := b.queue.letters()[number(1)]; d.Code != "rejected" || d.Reason != "HTTP 400" || d.Attempts != 1 {
			t.Errorf("letter %+v", d)
		}
		if len(b.target.sent()) != 2 || b.queue.count(queue.CountParked) != 1 || b.queue.count(queue.CountDelivered) != 1 {
			t.Errorf("sent %v", b.target.sent())
		}
	})
}

func TestAListThatIsRefusedIsSplit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(_ context.Context, a []event.ID) dest.Result {
			if slices.Contains(a, number(3)) {
				return status(422)
			}
			return ok()
		})
		b.cfg.BatchMax = 10
		b.queue.append(alert(1, "a"), alert(2, "b"), alert(3, "a"), alert(4, "c"), alert(5, "a"))
		p := b.start()
		b.drained(time.Second)
		p.stop()
		sent := b.target.sent()
		if len(sent[0].alerts) != 5 || len(sent) > 6 {
			t.Errorf("sent %v", sent)
		}
		got := b.target.delivered()
		if len(got) != 4 || slices.Index(got, number(1)) > slices.Index(got, number(5)) {
			t.Errorf("delivered %v", got)
		}
		if l := b.queue.letters(); len(l) != 1 || l[number(3)].Attempts != 1 {
			t.Errorf("letters %v", l)
		}
	})
}

// TestAListWithOneBadAlert costs its neighbours nothing, whether other alerts are delivered meanwhile or not.
func TestAListWithOneBadAlert(t *testing.T) {
	t.Parallel()
	for _, busy := range []bool{false, true} {
		t.Run(fmt.Sprint("busy ", busy), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, only(status(500), 3))
				b.cfg.BatchMax = 10
				b.breaker = coord.BreakerSettings{Enabled: true, Threshold: 10, Timeout: 5 * time.Minute}
				var batch []event.Alert
				for n := range 10 {
					batch = append(batch, alert(n, fmt.Sprint("s", n)))
				}
				b.queue.append(batch...)
				p := b.start()
				if busy {
					b.feed(10 * time.Minute)
				}
				time.Sleep(2 * time.Minute)
				p.stop()
				for n := range 10 {
					if n != 3 && !slices.Contains(b.target.delivered(), number(n)) {
						t.Errorf("alert %d waits for its neighbour", n)
					}
				}
				letters := b.queue.letters()
				if _, parked := letters[number(3)]; len(letters) > 1 || len(letters) == 1 && !parked || busy != parked {
					t.Errorf("letters %v", letters)
				}
			})
		})
	}
}

// TestCountsAreWrittenAsAlertsSettle: the depth and the counts of a large entry move while it is delivered.
func TestCountsAreWrittenAsAlertsSettle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, always(ok()))
		b.limit = coord.Limit{Rate: 50, Period: time.Second, Burst: 1}
		var batch []event.Alert
		for i := range 500 {
			batch = append(batch, alert(i, fmt.Sprint("s", i)))
		}
		b.queue.append(batch...)
		p := b.start()
		for range 50 {
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			taken, counted := int64(len(b.target.delivered())), b.queue.count(queue.CountDelivered)
			if counted > taken || counted < taken-50 || b.queue.live() != 500-counted {
				t.Fatalf("%d taken, %d counted, %d in the depth", taken, counted, b.queue.live())
			}
		}
		p.kill() // what was counted is not counted again
		b.target.log = nil
		p = b.start()
		b.drained(time.Minute)
		p.stop()
		if n := b.queue.count(queue.CountDelivered); n != 500 {
			t.Errorf("%d delivered", n)
		}
	})
}

// TestNotesOfAnOlderVersionAreCountedOnce: it left the counts of what it had noted to the ack.
func TestNotesOfAnOlderVersionAreCountedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, always(ok()))
		b.queue.append(alert(1, "a"), alert(2, "b"), alert(3, "c"), alert(4, "d"))
		b.queue.entries[0].Progress = []byte("\x01\x04\x01\x02\x00\x01\x03\x01") // two delivered, one pending, one dead
		b.queue.append(alert(5, "a"))
		b.queue.entries[1].Progress = []byte("\x01\x01\x01\x01")
		p := b.start()
		b.drained(time.Second)
		p.stop()
		if d, k := b.queue.count(queue.CountDelivered), b.queue.count(queue.CountParked); d != 4 || k != 1 {
			t.Errorf("%d delivered, %d parked", d, k)
		}
	})
}

func TestStopWaitsForRequestsAndNotesThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(ctx context.Context, a []event.ID) dest.Result {
			if a[0] == number(2) {
				<-ctx.Done() // hangs for ever
				return dest.FromError(ctx.Err())
			}
			time.Sleep(time.Second)
			return ok()
		})
		b.queue.append(alert(1, "a"), alert(2, "b"), alert(3, "a"))
		p := b.start()
		time.Sleep(100 * time.Millisecond)
		start := time.Now()
		p.stop()
		if took := time.Since(start); took > 4100*time.Millisecond {
			t.Errorf("stopping took %v", took)
		}
		if n := b.queue.noted(); !n[number(1)] || n[number(2)] || n[number(3)] {
			t.Errorf("noted %v", n)
		}
		b.target.answer = always(ok())
		p = b.start()
		b.drained(10 * time.Second)
		p.stop()
		if got := b.target.delivered(); len(got) != 3 || b.queue.count(queue.CountDelivered) != 3 {
			t.Errorf("delivered %v", got)
		}
	})
}

func TestLostLeaseWritesNothingAndEndsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(ctx context.Context, a []event.ID) dest.Result {
			if a[0] != number(2) {
				return ok()
			}
			<-ctx.Done()
			return dest.FromError(ctx.Err())
		})
		b.queue.append(alert(1, "a"), alert(2, "b"))
		p := b.start()
		time.Sleep(10 * time.Millisecond) // 1 is noted at once, as the first result
		b.queue.append(alert(3, "c"))
		time.Sleep(10 * time.Millisecond) // 3 was delivered and waits to be noted
		if got := b.target.delivered(); !slices.Equal(got, ids(1, 3)) || b.queue.noted()[number(3)] {
			t.Fatalf("delivered %v, noted %v", got, b.queue.noted())
		}
		settles, start := b.queue.settles, time.Now()
		p.kill()
		if time.Since(start) != 0 || b.queue.settles != settles {
			t.Errorf("after %v, %d writes", time.Since(start), b.queue.settles-settles)
		}
		if err := <-p.done; err != nil {
			t.Errorf("got %v", err)
		}
	})
}

func TestScheduleOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		b := newBench(t, func(context.Context, []event.ID) dest.Result {
			if up.Load() {
				return ok()
			}
			r := status(503)
			r.RetryAfter = 20 * time.Second
			return r
		})
		b.queue.append(alert(1, "a"))
		begin := time.Now()
		for range 5 { // killed again and again
			p := b.start()
			time.Sleep(9 * time.Second)
			p.kill()
		}
		p := b.start()
		time.Sleep(20 * time.Second)
		up.Store(true)
		b.drained(time.Minute)
		p.stop()
		var at []time.Duration
		for _, s := range b.target.sent() {
			at = append(at, s.at.Sub(begin).Round(time.Second))
		}
		if !slices.Equal(at, []time.Duration{0, 20 * time.Second, 40 * time.Second, 60 * time.Second, 80 * time.Second}) {
			t.Errorf("sent at %v", at)
		}
	})
}

func TestEntriesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, always(ok()))
		good := event.EncodeAlerts([]event.Alert{alert(1, "a")})
		newer := slices.Clone(good)
		newer[2] = 99
		b.queue.appendBody(newer, 1)
		poisoned := b.queue.appendBody([]byte("nonsense"), 7)
		b.queue.appendBody(good, 1)
		noted := b.queue.appendBody(event.EncodeAlerts([]event.Alert{alert(2, "a")}), 1)
		b.queue.entries[3].Progress = []byte("\x63?")
		p := b.start()
		time.Sleep(time.Second)
		p.stop()
		if b.queue.left() != 2 || b.queue.entries[0].Deliveries != 1 || b.queue.entries[1].Entry != noted {
			t.Errorf("left %v", b.queue.entries)
		}
		if len(b.queue.released) != 2 || b.queue.released[0].Delay <= 0 || b.queue.released[0].CountAttempt {
			t.Errorf("released %+v", b.queue.released)
		}
		if d := b.queue.letters()[poisoned]; d.Code != "poison" || string(d.Body) != "nonsense" || b.queue.count(queue.CountParked) != 7 {
			t.Errorf("letter %+v", d)
		}
		if !slices.Equal(b.target.delivered(), ids(1)) {
			t.Errorf("delivered %v", b.target.delivered())
		}
	})
}

func TestStorageAwayLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, always(ok()))
		for range 20 {
			b.queue.fail = append(b.queue.fail, fault.New(fault.QueueUnavailable, "away"))
		}
		p := b.start()
		b.queue.append(alert(1, "a"), alert(2, "b"))
		b.drained(time.Minute)
		p.stop()
		if got := b.target.delivered(); len(got) != 2 || b.queue.count(queue.CountDelivered) != 2 {
			t.Errorf("delivered %v", got)
		}
	})
}

func TestARefusedWriteEndsTheWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, always(ok()))
		stale := fault.New(fault.StaleReceipt, "not yours")
		b.queue.fail = []error{stale}
		b.queue.append(alert(1, "a"))
		p := b.start()
		if err := <-p.done; !errors.Is(err, stale) {
			t.Errorf("got %v", err)
		}
		<-p.ended
	})
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := newBench(t, func(context.Context, []event.ID) dest.Result {
			<-release
			return ok()
		})
		b.cfg.MaxAlerts = 100
		for i := range 100 {
			var batch []event.Alert
			for j := range 10 {
				batch = append(batch, alert(i*10+j, fmt.Sprint("s", i)))
			}
			b.queue.append(batch...)
		}
		p := b.start()
		synctest.Wait()
		p.engine.mu.Lock()
		held := p.engine.parts[0].alerts
		p.engine.mu.Unlock()
		if held < 100 || held > 100+claimEntries*10 {
			t.Errorf("%d alerts in memory", held)
		}
		close(release)
		b.drained(10 * time.Second)
		p.stop()
		if got := b.queue.count(queue.CountDelivered); got != 1000 {
			t.Errorf("delivered %d", got)
		}
	})
}

func TestSettingsApplyWhileItRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, only(status(500), 1))
		b.set = Settings{MaxRetries: 0, BaseDelay: time.Second, MaxDelay: time.Second}
		p := b.start()
		b.queue.append(alert(1, "a"))
		b.feed(10 * time.Second)
		b.drained(time.Second)
		p.stop()
		if d := b.queue.letters()[number(1)]; d.Attempts != 1 || d.Code != queue.DeadExhausted {
			t.Errorf("no retries are wanted: %+v", d)
		}
	})
}
