package remedy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/deadletter"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

const (
	actorName = "system:janitor" // in the change audit

	// pollEvery is how often the worker looks whether a step is settled.
	pollEvery = 250 * time.Millisecond
	// breather is the shortest pause between two runs, however often the destination recovers.
	breather = 5 * time.Second
	// readingRest is how many times longer than the reading of the letters that pause is: letters that nobody replays are read too, and
	// may be many.
	readingRest = 10
	// noteWait bounds the writing of what a run has done, which the end of the process does not cut off.
	noteWait = 10 * time.Second
)

// worker replays the dead letters of one queue. Its fields are owned by loop.
type worker struct {
	*Remediation
	queue queue.Name

	began, ended time.Time     // of the last run; zero when this process has not led since it does
	rest         time.Duration // after it, before a recovery starts the next one
	recovery     string        // the last one that started a run
	proven       time.Time     // until then the destination is known to work, because it took what this worker sent
	sent         []sent        // replayed and, as far as is known, not settled
	failing      bool          // the last run failed
	census       deadletter.Census
	obstacle     deadletter.Obstacle
	done         tally
}

// sent is a letter that was put back.
type sent struct {
	letter, entry event.ID
	died          time.Time // what comes back has another one
}

// tally is what a run has done since the last note in the change audit.
type tally struct {
	replayed, settled, cameBack, givenUp int
	since                                time.Time
}

func (w *worker) loop(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.look(ctx)
		}
	}
}

// look starts a run when one is due: after remediation_interval at the latest, at once when the destination takes alerts
// again, and when this process begins to lead.
func (w *worker) look(ctx context.Context) {
	if !w.Leading() {
		w.began, w.sent = time.Time{}, nil
		w.planned(w.queue, deadletter.QueuePlan{})
		return
	}
	_, _ = w.depth(ctx) // for its metric; a run reports the error
	if !w.Dynamic.Enabled.Get() {
		w.began, w.obstacle = time.Time{}, deadletter.Off
		w.planned(w.queue, deadletter.QueuePlan{Obstacle: deadletter.Off})
		return
	}
	now, interval := w.Now(), w.Dynamic.Interval.Get()
	recovery := w.recovery
	if w.queue == queue.Alert {
		if h, err := w.health(ctx); err == nil && h.recovery != "" {
			recovery = h.recovery
		}
	}
	due := w.began.IsZero() || now.Sub(w.began) >= interval
	if due || recovery != w.recovery && now.Sub(w.ended) >= min(w.rest, interval) {
		w.began, w.recovery = now, recovery
		w.run(ctx)
		w.ended = w.Now()
	}
	w.tell()
}

// depth returns the depth of the queue, and shows the dead letters in its metric.
func (w *worker) depth(ctx context.Context) (queue.Depth, error) {
	d, err := w.Queue.Depth(ctx, w.queue)
	if err == nil {
		w.metrics.depth.WithLabelValues(string(w.queue)).Set(float64(d.Dead))
	}
	return d, err
}

// tell sets the published plan.
func (w *worker) tell() {
	next := w.began.Add(w.Dynamic.Interval.Get())
	w.planned(w.queue, deadletter.QueuePlan{Next: next.Truncate(time.Second), Obstacle: w.obstacle, Census: w.census})
}

// run goes through the dead letters once.
func (w *worker) run(ctx context.Context) {
	began := w.Now()
	w.metrics.loops.Inc()
	w.done = tally{since: began}
	walk := &walk{queue: w.Queue, name: w.queue, most: int(w.Dynamic.MaxReplays.Get()),
		rest: w.Dynamic.Interval.Get() / 2, now: w.Now}
	err := w.steps(ctx, walk)
	if err == nil {
		err = walk.count(ctx)
	}
	w.census = walk.census
	w.done.givenUp += walk.givenUp
	w.metrics.poison.Add(float64(walk.givenUp))
	switch {
	case ctx.Err() != nil:
	case err != nil:
		w.obstacle = deadletter.Unavailable
		if !w.failing {
			w.Log.Warn("remediation cannot work, it tries again", zap.String("queue", string(w.queue)), zap.Error(err))
		}
		w.metrics.failed.WithLabelValues(reasonQueue).Inc()
	case w.failing:
		w.Log.Info("remediation works again", zap.String("queue", string(w.queue)))
	}
	w.failing = err != nil
	w.rest = max(breather, readingRest*walk.reading)
	w.note(ctx, true)
	w.metrics.duration.Observe(w.Now().Sub(began).Seconds())
}

// steps replays letters until none is left, or something is in the way. Letters of a former run that are still in the queue are not
// waited for, as that run did so already; they take up places of a step.
func (w *worker) steps(ctx context.Context, walk *walk) error {
	if err := w.settle(ctx); err != nil {
		return err
	}
	former := len(w.sent)
	for first := true; ; first = false {
		most, err := w.allowance(ctx)
		if err != nil || most <= 0 {
			return err
		}
		alone := w.obstacle == deadletter.Unproven
		letters, err := walk.next(ctx, most)
		if err != nil || len(letters) == 0 {
			return err
		}
		if first {
			w.Log.Info("remediation begins to replay dead letters", zap.String("queue", string(w.queue)), zap.Bool("one_first", alone))
		}
		n, err := w.replay(ctx, letters)
		walk.census.Replayed -= n
		if err != nil {
			return err
		}
		if settled, err := w.await(ctx, former, alone); err != nil || !settled {
			return err
		}
		w.note(ctx, false)
	}
}

