package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rotation"
	"github.com/muttproject/mutt/platform/store"
)

func rotationCases() map[string]func(*testing.T, Harness) {
	return map[string]func(*testing.T, Harness){
		"step by step, audited":                 rotationSteps,
		"what cannot follow leaves no trace":    rotationRefused,
		"one at a time, and the next one after": rotationOneAtATime,
	}
}

// put brings a rotation to a state.
func put(t testing.TB, s *store.Store, next rotation.State) (got rotation.State, err error) {
	t.Helper()
	_, err = s.Change(t.Context(), actor(), "because", func(tx *store.Tx) (err error) {
		got, err = tx.PutRotation(next)
		return err
	})
	return got, err
}

func rotationSteps(t *testing.T, h Harness) {
	clock := newClock()
	s := h.Open(t, store.Options{Now: clock.Now, Logger: zap.NewNop()})
	began := clock.Now().UTC().Truncate(time.Microsecond)
	state := rotation.State{Subject: rotation.Redis, ID: "one", Base: 3}
	for i, step := range rotation.Redis.Steps() {
		state.Step = step
		if i > 0 {
			state.Staged = 4
		}
		if step == rotation.Recycle {
			state.Promoted = 5
		}
		got, err := put(t, s.Store, state)
		must(t, err)
		now := clock.Now().UTC().Truncate(time.Microsecond)
		state.Revision, state.StartedAt, state.StartedBy, state.UpdatedAt, state.UpdatedBy = int64(i+1), began, actor().Name, now, actor().Name
		for what, got := range map[string]rotation.State{"answer": got, "store": value[[]rotation.State](t)(s.Rotations(t.Context()))[0]} {
			if diff := cmp.Diff(state, got, cmp.Transformer("UTC", time.Time.UTC)); diff != "" {
				t.Fatalf("%s at %s (-want +got):\n%s", what, step, diff)
			}
		}
		clock.Add(time.Minute)
	}
	log := value[store.Page[store.Change]](t)(s.Changes(t.Context(), store.ChangeFilter{TableName: store.TableRotations, RecordID: "redis", Limit: 100})).Items
	if len(log) != len(rotation.Redis.Steps()) || log[0].NewValue != `{"id":"one","step":"done","subject":"redis"}` {
		t.Errorf("%d rows of the change audit, the last %+v", len(log), log[0])
	}
}

func rotationRefused(t *testing.T, h Harness) {
	s := open(t, h)
	first := rotation.State{Subject: rotation.Postgres, ID: "one", Step: rotation.Stage, Base: 1}
	first = value[rotation.State](t)(put(t, s.Store, first))
	for name, change := range map[string]func(*rotation.State){
		"a step left out":   func(n *rotation.State) { n.Step, n.Staged = rotation.Alter, 2 },
		"no version":        func(n *rotation.State) { n.Step = rotation.Wait },
		"of another secret": func(n *rotation.State) { n.Subject, n.Step, n.Staged = rotation.Redis, rotation.Wait, 2 },
	} {
		next := first
		change(&next)
		if _, err := put(t, s.Store, next); !fault.Is(err, fault.Unprocessable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := value[int64](t)(revision(t, s.Store)); n != first.Revision {
		t.Errorf("revision %d, want %d", n, first.Revision)
	}
}

func rotationOneAtATime(t *testing.T, h Harness) {
	s := open(t, h)
	first := rotation.State{Subject: rotation.IngestKey, ID: "one", Step: rotation.Stage, Base: 1}
	first = value[rotation.State](t)(put(t, s.Store, first))
	second := rotation.State{Subject: rotation.IngestKey, ID: "two", Step: rotation.Stage, Base: 1}
	if _, err := put(t, s.Store, second); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second rotation beside the first: %v", err)
	}
	first.Step = rotation.Aborted
	value[rotation.State](t)(put(t, s.Store, first))
	second = value[rotation.State](t)(put(t, s.Store, second))
	if all := value[[]rotation.State](t)(s.Rotations(t.Context())); len(all) != 1 || all[0].ID != second.ID {
		t.Errorf("rotations %+v", all)
	}
}

func revision(t testing.TB, s *store.Store) (int64, error) {
	n, _, err := s.Revisions(t.Context())
	return n, err
}
