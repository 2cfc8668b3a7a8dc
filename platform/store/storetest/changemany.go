package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

func changeManyCases() map[string]func(*testing.T, Harness) {
	return map[string]func(*testing.T, Harness){
		"many is what one by one is":                  manyAsOneByOne,
		"judging goes on while many are prepared":     judgingBesideMany,
		"many are prepared again after another":       manyAfterAnother,
		"many with what the transaction alone can do": manyWithOthers,
		"many that fail or change nothing":            manyOfNothing,
	}
}

// bulkSteps are changes of many entries, with several of one host within a change.
func bulkSteps() []func(*store.Tx) error {
	const n = 130
	name := func(i int) string { return fmt.Sprintf("Host-%03d", i*7%n) }
	put := func(tx *store.Tx) (err error) {
		for i := range n {
			err = errors.Join(err, tx.PutDevHost(name(i)), tx.PutTeam(store.Team{Hostname: name(i), TeamAssignment: "A <&> \u00e4"}))
		}
		return err
	}
	alter := func(tx *store.Tx) (err error) {
		for i := range 60 {
			err = errors.Join(err, tx.DeleteDevHost(name(i)), tx.PutTeam(store.Team{Hostname: name(i), TeamAssignment: "B"}))
		}
		return errors.Join(err, tx.PutDevHost("HOST-007"), tx.DeleteDevHost("host-007"), tx.PutDevHost("host-007"),
			tx.DeleteTeam("host-007"), tx.PutTeam(store.Team{Hostname: "HOST-007", TeamAssignment: "C"}), tx.PutDevHost("new"), tx.DeleteDevHost("NEW"))
	}
	list := func(tx *store.Tx) error {
		err := tx.PutDevHost("ahead")
		hosts, failed := tx.DevHosts()
		err = errors.Join(err, failed, tx.DeleteDevHost("ahead"))
		for _, h := range hosts {
			if h.Hostname != "ahead" {
				err = errors.Join(err, tx.DeleteDevHost(h.Hostname))
			}
		}
		left, failed := tx.DevHosts()
		if len(hosts) != n-60+2 || len(left) != 0 {
			err = errors.Join(err, fmt.Errorf("%d hosts, and %d are left", len(hosts), len(left)))
		}
		return errors.Join(err, failed)
	}
	return []func(*store.Tx) error{put, alter, list, createRules, alterRules}
}

func createRules(tx *store.Tx) (err error) {
	for i := range 60 {
		_, failed := tx.CreateRule(sampleRule(fmt.Sprintf("rule %d", i+1)))
		err = errors.Join(err, failed)
	}
	return err
}

// alterRules exchanges names, restores a rule under its id and changes a new one.
func alterRules(tx *store.Tx) error {
	named := func(id int64, name string) rule.Rule { r := sampleRule(name); r.ID = id; return r }
	if err := tx.UpdateRule(named(3, "rule 4")); !fault.Is(err, fault.AlreadyExists) {
		return fmt.Errorf("a name that is taken: %w", err)
	}
	err := errors.Join(tx.UpdateRule(named(1, "between")), tx.UpdateRule(named(2, "rule 1")), tx.UpdateRule(named(1, "rule 2")),
		tx.DeleteRule(5), tx.DeleteRule(6), tx.RestoreRule(named(6, "rule 5")))
	id, failed := tx.CreateRule(sampleRule("rule 6"))
	err = errors.Join(err, failed, tx.UpdateRule(named(id, "rule 61")))
	if err := tx.UpdateRule(named(3, "rule 61")); !fault.Is(err, fault.AlreadyExists) {
		return fmt.Errorf("a name that was taken by this change: %w", err)
	}
	if _, err := tx.Rule(5); !fault.Is(err, fault.NotFound) {
		return fmt.Errorf("a rule that was removed: %w", err)
	}
	all, failed := tx.Rules()
	for i, r := range all {
		if i > 0 && all[i-1].ID >= r.ID {
			err = errors.Join(err, fmt.Errorf("rule %d is listed after rule %d", r.ID, all[i-1].ID))
		}
	}
	if len(all) != 60 || id != 61 {
		err = errors.Join(err, fmt.Errorf("%d rules, the last is %d", len(all), id))
	}
	return errors.Join(err, failed)
}

