package queuetest

import (
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

func leaseClauses() []clause {
	return []clause{
		{"two holders never work on one entry within its lease", twoHolders},
		{"an expired lease is redelivered, before newer entries", expired},
		{"a yielded lease is redelivered", yielded},
		{"a renewed lease lives on", renewed},
		{"the owner may acquire again and keeps what it claimed", reacquired},
		{"a lease token grows, also over a restart", tokenGrows},
		{"a step of the client's wall clock frees no lease", wallStep},
		{"leases of partitions and queues are apart", leasesApart},
		{"depth counts the partitions that are held", heldCounted},
	}
}

func twoHolders(f *fixture) {
	want := f.appendN(3)
	a := f.acquire("a")
	_, err := f.d.Acquire(f.ctx(), queue.LeaseParams{Queue: queue.Ingest, Owner: "b", TTL: f.ttl()})
	f.refused(err, fault.LeaseHeld)
	got := f.claim(a, 2)
	if diff := cmp.Diff(want[:2], claimedIDs(got)); diff != "" {
		f.t.Fatal(diff)
	}
	f.claims(a, want[2]) // nor does the holder itself get an entry twice
	stranger := a
	stranger.Owner = "b"
	_, err = f.d.Claim(f.ctx(), queue.ClaimParams{Lease: stranger, Max: 1})
	f.refused(err, fault.LeaseLost)
	f.refused(f.d.Settle(f.ctx(), queue.SettleParams{Lease: stranger, Ack: want[:1]}), fault.LeaseLost)
}

func expired(f *fixture) {
	want := f.appendN(2)
	a := f.acquire("a")
	f.claims(a, want...)
	newer := f.appendN(1)
	f.Advance(f.ttl() + f.Unit)
	f.afterLoss(a, want[0])
	b := f.acquire("b")
	got := f.claims(b, append(want, newer...)...)
	for i, deliveries := range []int{2, 2, 1} {
		if got[i].Deliveries != deliveries || got[i].Attempts != 0 {
			f.t.Errorf("entry %d: %d deliveries and %d attempts, want %d and 0", i, got[i].Deliveries, got[i].Attempts, deliveries)
		}
	}
	f.afterLoss(a, want[0])
	f.must(f.d.Yield(f.ctx(), a)) // ending an ended lease is no error, and does not end the other's
	f.ack(b, want...)
}

// afterLoss wants everything that needs the lease to be refused.
func (f *fixture) afterLoss(l queue.Lease, id event.ID) {
	f.t.Helper()
	f.refused(f.d.Renew(f.ctx(), l, f.ttl()), fault.LeaseLost)
	_, err := f.d.Claim(f.ctx(), queue.ClaimParams{Lease: l, Max: 1})
	f.refused(err, fault.LeaseLost)
	f.refused(f.d.Settle(f.ctx(), queue.SettleParams{Lease: l, Ack: []event.ID{id}}), fault.LeaseLost)
	f.refused(f.d.Release(f.ctx(), queue.ReleaseParams{Lease: l, Entries: []event.ID{id}}), fault.LeaseLost)
}

func yielded(f *fixture) {
	want := f.appendN(2)
	a := f.acquire("a")
	f.claims(a, want...)
	f.must(f.d.Yield(f.ctx(), a))
	f.must(f.d.Yield(f.ctx(), a))
	f.afterLoss(a, want[0])
	f.claims(f.acquire("b"), want...)
}

func renewed(f *fixture) {
	want := f.appendN(1)
	a := f.acquire("a")
	f.claims(a, want...)
	for range 3 {
		f.Advance(f.ttl() * 2 / 3)
		f.must(f.d.Renew(f.ctx(), a, f.ttl()))
	}
	_, err := f.d.Acquire(f.ctx(), queue.LeaseParams{Queue: queue.Ingest, Owner: "b", TTL: f.ttl()})
	f.refused(err, fault.LeaseHeld)
	f.ack(a, want...)
}

func reacquired(f *fixture) {
	want := f.appendN(1)
	a := f.acquire("a")
	f.claims(a, want...)
	f.Advance(f.ttl() * 2 / 3)
	if again := f.acquire("a"); again != a {
		f.t.Fatalf("the holder's lease changed from %+v to %+v", a, again)
	}
	f.Advance(f.ttl() * 2 / 3)
	f.claims(a)
	f.ack(a, want...)
}

func tokenGrows(f *fixture) {
	a := f.acquire("a")
	f.must(f.d.Yield(f.ctx(), a))
	b := f.acquire("b")
	f.crash()
	f.Advance(f.ttl() + f.Unit) // a storage of many processes cannot know that the holder is gone
	c := f.acquire("b")
	if a.Token >= b.Token || b.Token >= c.Token {
		f.t.Fatalf("tokens %d, %d, %d do not grow", a.Token, b.Token, c.Token)
	}
	f.afterLoss(b, queue.NewEntryID())
}

func wallStep(f *fixture) {
	want := f.appendN(1)
	a := f.acquire("a")
	f.claims(a, want...)
	for _, step := range []time.Duration{2 * f.ttl(), 24 * time.Hour, -72 * time.Hour} {
		f.StepWall(step)
		_, err := f.d.Acquire(f.ctx(), queue.LeaseParams{Queue: queue.Ingest, Owner: "b", TTL: f.ttl()})
		f.refused(err, fault.LeaseHeld)
		f.must(f.d.Renew(f.ctx(), a, f.ttl()))
	}
	f.ack(a, want...)
}

func leasesApart(f *fixture) {
	a := f.acquire("a")
	b := f.acquireAt(queue.Ingest, 1, "b")
	c := f.acquireAt(queue.Alert, 0, "c")
	e1, e2 := entry(1), entry(1)
	e1.Partition, e2.Queue = 1, queue.Alert
	f.append(e1)
	f.append(e2)
	own := f.appendN(1)
	f.claims(b, e1.ID)
	f.claims(c, e2.ID)
	f.claims(a, own...)
	f.refused(f.d.Settle(f.ctx(), queue.SettleParams{Lease: a, Ack: []event.ID{e1.ID}}), fault.StaleReceipt)
	f.depth(queue.Ingest, queue.Depth{Claimed: 2, Entries: 2})
	f.depth(queue.Alert, queue.Depth{Claimed: 1, Entries: 1})
}

func heldCounted(f *fixture) {
	consumers := func(want int) {
		f.t.Helper()
		d, err := f.d.Depth(f.ctx(), queue.Ingest)
		f.must(err)
		if d.Consumers != want {
			f.t.Fatalf("%d consumers, want %d", d.Consumers, want)
		}
	}
	f.appendN(1)
	consumers(0)
	a := f.acquire("a")
	consumers(1)
	f.must(f.d.Yield(f.ctx(), a))
	consumers(0)
	f.acquire("b")
	f.Advance(f.ttl() + f.Unit)
	consumers(0)
}
