package redisq

import (
	"context"
	"time"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// claimFields is how many values the script gives for each entry.
const claimFields = 9

// glance is what one look at a lane gave.
type glance struct {
	entries []queue.Claimed
	due     time.Duration // until the next delayed entry is due; negative for none
	cursor  string        // what is new has a greater stream id
}

// Claim takes entries, waiting for the first one. An answer is bounded by about 8 MiB of bodies.
func (d *Driver) Claim(ctx context.Context, p queue.ClaimParams) ([]queue.Claimed, error) {
	var over <-chan time.Time
	if p.Wait > 0 {
		timer := time.NewTimer(p.Wait)
		defer timer.Stop()
		over = timer.C
	}
	lane := laneName{p.Lease.Queue, p.Lease.Partition}
	for {
		woken := d.watches.woken(lane) // before the look, so that nothing falls between
		g, err := d.claim(ctx, p)
		if err != nil || len(g.entries) > 0 || p.Wait <= 0 {
			return g.entries, err
		}
		again, err := d.wait(ctx, woken, d.watches.news(lane, g.cursor), over, g.due)
		if err != nil || !again {
			return nil, err
		}
	}
}

// wait waits until a lane may have something; again is false when the caller's time is over.
func (d *Driver) wait(ctx context.Context, woken, news <-chan struct{}, over <-chan time.Time, due time.Duration) (again bool, err error) {
	var ripe <-chan time.Time
	if due >= 0 {
		timer := time.NewTimer(due)
		defer timer.Stop()
		ripe = timer.C
	}
	select {
	case <-woken:
		return true, nil
	case <-news:
		return true, nil
	case <-ripe:
		return true, nil
	case <-over:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	case <-d.ctx.Done():
		return false, fault.New(fault.Closed, "the queue is closed")
	}
}

// claim takes what is there now. Once asked, the answer is awaited whatever happens to ctx: it may bring entries.
func (d *Driver) claim(ctx context.Context, p queue.ClaimParams) (glance, error) {
	k, err := d.partition(p.Lease.Partition)
	if err != nil {
		return glance{}, err
	}
	if err := ctx.Err(); err != nil {
		return glance{}, err
	}
	c := d.call().lease(p.Lease, d.fence.step(p.Lease)).num(int64(p.Max)).key(k.lane(p.Lease.Queue)...)
	r, err := d.run(context.WithoutCancel(ctx), d.scripts.claim, "claim", c)
	if err == nil {
		err = r.refused(p.Lease)
	}
	if err != nil {
		return glance{}, err
	}
	g := glance{due: time.Duration(r.int(0)) * time.Microsecond, cursor: r.text(1)}
	d.fence.saw(p.Lease, r.int(2))
	r.rest = r.rest[3:]
	if n := len(r.rest) / claimFields; n > 0 {
		g.entries = make([]queue.Claimed, n)
	}
	for i := range g.entries {
		e := reply{rest: r.rest[i*claimFields:]}
		g.entries[i] = queue.Claimed{Entry: e.id(0), Events: int(e.int(1)), Body: e.bytes(2), Deliveries: int(e.int(3)),
			Attempts: int(e.int(4)), Reason: e.text(5), AppendedAt: time.UnixMicro(e.int(7)).UTC(), Replays: int(e.int(8))}
		if note := e.bytes(6); len(note) > 0 {
			g.entries[i].Progress = note
		}
	}
	return g, nil
}
