package redisq_test

import (
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/redisq"
)

// TestCapOverPartitions fills one partition and appends to the other, from another process.
func TestCapOverPartitions(t *testing.T) {
	l := newLab(t)
	a, b := l.driver(2), l.driver(2)
	appendTo := func(d *redisq.Driver, partition int) error {
		e := entry(6, 10)
		e.Partition = partition
		return d.Append(t.Context(), queue.AppendParams{Entries: []queue.Entry{e}, Cap: 10})
	}
	l.must(appendTo(a, 0))
	l.refused(appendTo(b, 1), fault.QueueFull)
	lease := l.acquire(a, queue.Ingest, 0)
	l.ack(a, lease, l.claim(a, lease, 1)...)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(5 * time.Second); ; <-tick.C {
		err := appendTo(b, 1)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// TestDeadOverPartitions lists, requeues and discards dead letters of both partitions in the order of their ids.
func TestDeadOverPartitions(t *testing.T) {
	l := newLab(t)
	d := l.driver(2)
	leases := []queue.Lease{l.acquire(d, queue.Alert, 0), l.acquire(d, queue.Alert, 1)}
	var want []event.ID
	for i := range 6 {
		dl := queue.DeadLetter{ID: queue.NewEntryID(), Queue: queue.Alert, Body: []byte{byte(i)}}
		want = append(want, dl.ID)
		l.must(d.Settle(t.Context(), queue.SettleParams{Lease: leases[i%2], Dead: []queue.DeadLetter{dl}}))
	}
	page := func(after event.ID) (ids []event.ID) {
		items, err := d.Dead(t.Context(), queue.DeadParams{Queue: queue.Alert, After: after, Limit: 4})
		l.must(err)
		for i := range items {
			ids = append(ids, items[i].ID)
		}
		return ids
	}
	l.same(want[:4], page(event.ID{}))
	l.same(want[4:], page(want[3]))
	n, err := d.Requeue(t.Context(), queue.RequeueParams{Queue: queue.Alert, Limit: 3, Process: "p", Minute: 1})
	l.must(err)
	l.same(3, n)
	n, err = d.Discard(t.Context(), queue.DiscardParams{Queue: queue.Alert, IDs: want[2:5], Process: "p", Minute: 1})
	l.must(err)
	l.same(2, n)
	l.same(want[5:], page(event.ID{}))
	gone, err := d.Dead(t.Context(), queue.DeadParams{Queue: queue.Alert, IDs: want[4:5]})
	l.must(err)
	l.same(0, len(gone))
	l.same(2, len(l.claim(d, leases[0], 9)))
	l.same(1, len(l.claim(d, leases[1], 9)))
	got, err := d.Counters(t.Context(), 0)
	l.must(err)
	l.same([]queue.Counter{{Minute: 1, Process: "p", Kind: queue.CountDiscarded, N: 2}, {Minute: 1, Process: "p", Kind: queue.CountUnparked, N: 3}}, got)
}
