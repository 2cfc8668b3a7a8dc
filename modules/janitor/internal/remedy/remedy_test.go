package remedy

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/deadletter"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
)

// in runs a test in virtual time, on embedded storage.
func in(t *testing.T, settings map[string]string, test func(r *rig)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(r *rig) { embeddedAt(r, dir) }, settings)
		test(r)
		r.end()
	})
}

func TestAHealthyDestinationGetsStepAfterStep(t *testing.T) {
	t.Parallel()
	in(t, nil, func(r *rig) {
		r.bury(queue.Alert, queue.DeadOutage, 180)
		r.bury(queue.Alert, queue.DeadExhausted, 70)
		r.proven()
		r.begin()
		time.Sleep(10 * time.Second)
		r.want("after 10 s", queue.Alert, 250, 0, 0)
		if most := locked(r, func() int64 { return r.most }); most != 100 {
			r.Errorf("at most %d letters waited in the queue, want 100, a step", most)
		}
		want := []string{`system:janitor UPDATE alert {"came_back":0,"given_up":0,"replayed":250,"settled":250}`}
		if d := cmp.Diff(want, r.changes()); d != "" {
			r.Error(d)
		}
		r.metric("success", "250")
		r.metric("health", "1")
		counts, err := r.driver.Counters(r.ctx, 0)
		r.must(err)
		var unparked int64
		for _, c := range counts {
			if c.Kind == queue.CountUnparked {
				unparked += c.N
			}
		}
		if unparked != 250 {
			r.Errorf("the books have %d unparked", unparked)
		}
	})
}

// A quiet night: nothing was sent for an hour, so one letter goes first, and the others when it is taken.
func TestAnUnprovenDestinationGetsOneLetterFirst(t *testing.T) {
	t.Parallel()
	in(t, map[string]string{"remediation_batch_size": "3"}, func(r *rig) {
		r.answer = func(event.ID) answer { return answer{hold: true} }
		r.bury(queue.Alert, queue.DeadOutage, 20)
		r.begin()
		time.Sleep(290 * time.Second)
		r.want("before the second try", queue.Alert, 0, 1, 19)
		if p := r.plan(queue.Alert); p.Obstacle != deadletter.Unproven {
			r.Errorf("plan %+v", p)
		}
		time.Sleep(20 * time.Minute)
		r.want("during the outage", queue.Alert, 0, 3, 17) // as many as a step has, and no more
		if p := r.plan(queue.Alert); p.Census.Replayed != 17 || p.Obstacle != deadletter.Unproven || time.Until(p.Next) > 300*time.Second {
			r.Errorf("plan %+v", p)
		}
		r.metric("health", "0")
		locked(r, func() int { r.answer = func(event.ID) answer { return answer{} }; return 0 })
		time.Sleep(20 * time.Second) // less than an interval
		r.want("after the outage", queue.Alert, 20, 0, 0)
	})
}

// An open breaker is not closed by a letter that waits; the first one after it closed brings the others.
func TestAnOpenBreakerKeepsLettersBack(t *testing.T) {
	t.Parallel()
	in(t, nil, func(r *rig) {
		b := coord.NewBreaker(r.coord, coord.BreakerOptions{Name: coord.Destination, Now: time.Now,
			Metrics: coord.NewBreakerMetrics(r.registry), Settings: func() coord.BreakerSettings {
				return coord.BreakerSettings{Enabled: true, Threshold: 1, Timeout: time.Minute}
			}})
		report := func(ok bool) {
			p, _, allowed, err := b.Allow(r.ctx)
			if err != nil || !allowed {
				r.Fatalf("no permit: %v", err)
			}
			r.must(p.Done(r.ctx, ok))
		}
		report(false)
		r.answer = func(event.ID) answer { return answer{hold: true} }
		r.bury(queue.Alert, queue.DeadOutage, 5)
		r.proven() // a success of a moment before
		r.begin()
		time.Sleep(2 * time.Minute)
		r.want("while it is open", queue.Alert, 0, 1, 4)
		report(true)
		locked(r, func() int { r.answer = func(event.ID) answer { return answer{} }; return 0 })
		time.Sleep(10 * time.Second)
		r.want("after it closed", queue.Alert, 5, 0, 0)
	})
}

