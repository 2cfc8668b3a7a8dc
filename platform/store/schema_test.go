package store_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/store"
)

func TestSchemaOfEveryVersion(t *testing.T) {
	t.Parallel()
	want, err := store.NoSchema()
	if err != nil || want.Want != newest(t) || want.Pending() != int(newest(t)) {
		t.Fatalf("before there is a store: %+v %v", want, err)
	}
	for from := int64(1); from <= newest(t); from++ {
		path := filepath.Join(t.TempDir(), "mutt.db")
		migrateTo(t, path, from)
		s := openPlain(t, path)
		got, err := s.Schema(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want.Migrations, got.Migrations, cmpopts.IgnoreFields(store.Migration{}, "AppliedAt")); d != "" {
			t.Errorf("schema %d: %s", from, d)
		}
		for _, m := range got.Migrations {
			if age := time.Since(m.AppliedAt); (m.Version <= from) != (age >= 0 && age < time.Minute) {
				t.Errorf("schema %d: migration %d was applied at %v", from, m.Version, m.AppliedAt)
			}
		}
		if got.Have != from || got.Pending() != int(newest(t)-from) {
			t.Errorf("schema %d: has %d, %d pending", from, got.Have, got.Pending())
		}
		if err := s.RequireSchema(t.Context()); fault.Is(err, fault.OlderSchema) != (from < newest(t)) || err != nil && from == newest(t) {
			t.Errorf("schema %d: %v", from, err)
		}
	}
}

func TestSchemaOfANewerProgramIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mutt.db")
	migrateTo(t, path, newest(t), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, TRUE)`)
	s := openPlain(t, path)
	got, err := s.Schema(t.Context())
	if err != nil || got.Have != 99 || got.Pending() != 0 {
		t.Fatalf("%+v %v", got, err)
	}
	for name, err := range map[string]error{"Refusal": got.Refusal(), "RequireSchema": s.RequireSchema(t.Context()), "Migrate": s.Migrate(t.Context())} {
		if !fault.Is(err, fault.NewerVersion) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
