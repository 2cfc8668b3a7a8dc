package queuetest

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

func appendClauses() []clause {
	return []clause{
		{"append is durable before it returns", appendDurable},
		{"an append is stored whole or not at all", appendWhole},
		{"an entry id is stored once", appendOnce},
		{"counts may come without entries", countsAlone},
		{"empty, non-UTF-8 and 1 MiB bodies survive, larger ones are refused", bodies},
		{"full says so and loses nothing", full},
		{"full in bytes says so, and counts what waits exactly", fullInBytes},
		{"a storage with no more than its reserve refuses what comes in and nothing else", reserved},
		{"bytes are those of the events, not of their compressed form", bytesOfEvents},
		{"an append of several partitions is refused", onePartition},
		{"a cancelled append stores nothing", appendCancelled},
	}
}

func keyClauses() []clause {
	return []clause{
		{"an idempotency key is accepted once", keyOnce},
		{"a key twice in one append is caught", keyTwiceInOne},
		{"a repeated append is no repeat of its own keys", keyOwnRepeat},
		{"a key is forgotten after 24 hours", keyForgotten},
	}
}

func appendDurable(f *fixture) {
	want := f.appendN(3)
	f.crash()
	f.claims(f.acquire("b"), want...)
}

func appendWhole(f *fixture) {
	small, large := entry(1), entry(1)
	large.Body = make([]byte, queue.MaxBody+1)
	err := f.d.Append(f.ctx(), queue.AppendParams{Entries: []queue.Entry{small, large},
		Counts: []queue.Count{{Minute: 1, Kind: queue.CountReceived, N: 2}}})
	f.refused(err, fault.TooLarge)
	nameless := entry(1)
	nameless.ID = event.ID{}
	f.refused(f.d.Append(f.ctx(), queue.AppendParams{Entries: []queue.Entry{small, nameless}}), fault.Internal)
	f.depth(queue.Ingest, queue.Depth{})
	f.claims(f.acquire("a"))
	if got := f.counted(); len(got) > 0 {
		f.t.Fatalf("a refused append counted %v", got)
	}
}

func appendOnce(f *fixture) {
	a, b := entry(2), entry(3)
	p := queue.AppendParams{Entries: []queue.Entry{a, b}, Process: "p1", Counts: []queue.Count{{Minute: 1, Kind: queue.CountReceived, Label: "http", N: 5}}}
	f.must(f.d.Append(f.ctx(), p))
	f.must(f.d.Append(f.ctx(), p))
	f.depth(queue.Ingest, queue.Depth{Ready: 5, Entries: 2})
	if got := f.counted()["received/http"]; got != 5 {
		f.t.Fatalf("5 events were counted as %d", got)
	}
	l := f.acquire("a")
	f.claims(l, a.ID, b.ID)
	f.must(f.d.Append(f.ctx(), p)) // also while it is claimed
	f.claims(l)
}

func countsAlone(f *fixture) {
	for range 2 {
		f.must(f.d.Append(f.ctx(), queue.AppendParams{Process: "p1", Counts: []queue.Count{{Minute: 1, Kind: queue.CountRefused, Label: "queue_full", N: 2}}}))
	}
	f.depth(queue.Ingest, queue.Depth{})
	f.crash()
	if got := f.counted(); got["refused/queue_full"] != 4 || len(got) != 1 {
		f.t.Fatalf("counted %v", got)
	}
}

func bodies(f *fixture) {
	var want [][]byte
	for _, body := range [][]byte{nil, {}, {0}, {0xff, 0xfe, 0, 'x', 0x80}, bytes.Repeat([]byte{0xa5, 0}, queue.MaxBody/2)} {
		e := entry(1)
		e.Body = body
		f.append(e)
		want = append(want, body)
	}
	large := entry(1)
	large.Body = make([]byte, queue.MaxBody+1)
	f.refused(f.d.Append(f.ctx(), queue.AppendParams{Entries: []queue.Entry{large}}), fault.TooLarge)
	got := f.claim(f.acquire("a"), 10)
	if len(got) != len(want) {
		f.t.Fatalf("%d entries of %d", len(got), len(want))
	}
	for i := range want {
		if !bytes.Equal(got[i].Body, want[i]) {
			f.t.Errorf("body %d of %d bytes came back as %d bytes", i, len(want[i]), len(got[i].Body))
		}
	}
}

func full(f *fixture) {
	kept := f.append(entry(6))
	over := entry(5)
	err := f.d.Append(f.ctx(), queue.AppendParams{Entries: []queue.Entry{over}, Cap: 10, Counts: []queue.Count{{Kind: queue.CountReceived, N: 5}}})
	f.refused(err, fault.QueueFull)
	if e, _ := fault.As(err); e.RetryAfter <= 0 {
		f.t.Errorf("the sender is not told when to come again: %+v", e)
	}
	f.must(f.d.Append(f.ctx(), queue.AppendParams{Entries: []queue.Entry{entry(4)}, Cap: 10}))
	f.depth(queue.Ingest, queue.Depth{Ready: 10, Entries: 2})
	l := f.acquire("a")
	f.claim(l, 1)
	// What is claimed or delayed still fills the queue; an ack makes room.
	f.refused(f.d.Append(f.ctx(), queue.AppendParams{Entries: []queue.Entry{over}, Cap: 10}), fault.QueueFull)
	f.ack(l, kept...)
	f.must(f.d.Append(f.ctx(), queue.AppendParams{Entries: []queue.Entry{over}, Cap: 10}))
	if got := f.counted(); len(got) > 0 {
		f.t.Fatalf("a refused append counted %v", got)
	}
}

