package app

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/store"
)

// disputeWait is how long a process that began an epoch because of what it saw in Redis waits before it does so again. Two
// stores that are published by way of one Redis would outdo each other without a pause.
const disputeWait = time.Minute

// publication publishes the state of a store, and compares what others work by with the store: the snapshot, and what
// the live processes announce. If the store does not continue it, the store was restored while no process with the
// store ran to notice that. The store wins all the same, by a new epoch.
type publication struct {
	store    *store.Store
	coord    coord.Coord
	log      *zap.Logger
	now      func() time.Time
	disputed time.Time // when an epoch was begun for what was seen in Redis
}

// put publishes next, unless the snapshot is that state or a later one of the same store. Calls do not overlap.
func (p *publication) put(ctx context.Context, next *settled) error {
	seen, err := p.seen(ctx, next.position())
	if err != nil {
		return err
	}
	for _, s := range seen {
		ok, err := p.store.Continues(ctx, s)
		if err != nil {
			return err
		}
		if ok {
			continue
		}
		if since := p.now().Sub(p.disputed); !p.disputed.IsZero() && since < disputeWait {
			return fmt.Errorf("another store is published through this Redis: epoch %d, revision %d is not a state of this store", s.Epoch, s.Revision)
		}
		p.disputed = p.now()
		return restored(ctx, p.store, s, p.log) // the next poll reads the new epoch and publishes it
	}
	return snapshotSource{p.coord}.publish(ctx, next)
}

// seen returns the states that others work by and that are not next.
func (p *publication) seen(ctx context.Context, next store.Position) (out []store.Position, err error) {
	snap, _, err := snapshotSource{p.coord}.get(ctx)
	if err != nil && !fault.Is(err, fault.Corrupt) {
		return nil, err
	}
	if snap != nil && snap.position() != next {
		out = append(out, snap.position())
	}
	processes, err := coord.Processes(ctx, p.coord)
	if err != nil {
		return nil, err
	}
	latest := next
	for i := range processes {
		at := store.Position{Epoch: processes[i].ConfigEpoch, Revision: processes[i].ConfigRevision}
		if latest.Before(at) && at.Check() == nil {
			latest = at
		}
	}
	if latest != next {
		out = append(out, latest)
	}
	return out, nil
}
