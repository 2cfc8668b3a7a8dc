// Package ruleset keeps the compiled rules of a process up to date with the store.
//
// Principles:
//  1. Everything that can fail is done beside the running set; then one pointer is swapped.
//  2. A failed load keeps the last good set and is said: in a metric, in the health report, in the log.
//  3. A set carries the version that its tables were read at: a change in between is seen by the next look.
package ruleset

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

const (
	// PollEvery is how often the ruleset version is looked at: a change is in effect within 1 s everywhere.
	PollEvery = 500 * time.Millisecond
	// retryEvery is how long a version that did not load is left alone.
	retryEvery = 5 * time.Second
)

// Source is where rules, hosts and teams come from.
type Source interface {
	// Position returns the state of the store, with the version of the ruleset.
	Position(ctx context.Context) (store.Position, error)
	// Ruleset reads everything as of one moment, the version too.
	Ruleset(ctx context.Context) ([]rule.Rule, rule.Tables, error)
}

// Params are what a Ruleset needs; all are required.
type Params struct {
	Source      Source
	Log         *zap.Logger
	Metrics     *Metrics
	ReloadEvery func() time.Duration // a full reload as a net, whatever the version says
	Now         func() time.Time
}

// Ruleset gives readers the last good set without a lock.
type Ruleset struct {
	p       Params
	current atomic.Pointer[rule.Set]
	ready   chan struct{} // closed by the first good load
	once    sync.Once

	polling sync.Mutex // one Poll at a time, or an older set could follow a newer one

	mu      sync.Mutex     // guards what follows
	tried   store.Position // what was last tried, by versionOf
	triedAt time.Time
	loaded  time.Time
	failed  error
}

// New makes a Ruleset without a set; Run loads it.
func New(p Params) *Ruleset {
	deps.Must(p)
	return &Ruleset{p: p, ready: make(chan struct{})}
}

// Current gives the last good set, nil before Ready.
func (r *Ruleset) Current() *rule.Set { return r.current.Load() }

// Ready is closed when there is a set.
func (r *Ruleset) Ready() <-chan struct{} { return r.ready }

// Warning says what is wrong with the rules in use, "" for nothing.
func (r *Ruleset) Warning() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch set := r.current.Load(); {
	case set == nil:
		return "the rules are not loaded yet: events wait in the queue"
	case r.failed == nil:
		return ""
	default:
		return fmt.Sprintf("the rules cannot be reloaded: version %d of %s stays in use; see the log for the cause",
			set.Version(), r.loaded.UTC().Format(time.RFC3339))
	}
}

// Run polls until ctx ends.
func (r *Ruleset) Run(ctx context.Context) error {
	tick := time.NewTicker(PollEvery)
	defer tick.Stop()
	for {
		r.Poll(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Poll looks at the version and loads when it is new, when the last load failed a while ago or is too old.
func (r *Ruleset) Poll(ctx context.Context) {
	r.polling.Lock()
	defer r.polling.Unlock()
	at, err := r.p.Source.Position(ctx)
	if err != nil {
		r.fail(ctx, fmt.Errorf("read the ruleset version: %w", err))
		return
	}
	if !r.due(versionOf(at.Epoch, at.Ruleset)) {
		return
	}
	started := r.p.Now()
	rules, tables, err := r.p.Source.Ruleset(ctx)
	if err != nil {
		r.fail(ctx, fmt.Errorf("read the rules: %w", err))
		return
	}
	set, err := rule.Compile(rules, tables)
	if err != nil {
		r.fail(ctx, fmt.Errorf("compile the rules: %w", err))
		return
	}
	r.swap(set, &tables, versionOf(at.Epoch, set.Version()), started)
}

// versionOf names one state of the rules. The number alone does not: it comes again when the store was restored from an older state.
func versionOf(epoch, ruleset int64) store.Position {
	return store.Position{Epoch: epoch, Ruleset: ruleset}
}

// due decides whether to load, and notes the try.
func (r *Ruleset) due(now store.Position) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.p.Now()
	since := at.Sub(r.triedAt)
	if !r.triedAt.IsZero() && now == r.tried && since < r.p.ReloadEvery() && (r.failed == nil || since < retryEvery) {
		return false
	}
	r.tried, r.triedAt = now, at
	return true
}

func (r *Ruleset) swap(set *rule.Set, tables *rule.Tables, loaded store.Position, started time.Time) {
	r.current.Store(set)
	r.mu.Lock()
	wasFailing := r.failed != nil
	// A change between the look and the reading was read already: it is not tried again.
	r.tried, r.loaded, r.failed = loaded, r.p.Now(), nil
	took := r.loaded.Sub(started)
	r.mu.Unlock()
	r.p.Metrics.observe(set, tables, took)
	r.once.Do(func() { close(r.ready) })
	if wasFailing {
		r.p.Log.Info("rules loaded again", zap.Int64("ruleset_version", set.Version()))
	}
}

// fail remembers a failure; only the first in a row is logged.
func (r *Ruleset) fail(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	r.p.Metrics.failures.Inc()
	r.mu.Lock()
	first := r.failed == nil
	r.failed = err
	r.mu.Unlock()
	if first {
		r.p.Log.Warn("rules could not be loaded, the last good ones stay in use", zap.Error(err))
	}
}
