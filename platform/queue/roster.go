package queue

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/fault"
)

// Roster is what a Driver that several processes use has besides: the list of those who consume a queue, so that they can share
// its partitions out. Without one, a consumer takes every partition that it can get.
type Roster interface {
	// Announce keeps a member on the roster of a queue for TTL from now, by the storage's clock, and lists all who are on it,
	// in the order in which they joined. A TTL of 0 takes the member off. Errors are those of Driver.
	Announce(ctx context.Context, p AnnounceParams) ([]Member, error)
}

// AnnounceParams are the parameters of Announce.
type AnnounceParams struct {
	Queue  Name
	Member Member
	TTL    time.Duration
}

// Member is one consumer of a queue.
type Member struct {
	Name  string // as Lease.Owner
	Holds []int  // the partitions whose lease it has
}

// announcer keeps one consumer on the roster and its share up to date.
type announcer struct {
	roster Roster
	queue  Name
	ttl    time.Duration
	share  *share
	outage *outage
}

// run looks at the roster until ctx ends, and takes the consumer off it: the others need not wait for it to expire.
func (a *announcer) run(ctx context.Context) {
	for a.await(ctx) {
		if fault.Is(a.look(ctx), fault.Closed) {
			return
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.ttl/2)
	defer cancel()
	if _, err := a.roster.Announce(ctx, AnnounceParams{Queue: a.queue, Member: a.share.member()}); err != nil {
		a.outage.log.Warn("consumer stays on the roster until it expires", zap.Error(err))
	}
}

// await lets the time between two looks pass, unless there is something to tell.
func (a *announcer) await(ctx context.Context) bool {
	t := time.NewTimer(jitter(lookEvery(a.ttl)))
	defer t.Stop()
	select {
	case <-t.C:
	case <-a.share.changed:
	case <-ctx.Done():
		return false
	}
	return true
}

// look announces the consumer and makes it give up what is over its share.
func (a *announcer) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, a.ttl/2)
	defer cancel()
	members, err := a.roster.Announce(ctx, AnnounceParams{Queue: a.queue, Member: a.share.member(), TTL: a.ttl})
	if err != nil {
		a.share.blind()
		a.outage.noticed("consumer cannot announce itself", err)
		return err
	}
	for _, t := range a.share.learn(members, time.Now()) {
		t.leave()
	}
	return nil
}
