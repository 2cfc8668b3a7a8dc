package queuetest

import (
	"context"
	"errors"
	"time"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

func claimClauses() []clause {
	return []clause{
		{"entries of a partition come in the order of their appends", fifo},
		{"a claim tells what it knows of an entry", claimTells},
		{"a claim without entries is no error", nothing},
		{"a waiting claim is woken by an append", wokenByAppend},
		{"a waiting claim is woken by a release", wokenByRelease},
		{"a waiting claim is woken when a delay ends", wokenByDelay},
		{"a claim whose context ended locks nothing", claimCancelled},
	}
}

func fifo(f *fixture) {
	want := f.appendN(5)
	batch := []queue.Entry{entry(1), entry(1), entry(1)}
	want = append(want, f.append(batch...)...)
	want = append(want, f.appendN(2)...)
	l := f.acquire("a")
	for len(want) > 0 {
		n := min(3, len(want))
		got := f.claim(l, n)
		if len(got) != n {
			f.t.Fatalf("claimed %d of %d", len(got), n)
		}
		for i, c := range got {
			if c.Entry != want[i] {
				f.t.Fatalf("entry %d of %d is out of order", i, n)
			}
		}
		f.ack(l, want[:n]...)
		want = want[n:]
	}
	f.depth(queue.Ingest, queue.Depth{})
}

func claimTells(f *fixture) {
	before := time.Now().Add(-48 * time.Hour) // the rig's clock may be another, but not by days
	e := entry(7)
	f.append(e)
	c := f.claims(f.acquire("a"), e.ID)[0]
	if c.Events != 7 || string(c.Body) != string(e.Body) || c.Deliveries != 1 || c.Attempts != 0 || c.Reason != "" || c.Progress != nil {
		f.t.Fatalf("claimed %+v", c)
	}
	if c.AppendedAt.Before(before) {
		f.t.Fatalf("appended at %v", c.AppendedAt)
	}
	d, err := f.d.Depth(f.ctx(), queue.Ingest)
	f.must(err)
	if !d.Oldest.Equal(c.AppendedAt) {
		f.t.Fatalf("the oldest is of %v, not %v", d.Oldest, c.AppendedAt)
	}
}

func nothing(f *fixture) {
	l := f.acquire("a")
	f.claims(l)
	got, err := f.d.Claim(f.ctx(), queue.ClaimParams{Lease: l, Max: 5, Wait: time.Millisecond})
	if err != nil || len(got) > 0 {
		f.t.Fatalf("claimed %d, %v", len(got), err)
	}
}

type answer struct {
	got []queue.Claimed
	err error
}

// waiting begins a claim that waits.
func (f *fixture) waiting(ctx context.Context, l queue.Lease) <-chan answer {
	c := make(chan answer, 1)
	go func() {
		got, err := f.d.Claim(ctx, queue.ClaimParams{Lease: l, Max: 5, Wait: patience})
		c <- answer{got, err}
	}()
	return c
}

// answered wants one entry from a waiting claim long before its wait is over.
func (f *fixture) answered(c <-chan answer) queue.Claimed {
	f.t.Helper()
	select {
	case a := <-c:
		if a.err != nil || len(a.got) != 1 {
			f.t.Fatalf("claimed %d, %v", len(a.got), a.err)
		}
		return a.got[0]
	case <-time.After(patience / 2):
		f.t.Fatalf("nobody woke the claim")
	}
	return queue.Claimed{}
}

func wokenByAppend(f *fixture) {
	c := f.waiting(f.ctx(), f.acquire("a"))
	want := f.appendN(1)
	if got := f.answered(c); got.Entry != want[0] {
		f.t.Fatalf("claimed %s", got.Entry)
	}
}

func wokenByRelease(f *fixture) {
	want := f.appendN(1)
	l := f.acquire("a")
	f.claims(l, want...)
	c := f.waiting(f.ctx(), l)
	f.must(f.d.Release(f.ctx(), queue.ReleaseParams{Lease: l, Entries: want}))
	if got := f.answered(c); got.Entry != want[0] {
		f.t.Fatalf("claimed %s", got.Entry)
	}
}

// wokenByDelay helps with an append: the timers of a driver run on real time, which a rig's clock may not move.
func wokenByDelay(f *fixture) {
	want := f.appendN(1)
	l := f.acquire("a")
	f.claims(l, want...)
	f.must(f.d.Release(f.ctx(), queue.ReleaseParams{Lease: l, Entries: want, Delay: f.Unit}))
	c := f.waiting(f.ctx(), l)
	f.Advance(2 * f.Unit)
	f.append(entry(1))
	select {
	case a := <-c:
		if a.err != nil || len(a.got) == 0 || a.got[0].Entry != want[0] {
			f.t.Fatalf("claimed %v, %v", claimedIDs(a.got), a.err)
		}
	case <-time.After(patience / 2):
		f.t.Fatalf("nobody woke the claim")
	}
}

func claimCancelled(f *fixture) {
	l := f.acquire("a")
	ended, cancel := context.WithCancel(f.ctx())
	cancel()
	want := f.appendN(1)
	if _, err := f.d.Claim(ended, queue.ClaimParams{Lease: l, Max: 5}); !errors.Is(err, context.Canceled) {
		f.t.Fatalf("before: %v", err)
	}
	f.depth(queue.Ingest, queue.Depth{Ready: 1, Entries: 1})
	f.claims(l, want...)

	during, cancel := context.WithCancel(f.ctx())
	c := f.waiting(during, l)
	cancel()
	if a := <-c; !errors.Is(a.err, context.Canceled) {
		f.t.Fatalf("during: %d entries, %v", len(a.got), a.err)
	}
	f.claims(l, f.appendN(1)...)
	claimRaces(f, l)
}

// claimRaces cancels claims at the moment that an entry comes: it is either given or left.
func claimRaces(f *fixture, l queue.Lease) {
	for range 50 {
		ctx, cancel := context.WithCancel(f.ctx())
		c := f.waiting(ctx, l)
		done := make(chan struct{})
		go func() { cancel(); close(done) }()
		want := f.appendN(1)
		<-done
		a := <-c
		switch {
		case a.err == nil && len(a.got) == 1:
		case errors.Is(a.err, context.Canceled) && len(a.got) == 0:
			f.claims(l, want...)
		default:
			f.t.Fatalf("%d entries with %v", len(a.got), a.err)
		}
		f.ack(l, want...)
	}
	if fault.Is(f.d.Ping(f.ctx()), fault.Closed) {
		f.t.Fatalf("closed")
	}
}
