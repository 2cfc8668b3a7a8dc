package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/lifecycle"
	"github.com/muttproject/mutt/platform/store"
	"github.com/muttproject/mutt/platform/telemetry"
	"github.com/muttproject/mutt/platform/trouble"
)

// revisionPoll is how often a process looks for changes (behaviour.md, guarantee 4).
const revisionPoll = 500 * time.Millisecond

// control keeps the dynamic configuration, the keys and the log level of a process in step with its source: the store,
// or the published snapshot in a process without one. While the source is away the process keeps what it had.
type control struct {
	*lifecycle.Runner
	source    source
	publisher *publisher // nil when this process does not publish
	dynamic   *config.Dynamic
	fixed     bool // stored values are not applied
	keyring   *authn.Keyring
	level     zap.AtomicLevel
	logLevel  config.Value[string]
	log       *zap.Logger
	troubles  *trouble.Board
	away      *trouble.State                // the source
	present   func() (bootstrapKeys, error) // the bootstrap keys by the configuration, asked by a reload
	limits    *keyLimits
	news      chan struct{} // holds one when the secrets have changed

	refreshing sync.Mutex // one Refresh at a time; it is held over I/O, so nobody else waits for it
	// keys are the bootstrap keys of this process, which it always knows; kept says that the source has them. Both are of
	// Refresh.
	keys []store.APIKey
	kept bool

	now     atomic.Pointer[settled] // what is in force, nil before there is anything
	lastErr atomic.Pointer[error]   // of the last Refresh
}

func newControl(p *parts) *control {
	c := &control{dynamic: p.dynamic, fixed: !p.opts.Config.DynamicConfig, keyring: p.keyring, level: p.opts.Level, logLevel: p.handles.logLevel,
		log: p.opts.Logger.Named("control"), keys: p.keys.stored(), present: p.bootstrap, limits: newKeyLimits(p.coord), news: make(chan struct{}, 1)}
	switch {
	case p.store == nil:
		c.source = snapshotSource{p.coord}
	case p.mode() == Distributed:
		c.source = storeSource{p.store, c.log}
		c.publisher = newPublisher((&publication{store: p.store, coord: p.coord, log: c.log, now: p.opts.Now}).put, c.log)
	default:
		c.source = storeSource{p.store, c.log}
	}
	c.troubles = trouble.NewBoard(c.log, time.Now)
	c.away = c.troubles.State(trouble.Kind{Name: "configuration_away", Unit: "tries", Quiet: 5 * time.Second,
		Begins: "configuration changes do not arrive: " + c.source.about() + " cannot be read", Ends: "configuration changes arrive again",
		Advice: trouble.Advice{Consequence: "this process works on with the last configuration; changes are not in force in it", Remedy: "look at " + c.source.about() + "; the process goes on by itself"}})
	c.Runner = lifecycle.NewRunner("control", c.poll)
	return c
}

// Start applies what the source has, and begins to poll.
func (c *control) Start(ctx context.Context) error {
	if err := c.Refresh(ctx); err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	return c.Runner.Start(ctx)
}

