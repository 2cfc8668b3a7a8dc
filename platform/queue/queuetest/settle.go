package queuetest

import (
	"fmt"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

func settleClauses() []clause {
	return []clause{
		{"what is not acked comes again after a crash, what is acked does not", ackDurable},
		{"a stale or double ack is harmless and reported", staleAck},
		{"settle is one step over both queues, or nothing", settleAtomic},
		{"a repeated publication is stored once", publishOnce},
		{"a settlement with an id is done once", settleOnce},
		{"progress stays beside an entry, also over a crash", progress},
		{"what is settled of an entry leaves the depth at once, and for good", partlySettled},
	}
}

func releaseClauses() []clause {
	return []clause{
		{"a released entry keeps its place", releaseKeepsPlace},
		{"a delayed release honours its delay and is passed by others", delayedRelease},
		{"a delay outlives a crash", delayOutlives},
		{"a release counts an attempt only when told to", attempts},
		{"a release of what is not claimed releases nothing", staleRelease},
	}
}

func ackDurable(f *fixture) {
	want := f.appendN(4)
	l := f.acquire("a")
	f.claims(l, want...)
	f.ack(l, want[1], want[2])
	newer := f.appendN(1)
	f.crash()
	f.Advance(f.ttl() + f.Unit)
	got := f.claims(f.acquire("b"), want[0], want[3], newer[0])
	if got[0].Deliveries != 2 || got[2].Deliveries != 1 {
		f.t.Fatalf("deliveries %d and %d, want 2 and 1", got[0].Deliveries, got[2].Deliveries)
	}
}

func staleAck(f *fixture) {
	want := f.appendN(3)
	l := f.acquire("a")
	f.claim(l, 2)
	f.ack(l, want[0])
	published := entry(1)
	published.Queue = queue.Alert
	for what, p := range map[string]queue.SettleParams{
		"a second ack":         {Ack: []event.ID{want[1], want[0]}},
		"an ack of the ready":  {Ack: []event.ID{want[2]}},
		"an ack twice":         {Ack: []event.ID{want[1], want[1]}},
		"an unknown ack":       {Ack: []event.ID{queue.NewEntryID()}},
		"progress of the gone": {Ack: []event.ID{want[1]}, Progress: []queue.Progress{{Entry: want[0], Note: []byte("x")}}},
	} {
		p.Lease, p.Publish = l, []queue.Entry{published}
		p.Dead = []queue.DeadLetter{deadLetter(queue.Alert)}
		p.Counts = []queue.Count{{Minute: 1, Kind: queue.CountParked, N: 1}}
		if err := f.d.Settle(f.ctx(), p); !fault.Is(err, fault.StaleReceipt) {
			f.t.Fatalf("%s: %v", what, err)
		}
	}
	f.depth(queue.Ingest, queue.Depth{Ready: 1, Claimed: 1, Entries: 2})
	f.depth(queue.Alert, queue.Depth{})
	if got := f.counted(); len(got) > 0 {
		f.t.Fatalf("a refused settlement counted %v", got)
	}
	f.ack(l, want[1]) // the receipts that were good still are
}

func settleAtomic(f *fixture) {
	want := f.append(entry(5))
	l := f.acquire("a")
	f.claims(l, want...)
	alert := entry(2)
	alert.Queue = queue.Alert
	dl := deadLetter(queue.Alert)
	large := alert
	large.ID, large.Body = queue.NewEntryID(), make([]byte, queue.MaxBody+1)
	p := queue.SettleParams{Lease: l, Ack: want, Publish: []queue.Entry{alert, large}, Dead: []queue.DeadLetter{dl}}
	f.refused(f.d.Settle(f.ctx(), p), fault.TooLarge)
	f.depth(queue.Ingest, queue.Depth{Claimed: 5, Entries: 1})
	f.depth(queue.Alert, queue.Depth{})

	p.Publish = p.Publish[:1]
	p.Counts = []queue.Count{{Minute: 3, Kind: queue.CountParked, N: 1}}
	f.settle(p)
	f.crash()
	f.depth(queue.Ingest, queue.Depth{})
	f.depth(queue.Alert, queue.Depth{Ready: 2, Entries: 1, Dead: 1})
	if diff := cmp.Diff(map[string]int64{"parked/": 1}, f.counted()); diff != "" {
		f.t.Fatal(diff)
	}
	f.claims(f.acquireAt(queue.Alert, 0, "f"), alert.ID)
}

func publishOnce(f *fixture) {
	want := f.appendN(2)
	l := f.acquire("a")
	f.claims(l, want...)
	alert := entry(3)
	alert.Queue = queue.Alert
	f.settle(queue.SettleParams{Lease: l, Ack: want[:1], Publish: []queue.Entry{alert}})
	f.settle(queue.SettleParams{Lease: l, Ack: want[1:], Publish: []queue.Entry{alert}})
	f.depth(queue.Alert, queue.Depth{Ready: 3, Entries: 1})
}

func settleOnce(f *fixture) {
	want := f.append(entry(2))
	l := f.acquire("a")
	f.claims(l, want...)
	p := queue.SettleParams{Lease: l, Op: queue.NewEntryID(), Progress: []queue.Progress{{Entry: want[0], Note: []byte("half")}},
		Counts: []queue.Count{{Minute: 1, Kind: queue.CountDelivered, N: 1}}}
	stale := p
	stale.Progress = []queue.Progress{{Entry: queue.NewEntryID(), Note: []byte("x")}}
	f.refused(f.d.Settle(f.ctx(), stale), fault.StaleReceipt) // which is not remembered
	f.settle(p)
	f.settle(p)
	p.Op = queue.NewEntryID()
	f.settle(p)
	f.same(map[string]int64{"delivered/": 2}, f.counted())
	p.Lease.Token--
	f.refused(f.d.Settle(f.ctx(), p), fault.LeaseLost)
}

func progress(f *fixture) {
	want := f.appendN(2)
	l := f.acquire("a")
	f.claims(l, want...)
	for i := range 3 {
		f.settle(queue.SettleParams{Lease: l, Progress: []queue.Progress{{Entry: want[1], Note: fmt.Appendf(nil, "note %d", i)}}})
	}
	f.must(f.d.Release(f.ctx(), queue.ReleaseParams{Lease: l, Entries: want}))
	if got := f.claims(l, want...); string(got[1].Progress) != "note 2" || got[0].Progress != nil {
		f.t.Fatalf("progress %q and %q", got[0].Progress, got[1].Progress)
	}
	f.crash()
	f.Advance(f.ttl() + f.Unit)
	got := f.claims(f.acquire("b"), want...)
	if string(got[1].Progress) != "note 2" {
		f.t.Fatalf("progress after a crash %q", got[1].Progress)
	}
	// An entry may be noted and acked in one step.
	f.settle(queue.SettleParams{Lease: f.acquire("b"), Ack: want[1:], Progress: []queue.Progress{{Entry: want[1], Note: []byte("end")}}})
}

func partlySettled(f *fixture) {
	large, small := entry(500), entry(3)
	large.Queue, small.Queue = queue.Alert, queue.Alert
	f.append(large, small)
	l := f.acquireAt(queue.Alert, 0, "a")
	f.claims(l, large.ID, small.ID)
	note := func(left int, delivered int64) queue.SettleParams {
		return queue.SettleParams{Lease: l, Op: queue.NewEntryID(), Progress: []queue.Progress{{Entry: large.ID, Note: []byte("n"), Left: left}},
			Counts: []queue.Count{{Minute: 1, Kind: queue.CountDelivered, N: delivered}}}
	}
	first := note(300, 200)
	f.settle(first)
	f.settle(first) // a repeat changes nothing
	f.depth(queue.Alert, queue.Depth{Claimed: 303, Entries: 2})
	f.same(map[string]int64{"delivered/": 200}, f.counted())
	f.settle(note(0, 0)) // a note alone
	f.depth(queue.Alert, queue.Depth{Claimed: 303, Entries: 2})
	f.settle(note(10, 290))

	f.crash()
	f.Advance(f.ttl() + f.Unit)
	l = f.acquireAt(queue.Alert, 0, "b")
	f.depth(queue.Alert, queue.Depth{Ready: 13, Entries: 2})
	if got := f.claims(l, large.ID, small.ID); got[0].Events != 10 || got[1].Events != 3 {
		f.t.Fatalf("claimed with %d and %d events, want the 10 and 3 that are left", got[0].Events, got[1].Events)
	}
	f.must(f.d.Release(f.ctx(), queue.ReleaseParams{Lease: l, Entries: []event.ID{large.ID}, Delay: 10 * f.Unit}))
	f.depth(queue.Alert, queue.Depth{Claimed: 3, Delayed: 10, Entries: 2})
	f.Advance(11 * f.Unit)
	f.claims(l, large.ID)
	end := note(1, 9)
	end.Ack, end.Op = []event.ID{large.ID}, event.ID{}
	f.settle(end)
	f.depth(queue.Alert, queue.Depth{Claimed: 3, Entries: 1})
	f.ack(l, small.ID)
	f.depth(queue.Alert, queue.Depth{})
	f.same(map[string]int64{"delivered/": 499}, f.counted())
}

func releaseKeepsPlace(f *fixture) {
	want := f.appendN(4)
	l := f.acquire("a")
	f.claim(l, 3)
	f.must(f.d.Release(f.ctx(), queue.ReleaseParams{Lease: l, Entries: []event.ID{want[2], want[0]}, Reason: "later"}))
	f.depth(queue.Ingest, queue.Depth{Ready: 3, Claimed: 1, Entries: 4})
	got := f.claims(l, want[0], want[2], want[3])
	if got[0].Reason != "later" || got[0].Deliveries != 2 || got[2].Reason != "" {
		f.t.Fatalf("claimed %+v", got)
	}
	// Also among what its holder leaves.
	f.must(f.d.Release(f.ctx(), queue.ReleaseParams{Lease: l, Entries: []event.ID{want[1]}}))
	f.must(f.d.Yield(f.ctx(), l))
	f.claims(f.acquire("b"), want...)
}

func delayedRelease(f *fixture) {
	want := f.appendN(3)
	l := f.acquire("a")
	f.claims(l, want...)
	f.must(f.d.Release(f.ctx(), queue.ReleaseParams{Lease: l, Entries: want[:1], Delay: 10 * f.Unit}))
	f.must(f.d.Release(f.ctx(), queue.ReleaseParams{Lease: l, Entries: want[1:2], Delay: 20 * f.Unit}))
	f.depth(queue.Ingest, queue.Depth{Claimed: 1, Delayed: 2, Entries: 3})
	newer := f.appendN(1)
	f.claims(l, newer...)
	f.Advance(5 * f.Unit)
	f.claims(l)
	f.Advance(6 * f.Unit)
	newer = f.appendN(1)
	f.claims(l, want[0], newer[0]) // due: it takes up its old place
	f.Advance(10 * f.Unit)
	f.claims(l, want[1])
	f.depth(queue.Ingest, queue.Depth{Claimed: 5, Entries: 5})
}

func delayOutlives(f *fixture) {
	want := f.appendN(2)
	l := f.acquire("a")
	f.claims(l, want...)
	f.must(f.d.Release(f.ctx(), queue.ReleaseParams{Lease: l, Entries: want[:1], Delay: 200 * f.Unit}))
	f.crash()
	f.Advance(f.ttl() + f.Unit)
	l = f.acquire("b")
	f.depth(queue.Ingest, queue.Depth{Ready: 1, Delayed: 1, Entries: 2})
	f.claims(l, want[1])
	f.ack(l, want[1])
	f.must(f.d.Yield(f.ctx(), l))
	f.Advance(100 * f.Unit)
	f.claims(f.acquire("c"), want[0])
}

func attempts(f *fixture) {
	want := f.appendN(1)
	l := f.acquire("a")
	for i, count := range []bool{true, false, true} {
		got := f.claims(l, want...)
		if got[0].Deliveries != i+1 {
			f.t.Fatalf("delivery %d is told as %d", i+1, got[0].Deliveries)
		}
		f.must(f.d.Release(f.ctx(), queue.ReleaseParams{Lease: l, Entries: want, Reason: fmt.Sprint("try ", i), CountAttempt: count}))
	}
	if got := f.claims(l, want...); got[0].Attempts != 2 || got[0].Reason != "try 2" {
		f.t.Fatalf("%d attempts, reason %q", got[0].Attempts, got[0].Reason)
	}
}

func staleRelease(f *fixture) {
	want := f.appendN(3)
	l := f.acquire("a")
	f.claim(l, 2)
	f.refused(f.d.Release(f.ctx(), queue.ReleaseParams{Lease: l, Entries: []event.ID{want[0], want[2]}}), fault.StaleReceipt)
	f.refused(f.d.Release(f.ctx(), queue.ReleaseParams{Lease: l, Entries: []event.ID{want[1], want[1]}}), fault.StaleReceipt)
	f.depth(queue.Ingest, queue.Depth{Ready: 1, Claimed: 2, Entries: 3})
	f.ack(l, want[0])
	f.refused(f.d.Release(f.ctx(), queue.ReleaseParams{Lease: l, Entries: want[:1]}), fault.StaleReceipt)
}
