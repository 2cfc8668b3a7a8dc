package redisq

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/queue"
)

// A recall keeps what this process appended last, and appends it again when Redis turns out to have lost it: after a power
// cut (appendfsync everysec), or a failover to a replica that was behind.
//
// How it notices: each append moves a mark of this process in the same script, so that the mark and what was appended are lost
// or kept together, whatever other processes append in the meantime. A mark lower than what was acknowledged says from
// where on. The next append looks at it, and a probe each second does when none comes.
//
// How long it keeps: Redis is asked to sync each second, and stalls when that takes longer than two. So what was acknowledged
// two seconds before a sign of life that shows no loss is on the disk. While Redis is away nothing is forgotten.
type recall struct {
	store    marked
	log      *zap.Logger
	now      func() time.Time // monotonic
	lanes    map[recallKey]*recallLane
	maxBytes int64
	bytes    atomic.Int64 // of all windows
	restored atomic.Int64 // events
	lost     atomic.Int64 // events, at most
	lostAt   atomic.Pointer[time.Time]
}

const (
	recallWindow = 2 * time.Second
	recallProbe  = time.Second
	recallBytes  = 128 << 20
)

// marked is a storage whose appends move a mark.
type marked interface {
	// appendMarked is Append, which also sets this process' mark of the lane to m.to. When the mark is below m.low, nothing is done
	// and the error is a *rollback.
	appendMarked(ctx context.Context, p queue.AppendParams, m mark) error
	// readMark gives the mark, 0 when there is none.
	readMark(ctx context.Context, q queue.Name, partition int) (int64, error)
}

// mark is a position in what this process appended to a lane, in events.
type mark struct{ low, to int64 }

// rollback says that a lane is older than what was acknowledged, and where it stands.
type rollback struct{ mark int64 }

func (*rollback) Error() string { return "Redis came back older than what it had acknowledged" }

type recallKey struct {
	queue     queue.Name
	partition int
}

// recallLane is what this process appended to one queue and partition. It belongs to whoever has the turn.
type recallLane struct {
	recallKey
	turn   chan struct{} // taken by sending
	sent   int64         // the highest position that an append was sent with
	acked  int64         // the highest one that was acknowledged, and not lost for good
	window []kept        // in the order of their appends
}

// kept is an acknowledged append.
type kept struct {
	params   queue.AppendParams
	from, to int64 // follows on the one before; what failed in between is part of it
	at       time.Time
	bytes    int64
}

func newRecall(s marked, partitions int, log *zap.Logger) *recall {
	r := &recall{store: s, log: log, now: time.Now, lanes: map[recallKey]*recallLane{}, maxBytes: recallBytes}
	for _, q := range queue.Names() {
		for p := range partitions {
			k := recallKey{q, p}
			r.lanes[k] = &recallLane{recallKey: k, turn: make(chan struct{}, 1)}
		}
	}
	return r
}

// append appends, after what was lost before it.
func (r *recall) append(ctx context.Context, p queue.AppendParams) error {
	l := r.lanes[recallKey{p.Entries[0].Queue, p.Entries[0].Partition}]
	if l == nil {
		return r.store.appendMarked(ctx, p, mark{}) // says what is wrong
	}
	select {
	case l.turn <- struct{}{}:
		defer l.leave()
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		asked := r.now()
		l.sent += eventsOf(p.Entries)
		err := r.store.appendMarked(ctx, p, mark{low: l.acked, to: l.sent})
		var back *rollback
		if errors.As(err, &back) {
			if err = r.restore(ctx, l, back.mark); err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		r.keep(l, p)
		r.forget(l, asked)
		return nil
	}
}

func (l *recallLane) leave() { <-l.turn }

// run looks for losses each second until ctx ends.
func (r *recall) run(ctx context.Context) {
	tick := time.NewTicker(recallProbe)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			for _, l := range r.lanes {
				r.probe(ctx, l)
			}
		}
	}
}

// probe looks at one lane, unless an append does so at the moment.
func (r *recall) probe(ctx context.Context, l *recallLane) {
	select {
	case l.turn <- struct{}{}:
		defer l.leave()
	default:
		return
	}
	if len(l.window) == 0 {
		return
	}
	asked := r.now()
	soon, cancel := context.WithTimeout(ctx, recallProbe)
	defer cancel()
	found, err := r.store.readMark(soon, l.queue, l.partition)
	if err == nil && found < l.acked {
		err = r.restore(ctx, l, found)
	}
	if err == nil {
		r.forget(l, asked)
	}
}

// restore appends again what was acknowledged after a position. An error leaves the rest for the next call.
func (r *recall) restore(ctx context.Context, l *recallLane, found int64) error {
	at, upTo := found, found // where Redis stands, and what is accounted for
	restored, lost := int64(0), int64(0)
	defer func() {
		if restored > 0 || lost > 0 {
			r.told(l, restored, lost)
		}
	}()
	for i := 0; i < len(l.window); i++ {
		k := &l.window[i]
		if k.to <= at {
			continue
		}
		moved, err := r.again(ctx, k, mark{low: at, to: k.to})
		var back *rollback
		if errors.As(err, &back) { // once more, in the middle of this
			at, i = back.mark, -1
			continue
		}
		if err != nil {
			return err
		}
		lost += max(0, k.from-upTo)
		restored += eventsOf(k.params.Entries)
		upTo = max(upTo, k.to)
		if moved {
			at, k.at = k.to, r.now() // not on the disk for certain yet, like any new one
		}
	}
	lost += max(0, l.acked-upTo)
	l.acked = at
	return nil
}

// again repeats an append. What its sender sent anew meanwhile, because it did not hear of the first time, is left out;
// when that is all of it, nothing is done and the mark has not moved.
func (r *recall) again(ctx context.Context, k *kept, m mark) (moved bool, err error) {
	for len(k.params.Entries) > 0 {
		err := r.store.appendMarked(ctx, k.params, m)
		var dup *queue.DuplicateError
		if !errors.As(err, &dup) {
			return err == nil, err
		}
		if err := withoutRepeats(&k.params, dup); err != nil {
			return false, err
		}
	}
	return false, nil
}

func (r *recall) told(l *recallLane, restored, lost int64) {
	r.restored.Add(restored)
	fields := []zap.Field{zap.String("queue", string(l.queue)), zap.Int("partition", l.partition),
		zap.Int64("restored_events", restored), zap.Int64("lost_events_at_most", lost)}
	if lost == 0 {
		r.log.Warn("Redis came back older, what it had lost was appended again", fields...)
		return
	}
	r.lost.Add(lost)
	now := r.now()
	r.lostAt.Store(&now)
	r.log.Error("Redis came back older than can be restored", fields...)
}

// lossTold is for how long health tells of a loss.
const lossTold = time.Hour

// warnings tells of a loss. A nil recall has none.
func (r *recall) warnings() []string {
	if r == nil {
		return nil
	}
	at := r.lostAt.Load()
	if at == nil || r.now().Sub(*at) > lossTold {
		return nil
	}
	return []string{fmt.Sprintf("Redis came back older at %s: up to %d events that this process had accepted could not be restored; "+
		"see docs/runbooks/redis.md", at.UTC().Format(time.RFC3339), r.lost.Load())}
}
