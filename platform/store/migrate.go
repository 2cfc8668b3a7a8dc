package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pressly/goose/v3"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/fault"
)

// Migrate brings the schema up to this program's. An older schema is copied to <file>.v<N>.backup first;
// a newer one is refused with NewerVersion. Two processes must not migrate one file: the data directory's lock sees to it.
func (s *Store) Migrate(ctx context.Context) error {
	p, err := s.provider()
	if err != nil {
		return err
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return s.fail(ctx, err, "read the schema version")
	}
	if have > want {
		return fault.New(fault.NewerVersion, "the store has schema %d, this program knows %d", have, want)
	}
	if have == want {
		return nil
	}
	if have > 0 {
		if err := s.backup(ctx, have); err != nil {
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

// SchemaVersion gives the schema's number and the one that this program wants.
func (s *Store) SchemaVersion(ctx context.Context) (have, want int64, err error) {
	p, err := s.provider()
	if err != nil {
		return 0, 0, err
	}
	have, want, err = p.GetVersions(ctx)
	return have, want, s.fail(ctx, err, "read the schema version")
}

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
	if _, err := s.writer.ExecContext(ctx, s.dialect.backup, part); err != nil {
		return s.fail(ctx, err, "copy the store before migrating it")
	}
	if err := finish(part, dest); err != nil {
		return fmt.Errorf("keep the copy of the store: %w", err)
	}
	s.log.Info("store copied before migration", zap.String("file", strings.TrimPrefix(dest, filepath.Dir(dest)+"/")))
	return nil
}

// finish makes part durable (SQLite does not sync what VACUUM INTO writes) and gives it its name.
func finish(part, dest string) error {
	f, err := os.OpenFile(part, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := f.Chmod(0o600); err != nil {
		_ = f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		_ = f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(part, dest)
}
