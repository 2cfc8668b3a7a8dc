package apptest

import (
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

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
	if err := os.MkdirAll(m.DataDir, 0o700); err != nil {
		m.t.Fatal(err)
	}
	ctx := m.t.Context()
	s, err := store.Open(ctx, store.Options{Path: filepath.Join(m.DataDir, "mutt.db"), Logger: zap.NewNop(), Now: time.Now})
	if err != nil {
		m.t.Fatal(err)
	}
	if err := s.Migrate(ctx); err != nil {
		m.t.Fatal(err)
	}
	_, err = s.Change(ctx, store.Actor{Name: "test"}, "rules of the test", func(tx *store.Tx) error {
		for _, r := range rules {
			if _, err := tx.CreateRule(r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		m.t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		m.t.Fatal(err)
	}
}
