package queuetest

import (
	"context"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

func deadClauses() []clause {
	return []clause{
		{"dead letters keep body, reason and attempts", deadKeeps},
		{"dead letters are listed in pages, oldest event first", deadPages},
		{"requeue moves dead letters and keeps what they carry", requeue},
		{"requeue by number takes the oldest", requeueOldest},
		{"an automatic replay keeps the entry's id and the number of replays", revive},
		{"a letter that is given up stays, and can be requeued and discarded", giveUp},
		{"entries are stored until they are acknowledged", storedEntries},
		{"discard deletes dead letters", discard},
	}
}

func countClauses() []clause {
	return []clause{
		{"counters add up by minute, process, kind and label", counters},
		{"purge deletes old counters and never entries", purge},
	}
}

func lifeClauses() []clause {
	return []clause{
		{"use after close says closed", closed},
		{"a waiting claim ends when the driver closes", closedWhileWaiting},
		{"restarts in mid-stream lose nothing and keep the order", restarts},
	}
}

func deadLetter(q queue.Name) queue.DeadLetter {
	id := queue.NewEntryID()
	return queue.DeadLetter{ID: id, Queue: q, Body: []byte("letter " + id.String()), Hostname: "sw-1", Code: "rejected",
		Reason: "404 not found \xff", Attempts: 4, Replays: 2, First: time.Date(2026, 3, 1, 2, 3, 4, 5000, time.UTC)}
}

// bury makes dead letters of n events in a partition.
func (f *fixture) bury(q queue.Name, partition, n int) []queue.DeadLetter {
	f.t.Helper()
	e := entry(n)
	e.Partition, e.Queue = partition, q
	f.append(e)
	l := f.acquireAt(q, partition, "undertaker")
	f.claims(l, e.ID)
	var all []queue.DeadLetter
	for range n {
		all = append(all, deadLetter(q))
	}
	f.settle(queue.SettleParams{Lease: l, Ack: []event.ID{e.ID}, Dead: all})
	f.must(f.d.Yield(f.ctx(), l))
	return all
}

func letters(items []queue.DeadItem) []queue.DeadLetter {
	var all []queue.DeadLetter
	for _, i := range items {
		all = append(all, i.DeadLetter)
	}
	return all
}

func (f *fixture) same(want, got any) {
	f.t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		f.t.Fatalf("(-want +got):\n%s", diff)
	}
}

func deadKeeps(f *fixture) {
	want := f.bury(queue.Alert, 0, 2)
	f.crash()
	got := f.dead(queue.Alert)
	f.same(want, letters(got))
	if got[0].Partition != 0 || got[0].DiedAt.IsZero() {
		f.t.Fatalf("listed %+v", got[0])
	}
	f.depth(queue.Alert, queue.Depth{Dead: 2})
	one, err := f.d.Dead(f.ctx(), queue.DeadParams{Queue: queue.Alert, IDs: []event.ID{want[1].ID, queue.NewEntryID(), want[1].ID}})
	f.must(err)
	f.same(want[1:], letters(one))
	f.same(0, len(f.dead(queue.Ingest)))
}

func deadPages(f *fixture) {
	want := f.bury(queue.Ingest, 0, 5)
	var got []queue.DeadItem
	var after event.ID
	for {
		page, err := f.d.Dead(f.ctx(), queue.DeadParams{Queue: queue.Ingest, After: after, Limit: 2})
		f.must(err)
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
		after = page[len(page)-1].ID
		// A cursor stays good when its item is gone.
		_, err = f.d.Discard(f.ctx(), queue.DiscardParams{Queue: queue.Ingest, IDs: []event.ID{after}})
		f.must(err)
	}
	f.same(want, letters(got))
}