func TestWhatIsReplayed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		queue queue.Name
		code  string
		want  bool
	}{
		{queue.Alert, queue.DeadOutage, true},
		{queue.Alert, queue.DeadExhausted, true},
		{queue.Alert, queue.DeadShed, true},
		{queue.Alert, queue.DeadRejected, false},
		{queue.Alert, queue.DeadPoison, false},
		{queue.Alert, "of a newer version", false},
		{queue.Ingest, queue.DeadPoison, true},
		{queue.Ingest, "of a newer version", false},
	} {
		t.Run(string(c.queue)+"/"+c.code, func(t *testing.T) {
			t.Parallel()
			in(t, nil, func(r *rig) {
				r.bury(c.queue, c.code, 2)
				r.begin()
				time.Sleep(time.Hour)
				taken, dead, decided := 0, int64(2), 2
				if c.want {
					taken, dead, decided = 2, 0, 0
				}
				r.want("after an hour", c.queue, taken, 0, dead)
				if p := r.plan(c.queue); p.Census.Decided != decided || p.Census.Replayed != 0 {
					r.Errorf("plan %+v", p)
				}
				if got := len(r.changes()); (got > 0) != c.want {
					r.Errorf("%d rows in the change audit", got)
				}
			})
		})
	}
}

func TestLettersThatAlwaysFailAreGivenUpWhileOthersGo(t *testing.T) {
	t.Parallel()
	in(t, map[string]string{"remediation_batch_size": "4"}, func(r *rig) {
		bad := map[event.ID]bool{}
		for _, id := range r.bury(queue.Alert, queue.DeadExhausted, 6) {
			bad[id] = true
		}
		r.bury(queue.Alert, queue.DeadExhausted, 10)
		r.answer = func(id event.ID) answer {
			if bad[id] {
				return answer{code: queue.DeadExhausted}
			}
			return answer{}
		}
		r.begin()
		time.Sleep(30 * time.Second)
		r.want("after 30 s", queue.Alert, 10, 0, 6)
		time.Sleep(2 * time.Hour)
		r.want("after two hours", queue.Alert, 10, 0, 6)
		for _, it := range r.dead(queue.Alert) {
			if !it.GivenUp || it.Replays != 3 || r.triesOf(it.ID) != 3 {
				r.Errorf("letter %s: given up %v, %d replays, %d tries", it.ID, it.GivenUp, it.Replays, r.triesOf(it.ID))
			}
		}
		if p := r.plan(queue.Alert); p.Census != (deadletter.Census{GivenUp: 6}) {
			r.Errorf("plan %+v", p)
		}
		r.metric("poison", "6")
		r.metric(queue.DeadExhausted, "18")
		if log := strings.Join(r.changes(), "\n"); !strings.Contains(log, `"given_up":6`) {
			r.Error(log)
		}
		// By hand it goes once more, and is given up again without a replay.
		first := r.dead(queue.Alert)[0].ID
		_, err := r.driver.Requeue(r.ctx, queue.RequeueParams{Queue: queue.Alert, IDs: []event.ID{first}})
		r.must(err)
		time.Sleep(time.Hour)
		if it := r.dead(queue.Alert)[0]; it.ID != first || !it.GivenUp || r.triesOf(first) != 4 {
			r.Errorf("after a replay by hand: %+v, %d tries", it, r.triesOf(first))
		}
	})
}

// An outage of many days gives nothing up, however often letters are replayed into it.
func TestAnOutageUsesUpNoReplay(t *testing.T) {
	t.Parallel()
	in(t, map[string]string{"max_poison_retries": "1"}, func(r *rig) {
		r.answer = func(event.ID) answer { return answer{code: queue.DeadOutage} }
		ids := r.bury(queue.Alert, queue.DeadOutage, 3)
		r.begin()
		time.Sleep(2 * time.Hour)
		for _, it := range r.dead(queue.Alert) {
			if it.GivenUp || it.Replays != 0 || r.triesOf(it.ID) < 5 {
				r.Errorf("letter %s: given up %v, %d replays, %d tries", it.ID, it.GivenUp, it.Replays, r.triesOf(it.ID))
			}
		}
		locked(r, func() int {
			r.answer = func(id event.ID) answer {
				if id == ids[0] {
					return answer{code: queue.DeadExhausted}
				}
				return answer{}
			}
			return 0
		})
		time.Sleep(time.Hour)
		r.want("after the outage", queue.Alert, 2, 0, 1)
		if it := r.dead(queue.Alert)[0]; it.ID != ids[0] || !it.GivenUp || it.Replays != 1 {
			r.Errorf("letter %+v", it)
		}
	})
}