// fullInBytes follows the bytes of three entries through all that may happen to them, over crashes and restarts.
func fullInBytes(f *fixture) {
	sized := func(n int) queue.Entry {
		e := entry(1)
		e.Body = bytes.Repeat([]byte{'x'}, n)
		return e
	}
	a, b, c := sized(1000), sized(2000), sized(3000)
	all := queue.SizeOf(a.Body) + queue.SizeOf(b.Body) + queue.SizeOf(c.Body)
	held := func(want int64) {
		f.t.Helper()
		if d, err := f.d.Depth(f.ctx(), queue.Ingest); err != nil || d.Bytes != want {
			f.t.Fatalf("the queue holds %d bytes, want %d (%v)", d.Bytes, want, err)
		}
	}
	capped := func(e queue.Entry, most int64) error {
		return f.d.Append(f.ctx(), queue.AppendParams{Entries: []queue.Entry{e}, CapBytes: most, Counts: []queue.Count{{Kind: queue.CountReceived, N: 1}}})
	}
	f.append(a, b)
	err := capped(c, all-1)
	f.refused(err, fault.QueueFull)
	if e, _ := fault.As(err); e.RetryAfter <= 0 || queue.WhyFull(err) != queue.FullBytes {
		f.t.Errorf("the sender needs a time to come again and the reason %s: %+v, %s", queue.FullBytes, e, queue.WhyFull(err))
	}
	if got := f.counted(); len(got) > 0 {
		f.t.Fatalf("a refused append counted %v", got)
	}
	f.must(capped(c, all))
	f.must(capped(c, all)) // a repeat takes no room
	held(all)
	f.crash()
	held(all)
	f.Advance(f.ttl() + f.Unit)
	l := f.acquire("b")
	f.claims(l, a.ID, b.ID, c.ID)
	held(all)
	f.settle(queue.SettleParams{Lease: l, Progress: []queue.Progress{{Entry: b.ID, Note: []byte("half"), Left: 1}}})
	f.must(f.d.Release(f.ctx(), queue.ReleaseParams{Lease: l, Entries: []event.ID{a.ID}}))
	f.must(f.d.Release(f.ctx(), queue.ReleaseParams{Lease: l, Entries: []event.ID{c.ID}, Delay: f.Unit}))
	held(all)
	f.refused(capped(sized(0), all), fault.QueueFull) // what is claimed or delayed still fills the queue
	f.restart()
	held(all)
	f.Advance(f.ttl() + f.Unit)
	l = f.acquire("c")
	f.claims(l, a.ID, b.ID, c.ID)
	f.ack(l, b.ID)
	held(all - queue.SizeOf(b.Body))
	letter := deadLetter(queue.Ingest)
	f.settle(queue.SettleParams{Lease: l, Ack: []event.ID{a.ID, c.ID}, Dead: []queue.DeadLetter{letter}})
	held(0)
	n, err := f.d.Requeue(f.ctx(), queue.RequeueParams{Queue: queue.Ingest, IDs: []event.ID{letter.ID}, Process: "p1"})
	if err != nil || n != 1 {
		f.t.Fatalf("requeued %d, %v", n, err)
	}
	held(queue.SizeOf(letter.Body))
	f.crash()
	held(queue.SizeOf(letter.Body))
}

// reserved does everything but intake while only the reserve is left.
func reserved(f *fixture) {
	intake := func(e queue.Entry) error {
		return f.d.Append(f.ctx(), queue.AppendParams{Entries: []queue.Entry{e}, Intake: true, Counts: []queue.Count{{Minute: 1, Kind: queue.CountReceived, N: 1}}})
	}
	kept, over, letter := entry(1), entry(1), deadLetter(queue.Ingest)
	f.must(intake(kept))
	f.Fill(true)
	err := intake(over)
	f.refused(err, fault.QueueFull)
	if e, _ := fault.As(err); e.RetryAfter <= 0 || queue.WhyFull(err) == queue.FullEvents || queue.WhyFull(err) == queue.FullBytes {
		f.t.Errorf("the sender needs a time to come again and the reason: %+v, %s", e, queue.WhyFull(err))
	}
	f.must(intake(kept)) // a repeat of what was taken in
	if got := f.counted(); got["received/"] != 1 {
		f.t.Fatalf("counted %v", got)
	}
	l := f.acquire("a")
	f.claims(l, kept.ID)
	alert := entry(1)
	alert.Queue = queue.Alert
	f.settle(queue.SettleParams{Lease: l, Ack: []event.ID{kept.ID}, Publish: []queue.Entry{alert}, Dead: []queue.DeadLetter{letter}})
	f.append(entry(1)) // what does not come in
	if n, err := f.d.Requeue(f.ctx(), queue.RequeueParams{Queue: queue.Ingest, IDs: []event.ID{letter.ID}, Process: "p1"}); err != nil || n != 1 {
		f.t.Fatalf("requeued %d, %v", n, err)
	}
	a := f.acquireAt(queue.Alert, 0, "a")
	f.claims(a, alert.ID)
	f.ack(a, alert.ID)
	f.ack(l, claimedIDs(f.claim(l, 10))...)
	f.depth(queue.Ingest, queue.Depth{})
	f.Fill(false)
	f.must(intake(over))
	f.claims(l, over.ID)
}

