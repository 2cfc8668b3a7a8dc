package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muttproject/mutt/modules/forward/internal/dest"
	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
)

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
		if h := p.engine.seen(); h.failures != len(sent) || h.last.Detail == "" {
			t.Errorf("failing %d %+v", h.failures, h.last)
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
