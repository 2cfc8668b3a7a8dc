package app

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/postgres"
	"github.com/muttproject/mutt/platform/connect/sqlite"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/store"
)

// MigrateStore brings the schema of the configured store up to this program's and gives its state before and after.
// runtimeRole is the role of the processes on PostgreSQL, if it is another one; "" leaves that as it is. Several processes may do it at once. An embedded store that a server uses is refused with DataDirLocked.
func MigrateStore(ctx context.Context, c Config, runtimeRole string, log *zap.Logger) (before, after store.Schema, err error) {
	if runtimeRole != "" && !c.Distributed() {
		return before, after, fault.New(fault.ConfigInvalid, "--runtime-role is for PostgreSQL: an embedded store has no roles")
	}
	unlock := func() error { return nil }
	if !c.Distributed() {
		lock, err := sqlite.Lock(c.DataDir)
		if err != nil {
			return before, after, err
		}
		unlock = lock.Unlock
	}
	err = WithStore(ctx, c, log, func(s *store.Store) (err error) {
		if before, err = s.Schema(ctx); err != nil {
			return err
		}
		if err = MakeSchema(ctx, s, time.Now()); err != nil {
			return err
		}
		if err = s.Grant(ctx, runtimeRole); err != nil {
			return err
		}
		after, err = s.Schema(ctx)
		return err
	})
	return before, after, errors.Join(err, unlock())
}

// MakeSchema brings a store to the schema of this program, with partitions for the next days: what 'mutt migrate up'
// does, and 'mutt serve --migrate'.
func MakeSchema(ctx context.Context, s *store.Store, now time.Time) error {
	if err := s.Migrate(ctx); err != nil {
		return err
	}
	_, err := s.EnsurePartitions(ctx, now, store.PartitionsAhead)
	return err
}

// StoreSchema tells the state of the configured store's schema; beside a running server too. It makes no embedded
// store where there is none.
func StoreSchema(ctx context.Context, c Config, log *zap.Logger) (schema store.Schema, err error) {
	if !c.Distributed() {
		if _, err := os.Stat(storePath(&c)); errors.Is(err, fs.ErrNotExist) {
			return store.NoSchema()
		}
	}
	err = WithStore(ctx, c, log, func(s *store.Store) error {
		schema, err = s.Schema(ctx)
		return err
	})
	return schema, err
}

func storePath(c *Config) string { return filepath.Join(c.DataDir, "mutt.db") }

// openStore opens the store of a configuration, wherever it is, for a command; closeAll ends it and its connections.
func openStore(ctx context.Context, c *Config, o store.Options) (s *store.Store, closeAll func() error, err error) {
	if !c.Distributed() {
		o.Path = storePath(c)
		s, err := store.Open(ctx, o)
		if err != nil {
			return nil, nil, err
		}
		return s, s.Close, nil
	}
	cfg, err := c.Postgres.Config(tlsconf.New)
	if err != nil {
		return nil, nil, err
	}
	set, err := c.secrets(ctx, o.Logger)
	if err != nil {
		return nil, nil, err
	}
	cfg.Name, cfg.Credentials = clientName("cli"), connect.Known(postgresCredentials(&c.Postgres, set)...)
	_, s, closeAll, err = openPostgres(ctx, cfg, o)
	return s, closeAll, err
}

// openPostgres opens a store on PostgreSQL, and gives its connections too.
func openPostgres(ctx context.Context, c postgres.Config, o store.Options) (pool *postgres.Pool, s *store.Store, closeAll func() error, err error) {
	if pool, err = postgres.Open(ctx, c); err != nil {
		return nil, nil, nil, err
	}
	o.Postgres = pool
	if s, err = store.Open(ctx, o); err != nil {
		pool.Close()
		return nil, nil, nil, err
	}
	return pool, s, func() error { defer pool.Close(); return s.Close() }, nil
}

// WithStore opens the configured store for fn.
func WithStore(ctx context.Context, c Config, log *zap.Logger, fn func(*store.Store) error) error {
	s, closeAll, err := openStore(ctx, &c, store.Options{Logger: log, Now: time.Now})
	if err != nil {
		return err
	}
	return errors.Join(fn(s), closeAll())
}
