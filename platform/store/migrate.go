package store

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/private"
)

// Migrate brings the schema up to this program's. An older schema is copied to <file>.v<N>.backup first;
// a newer one is refused with NewerVersion. On PostgreSQL the copy is the operator's task, and several processes may
// migrate at once. Two must not migrate one file: the data directory's lock sees to it.
func (s *Store) Migrate(ctx context.Context) error {
	have, want, err := s.SchemaVersion(ctx)
	if err != nil {
		return err
	}
	if have > want {
		return newerSchema(have, want)
	}
	if have == want {
		return nil
	}
	if have > 0 {
		if err := s.backup(ctx, have); err != nil {
			return err
		}
	}
	p, err := s.provider()
	if err != nil {
		return err
	}
	if have > 0 && have < hostIdentity {
		if _, err := p.UpTo(ctx, hostIdentity-1); err != nil {
			return s.fail(ctx, err, "migrate the store")
		}
		if err := s.mergeHosts(ctx); err != nil {
			return err
		}
	}
	if _, err := p.Up(ctx); err != nil {
		return s.fail(ctx, err, "migrate the store")
	}
	if have > 0 {
		s.log.Info("store migrated", zap.Int64("from_schema", have), zap.Int64("to_schema", want))
	}
	return nil
}

// SchemaVersion gives the schema's number and the one that this program wants. It changes nothing.
func (s *Store) SchemaVersion(ctx context.Context) (have, want int64, err error) {
	p, err := s.provider()
	if err != nil {
		return 0, 0, err
	}
	for _, source := range p.ListSources() {
		want = max(want, source.Version)
	}
	applied, err := s.applied(ctx)
	for version := range applied {
		have = max(have, version)
	}
	return have, want, err
}

// applied gives the migrations that were applied, and when; none in a database without a schema. It does not create the
// table that it looks for, as the library would.
func (s *Store) applied(ctx context.Context) (map[int64]time.Time, error) {
	out := map[int64]time.Time{}
	err := s.read(ctx, "read the schema version", func(q querier) error {
		var there bool
		if err := q.QueryRowContext(ctx, fmt.Sprintf(s.dialect.hasTable, goose.DefaultTablename)).Scan(&there); err != nil || !there {
			return err
		}
		found, err := list(ctx, q, scanApplied, `SELECT version_id, tstamp FROM `+goose.DefaultTablename+` WHERE is_applied ORDER BY id`)
		for _, a := range found {
			out[a.version] = a.at.UTC()
		}
		return err
	})
	return out, err
}

type appliedMigration struct {
	version int64
	at      time.Time
}

func scanApplied(rows *sql.Rows, a *appliedMigration) error { return rows.Scan(&a.version, &a.at) }

func (s *Store) provider() (*goose.Provider, error) {
	dir, err := s.dialect.migrations()
	if err != nil {
		return nil, fmt.Errorf("read the embedded migrations: %w", err)
	}
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger())}
	if s.dialect.locker != nil {
		locker, err := s.dialect.locker()
		if err != nil {
			return nil, fmt.Errorf("make the lock for migrations: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	p, err := goose.NewProvider(s.dialect.goose, s.writer, dir, options...)
	if err != nil {
		return nil, fmt.Errorf("read the embedded migrations: %w", err)
	}
	return p, nil
}

// backup copies the file as one consistent state, under a name that appears only when the copy is whole.
func (s *Store) backup(ctx context.Context, version int64) error {
	if s.dialect.backup == "" {
		return nil
	}
	dest := fmt.Sprintf("%s.v%d.backup", s.path, version)
	part := dest + ".part"
	if err := os.Remove(part); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("remove an unfinished backup: %w", err)
	}
	if err := private.Ensure(part); err != nil { // before it has content: SQLite would create it for everybody to read
		return fmt.Errorf("create the copy of the store: %w", err)
	}
	if _, err := s.writer.ExecContext(ctx, s.dialect.backup, part); err != nil {
		return s.fail(ctx, err, "copy the store before migrating it")
	}
	if err := private.Publish(part, dest); err != nil { // VACUUM INTO does not sync what it writes
		return fmt.Errorf("keep the copy of the store: %w", err)
	}
	s.log.Info("store copied before migration", zap.String("file", strings.TrimPrefix(dest, filepath.Dir(dest)+"/")))
	return nil
}
