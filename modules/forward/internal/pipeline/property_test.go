package pipeline

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/muttproject/mutt/modules/forward/internal/dest"
	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
)

// scenario is drawn first and then run in virtual time.
type scenario struct {
	Entries  [][]string // signatures of the alerts
	Scripts  [][]string // what the destination does with an alert, time by time, then "ok"
	Kills    []int      // ms that each process lives before it is killed; the last one lives on
	Stops    []bool     // whether it is stopped in order instead
	BatchMax int
	Workers  int
	Rate     int64
	Latency  int // ms
}

func genScenario() *rapid.Generator[scenario] {
	return rapid.Custom(func(t *rapid.T) scenario {
		s := scenario{
			BatchMax: rapid.SampledFrom([]int{1, 1, 2, 5}).Draw(t, "batch_max"),
			Workers:  rapid.IntRange(1, 4).Draw(t, "workers"),
			Rate:     rapid.SampledFrom([]int64{3, 20, 1e6}).Draw(t, "rate"),
			Latency:  rapid.SampledFrom([]int{0, 1, 70}).Draw(t, "latency"),
			Kills:    rapid.SliceOfN(rapid.IntRange(0, 3000), 0, 4).Draw(t, "kills"),
		}
		for range s.Kills {
			s.Stops = append(s.Stops, rapid.Bool().Draw(t, "stop"))
		}
		s.Entries = rapid.SliceOfN(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", ""}), 1, 8), 1, 6).Draw(t, "entries")
		for _, e := range s.Entries {
			for range e {
				s.Scripts = append(s.Scripts, rapid.SliceOfN(rapid.SampledFrom(
					[]string{"ok", "ok", "ok", "500", "wait", "gone", "400", "hang"}), 0, 5).Draw(t, "script"))
			}
		}
		return s
	})
}

// world runs a scenario and watches what must never happen.
type world struct {
	scenario
	b *bench

	mu       sync.Mutex
	step     map[event.ID]int
	failed   map[event.ID]int
	began    map[event.ID]int // when an alert was sent first, as the nth
	problems []string
}

func (w *world) problem(format string, args ...any) {
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

// answer plays the scripts: a list is refused or fails as a whole when one of its alerts says so.
func (w *world) answer(ctx context.Context, alerts []event.ID) dest.Result {
	w.check(alerts)
	time.Sleep(time.Duration(w.Latency) * time.Millisecond)
	w.mu.Lock()
	words := map[string]bool{}
	for _, a := range alerts {
		n := int(a[15])
		if i := w.step[a]; i < len(w.Scripts[n]) {
			words[w.Scripts[n][i]] = true
			if len(alerts) == 1 || w.Scripts[n][i] != "400" {
				w.step[a]++
			}
		}
	}
	w.mu.Unlock()
	r := ok()
	switch {
	case words["hang"]:
		select {
		case <-ctx.Done():
			return dest.FromError(ctx.Err())
		case <-time.After(10 * time.Second):
			r = dest.Result{Class: dest.Retry, Reason: dest.ReasonTimeout}
		}
	case words["gone"]:
		r = unreachable()
	case words["500"]:
		r = status(500)
	case words["wait"]:
		r = dest.Result{Class: dest.Deferred, Alive: true, Status: 429, Reason: dest.ReasonLimited, RetryAfter: 2 * time.Second}
	case words["400"]:
		r = status(400)
	}
	if r.Class == dest.Retry {
		w.mu.Lock()
		for _, a := range alerts {
			w.failed[a]++
		}
		w.mu.Unlock()
	}
	return r
}

// check: what storage says is settled is never sent again, and the alerts of one signature are never sent side by side.
func (w *world) check(alerts []event.ID) {
	noted := w.b.queue.noted()
	letters := w.b.queue.letters()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range alerts {
		if _, again := w.began[a]; !again {
			w.began[a] = len(w.began)
		}
		if _, isDead := letters[a]; isDead || noted[a] {
			w.problem("alert %d was sent after it was settled", a[15])
		}
	}
	if len(alerts) > w.BatchMax {
		w.problem("%d alerts in one request", len(alerts))
	}
}

func (w *world) run(t *testing.T) []string {
	synctest.Test(t, func(t *testing.T) {
		w.b = newBench(t, nil)
		w.b.target.answer = w.answer
		w.b.cfg.BatchMax, w.b.cfg.Workers = w.BatchMax, w.Workers
		w.b.limit = coord.Limit{Rate: w.Rate, Period: time.Second, Burst: 1}
		w.b.set = Settings{MaxRetries: 2, BaseDelay: 300 * time.Millisecond, MaxDelay: time.Second}
		n := 0
		for _, e := range w.Entries {
			var batch []event.Alert
			for _, signature := range e {
				batch = append(batch, alert(n, signature))
				n++
			}
			w.b.queue.append(batch...)
		}
		for i, ms := range w.Kills {
			p := w.b.start()
			time.Sleep(time.Duration(ms) * time.Millisecond)
			if w.Stops[i] {
				p.stop()
			} else {
				p.kill()
			}
		}
		p := w.b.start()
		for end := time.Now().Add(time.Hour); w.b.queue.left() > 0; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				w.problem("not drained")
				break
			}
		}
		p.stop()
		w.judge(n)
	})
	return w.problems
}