func bytesOfEvents(f *fixture) {
	e := entry(1)
	e.Body = event.EncodeEvents([]event.Event{{ID: queue.NewEntryID(), Message: strings.Repeat("x", 100_000)}})
	if len(e.Body) > 10_000 {
		f.t.Fatalf("%d bytes are not compressed", len(e.Body))
	}
	f.refused(f.d.Append(f.ctx(), queue.AppendParams{Entries: []queue.Entry{e}, CapBytes: 100_000}), fault.QueueFull)
	f.append(e)
	if d, err := f.d.Depth(f.ctx(), queue.Ingest); err != nil || d.Bytes < 100_000 || d.Bytes != queue.SizeOf(e.Body) {
		f.t.Fatalf("the queue holds %d bytes, want %d (%v)", d.Bytes, queue.SizeOf(e.Body), err)
	}
}

func onePartition(f *fixture) {
	other := entry(1)
	other.Partition = 1
	f.refused(f.d.Append(f.ctx(), queue.AppendParams{Entries: []queue.Entry{entry(1), other}}), fault.Internal)
	f.depth(queue.Ingest, queue.Depth{})
}

func appendCancelled(f *fixture) {
	ctx, cancel := context.WithCancel(f.ctx())
	cancel()
	e := entry(1)
	if err := f.d.Append(ctx, queue.AppendParams{Entries: []queue.Entry{e}}); err == nil || !strings.Contains(err.Error(), "cancel") {
		f.t.Fatalf("an ended context gave %v", err)
	}
	f.depth(queue.Ingest, queue.Depth{})
	f.claims(f.acquire("a"), f.append(e)...) // the id is free
}

func key(n byte, index int) queue.Key { return queue.Key{Index: index, Hash: [16]byte{15: n}} }

func keyed(events int, keys ...queue.Key) queue.Entry {
	e := entry(events)
	e.Keys = keys
	return e
}

func keyOnce(f *fixture) {
	f.append(keyed(3, key(1, 0), key(2, 2)))
	again := keyed(4, key(3, 0), key(2, 1), key(1, 3))
	err := f.d.Append(f.ctx(), queue.AppendParams{Entries: []queue.Entry{entry(1), again}, Counts: []queue.Count{{Kind: queue.CountReceived, N: 5}}})
	f.duplicate(err, again.ID, 1, 3)
	f.depth(queue.Ingest, queue.Depth{Ready: 3, Entries: 1})
	if got := f.counted(); len(got) > 0 {
		f.t.Fatalf("a repeat was counted: %v", got)
	}
	f.append(keyed(1, key(3, 0))) // nothing of the refused append was remembered
	f.crash()
	again = keyed(1, key(1, 0))
	f.duplicate(f.d.Append(f.ctx(), queue.AppendParams{Entries: []queue.Entry{again}}), again.ID, 0)
}

func keyTwiceInOne(f *fixture) {
	one := keyed(3, key(1, 0), key(2, 1), key(1, 2))
	f.duplicate(f.d.Append(f.ctx(), queue.AppendParams{Entries: []queue.Entry{one}}), one.ID, 2)
	a, b := keyed(1, key(1, 0)), keyed(1, key(1, 0))
	f.duplicate(f.d.Append(f.ctx(), queue.AppendParams{Entries: []queue.Entry{a, b}}), b.ID, 0)
	f.depth(queue.Ingest, queue.Depth{})
}

func keyOwnRepeat(f *fixture) {
	e := keyed(2, key(1, 0), key(2, 1))
	f.append(e)
	f.append(e)
	f.depth(queue.Ingest, queue.Depth{Ready: 2, Entries: 1})
}

func keyForgotten(f *fixture) {
	f.append(keyed(1, key(1, 0)))
	f.StepWall(23 * time.Hour)
	f.must(f.d.Purge(f.ctx(), 0))
	again := keyed(1, key(1, 0))
	f.duplicate(f.d.Append(f.ctx(), queue.AppendParams{Entries: []queue.Entry{again}}), again.ID, 0)
	f.StepWall(time.Hour + time.Minute)
	f.append(again) // also before a purge
	f.StepWall(25 * time.Hour)
	f.must(f.d.Purge(f.ctx(), 0))
	f.append(keyed(1, key(1, 0)))
	d, err := f.d.Depth(f.ctx(), queue.Ingest)
	f.must(err)
	if diff := cmp.Diff(int64(3), d.Ready); diff != "" {
		f.t.Fatalf("purge touched entries: %s", diff)
	}
}
