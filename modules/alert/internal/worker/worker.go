// Package worker judges the events of the partitions that this process holds.
//
// Principles:
//  1. Two stages keep order and both cores busy: while one claim is committed, the next is decoded and judged.
//  2. The stored row is the decision. A known entry adds nothing, and what is published follows its rows.
//  3. Publication, dead letters, counts and acknowledgement are one Settle.
//  4. Only an error about an event counts against it. While a storage is away the worker waits, and nothing moves.
//  5. An entry that fails for a reason of its own is judged in parts, so that one event cannot take others with it.
package worker

import (
	"context"
	"time"

	"github.com/muttproject/mutt/modules/alert/internal/busiest"
	"github.com/muttproject/mutt/modules/alert/internal/unhandled"
	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
	"github.com/muttproject/mutt/platform/trouble"
)

// Judge is a compiled ruleset: a *rule.Set.
type Judge interface {
	NewScratch() *rule.Scratch
	Judge(e *event.Event, now int64, sc *rule.Scratch, d *event.Decision)
}

// Store keeps the decisions and the judging book.
type Store interface {
	// Judge stores outcomes in one transaction and gives the entries that were known: nothing of them was stored.
	Judge(ctx context.Context, process string, entries []store.JudgedEntry) (known []event.ID, err error)
	// Decisions gives the stored decisions of events; an event without a row is missing.
	Decisions(ctx context.Context, ids []event.ID) (map[event.ID]event.Decision, error)
	// Split marks an entry as judged in parts, or says that it was judged as a whole before.
	Split(ctx context.Context, entry event.ID) (judged bool, err error)
}

// Holder is the right to work on one partition of the ingest queue.
type Holder interface {
	Partition() int
	Claim(ctx context.Context, most int, wait time.Duration) ([]queue.Claimed, error)
	Settle(ctx context.Context, s queue.Settlement) error
	Release(ctx context.Context, r queue.Giveback) error
}

// Params are what a Worker needs. All are required; zero fields of Config take their defaults.
type Params struct {
	Process  string // the process run, for the books
	Store    Store
	Counters unhandled.Store
	Rules    func() Judge // the present ruleset; it is asked once for each claim
	Dynamic  Dynamic
	Pressure *Pressure
	Metrics  *Metrics
	Busiest  *busiest.Tracker
	Trouble  *trouble.Board
	Now      func() time.Time
	Config   Config
}

// Config bounds what is in memory and in one transaction.
type Config struct {
	BatchEvents  int           // events per transaction, about
	ClaimEntries int           // entries per claim at most
	ClaimWait    time.Duration // how long a claim waits for the first entry
}

// Worker works on partitions, each in a goroutine of its own.
type Worker struct {
	p        Params
	troubles *troubles
}

// New makes a Worker. It does no I/O.
func New(p Params) *Worker {
	deps.Must(p)
	if p.Config.BatchEvents < 1 || p.Config.ClaimEntries < 1 || p.Config.ClaimWait <= 0 {
		panic("worker: a bound is not set")
	}
	return &Worker{p: p, troubles: newTroubles(p.Trouble)}
}

// Work judges what arrives in h's partition until ctx ends or the lease is lost; both are a clean end.
// What was claimed and not settled by then belongs to the next holder.
func (w *Worker) Work(ctx context.Context, h Holder) error {
	l := &lane{Worker: w, holder: h, out: outbox{partition: h.Partition()},
		counters: unhandled.Counters{Store: w.p.Counters}}
	return l.run(ctx)
}

// lane is the work on one partition under one lease.
type lane struct {
	*Worker
	holder    Holder
	counters  unhandled.Counters // of stage 2
	judges    []*judge           // one for each goroutine of stage 1
	out       outbox             // of stage 2
	waits     backoff            // of stage 2
	collector unhandled.Collector
	uncounted []unhandled.Entry
}
