package app

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/lifecycle"
	"github.com/muttproject/mutt/platform/store"
	"github.com/muttproject/mutt/platform/telemetry"
)

// revisionPoll is how often a process looks for changes (behaviour.md, guarantee 4).
const revisionPoll = 500 * time.Millisecond

// controlStore is what control reads.
type controlStore interface {
	Revisions(ctx context.Context) (revision, ruleset int64, err error)
	ConfigValues(ctx context.Context) ([]store.ConfigValue, error)
	APIKeys(ctx context.Context) ([]store.APIKey, error)
	Change(ctx context.Context, actor store.Actor, reason string, fn func(*store.Tx) error) (int64, error)
}

// control keeps the dynamic configuration, the keys and the log level of a process in step with the store.
// While the store is away the process keeps what it had.
type control struct {
	*lifecycle.Runner
	store   controlStore
	dynamic *config.Dynamic
	fixed   bool // stored values are not applied
	keyring *authn.Keyring
	level   zap.AtomicLevel
	log     *zap.Logger
	keys    bootstrapKeys

	mu       sync.Mutex // one Refresh at a time
	revision int64
	lastErr  error
}

func newControl(p *parts) *control {
	c := &control{store: p.store, dynamic: p.dynamic, fixed: !p.opts.Config.DynamicConfig, keyring: p.keyring, level: p.opts.Level,
		log: p.opts.Logger.Named("control"), keys: p.keys, revision: -1}
	c.Runner = lifecycle.NewRunner("control", c.poll)
	return c
}

// Start stores the bootstrap keys, applies what is stored, and begins to poll.
func (c *control) Start(ctx context.Context) error {
	if err := c.storeBootstrapKeys(ctx); err != nil {
		return fmt.Errorf("store the bootstrap keys: %w", err)
	}
	if err := c.Refresh(ctx); err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	return c.Runner.Start(ctx)
}

func (c *control) poll(ctx context.Context) error {
	tick := time.NewTicker(revisionPoll)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := c.Refresh(ctx); err != nil && ctx.Err() == nil {
				c.log.Debug("cannot look for configuration changes", zap.Error(err))
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Ready warns while the store cannot be asked for changes.
func (c *control) Ready(context.Context) (warnings []string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lastErr != nil {
		warnings = append(warnings, "configuration changes do not arrive: the store cannot be read")
	}
	return warnings, nil
}

// Refresh applies the stored configuration when its revision is new. The process that takes a change calls it
// before it answers.
func (c *control) Refresh(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.refresh(ctx)
	c.lastErr = err
	return err
}

func (c *control) refresh(ctx context.Context) error {
	revision, _, err := c.store.Revisions(ctx)
	if err != nil || revision == c.revision {
		return err
	}
	values, err := c.store.ConfigValues(ctx)
	if err != nil {
		return err
	}
	keys, err := c.store.APIKeys(ctx)
	if err != nil {
		return err
	}
	stored := make(map[string]string, len(values))
	for _, v := range values {
		if !c.fixed {
			stored[v.Key] = v.Value
		}
	}
	for _, p := range c.dynamic.Apply(revision, stored) {
		c.log.Warn("a stored configuration value is not used", zap.Error(p))
	}
	c.keyring.Swap(ringOf(keys))
	if l, err := telemetry.ParseLevel(c.dynamic.String(config.LogLevel)); err == nil {
		c.level.SetLevel(l)
	}
	c.revision = revision
	return nil
}

func ringOf(keys []store.APIKey) []authn.Key {
	var ring []authn.Key
	for _, k := range keys {
		role, ok := authn.ParseRole(k.Role)
		if !ok || len(k.Hash) != 32 {
			continue // written by a newer version: unknown means no access
		}
		ring = append(ring, authn.Key{Identity: authn.Identity{Name: "key:" + k.Name, Role: role}, Hash: [32]byte(k.Hash), Expires: k.ExpiresAt})
	}
	return ring
}

// storeBootstrapKeys puts the hashes of the bootstrap keys where every process finds them, and replaces old ones.
func (c *control) storeBootstrapKeys(ctx context.Context) error {
	have, err := c.store.APIKeys(ctx)
	if err != nil {
		return err
	}
	want := []store.APIKey{bootstrap("bootstrap-ingest", authn.Ingest, c.keys.ingest.Reveal()),
		bootstrap("bootstrap-admin", authn.Admin, c.keys.admin.Reveal())}
	var stale []store.APIKey
	for _, w := range want {
		same := false
		for _, h := range have {
			if h.Name == w.Name {
				w.ID, same = h.ID, bytes.Equal(h.Hash, w.Hash) && h.Role == w.Role
			}
		}
		if !same {
			stale = append(stale, w)
		}
	}
	if len(stale) == 0 {
		return nil
	}
	_, err = c.store.Change(ctx, store.Actor{Name: "system"}, "bootstrap keys of the secret source", func(tx *store.Tx) error {
		for _, k := range stale {
			if _, err := tx.PutAPIKey(k, 0); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

func bootstrap(name string, role authn.Role, text string) store.APIKey {
	hash := authn.HashSecret(text)
	return store.APIKey{Name: name, Role: role.String(), Hash: hash[:], Bootstrap: true}
}