func (c *control) poll(ctx context.Context) error {
	tick := time.NewTicker(revisionPoll)
	defer tick.Stop()
	defer func() { c.publisher.stop() }()
	for {
		select {
		case <-tick.C:
			if err := c.Refresh(ctx); err != nil && ctx.Err() == nil {
				c.away.Add(1, zap.Error(err))
			}
			c.troubles.Look()
		case <-c.news:
			if err := c.Reload(ctx); err != nil && ctx.Err() == nil {
				c.log.Warn("the keys of the secret source are not stored yet, trying again", zap.Error(err))
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// wake has the secrets looked at.
func (c *control) wake() {
	select {
	case c.news <- struct{}{}:
	default:
	}
}

// Ready warns while the source cannot be asked for changes.
func (c *control) Ready(context.Context) (warnings []string, err error) {
	switch err := c.lastErr.Load(); {
	case err != nil && *err != nil:
		warnings = append(warnings, "configuration changes do not arrive: "+c.source.about()+" cannot be read")
	case c.now.Load() == nil:
		warnings = append(warnings, "no configuration snapshot is published yet: defaults and this process's own keys apply until an alerter, ui or janitor runs")
	}
	return warnings, nil
}

// Refresh applies what the source has when its revision is new, and publishes it. The process that takes a change
// calls it before it answers.
func (c *control) Refresh(ctx context.Context) error {
	c.refreshing.Lock()
	defer c.refreshing.Unlock()
	err := c.refresh(ctx)
	c.lastErr.Store(&err)
	return err
}

func (c *control) refresh(ctx context.Context) error {
	if !c.kept {
		if err := c.source.keep(ctx, c.keys); err != nil {
			return err
		}
		c.kept = true
	}
	known := noPosition()
	before := c.now.Load()
	if before != nil {
		known = before.position()
	}
	next, err := c.source.load(ctx, known)
	if err != nil {
		return err
	}
	if next != nil || before == nil {
		c.enforce(next)
	}
	if next != nil && before != nil && next.Epoch > before.Epoch {
		c.kept = false // the restored keys may be older than those of the secret source
		c.log.Warn("the store was restored from an older state: this process works by its settings and keys now",
			zap.Int64("revision_before", before.Revision), zap.Int64("revision", next.Revision), zap.Int64("epoch", next.Epoch))
	}
	c.publisher.offer(c.now.Load())
	return nil
}

// inForce returns the state that the process works by, the zero one before the first.
func (c *control) inForce() store.Position {
	if now := c.now.Load(); now != nil {
		return now.position()
	}
	return store.Position{}
}

// enforce brings a revision into force; nil means that there is none yet.
func (c *control) enforce(next *settled) {
	stored := map[string]string{}
	keys := c.keys
	if next != nil {
		keys = append(next.Keys[:len(next.Keys):len(next.Keys)], c.keys...)
		if !c.fixed {
			stored = next.Values
		}
		for _, p := range c.dynamic.Apply(next.Revision, stored) {
			c.log.Warn("a stored configuration value is not used", zap.Error(p))
		}
	}
	c.keyring.Swap(c.ringOf(keys))
	if l, err := telemetry.ParseLevel(c.logLevel.Get()); err == nil {
		c.level.SetLevel(l)
	}
	c.now.Store(next)
}

// SetBootstrap replaces the bootstrap keys of this process, which accepts them from now on. Where there is a store their
// hashes are put into it, audited, for all processes; while it is away the revision poll tries again.
func (c *control) SetBootstrap(ctx context.Context, keys bootstrapKeys) error {
	c.refreshing.Lock()
	defer c.refreshing.Unlock()
	c.keys, c.kept = keys.stored(), false
	c.enforce(c.now.Load())
	err := c.refresh(ctx)
	c.lastErr.Store(&err)
	return err
}

// Reload takes the bootstrap keys of the configuration, and looks for changed dynamic values and keys now.
func (c *control) Reload(ctx context.Context) error {
	keys, err := c.present()
	if err != nil {
		return errors.Join(err, c.Refresh(ctx))
	}
	return c.SetBootstrap(ctx, keys)
}

// ringOf makes the secrets that are accepted. A second secret of a key has the same identity and the same limit.
func (c *control) ringOf(keys []store.APIKey) []authn.Key {
	var ring []authn.Key
	c.limits = c.limits.next()
	for _, k := range keys {
		role, ok := authn.ParseRole(k.Role)
		if !ok || len(k.Hash) != 32 {
			continue // written by a newer version: unknown means no access
		}
		key := authn.Key{Identity: authn.Identity{Name: "key:" + k.Name, Role: role, Bootstrap: k.Bootstrap}, Hash: [32]byte(k.Hash), Expires: k.ExpiresAt,
			Limit: c.limits.of(k.ID, k.RateLimit)}
		ring = append(ring, key)
		if len(k.Second) == 32 {
			key.Hash = [32]byte(k.Second)
			if until := k.SecondUntil; !until.IsZero() && (key.Expires.IsZero() || until.Before(key.Expires)) {
				key.Expires = until
			}
			ring = append(ring, key)
		}
	}
	return ring
}