// Letters wait while many alerts wait: shed ones came from that pressure.
func TestNothingIsReplayedUnderPressure(t *testing.T) {
	t.Parallel()
	in(t, map[string]string{"alerter_queue_warn_threshold": "5"}, func(r *rig) {
		r.answer = func(event.ID) answer { return answer{hold: true} }
		r.bury(queue.Alert, queue.DeadShed, 4)
		id := queue.NewEntryID()
		r.must(r.driver.Append(r.ctx, queue.AppendParams{Entries: []queue.Entry{{ID: id, Queue: queue.Alert, Events: 5, Body: id[:]}}}))
		r.proven()
		r.begin()
		time.Sleep(time.Hour)
		r.want("under pressure", queue.Alert, 0, 5, 4)
		if p := r.plan(queue.Alert); p.Obstacle != deadletter.Pressure || p.Census.Replayed != 4 {
			r.Errorf("plan %+v", p)
		}
		locked(r, func() int { r.answer = func(event.ID) answer { return answer{} }; return 0 })
		time.Sleep(6 * time.Minute)
		r.want("without", queue.Alert, 5, 0, 0)
	})
}

// Letters that stay in the queue, because the destination asks to wait with them and takes others, hold up no other letters.
func TestLettersThatStayInTheQueueHoldUpNoOthers(t *testing.T) {
	t.Parallel()
	in(t, map[string]string{"remediation_batch_size": "4"}, func(r *rig) {
		slow := map[event.ID]bool{}
		for _, id := range r.bury(queue.Alert, queue.DeadOutage, 2) {
			slow[id] = true
		}
		r.answer = func(id event.ID) answer { return answer{hold: slow[id]} }
		r.bury(queue.Alert, queue.DeadOutage, 40)
		r.proven()
		r.begin()
		for range 20 * 60 {
			time.Sleep(time.Second)
			r.proven()
		}
		r.want("after 20 minutes", queue.Alert, 40, 2, 0)
		if most := locked(r, func() int64 { return r.most }); most != 4 {
			r.Errorf("at most %d letters waited in the queue, want 4, a step", most)
		}
	})
}

// A letter that a person replays or discards at the same moment says nothing about the destination.
func TestALetterThatSomebodyElseTookProvesNothing(t *testing.T) {
	t.Parallel()
	in(t, nil, func(r *rig) {
		r.answer = func(event.ID) answer { return answer{hold: true} }
		ids := r.bury(queue.Alert, queue.DeadOutage, 10)
		r.queue.before = func() {
			_, err := r.driver.Discard(r.ctx, queue.DiscardParams{Queue: queue.Alert, IDs: ids[:1]})
			r.must(err)
		}
		r.begin()
		time.Sleep(4 * time.Minute)
		if d := r.depth(queue.Alert); d.Live() > 1 {
			r.Errorf("%d letters went to a destination that took none", d.Live())
		}
		r.metric("success", "0")
		_, err := r.driver.Discard(r.ctx, queue.DiscardParams{Queue: queue.Alert, IDs: ids[5:7]})
		r.must(err)
		time.Sleep(time.Second) // the run still waits
		if got, want := testutil.ToFloat64(r.remedy.metrics.depth.WithLabelValues("alert")), float64(r.depth(queue.Alert).Dead); got != want {
			r.Errorf("the metric has %v dead letters, want %v", got, want)
		}
	})
}

func TestOnlyTheLeaderReplaysAndOnlyWhileEnabled(t *testing.T) {
	t.Parallel()
	in(t, map[string]string{"remediation_enabled": "false"}, func(r *rig) {
		locked(r, func() int { r.follows = true; return 0 })
		r.bury(queue.Alert, queue.DeadOutage, 2)
		r.begin()
		time.Sleep(time.Hour)
		if _, ok, err := deadletter.Planned(r.ctx, r.coord); ok || err != nil {
			r.Errorf("one that does not lead publishes a plan, %v", err)
		}
		locked(r, func() int { r.follows = false; return 0 })
		time.Sleep(time.Hour)
		r.want("disabled", queue.Alert, 0, 0, 2)
		if p := r.plan(queue.Alert); p.Obstacle != deadletter.Off {
			r.Errorf("plan %+v", p)
		}
		r.set(nil)
		time.Sleep(10 * time.Second)
		r.want("enabled", queue.Alert, 2, 0, 0)
		locked(r, func() int { r.follows = true; return 0 })
		time.Sleep(2 * time.Second)
		r.remedy.mu.Lock()
		defer r.remedy.mu.Unlock()
		if p := r.remedy.plan[queue.Alert]; p != (deadletter.QueuePlan{}) {
			r.Errorf("a plan is kept that would be published when this process leads again: %+v", p)
		}
	})
}

