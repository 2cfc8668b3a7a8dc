package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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
		if _, _, _, failing := p.engine.Failing(); failing {
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

func TestWhatFailsWhileOthersAreTakenEndsInTheDeadLetters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := status(500)
		r.Detail = "HTTP 500: out of " + strings.Repeat("memory ", 140)
		b := newBench(t, only(r, 1, 2))
		p := b.start()
		b.queue.append(alert(1, "a"), alert(2, "a"))
		b.feed(10 * time.Minute)
		b.drained(time.Minute)
		p.stop()
		letters := b.queue.letters()
		for n := 1; n <= 2; n++ {
			d := letters[number(n)]
			alerts, err := event.DecodeAlerts(nil, d.Body)
			if err != nil || len(alerts) != 1 || alerts[0].Event.Message != fmt.Sprint("message ", n) {
				t.Errorf("body %v, %v", alerts, err)
			}
			if d.Code != queue.DeadExhausted || d.Attempts != 6 || d.Hostname != "host" || d.First.IsZero() || d.Queue != queue.Alert {
				t.Errorf("letter %+v", d)
			}
			if !strings.HasSuffix(d.Reason, r.Detail) {
				t.Errorf("the reason keeps the status and the answer: %q", d.Reason)
			}
		}
		if len(letters) != 2 || b.queue.count(queue.CountParked) != 2 || b.queue.count(queue.CountDelivered) != 600 {
			t.Errorf("counts %v", b.queue.counts)
		}
	})
}

func TestBackoffGrowsUpToTheLongestPauseBetweenTries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, always(status(500)))
		p := b.start()
		b.queue.append(alert(1, "a"), alert(2, "a"))
		time.Sleep(10 * time.Minute)
		p.stop()
		sent := b.target.sent()
		for i := 1; i < len(sent); i++ {
			if gap := sent[i].at.Sub(sent[i-1].at); gap > min(time.Second<<min(i-1, 10), tryEvery)+time.Millisecond {
				t.Errorf("gap %d is %v, over its bound", i, gap)
			}
			if sent[i].alerts[0] != number(1) {
				t.Error("the second of a signature went before the first")
			}
		}
		if len(sent) < 120 || len(b.queue.letters()) > 0 {
			t.Errorf("%d requests, letters %v", len(sent), b.queue.letters())
		}
	})
}

// TestAnOutageOfADay: what waited for a day is parked, also what was held back by its signature and never tried; what came later
// is delivered when the destination is back.
func TestAnOutageOfADay(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]dest.Result{"503": status(503), "no connection": unreachable()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				up := time.Now().Add(27 * time.Hour)
				b := newBench(t, func(context.Context, []event.ID) dest.Result {
					if time.Now().Before(up) {
						return r
					}
					return ok()
				})
				b.breaker, b.refresh = coord.BreakerSettings{Enabled: true, Threshold: 10, Timeout: 5 * time.Minute}, time.Minute
				p := b.start()
				b.queue.append(alert(1, "a"), alert(2, "a"), alert(3, "a"), alert(4, "b"))
				time.Sleep(23 * time.Hour)
				if n := len(b.queue.letters()); n > 0 {
					t.Fatalf("%d letters after 23 hours", n)
				}
				b.queue.append(alert(5, "a"), alert(6, "c"))
				p.kill() // the wait outlives the process
				p = b.start()
				time.Sleep(3 * time.Hour)
				letters := b.queue.letters()
				for n := 1; n <= 6; n++ {
					d, parked := letters[number(n)]
					// 2 and 3 were never tried: for them the second process only knows that it has failed since it began.
					if want := n == 1 || n == 4; parked != want || parked && (d.Code != queue.DeadOutage || d.Attempts != 0 || !strings.Contains(d.Reason, r.Detail)) {
						t.Errorf("alert %d: parked %v, %+v", n, parked, d)
					}
				}
				b.drained(2 * time.Hour)
				p.stop()
				if got := b.target.delivered(); len(got) != 4 || slices.Index(got, number(2)) > slices.Index(got, number(5)) {
					t.Errorf("delivered %v", got)
				}
			})
		})
	}
}

func TestAnOutageOfADayParksWhatWasHeldBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, always(status(503)))
		b.breaker, b.refresh = coord.BreakerSettings{Enabled: true, Threshold: 10, Timeout: 5 * time.Minute}, time.Minute
		p := b.start()
		var held []event.Alert
		for i := range 2000 { // more signatures than there are probes
			held = append(held, alert(i, fmt.Sprint("s", i%1000)))
		}
		b.queue.append(held...)
		time.Sleep(12 * time.Hour)
		b.queue.append(alert(5000, "s1"))
		time.Sleep(12*time.Hour + 30*time.Minute)
		letters := b.queue.letters()
		p.stop()
		if _, parked := letters[number(5000)]; len(letters) != 2000 || parked || b.queue.count(queue.CountParked) != 2000 {
			t.Errorf("%d letters", len(letters))
		}
	})
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

func TestNoConnectionIsNoAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := time.Now().Add(time.Hour)
		b := newBench(t, func(context.Context, []event.ID) dest.Result {
			if time.Now().Before(up) {
				return unreachable()
			}
			return ok()
		})
		p := b.start()
		b.queue.append(alert(1, "a"))
		b.drained(2 * time.Hour)
		p.stop()
		if n := len(b.target.sent()); n < 720 || n > 1200 {
			t.Errorf("%d requests in an hour: a waiting alert is tried at least every 5 s", n)
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

// TestALimitIsNotAnOutage: a destination that takes few requests and asks for patience without saying how long is not met with everything
// that waits each time it takes one.
func TestALimitIsNotAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var last time.Time
		b := newBench(t, func(context.Context, []event.ID) dest.Result {
			if now := time.Now(); now.Sub(last) >= time.Second {
				last = now
				return ok()
			}
			return dest.Result{Class: dest.Deferred, Alive: true, Status: 429, Reason: dest.ReasonLimited}
		})
		b.cfg.Workers = 1
		b.limit = coord.Limit{Rate: 50, Period: time.Second, Burst: 1}
		for i := range 300 {
			b.queue.append(alert(i, fmt.Sprint("s", i)))
		}
		p := b.start()
		time.Sleep(2 * time.Minute)
		before := len(b.target.sent())
		time.Sleep(2 * time.Minute)
		p.stop()
		if n := len(b.target.sent()) - before; n > 120*20 || len(b.queue.letters()) > 0 {
			t.Errorf("%d requests in two minutes", n)
		}
	})
}

func TestBreakerStopsSendingAndBurnsNoRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		b := newBench(t, func(context.Context, []event.ID) dest.Result {
			if up.Load() {
				return ok()
			}
			return status(500)
		})
		b.breaker = coord.BreakerSettings{Enabled: true, Threshold: 4, Timeout: 5 * time.Minute}
		b.cfg.Workers = 1
		for i := range 20 {
			b.queue.append(alert(i, fmt.Sprint("s", i)))
		}
		p := b.start()
		time.Sleep(4 * time.Minute)
		// Probes 5, 10, … 120, 130, 150 and 190 s after the fourth failure.
		sent := b.target.sent()
		if n := len(sent); n < 4+25 || n > 4+27 {
			t.Fatalf("%d requests in the first four minutes", n)
		}
		tries := map[event.ID]int{}
		for _, s := range sent {
			tries[s.alerts[0]]++
		}
		if len(tries) != 20 {
			t.Errorf("the probes went to %d of 20 signatures", len(tries))
		}
		if failures, _, last, failing := p.engine.Failing(); !failing || failures != len(sent) || last.Detail == "" {
			t.Errorf("failing %d %+v", failures, last)
		}
		up.Store(true)
		b.drained(3 * time.Minute)
		p.stop()
		if len(b.queue.letters()) != 0 || b.queue.count(queue.CountDelivered) != 20 {
			t.Errorf("letters %v", b.queue.letters())
		}
	})
}

// TestAnAlertThatIsNeverTakenOpensTheBreakerForNobody: probes go round the signatures, so that the next one closes it.
func TestAnAlertThatIsNeverTakenKeepsTheBreakerOpenForNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, only(status(500), 1))
		b.breaker = coord.BreakerSettings{Enabled: true, Threshold: 3, Timeout: 5 * time.Minute}
		b.queue.append(alert(1, "bad"))
		p := b.start()
		time.Sleep(90 * time.Second)
		for n := 2; n < 150; n++ {
			b.queue.append(alert(n, fmt.Sprint("s", n)))
			time.Sleep(6 * time.Second)
			if got := b.target.delivered(); len(got) != n-1 {
				t.Fatalf("alert %d waits for the bad one: delivered %v", n, got)
			}
		}
		b.drained(10 * time.Minute)
		p.stop()
		if d := b.queue.letters()[number(1)]; d.Code != queue.DeadExhausted || d.Attempts != 6 {
			t.Errorf("letter %+v", d)
		}
	})
}

