// Package alert judges events: it reads batches from the ingest queue, decides by the rules, stores each decision
// and publishes what goes to a destination.
//
// Principles:
//  1. This package is the door; everything else is in internal.
//  2. An event is judged once: the stored row is the decision (internal/worker).
//  3. Rules take effect within a second without a restart, and a bad set never replaces a good one (internal/ruleset).
//  4. What no rule matches is counted, and told once when it is much (internal/unhandled).
package alert

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/muttproject/mutt/modules/alert/internal/busiest"
	"github.com/muttproject/mutt/modules/alert/internal/ruleset"
	"github.com/muttproject/mutt/modules/alert/internal/unhandled"
	"github.com/muttproject/mutt/modules/alert/internal/worker"
	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/lifecycle"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/trouble"
)

// Bounds of the work on one partition.
const (
	batchEvents  = 2000 // events in one transaction, about
	claimEntries = 128
	claimWait    = time.Second // how long a claim waits for its first entry
)

// Store is what judging keeps: rules are read from it, decisions and counters written to it.
type Store interface {
	ruleset.Source
	worker.Store
	unhandled.Store
}

// Queue gives partitions of the ingest queue to work on, and depths.
type Queue interface {
	worker.Depths
	Consume(ctx context.Context, o queue.ConsumeOptions, work queue.Work) error
}

// Unhandled counts unhandled events: the store of a process that has it for itself, or what ShareUnhandled returns.
type Unhandled = unhandled.Store

// ShareUnhandled returns what counts for all processes.
func ShareUnhandled(c *coord.Counters) Unhandled { return unhandled.NewShared(c) }

// Deps are what the module needs. All are required.
type Deps struct {
	Process    string // the process run, unique per start: it names this process in the books
	Store      Store
	Unhandled  Unhandled
	Queue      Queue
	Dynamic    Dynamic
	Log        *zap.Logger
	Registerer prometheus.Registerer
	Now        func() time.Time
}

// Module is the alerter of a process.
type Module struct {
	*lifecycle.Runner
	deps     Deps
	rules    *ruleset.Ruleset
	troubles *trouble.Board
	pressure *worker.Pressure
	worker   *worker.Worker
	busiest  *busiest.Tracker
}

var (
	_ lifecycle.Service      = (*Module)(nil)
	_ lifecycle.ReadyChecker = (*Module)(nil)
	_ lifecycle.Reloader     = (*Module)(nil)
)

// New makes the module. It does no I/O.
func New(d Deps) (*Module, error) {
	if err := check(d); err != nil {
		return nil, fmt.Errorf("alert module: %w", err)
	}
	metrics, troubles := worker.NewMetrics(d.Registerer), trouble.NewBoard(d.Log, d.Now)
	m := &Module{deps: d, troubles: troubles, busiest: busiest.New(d.Now), pressure: worker.NewPressure(d.Queue, d.Dynamic.Worker, metrics, troubles)}
	m.rules = ruleset.New(ruleset.Params{Source: d.Store, Log: d.Log, Metrics: ruleset.NewMetrics(d.Registerer), Now: d.Now,
		ReloadEvery: d.Dynamic.ReloadInterval.Get})
	m.worker = worker.New(worker.Params{
		Process: d.Process, Store: d.Store, Counters: d.Unhandled, Dynamic: d.Dynamic.Worker, Pressure: m.pressure, Metrics: metrics, Busiest: m.busiest, Trouble: troubles, Now: d.Now,
		Rules:  func() worker.Judge { return m.rules.Current() },
		Config: worker.Config{BatchEvents: batchEvents, ClaimEntries: claimEntries, ClaimWait: claimWait},
	})
	m.Runner = lifecycle.NewRunner("alert", m.run)
	return m, nil
}

// check lists everything that is wrong with the parameters.
func check(d Deps) error {
	errs := []error{deps.Check(d)}
	if d.Process == "" {
		errs = append(errs, errors.New("Process is missing"))
	}
	return errors.Join(errs...)
}

// run keeps the rules and the depths fresh and works on partitions, which begins with the first good set of rules.
func (m *Module) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return m.rules.Run(ctx) })
	g.Go(func() error { return m.pressure.Run(ctx) })
	g.Go(func() error { m.troubles.Run(ctx); return nil })
	g.Go(func() error {
		select {
		case <-m.rules.Ready():
		case <-ctx.Done():
			return ctx.Err()
		}
		err := m.deps.Queue.Consume(ctx, queue.ConsumeOptions{Queue: queue.Ingest, Logger: m.deps.Log},
			func(ctx context.Context, h *queue.Holder) error { return m.worker.Work(ctx, h) })
		if err != nil {
			return fmt.Errorf("work on the ingest queue: %w", err)
		}
		return ctx.Err()
	})
	return g.Wait()
}

// Refresh brings the stored rules into force now; the process that takes a change calls it before it answers.
// A set that cannot be loaded is told by Ready, as always.
func (m *Module) Refresh(ctx context.Context) { m.rules.Poll(ctx) }

// Reload looks for changed rules now. When they cannot be loaded the last good ones judge, and Ready says so.
func (m *Module) Reload(ctx context.Context) error { m.Refresh(ctx); return nil }

// Count is how many events a host or a rule had.
type Count = busiest.Count

// Busiest returns the n hosts and rules with the most events that this process judged in the last 15 minutes; bounded says that counts may
// be too high, or that there are more.
func (m *Module) Busiest(n int) (hosts, rules []Count, bounded bool) {
	hosts, manyHosts := m.busiest.Hosts(n)
	rules, manyRules := m.busiest.Rules(n)
	return hosts, rules, manyHosts || manyRules
}

// Problems returns the states of trouble that last.
func (m *Module) Problems() []trouble.Problem { return m.troubles.Problems() }

// Ready gives the warnings of the health report. Nothing here makes a process unhealthy: events wait in the queue.
func (m *Module) Ready(context.Context) (warnings []string, err error) {
	if w := m.rules.Warning(); w != "" {
		warnings = append(warnings, w)
	}
	return append(warnings, m.troubles.Warnings()...), nil
}