func requeue(f *fixture) {
	dead := f.bury(queue.Ingest, 1, 3)
	n, err := f.d.Requeue(f.ctx(), queue.RequeueParams{Queue: queue.Ingest, Process: "p1", Minute: 7,
		IDs: []event.ID{dead[2].ID, queue.NewEntryID(), dead[2].ID}})
	f.must(err)
	f.same(1, n)
	f.same(dead[:2], letters(f.dead(queue.Ingest)))
	f.depth(queue.Ingest, queue.Depth{Ready: 1, Dead: 2, Entries: 1})
	f.crash()
	l := f.acquireAt(queue.Ingest, 1, "b")
	got := f.claim(l, 5)
	if len(got) != 1 || string(got[0].Body) != string(dead[2].Body) || got[0].Attempts != 4 || got[0].Replays != 2 || got[0].Reason != dead[2].Reason {
		f.t.Fatalf("claimed %+v", got)
	}
	if got[0].Events != 1 || got[0].Deliveries != 1 || got[0].Entry == dead[2].ID {
		f.t.Fatalf("claimed %+v", got[0])
	}
	f.same(map[string]int64{"received/replay": 1}, f.counted())
	// Again: it is not there any more.
	n, err = f.d.Requeue(f.ctx(), queue.RequeueParams{Queue: queue.Ingest, Process: "p1", IDs: []event.ID{dead[2].ID}})
	f.must(err)
	f.same(0, n)
}

func requeueOldest(f *fixture) {
	dead := f.bury(queue.Alert, 0, 4)
	n, err := f.d.Requeue(f.ctx(), queue.RequeueParams{Queue: queue.Alert, Process: "p1", Minute: 7, Limit: 3})
	f.must(err)
	f.same(3, n)
	f.same(dead[3:], letters(f.dead(queue.Alert)))
	var got []string
	for _, c := range f.claim(f.acquireAt(queue.Alert, 0, "b"), 10) {
		got = append(got, string(c.Body))
	}
	f.same([]string{string(dead[0].Body), string(dead[1].Body), string(dead[2].Body)}, got)
	f.same(map[string]int64{"unparked/": 3}, f.counted())
}

func revive(f *fixture) {
	dead := f.bury(queue.Alert, 1, 3)
	r := []queue.Revival{{ID: dead[1].ID, Entry: queue.NewEntryID(), Replays: 3}, {ID: queue.NewEntryID(), Entry: queue.NewEntryID()},
		{ID: dead[0].ID, Entry: queue.NewEntryID(), Replays: 1}}
	n, err := f.d.Requeue(f.ctx(), queue.RequeueParams{Queue: queue.Alert, Process: "p1", Minute: 7, Revive: r})
	f.must(err)
	f.same(2, n)
	f.same(map[string]int64{"unparked/": 2}, f.counted())
	f.crash()
	stored, err := f.d.Stored(f.ctx(), queue.Alert, []event.ID{r[0].Entry, r[1].Entry, r[2].Entry})
	f.must(err)
	f.same([]event.ID{r[0].Entry, r[2].Entry}, stored)

	// Also over a change of the holder, which makes the number come from another place.
	l := f.acquireAt(queue.Alert, 1, "b")
	f.claim(l, 5)
	f.must(f.d.Yield(f.ctx(), l))
	l = f.acquireAt(queue.Alert, 1, "c")
	got := f.claim(l, 5)
	if len(got) != 2 || got[0].Entry != r[0].Entry || got[0].Replays != 3 || got[1].Entry != r[2].Entry || got[1].Replays != 1 {
		f.t.Fatalf("claimed %+v", got)
	}
	again := dead[1]
	again.Replays, again.Reason = got[0].Replays, "dead again"
	f.settle(queue.SettleParams{Lease: l, Ack: claimedIDs(got), Dead: []queue.DeadLetter{again}})
	f.same([]queue.DeadLetter{again, dead[2]}, letters(f.dead(queue.Alert)))

	// Repeated, it finds what died again since; an empty one does nothing, and takes no others instead.
	n, err = f.d.Requeue(f.ctx(), queue.RequeueParams{Queue: queue.Alert, Process: "p1", Limit: 5, Revive: []queue.Revival{}})
	f.must(err)
	f.same(0, n)
	f.depth(queue.Alert, queue.Depth{Dead: 2})
}