// allowance returns how many letters the next step may have, none at 0 or less, and sets the obstacle. What this process replayed and
// is not settled counts: at most one step of letters waits in the queue.
func (w *worker) allowance(ctx context.Context) (int, error) {
	batch := int(w.Dynamic.BatchSize.Get())
	w.obstacle = deadletter.None
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case !w.Leading() || !w.Dynamic.Enabled.Get():
		return 0, nil
	}
	d, err := w.depth(ctx)
	switch {
	case err != nil:
		return 0, err
	case w.queue != queue.Alert:
		return batch - len(w.sent), nil
	case d.Live() >= w.QueueWarn.Get():
		w.obstacle = deadletter.Pressure
		return 0, nil
	}
	healthy, err := w.healthy(ctx)
	switch {
	case err != nil:
		return 0, err
	case healthy:
		return batch - len(w.sent), nil
	}
	w.obstacle = deadletter.Unproven
	return min(1, batch-len(w.sent)), nil
}

// healthy reports whether the destination may get a whole step.
func (w *worker) healthy(ctx context.Context) (bool, error) {
	h, err := w.health(ctx)
	return h.closed && (h.recent || w.Now().Before(w.proven)), err
}

// replay puts letters back and returns how many it moved. Those whose replay is unknown after an error count as sent: settle
// finds out. When it moved none, somebody else was faster, and what becomes of the letters proves nothing.
func (w *worker) replay(ctx context.Context, letters []queue.DeadItem) (int, error) {
	p := queue.RequeueParams{Queue: w.queue}
	before := len(w.sent)
	for i := range letters {
		it := &letters[i]
		r := queue.Revival{ID: it.ID, Entry: queue.NewEntryID(), Replays: it.Replays}
		if !deadletter.Innocent(it.Code) {
			r.Replays++
		}
		p.Revive = append(p.Revive, r)
		w.sent = append(w.sent, sent{letter: it.ID, entry: r.Entry, died: it.DiedAt})
	}
	n, err := w.Queue.Requeue(ctx, p)
	w.done.replayed += n
	if err != nil {
		return n, fmt.Errorf("put dead letters back: %w", err)
	}
	if n == 0 {
		w.sent = w.sent[:before]
	}
	return n, nil
}

// await waits until as many letters are settled as this run has sent, and those of a former run or fewer are left: at most
// remediation_interval. What goes alone is not waited for when the destination works by what else it takes.
func (w *worker) await(ctx context.Context, former int, alone bool) (settled bool, err error) {
	deadline := w.Now().Add(w.Dynamic.Interval.Get())
	for {
		if err := w.settle(ctx); err != nil {
			return false, err
		}
		if len(w.sent) <= former {
			return true, nil
		}
		if alone {
			if healthy, err := w.healthy(ctx); err != nil || healthy {
				return healthy, err
			}
		}
		if !w.Now().Before(deadline) || !w.Leading() || !w.Dynamic.Enabled.Get() {
			return false, nil
		}
		w.tell()
		_, _ = w.depth(ctx)
		if err := sleep(ctx, pollEvery); err != nil {
			return false, err
		}
	}
}

// settle finds out what became of the letters that were sent, and forgets those that are settled.
func (w *worker) settle(ctx context.Context) error {
	if len(w.sent) == 0 {
		return nil
	}
	entries := make([]event.ID, len(w.sent))
	for i, s := range w.sent {
		entries[i] = s.entry
	}
	stored, err := w.Queue.Stored(ctx, w.queue, entries)
	if err != nil {
		return fmt.Errorf("look for replayed letters: %w", err)
	}
	waiting := make(map[event.ID]bool, len(stored))
	for _, id := range stored {
		waiting[id] = true
	}
	var left []sent
	gone := map[event.ID]time.Time{}
	var ids []event.ID
	for _, s := range w.sent {
		if waiting[s.entry] {
			left = append(left, s)
			continue
		}
		gone[s.letter] = s.died
		ids = append(ids, s.letter)
	}
	if len(ids) == 0 {
		return nil
	}
	dead, err := w.Queue.Dead(ctx, queue.DeadParams{Queue: w.queue, IDs: ids})
	if err != nil {
		return fmt.Errorf("look for letters that came back: %w", err)
	}
	for i := range dead {
		it := &dead[i]
		if !it.DiedAt.Equal(gone[it.ID]) { // else it never left
			w.done.cameBack++
			w.metrics.failure(it.Code)
		}
		delete(gone, it.ID)
	}
	if n := len(gone); n > 0 {
		w.done.settled += n
		w.metrics.success.Add(float64(n))
		w.proven = w.Now().Add(coord.SuccessLife)
	}
	w.sent = left
	return nil
}

// note logs what was done and writes it into the change audit: at the end of a run, and once per remediation_interval during
// a long one.
func (w *worker) note(ctx context.Context, last bool) {
	d := w.done
	if !last && w.Now().Sub(d.since) < w.Dynamic.Interval.Get() {
		return
	}
	w.done = tally{since: w.Now()}
	if d.replayed+d.cameBack+d.givenUp == 0 {
		return
	}
	w.Log.Info("remediation replayed dead letters", zap.String("queue", string(w.queue)), zap.Int("replayed", d.replayed),
		zap.Int("settled", d.settled), zap.Int("came_back", d.cameBack), zap.Int("given_up", d.givenUp), zap.Int("still_waiting", len(w.sent)),
		zap.String("obstacle", string(w.obstacle)), zap.Bool("run_ended", last))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteWait)
	defer cancel()
	_, err := w.Store.Change(ctx, store.Actor{Name: actorName}, "remediation", func(tx *store.Tx) error {
		return tx.RecordOperation(store.OpUpdate, store.TableDeadLetters, string(w.queue), map[string]any{
			"replayed": d.replayed, "settled": d.settled, "came_back": d.cameBack, "given_up": d.givenUp})
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		w.Log.Error("what remediation did is not in the change audit", zap.String("queue", string(w.queue)), zap.Error(err))
	}
}
