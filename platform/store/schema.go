package store

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/muttproject/mutt/migrations"
	"github.com/muttproject/mutt/platform/fault"
)

// Migration is one step of the schema that this program knows.
type Migration struct {
	Version   int64
	Name      string
	AppliedAt time.Time // zero while it is pending
}

// Schema is what the database has and what this program wants.
type Schema struct {
	Have, Want int64 // Have is above Want after a newer program
	Migrations []Migration
}

// Pending counts the migrations that are not applied.
func (s Schema) Pending() (n int) {
	for _, m := range s.Migrations {
		if m.AppliedAt.IsZero() {
			n++
		}
	}
	return n
}

// Schema tells the state of the schema. It changes nothing, and waits for no migration that runs.
func (s *Store) Schema(ctx context.Context) (out Schema, err error) {
	p, err := s.provider()
	if err != nil {
		return out, err
	}
	applied, err := s.applied(ctx)
	if err != nil {
		return out, err
	}
	for version := range applied {
		out.Have = max(out.Have, version)
	}
	for _, source := range p.ListSources() {
		out.Want = max(out.Want, source.Version)
		out.Migrations = append(out.Migrations, Migration{Version: source.Version, Name: migrationName(source.Path), AppliedAt: applied[source.Version]})
	}
	return out, nil
}

// Refusal says why this program does not work with the schema: OlderSchema or NewerVersion, with the command that
// helps; nil when it does.
func (s Schema) Refusal() error {
	switch {
	case s.Have < s.Want:
		return fault.New(fault.OlderSchema, "the store has schema %d, this program needs %d", s.Have, s.Want)
	case s.Have > s.Want:
		return newerSchema(s.Have, s.Want)
	}
	return nil
}

// RequireSchema refuses a schema that is not this program's; see Refusal.
func (s *Store) RequireSchema(ctx context.Context) error {
	have, want, err := s.SchemaVersion(ctx)
	if err != nil {
		return err
	}
	return Schema{Have: have, Want: want}.Refusal()
}

func newerSchema(have, want int64) error {
	return fault.New(fault.NewerVersion, "the store has schema %d, this program knows %d", have, want).
		WithRemedy("run the version of MUTT that migrated the store, or a later one; nothing was changed")
}

// NoSchema is the state of an embedded store that does not exist yet.
func NoSchema() (out Schema, err error) {
	dir, err := migrations.SQLite()
	if err != nil {
		return out, fmt.Errorf("read the embedded migrations: %w", err)
	}
	files, err := fs.Glob(dir, "*.sql")
	for i, f := range files {
		out.Want = int64(i + 1)
		out.Migrations = append(out.Migrations, Migration{Version: out.Want, Name: migrationName(f)})
	}
	return out, err
}

// migrationName gives "configuration" for 00001_configuration.sql.
func migrationName(file string) string {
	_, name, _ := strings.Cut(strings.TrimSuffix(path.Base(file), ".sql"), "_")
	return name
}