func giveUp(f *fixture) {
	dead := f.bury(queue.Alert, 0, 2)
	f.bury(queue.Ingest, 0, 1)
	give := func(want int, ids ...event.ID) {
		f.t.Helper()
		n, err := f.d.GiveUp(f.ctx(), queue.Alert, ids)
		f.must(err)
		f.same(want, n)
	}
	give(0)
	give(1, dead[0].ID, dead[0].ID, queue.NewEntryID())
	give(0, dead[0].ID)
	f.crash()
	got := f.dead(queue.Alert)
	f.same(dead, letters(got))
	f.same([]bool{true, false}, []bool{got[0].GivenUp, got[1].GivenUp})
	f.depth(queue.Alert, queue.Depth{Dead: 2})
	f.same(false, f.dead(queue.Ingest)[0].GivenUp)

	n, err := f.d.Requeue(f.ctx(), queue.RequeueParams{Queue: queue.Alert, IDs: []event.ID{dead[0].ID}})
	f.must(err)
	f.same(1, n)
	l := f.acquireAt(queue.Alert, 0, "b")
	f.settle(queue.SettleParams{Lease: l, Ack: claimedIDs(f.claim(l, 1)), Dead: dead[:1]})
	f.same(false, f.dead(queue.Alert)[0].GivenUp) // a new letter

	give(2, dead[0].ID, dead[1].ID)
	n, err = f.d.Discard(f.ctx(), queue.DiscardParams{Queue: queue.Alert, IDs: []event.ID{dead[0].ID, dead[1].ID}})
	f.must(err)
	f.same(2, n)
}

func storedEntries(f *fixture) {
	want := f.appendN(4)
	l := f.acquire("a")
	f.claim(l, 3)
	f.must(f.d.Release(f.ctx(), queue.ReleaseParams{Lease: l, Entries: want[1:2], Delay: f.ttl() / 2}))
	f.ack(l, want[2])
	stored := func(q queue.Name, want []event.ID, asked ...event.ID) {
		f.t.Helper()
		got, err := f.d.Stored(f.ctx(), q, asked)
		f.must(err)
		f.same(want, got)
	}
	there := []event.ID{want[3], want[0], want[1]}
	stored(queue.Ingest, there, want[3], want[2], want[0], queue.NewEntryID(), want[1])
	stored(queue.Alert, nil, want...)
	stored(queue.Ingest, nil)
	f.crash()
	stored(queue.Ingest, there, want[3], want[2], want[0], want[1])
}

func discard(f *fixture) {
	dead := f.bury(queue.Alert, 0, 3)
	f.bury(queue.Ingest, 0, 1)
	n, err := f.d.Discard(f.ctx(), queue.DiscardParams{Queue: queue.Alert, Process: "p1", Minute: 7, IDs: []event.ID{dead[0].ID, dead[0].ID, queue.NewEntryID()}})
	f.must(err)
	f.same(1, n)
	f.same(dead[1:], letters(f.dead(queue.Alert)))
	f.depth(queue.Alert, queue.Depth{Dead: 2})
	f.depth(queue.Ingest, queue.Depth{Dead: 1})
	f.same(map[string]int64{"discarded/": 1}, f.counted())
}

func counters(f *fixture) {
	add := func(process string, c queue.Count) {
		f.must(f.d.Append(f.ctx(), queue.AppendParams{Entries: []queue.Entry{entry(1)}, Process: process, Counts: []queue.Count{c}}))
	}
	c := queue.Count{Minute: 10, Kind: queue.CountReceived, Label: "http", N: 2}
	add("p1", c)
	add("p1", c)
	add("p2", c)
	c.Label = "syslog"
	add("p1", c)
	c.Minute = 11
	add("p1", c)
	f.crash()
	add("p1", c)
	got, err := f.d.Counters(f.ctx(), 10)
	f.must(err)
	want := []queue.Counter{{Minute: 10, Process: "p1", Kind: "received", Label: "http", N: 4}, {Minute: 10, Process: "p1", Kind: "received", Label: "syslog", N: 2},
		{Minute: 10, Process: "p2", Kind: "received", Label: "http", N: 2}, {Minute: 11, Process: "p1", Kind: "received", Label: "syslog", N: 4}}
	byAll := cmpopts.SortSlices(func(a, b queue.Counter) bool {
		return a.Minute < b.Minute || a.Minute == b.Minute && (a.Process+a.Label < b.Process+b.Label)
	})
	if diff := cmp.Diff(want, got, byAll); diff != "" {
		f.t.Fatal(diff)
	}
	got, err = f.d.Counters(f.ctx(), 11)
	f.must(err)
	f.same(want[3:], got)
}