// manyAsOneByOne compares states and audit rows, with their hashes.
func manyAsOneByOne(t *testing.T, h Harness) {
	plain, many := open(t, h), open(t, h)
	for i, step := range bulkSteps() {
		want := change(t, plain.Store, step)
		if got := value[int64](t)(many.ChangeMany(t.Context(), actor(), "because", step)); got != want {
			t.Errorf("step %d: revision %d, want %d", i, got, want)
		}
		if diff := cmp.Diff(snapshot(t, plain.Store), snapshot(t, many.Store)); diff != "" {
			t.Fatalf("step %d (-Change +ChangeMany):\n%s", i, diff)
		}
	}
	_, _, err := many.VerifyChain(t.Context())
	must(t, err)
	part := value[store.RecordsPart](t)(many.CompareRecords(t.Context(), store.RecordPoint{}, 10_000))
	if len(part.Differences) > 0 {
		t.Errorf("records differ from the change audit: %v", part.Differences)
	}
}

// judgingBesideMany holds that nothing which fn does is within the write transaction: SQLite has one.
func judgingBesideMany(t *testing.T, h Harness) {
	s := open(t, h)
	ctx, done := context.WithTimeout(t.Context(), time.Minute) // instead of a hang
	defer done()
	runs := 0
	_, err := s.ChangeMany(ctx, actor(), "", func(tx *store.Tx) error {
		runs++
		must(t, bulkSteps()[0](tx))
		_, err := s.Judge(ctx, "p1", []store.JudgedEntry{entry(row(1, nil))})
		return err
	})
	must(t, err)
	if runs != 1 {
		t.Errorf("fn ran %d times, want 1", runs)
	}
}

func manyAfterAnother(t *testing.T, h Harness) {
	s := open(t, h)
	runs := 0
	must(t, func() error {
		_, err := s.ChangeMany(t.Context(), actor(), "", func(tx *store.Tx) error {
			if runs++; runs == 1 {
				change(t, s.Store, func(tx *store.Tx) error { return tx.PutDevHost("between") })
			}
			hosts, err := tx.DevHosts()
			return errors.Join(err, tx.PutDevHost(fmt.Sprintf("after-%d", len(hosts))))
		})
		return err
	}())
	got := snapshot(t, s.Store)
	if diff := cmp.Diff([]string{"after-1", "between"}, got.Tables.DevHosts); diff != "" || runs != 2 || got.Revision != 2 || len(got.Changes) != 2 {
		t.Errorf("fn ran %d times, revision %d, %d audit rows; (-want +got):\n%s", runs, got.Revision, len(got.Changes), diff)
	}
	_, _, err := s.VerifyChain(t.Context())
	must(t, err)
}

func manyWithOthers(t *testing.T, h Harness) {
	for name, other := range map[string]func(*store.Tx) error{
		"rule":   func(tx *store.Tx) error { _, err := tx.CreateRule(sampleRule("r")); return err },
		"config": func(tx *store.Tx) error { return tx.SetConfig("a", "1") },
		"key":    func(tx *store.Tx) error { _, err := tx.PutAPIKey(sampleKey("k")); return err },
	} {
		s := open(t, h)
		revision, err := s.ChangeMany(t.Context(), actor(), "", func(tx *store.Tx) error { return errors.Join(tx.PutDevHost("h"), other(tx)) })
		must(t, err)
		if got := snapshot(t, s.Store); revision != 1 || len(got.Changes) != 2 || len(got.Tables.DevHosts) != 1 {
			t.Errorf("%s: revision %d, %d audit rows", name, revision, len(got.Changes))
		}
	}
}

func manyOfNothing(t *testing.T, h Harness) {
	s := open(t, h)
	change(t, s.Store, bulkSteps()[0])
	before := snapshot(t, s.Store)
	boom := errors.New("boom")
	if _, err := s.ChangeMany(t.Context(), actor(), "", func(tx *store.Tx) error {
		return errors.Join(tx.PutDevHost("other"), boom)
	}); !errors.Is(err, boom) {
		t.Errorf("the caller's error is %v", err)
	}
	revision, err := s.ChangeMany(t.Context(), actor(), "", func(tx *store.Tx) error {
		return tx.PutTeam(store.Team{Hostname: "host-001", TeamAssignment: "A <&> \u00e4"})
	})
	must(t, err)
	if diff := cmp.Diff(before, snapshot(t, s.Store)); diff != "" || revision != 1 {
		t.Errorf("revision %d; something was written (-before +after):\n%s", revision, diff)
	}
}
