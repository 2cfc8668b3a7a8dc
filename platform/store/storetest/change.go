package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

func changeCases() map[string]func(*testing.T, Harness) {
	return map[string]func(*testing.T, Harness){
		"revisions grow with what changed":    revisionsGrow,
		"changing nothing writes nothing":     changingNothing,
		"error, panic and cancel roll back":   rollsBack,
		"16 writers, one audit row per write": concurrentWriters,
		"after Close it says so":              afterClose,
	}
}

// state is everything that a change may touch.
type state struct {
	Revision, Ruleset int64
	Rules             []rule.Rule
	Tables            rule.Tables
	Config            []store.ConfigValue
	Keys              []store.APIKey
	Changes           []store.Change
}

func snapshot(t testing.TB, s *store.Store) (st state) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	var err error
	st.Revision, st.Ruleset, err = s.Revisions(ctx)
	must(t, err)
	st.Rules, st.Tables, err = s.Ruleset(ctx)
	must(t, err)
	st.Config = value[[]store.ConfigValue](t)(s.ConfigValues(ctx))
	st.Keys = value[[]store.APIKey](t)(s.APIKeys(ctx))
	st.Changes = value[store.Page[store.Change]](t)(s.Changes(ctx, store.ChangeFilter{Limit: 1000})).Items
	return st
}

func revisionsGrow(t *testing.T, h Harness) {
	s := open(t, h)
	for i, step := range []struct {
		name              string
		do                func(*store.Tx) error
		revision, ruleset int64
	}{
		{"config", func(tx *store.Tx) error { return tx.SetConfig("a", "1") }, 1, 0},
		{"rule", func(tx *store.Tx) error { _, err := tx.CreateRule(sampleRule("r")); return err }, 2, 1},
		{"host", func(tx *store.Tx) error { return tx.PutDevHost("lab-1") }, 3, 2},
		{"team", func(tx *store.Tx) error { return tx.PutTeam(store.Team{Hostname: "h", TeamAssignment: "X"}) }, 4, 3},
		{"key", func(tx *store.Tx) error { _, err := tx.PutAPIKey(sampleKey("k")); return err }, 5, 3},
		{"two at once", func(tx *store.Tx) error {
			return errors.Join(tx.DeleteDevHost("lab-1"), tx.DeleteTeam("h"))
		}, 6, 4},
	} {
		if got := change(t, s.Store, step.do); got != step.revision {
			t.Errorf("step %d, %s: Change says revision %d, want %d", i, step.name, got, step.revision)
		}
		revision, ruleset, err := s.Revisions(t.Context())
		must(t, err)
		if revision != step.revision || ruleset != step.ruleset {
			t.Errorf("step %d, %s: %d and %d, want %d and %d", i, step.name, revision, ruleset, step.revision, step.ruleset)
		}
	}
}

func changingNothing(t *testing.T, h Harness) {
	s := open(t, h)
	var id, key int64
	change(t, s.Store, func(tx *store.Tx) (err error) {
		id, err = tx.CreateRule(sampleRule("r"))
		must(t, err)
		key, err = tx.PutAPIKey(sampleKey("k"))
		must(t, err)
		return errors.Join(tx.SetConfig("a", `{"x": 1}`), tx.PutTeam(store.Team{Hostname: "h", TeamAssignment: "X"}))
	})
	before := snapshot(t, s.Store)
	rev := change(t, s.Store, func(tx *store.Tx) error {
		same := sampleRule("r")
		same.ID = id
		k := sampleKey("k")
		k.ID = key
		_, err := tx.PutAPIKey(k)
		return errors.Join(err, tx.UpdateRule(same), tx.SetConfig("a", ` {"x":1}`),
			tx.PutTeam(store.Team{Hostname: "h", TeamAssignment: "X"}))
	})
	if rev != 1 {
		t.Errorf("Change says revision %d, want the present one, 1", rev)
	}
	if diff := cmp.Diff(before, snapshot(t, s.Store)); diff != "" {
		t.Errorf("something was written (-before +after):\n%s", diff)
	}
}

func rollsBack(t *testing.T, h Harness) {
	s := open(t, h)
	change(t, s.Store, func(tx *store.Tx) error { return tx.SetConfig("a", "1") })
	before := snapshot(t, s.Store)
	touch := func(tx *store.Tx) {
		_, err := tx.CreateRule(sampleRule("r"))
		must(t, errors.Join(err, tx.SetConfig("a", "2")))
	}
	boom := errors.New("boom")
	if _, err := s.Change(t.Context(), actor(), "", func(tx *store.Tx) error { touch(tx); return boom }); !errors.Is(err, boom) {
		t.Errorf("the caller's error is %v", err)
	}
	func() {
		defer func() {
			if r := recover(); r != "boom" {
				t.Errorf("the panic did not pass: %v", r)
			}
		}()
		_, _ = s.Change(t.Context(), actor(), "", func(tx *store.Tx) error { touch(tx); panic("boom") })
	}()
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := s.Change(ctx, actor(), "", func(tx *store.Tx) error { touch(tx); cancel(); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("after a cancel the error is %v", err)
	}
	if diff := cmp.Diff(before, snapshot(t, s.Store)); diff != "" {
		t.Errorf("something remained (-before +after):\n%s", diff)
	}
	if rev := change(t, s.Store, func(tx *store.Tx) error { return tx.SetConfig("a", "3") }); rev != 2 {
		t.Errorf("the next change has revision %d, want 2", rev)
	}
}

func concurrentWriters(t *testing.T, h Harness) {
	s := open(t, h)
	const writers, each = 16, 8
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				_, err := s.Change(t.Context(), store.Actor{Name: fmt.Sprintf("w%d", w)}, "",
					func(tx *store.Tx) error { return tx.SetConfig("limit", fmt.Sprint(w*each+i+1)) })
				if err != nil {
					t.Errorf("writer %d: %v", w, err)
				}
			}
		})
	}
	wg.Wait()
	changes := snapshot(t, s.Store).Changes
	if len(changes) != writers*each {
		t.Fatalf("%d audit rows for %d changes", len(changes), writers*each)
	}
	previous := ""
	for i := len(changes) - 1; i >= 0; i-- {
		c := changes[i]
		if want := int64(len(changes) - i); c.ID != want || c.Revision != want {
			t.Errorf("row %d has id %d and revision %d", want, c.ID, c.Revision)
		}
		if c.OldValue != previous {
			t.Errorf("row %d: old value %s, but %s was set before", c.ID, c.OldValue, previous)
		}
		previous = c.NewValue
	}
}

func afterClose(t *testing.T, h Harness) {
	s := open(t, h)
	must(t, s.Ping(t.Context()))
	must(t, s.Close())
	_, err := s.Change(t.Context(), actor(), "", func(*store.Tx) error { return nil })
	_, errRead := s.Rules(t.Context())
	_, errJudge := s.Judge(t.Context(), "p", nil)
	for _, err := range []error{err, errRead, errJudge, s.Ping(t.Context())} {
		if !fault.Is(err, fault.Closed) {
			t.Errorf("got %v, want Closed", err)
		}
	}
}
