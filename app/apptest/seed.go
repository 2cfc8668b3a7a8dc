package apptest

import (
	"context"
	"os"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

// seed puts rules into the store before the process starts, so that the first event is judged by them.
func (m *MUTT) seed(file []byte) {
	m.t.Helper()
	rules, err := rule.ParseFile("rules of the test", file)
	if err != nil {
		m.t.Fatal(err)
	}
	m.prepare(func(ctx context.Context, s *store.Store) error {
		_, err := s.Change(ctx, store.Actor{Name: "test"}, "rules of the test", func(tx *store.Tx) error {
			for _, r := range rules {
				if _, err := tx.CreateRule(r); err != nil {
					return err
				}
			}
			return nil
		})
		return err
	})
}

// prepare works on the store of a process that does not run yet.
func (m *MUTT) prepare(fn func(context.Context, *store.Store) error) {
	m.t.Helper()
	if err := os.MkdirAll(m.DataDir, 0o700); err != nil {
		m.t.Fatal(err)
	}
	cfg, _, err := app.LoadConfig(m.environ())
	if err != nil {
		m.t.Fatal(err)
	}
	ctx := m.t.Context()
	err = app.WithStore(ctx, cfg, zap.NewNop(), func(s *store.Store) error {
		if m.opts.NoMigrate {
			return fn(ctx, s)
		}
		if err := app.MakeSchema(ctx, s, time.Now()); err != nil {
			return err
		}
		return fn(ctx, s)
	})
	if err != nil {
		m.t.Fatal(err)
	}
}
