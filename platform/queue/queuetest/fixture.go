package queuetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// fixture is a rig with words for what clauses do.
type fixture struct {
	*Rig
	t testing.TB
	d queue.Driver
}

func newFixture(t testing.TB, h Harness) *fixture {
	t.Helper()
	r := h.Open(t)
	return &fixture{Rig: r, t: t, d: r.Driver}
}

// ttl is a lease that lasts for the test unless time is advanced.
func (f *fixture) ttl() time.Duration { return 100 * f.Unit }

// entry makes an entry of the ingest queue, partition 0.
func entry(events int) queue.Entry {
	id := queue.NewEntryID()
	return queue.Entry{ID: id, Queue: queue.Ingest, Events: events, Body: []byte("body of " + id.String())}
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatalf("unexpected: %v", err)
	}
}

// refused wants a code.
func (f *fixture) refused(err error, code fault.Code) {
	f.t.Helper()
	if !fault.Is(err, code) {
		f.t.Fatalf("want %s, got %v", code, err)
	}
}

func (f *fixture) append(entries ...queue.Entry) []event.ID {
	f.t.Helper()
	f.must(f.d.Append(f.ctx(), queue.AppendParams{Entries: entries, Process: "p1"}))
	return ids(entries)
}

// appendN appends n entries of one event, each in a call of its own.
func (f *fixture) appendN(n int) []event.ID {
	f.t.Helper()
	var all []event.ID
	for range n {
		all = append(all, f.append(entry(1))...)
	}
	return all
}

func ids(entries []queue.Entry) []event.ID {
	var all []event.ID
	for _, e := range entries {
		all = append(all, e.ID)
	}
	return all
}

func claimedIDs(got []queue.Claimed) []event.ID {
	var all []event.ID
	for _, c := range got {
		all = append(all, c.Entry)
	}
	return all
}

func (f *fixture) acquire(owner string) queue.Lease {
	f.t.Helper()
	return f.acquireAt(queue.Ingest, 0, owner)
}

func (f *fixture) acquireAt(q queue.Name, partition int, owner string) queue.Lease {
	f.t.Helper()
	l, err := f.d.Acquire(f.ctx(), queue.LeaseParams{Queue: q, Partition: partition, Owner: owner, TTL: f.ttl()})
	f.must(err)
	return l
}

// claim takes what is there now.
func (f *fixture) claim(l queue.Lease, most int) []queue.Claimed {
	f.t.Helper()
	got, err := f.d.Claim(f.ctx(), queue.ClaimParams{Lease: l, Max: most})
	f.must(err)
	return got
}

// claims takes what is there and wants exactly these entries.
func (f *fixture) claims(l queue.Lease, want ...event.ID) []queue.Claimed {
	f.t.Helper()
	got := f.claim(l, len(want)+10)
	if diff := cmp.Diff(want, claimedIDs(got)); diff != "" {
		f.t.Fatalf("claimed the wrong entries (-want +got):\n%s", diff)
	}
	return got
}

func (f *fixture) settle(p queue.SettleParams) {
	f.t.Helper()
	p.Process = "p1"
	f.must(f.d.Settle(f.ctx(), p))
}

func (f *fixture) ack(l queue.Lease, ids ...event.ID) {
	f.t.Helper()
	f.settle(queue.SettleParams{Lease: l, Ack: ids})
}

// depth wants a depth of a queue; Oldest, Consumers and Bytes are not compared.
func (f *fixture) depth(q queue.Name, want queue.Depth) {
	f.t.Helper()
	got, err := f.d.Depth(f.ctx(), q)
	f.must(err)
	got.Oldest, got.Consumers, got.Bytes = time.Time{}, 0, 0
	if diff := cmp.Diff(want, got); diff != "" {
		f.t.Fatalf("depth of %s (-want +got):\n%s", q, diff)
	}
}

func (f *fixture) dead(q queue.Name) []queue.DeadItem {
	f.t.Helper()
	items, err := f.d.Dead(f.ctx(), queue.DeadParams{Queue: q, Limit: 1000})
	f.must(err)
	return items
}

// counted gives the totals by kind and label.
func (f *fixture) counted() map[string]int64 {
	f.t.Helper()
	all, err := f.d.Counters(f.ctx(), 0)
	f.must(err)
	sums := map[string]int64{}
	for _, c := range all {
		sums[fmt.Sprintf("%s/%s", c.Kind, c.Label)] += c.N
	}
	return sums
}

func (f *fixture) crash()   { f.d = f.Crash() }
func (f *fixture) restart() { f.d = f.Restart() }

// duplicate wants a DuplicateError about these events of an entry.
func (f *fixture) duplicate(err error, id event.ID, indexes ...int) {
	f.t.Helper()
	var dup *queue.DuplicateError
	if !errors.As(err, &dup) || dup.Entry != id || !cmp.Equal(dup.Indexes, indexes) {
		f.t.Fatalf("want events %v of entry %s named as repeats, got %v", indexes, id, err)
	}
}