// judge looks at the whole story.
func (w *world) judge(n int) {
	delivered, letters := w.b.target.delivered(), w.b.queue.letters()
	first := map[event.ID]int{}
	for i, a := range delivered {
		if _, again := first[a]; !again {
			first[a] = i
		} else if !slices.Contains(w.Stops, false) {
			w.problem("alert %d was repeated, and nothing was killed", a[15])
		}
	}
	for i := range n {
		_, isDead := letters[number(i)]
		_, came := first[number(i)]
		// A killed process may have delivered what its successor, not knowing, found refused.
		if isDead == came && !(isDead && slices.Contains(w.Stops, false)) {
			w.problem("alert %d: dead %v, delivered %v", i, isDead, came)
		}
		if l := letters[number(i)]; isDead && (l.Attempts > 3 || l.Code == queue.DeadExhausted && l.Attempts != 3) {
			w.problem("alert %d: %s after %d attempts", i, l.Code, l.Attempts)
		}
	}
	w.judgeOrder("sent", w.began)
	if !slices.Contains(w.Stops, false) { // what was refused, unnoted, can be taken the second time
		w.judgeOrder("delivered", first)
	}
	if got := w.b.queue.count(queue.CountDelivered) + w.b.queue.count(queue.CountParked); got != int64(n) {
		w.problem("counts %v for %d alerts", w.b.queue.counts, n)
	}
	// What a killed process had delivered and noted is not timed: its successor does not know when that was.
	timed, gone := w.b.queue.count(queue.CountDeliveryLatency), w.b.queue.count(queue.CountDelivered)
	if timed > gone || timed < gone && len(w.Stops) == 0 {
		w.problem("%d delivered, the latency of %d was counted", gone, timed)
	}
	if got := w.b.queue.count(queue.CountParked); got != int64(len(letters)) {
		w.problem("%d parked, %d letters", got, len(letters))
	}
	log := w.b.target.sent()
	slices.SortFunc(log, func(a, b sent) int { return a.at.Compare(b.at) })
	for i := range log {
		if j := i + int(w.Rate) + 1; j < len(log) && log[j].at.Sub(log[i].at) <= time.Second {
			w.problem("%d requests within a second", w.Rate+2)
		}
	}
}

// judgeOrder: the first ones of one signature come in the order of the queue.
func (w *world) judgeOrder(what string, first map[event.ID]int) {
	latest := map[string]int{}
	n := 0
	for _, e := range w.Entries {
		for _, signature := range e {
			if at, ok := first[number(n)]; ok {
				if at < latest[signature] {
					w.problem("alert %d of %q was %s before one ahead of it", n, signature, what)
				}
				latest[signature] = at
			}
			n++
		}
	}
}

func TestEveryAlertEndsOnceInOrderAndUnderTheLimit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &world{scenario: genScenario().Draw(rt, "scenario"), step: map[event.ID]int{}, began: map[event.ID]int{}, failed: map[event.ID]int{}}
		if problems := w.run(t); len(problems) > 0 {
			rt.Fatalf("%q\ndelivered %v", problems, w.b.target.delivered())
		}
	})
}