// TestAfterAnOutageAllGo: what waits with a long backoff does not wait for its end.
func TestAfterAnOutageAllGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := time.Now().Add(35 * time.Second)
		b := newBench(t, func(context.Context, []event.ID) dest.Result {
			if time.Now().Before(up) {
				return status(503)
			}
			return ok()
		})
		b.breaker = coord.BreakerSettings{Enabled: true, Threshold: 10, Timeout: 5 * time.Minute}
		for i := range 50 {
			b.queue.append(alert(i, fmt.Sprint("s", i)))
		}
		p := b.start()
		b.drained(41 * time.Second)
		p.stop()
		if len(b.queue.letters()) > 0 {
			t.Errorf("letters %v", b.queue.letters())
		}
	})
}

// TestWhatIsNeverTheAlertsDoing costs it no attempt, whatever else is delivered; it is tried at least every 5 s.
func TestWhatIsNeverTheAlertsDoing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, only(unreachable(), 1))
		b.queue.append(alert(1, "bad"))
		p := b.start()
		b.feed(10 * time.Minute)
		p.stop()
		var last time.Time
		for _, s := range b.target.sent() {
			if s.alerts[0] != number(1) {
				continue
			}
			if gap := s.at.Sub(last); !last.IsZero() && gap > tryEvery+time.Millisecond {
				t.Errorf("%v between two tries", gap)
			}
			last = s.at
		}
		if len(b.queue.letters()) > 0 || b.queue.left() != 1 {
			t.Errorf("letters %v", b.queue.letters())
		}
	})
}

// TestDeliveriesOfOtherProcessesCount: an alert is to blame also when another process delivers what it does not.
func TestDeliveriesOfOtherProcessesCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, only(status(500), 1))
		other := newBench(t, always(ok()))
		other.coord = b.coord
		b.queue.append(alert(1, "bad"))
		p, q := b.start(), other.start()
		other.feed(10 * time.Minute)
		p.stop()
		q.stop()
		if d := b.queue.letters()[number(1)]; d.Code != queue.DeadExhausted || len(b.target.sent()) > 20 {
			t.Errorf("letter %+v after %d requests", d, len(b.target.sent()))
		}
	})
}

// TestAnOutageThatOutlivesThePulse: that the last delivery of all is forgotten is no delivery.
func TestAnOutageThatOutlivesThePulse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(_ context.Context, alerts []event.ID) dest.Result {
			if alerts[0] == number(1) {
				return ok()
			}
			return status(503)
		})
		b.set.MaxRetries = 0
		b.breaker, b.refresh = coord.BreakerSettings{Enabled: true, Threshold: 10, Timeout: 5 * time.Minute}, time.Minute
		p := b.start()
		b.queue.append(alert(1, "a"))
		time.Sleep(40 * time.Hour)
		b.queue.append(alert(2, "b"))
		time.Sleep(20 * time.Hour)
		p.stop()
		if n := len(b.target.sent()); len(b.queue.letters()) > 0 || n < 20 {
			t.Errorf("after %d requests: %+v", n, b.queue.letters())
		}
	})
}

// TestAFirstTryInTheFuture: an alert that was first tried while the clock was ahead still waits for a day at most.
func TestAFirstTryInTheFuture(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, always(status(503)))
		b.breaker, b.refresh = coord.BreakerSettings{Enabled: true, Threshold: 10, Timeout: 5 * time.Minute}, time.Minute
		b.queue.append(alert(1, "a"))
		ahead := time.Now().AddDate(3, 0, 0)
		b.queue.entries[0].Progress = appendProgress(nil, 1, func(int) mark { return mark{state: scheduled, due: ahead, first: ahead} })
		b.queue.entries[0].AppendedAt = ahead
		p := b.start()
		time.Sleep(26 * time.Hour)
		p.stop()
		if d := b.queue.letters()[number(1)]; d.Code != queue.DeadOutage || d.First.After(time.Now()) {
			t.Errorf("letter %+v", d)
		}
	})
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

func TestManyAnswersThatAskToWaitStopEverything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		until := time.Now().Add(30 * time.Second)
		b := newBench(t, func(context.Context, []event.ID) dest.Result {
			if time.Now().Before(until) {
				return dest.Result{Class: dest.Deferred, Alive: true, Status: 429, Reason: dest.ReasonLimited, RetryAfter: time.Until(until)}
			}
			return ok()
		})
		b.limit = coord.Limit{Rate: 100, Period: time.Second, Burst: 1}
		b.cfg.Workers = 2
		for i := range 200 {
			b.queue.append(alert(i, fmt.Sprint("s", i)))
		}
		p := b.start()
		b.drained(2 * time.Minute)
		p.stop()
		if n := len(b.target.sent()) - 200; n > 5 {
			t.Errorf("%d requests were refused: three say it", n)
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
