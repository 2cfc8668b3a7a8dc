package queuetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

const (
	stressPartitions = 2
	stressAppenders  = 4
	stressEntries    = 40 // per appender
	stressHolders    = 3
)

// Safety tests only that nothing is lost and nothing acked twice, with callers that repeat what fails. A driver that
// fails at random must pass it too.
func Safety(t *testing.T, h Harness) { stress(newFixture(t, h)) }

// record is what the outside world knows of a stress run.
type record struct {
	t        testing.TB
	mu       sync.Mutex
	appender map[event.ID]int // who appended it
	number   map[event.ID]int // which of its appends it was
	acked    map[event.ID]int
	unsure   map[event.ID]bool // the answer to its ack was lost, and then the lease
	last     [stressAppenders]int
}

// stress lets appenders and holders work at once. Holders die at random, which lets time pass and so ends other leases
// as well.
func stress(f *fixture) {
	r := &record{t: f.t, appender: map[event.ID]int{}, number: map[event.ID]int{}, acked: map[event.ID]int{}, unsure: map[event.ID]bool{}}
	ctx, cancel := context.WithTimeout(f.ctx(), 20*patience)
	defer cancel()
	var appenders, holders sync.WaitGroup
	for a := range stressAppenders {
		appenders.Go(func() { f.appendAll(ctx, r, a) })
	}
	appended := make(chan struct{})
	go func() {
		appenders.Wait()
		close(appended)
	}()
	for h := range stressHolders {
		holders.Go(func() { f.hold(ctx, r, h, appended) })
	}
	holders.Wait()
	appenders.Wait()
	if ctx.Err() != nil {
		f.t.Fatalf("not drained in time: %d of %d acked", len(r.acked), stressAppenders*stressEntries)
	}
	r.verdict()
}

// again repeats a call while the storage is away, as every caller must. unknown is true after the first failure.
func again(ctx context.Context, call func(unknown bool) error) error {
	for unknown := false; ; unknown = true {
		err := call(unknown)
		if !fault.Is(err, fault.QueueUnavailable) || ctx.Err() != nil {
			return err
		}
	}
}

func (f *fixture) appendAll(ctx context.Context, r *record, a int) {
	for n := range stressEntries {
		e := entry(1)
		e.Partition = a % stressPartitions
		r.mu.Lock()
		r.appender[e.ID], r.number[e.ID] = a, n+1
		r.mu.Unlock()
		err := again(ctx, func(bool) error {
			return f.d.Append(ctx, queue.AppendParams{Entries: []queue.Entry{e}, Process: fmt.Sprint("p", a)})
		})
		if err != nil && ctx.Err() == nil {
			f.t.Errorf("append: %v", err)
		}
	}
}

// hold takes one lease after the other until everything is drained.
func (f *fixture) hold(ctx context.Context, r *record, h int, appended <-chan struct{}) {
	for turn := 0; ctx.Err() == nil; turn++ {
		select {
		case <-appended:
			d, err := f.d.Depth(ctx, queue.Ingest)
			if err == nil && d.Live() == 0 {
				return
			}
		default:
		}
		p := queue.LeaseParams{Queue: queue.Ingest, Partition: (h + turn) % stressPartitions, Owner: fmt.Sprintf("h%d.%d", h, turn), TTL: f.ttl()}
		l, err := f.d.Acquire(ctx, p)
		if err != nil {
			f.breathe(ctx)
			continue
		}
		f.work(ctx, r, l)
	}
}

// breathe leaves the processor to those who hold what this one wants, and lets time pass: a lease whose answer was lost is
// held by nobody and has to expire.
func (f *fixture) breathe(ctx context.Context) {
	f.Advance(f.Unit)
	t := time.NewTimer(time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// work claims and acks under a lease until it is lost, yielded or nothing is left.
func (f *fixture) work(ctx context.Context, r *record, l queue.Lease) {
	for ctx.Err() == nil {
		got, err := f.d.Claim(ctx, queue.ClaimParams{Lease: l, Max: 1 + rand.IntN(5)})
		if err != nil || len(got) == 0 {
			f.breathe(ctx)
			break
		}
		for _, c := range got {
			switch rand.IntN(40) {
			case 0: // dies
				f.Advance(f.ttl() + f.Unit)
				return
			case 1: // goes
				_ = f.d.Yield(ctx, l)
				return
			}
			if !f.ackOne(ctx, r, l, c.Entry) {
				return
			}
		}
	}
	_ = again(ctx, func(bool) error { return f.d.Yield(ctx, l) })
}

// ackOne acks an entry and enters the answer in the record; ok is false when the lease is lost.
func (f *fixture) ackOne(ctx context.Context, r *record, l queue.Lease, id event.ID) (ok bool) {
	r.mu.Lock() // the order of acks is what is recorded; other partitions have to wait
	defer r.mu.Unlock()
	unsure := false
	err := again(ctx, func(unknown bool) error {
		unsure = unknown
		return f.d.Settle(ctx, queue.SettleParams{Lease: l, Ack: []event.ID{id}})
	})
	switch {
	case err == nil, unsure && fault.Is(err, fault.StaleReceipt) && r.acked[id] == 0:
		r.ack(id) // with a lost answer: only the holder can have acked it under its lease
	case fault.Is(err, fault.StaleReceipt): // delivered twice
		if r.acked[id] == 0 && !r.unsure[id] {
			f.t.Errorf("entry %s is told as settled, but nobody did", id)
		}
	case fault.Is(err, fault.LeaseLost):
		if unsure {
			r.unsure[id] = true
		}
		return false
	case !errors.Is(err, context.DeadlineExceeded):
		f.t.Errorf("ack: %v", err)
	}
	return true
}

func (r *record) ack(id event.ID) {
	r.acked[id]++
	a, n := r.appender[id], r.number[id]
	if n <= r.last[a] {
		r.t.Errorf("appender %d: entry %d was acked after entry %d", a, n, r.last[a])
	}
	r.last[a] = n
}

func (r *record) verdict() {
	if len(r.number) != stressAppenders*stressEntries {
		r.t.Errorf("%d appends of %d", len(r.number), stressAppenders*stressEntries)
	}
	for id := range r.number {
		if n := r.acked[id]; n > 1 || n == 0 && !r.unsure[id] {
			r.t.Errorf("entry %d of appender %d was acked %d times", r.number[id], r.appender[id], n)
		}
	}
}