func purge(f *fixture) {
	want := f.appendN(2)
	f.bury(queue.Alert, 0, 1)
	l := f.acquire("a")
	f.claim(l, 1)
	f.must(f.d.Append(f.ctx(), queue.AppendParams{Process: "p1", Entries: []queue.Entry{entry(1)}, Counts: []queue.Count{
		{Minute: 5, Kind: queue.CountReceived, N: 1}, {Minute: 6, Kind: queue.CountReceived, N: 1}}}))
	f.StepWall(1000 * time.Hour)
	f.must(f.d.Purge(f.ctx(), 6))
	f.same(map[string]int64{"received/": 1}, f.counted())
	f.depth(queue.Ingest, queue.Depth{Ready: 2, Claimed: 1, Entries: 3})
	f.depth(queue.Alert, queue.Depth{Dead: 1})
	f.ack(l, want[0])
}

func closed(f *fixture) {
	want := f.appendN(1)
	l := f.acquire("a")
	f.claims(l, want...)
	f.must(f.d.Close())
	f.must(f.d.Close())
	ctx := f.ctx()
	for name, call := range map[string]func() error{
		"append": func() error { return f.d.Append(ctx, queue.AppendParams{Entries: []queue.Entry{entry(1)}}) },
		"acquire": func() error {
			_, err := f.d.Acquire(ctx, queue.LeaseParams{Queue: queue.Ingest, Owner: "a", TTL: f.ttl()})
			return err
		},
		"renew":   func() error { return f.d.Renew(ctx, l, f.ttl()) },
		"yield":   func() error { return f.d.Yield(ctx, l) },
		"claim":   func() error { _, err := f.d.Claim(ctx, queue.ClaimParams{Lease: l, Max: 1}); return err },
		"settle":  func() error { return f.d.Settle(ctx, queue.SettleParams{Lease: l, Ack: want}) },
		"release": func() error { return f.d.Release(ctx, queue.ReleaseParams{Lease: l, Entries: want}) },
		"dead":    func() error { _, err := f.d.Dead(ctx, queue.DeadParams{Queue: queue.Ingest}); return err },
		"requeue": func() error {
			_, err := f.d.Requeue(ctx, queue.RequeueParams{Queue: queue.Ingest, Limit: 1})
			return err
		},
		"give up":  func() error { _, err := f.d.GiveUp(ctx, queue.Ingest, nil); return err },
		"stored":   func() error { _, err := f.d.Stored(ctx, queue.Ingest, nil); return err },
		"discard":  func() error { _, err := f.d.Discard(ctx, queue.DiscardParams{Queue: queue.Ingest}); return err },
		"depth":    func() error { _, err := f.d.Depth(ctx, queue.Ingest); return err },
		"counters": func() error { _, err := f.d.Counters(ctx, 0); return err },
		"purge":    func() error { return f.d.Purge(ctx, 0) },
		"ping":     func() error { return f.d.Ping(ctx) },
	} {
		if err := call(); !fault.Is(err, fault.Closed) {
			f.t.Errorf("%s after close: %v", name, err)
		}
	}
}

func closedWhileWaiting(f *fixture) {
	ctx, cancel := context.WithTimeout(f.ctx(), patience)
	defer cancel()
	c := f.waiting(ctx, f.acquire("a"))
	f.must(f.d.Close())
	if a := <-c; !fault.Is(a.err, fault.Closed) {
		f.t.Fatalf("%d entries, %v", len(a.got), a.err)
	}
}

func restarts(f *fixture) {
	var want, done []event.ID
	for round := range 6 {
		want = append(want, f.appendN(4)...)
		l := f.acquire("a")
		got := claimedIDs(f.claim(l, 3))
		f.same(want[len(done):len(done)+3], got)
		// The last one is left claimed.
		f.ack(l, got[:2]...)
		done = append(done, got[:2]...)
		if round%2 == 0 {
			f.crash()
		} else {
			f.restart()
		}
		f.Advance(f.ttl() + f.Unit)
	}
	f.claims(f.acquire("b"), want[len(done):]...)
}