// A destination that fails now and then, while a letter always fails, does not use up the letter's replays within seconds.
func TestALetterThatCameBackRestsForHalfAnInterval(t *testing.T) {
	t.Parallel()
	in(t, nil, func(r *rig) {
		ids := r.bury(queue.Alert, queue.DeadExhausted, 1)
		r.answer = func(event.ID) answer { return answer{code: queue.DeadExhausted} }
		r.begin()
		for range 100 {
			time.Sleep(time.Second)
			r.must(coord.NewSuccesses(r.coord, coord.Destination).Note(r.ctx, queue.NewEntryID().String()))
		}
		if n := r.triesOf(ids[0]); n != 1 {
			r.Errorf("%d replays in 100 s", n)
		}
	})
}

// A destination that fails now and then does not make the janitor read letters all the time that nobody replays.
func TestManyLettersAreNotReadAllTheTime(t *testing.T) {
	t.Parallel()
	in(t, nil, func(r *rig) {
		r.bury(queue.Alert, queue.DeadRejected, 120)
		r.queue.slow = 2 * time.Second
		r.begin()
		for range 280 {
			time.Sleep(time.Second)
			r.must(coord.NewSuccesses(r.coord, coord.Destination).Note(r.ctx, queue.NewEntryID().String()))
		}
		// A run reads two pages in 4 s and rests for 40 s; the other queue, without letters, has one run.
		if n := testutil.ToFloat64(r.remedy.metrics.loops); n < 6 || n > 9 {
			r.Errorf("%v runs in 280 s", n)
		}
	})
}

// A letter that died while the clock was ahead does not rest until that time comes.
func TestALetterFromTheFutureDoesNotRest(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for died, due := range map[time.Duration]int{-time.Hour: 1, -time.Second: 0, time.Hour: 1} {
		it := queue.DeadItem{DiedAt: now.Add(died), DeadLetter: queue.DeadLetter{Queue: queue.Alert, Code: queue.DeadExhausted, Replays: 1}}
		w := &walk{queue: only(it), name: queue.Alert, most: 3, rest: time.Minute, now: func() time.Time { return now }}
		if got, err := w.next(t.Context(), 10); err != nil || len(got) != due {
			t.Errorf("died %v from now: %d are due, %v", died, len(got), err)
		}
	}
}

// only is a queue with one dead letter.
type only queue.DeadItem

func (it only) Dead(context.Context, queue.DeadParams) ([]queue.DeadItem, error) {
	return []queue.DeadItem{queue.DeadItem(it)}, nil
}

func (only) Depth(context.Context, queue.Name) (queue.Depth, error)             { return queue.Depth{}, nil }
func (only) Requeue(context.Context, queue.RequeueParams) (int, error)          { return 0, nil }
func (only) GiveUp(context.Context, queue.Name, []event.ID) (int, error)        { return 0, nil }
func (only) Stored(context.Context, queue.Name, []event.ID) ([]event.ID, error) { return nil, nil }

// TestBothModes replays on the storage of each mode, in real time.
func TestBothModes(t *testing.T) {
	t.Parallel()
	for name, storage := range map[string]func(*rig){"embedded": embedded, "distributed": distributed} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, storage, map[string]string{"remediation_interval": "1", "remediation_batch_size": "20"})
			always := r.bury(queue.Alert, queue.DeadExhausted, 1)[0]
			rejected := r.bury(queue.Alert, queue.DeadRejected, 1)[0]
			r.bury(queue.Alert, queue.DeadOutage, 50)
			r.bury(queue.Ingest, queue.DeadPoison, 5)
			r.answer = func(id event.ID) answer {
				if id == always {
					return answer{code: queue.DeadExhausted}
				}
				return answer{}
			}
			r.begin()
			t.Cleanup(r.end)
			done := func() bool {
				dead := r.dead(queue.Alert)
				return r.takenNow() == 55 && len(dead) == 2 && dead[0].GivenUp
			}
			deadline := time.Now().Add(30 * time.Second)
			for !done() {
				if time.Now().After(deadline) {
					t.Fatalf("%d taken, dead %+v\n%v", r.takenNow(), r.dead(queue.Alert), r.log.All())
				}
				time.Sleep(50 * time.Millisecond)
			}
			dead := r.dead(queue.Alert)
			if dead[0].ID != always || dead[0].Replays != 3 || dead[1].ID != rejected || dead[1].GivenUp {
				t.Errorf("dead %+v", dead)
			}
			// The note follows the mark.
			for !strings.Contains(strings.Join(r.changes(), " "), `"given_up":1`) {
				if time.Now().After(deadline) {
					t.Fatal(r.changes())
				}
				time.Sleep(50 * time.Millisecond)
			}
		})
	}
}
