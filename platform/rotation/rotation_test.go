package rotation_test

import (
	"slices"
	"testing"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rotation"
)

// at gives the state of a rotation at a step, with the versions that it has by then.
func at(s rotation.Subject, step rotation.Step) rotation.State {
	out := rotation.State{Subject: s, ID: "one", Step: step, Base: 4}
	steps := s.Steps()
	if i := slices.Index(steps, step); i > 0 {
		out.Staged = 5
		if i > slices.Index(steps, rotation.Promote) {
			out.Promoted = 6
		}
	}
	return out
}

// TestFollows tries every pair of steps: only the next one follows, and an abortion before the point of no return.
func TestFollows(t *testing.T) {
	t.Parallel()
	for _, s := range rotation.Subjects() {
		steps := s.Steps()
		first := at(s, rotation.Stage)
		if err := first.Follows(nil); err != nil {
			t.Errorf("%s: the first step: %v", s, err)
		}
		for i, from := range steps {
			present := at(s, from)
			for j, to := range steps {
				next := at(s, to)
				want := j == i+1
				if err := next.Follows(&present); (err == nil) != want {
					t.Errorf("%s: from %s to %s: %v", s, from, to, err)
				}
			}
			aborted := present
			aborted.Step = rotation.Aborted
			point := map[bool]rotation.Step{true: rotation.Alter, false: rotation.Promote}[s == rotation.Postgres]
			if err := aborted.Follows(&present); (err == nil) != (i <= slices.Index(steps, point)) {
				t.Errorf("%s: aborted at %s: %v", s, from, err)
			}
			other := at(s, rotation.Stage)
			other.ID = "two"
			err := other.Follows(&present)
			if open := from != rotation.Done; open != fault.Is(err, fault.Conflict) || !open && err != nil {
				t.Errorf("%s: a second rotation at the step %s: %v", s, from, err)
			}
		}
	}
}

// TestVersions: a step needs the version that the one before it made.
func TestVersions(t *testing.T) {
	t.Parallel()
	for _, s := range rotation.Subjects() {
		steps := s.Steps()
		for i, step := range steps[1:] {
			present, next := at(s, steps[i]), at(s, step)
			for name, change := range map[string]func(*rotation.State){
				"staged":   func(n *rotation.State) { n.Staged = n.Base },
				"promoted": func(n *rotation.State) { n.Promoted = map[bool]int64{true: 7, false: 0}[n.Promoted == 0] },
			} {
				wrong := next
				change(&wrong)
				if err := wrong.Follows(&present); !fault.Is(err, fault.Unprocessable) {
					t.Errorf("%s at %s with a wrong version %s: %v", s, step, name, err)
				}
			}
		}
	}
	if _, err := rotation.ParseSubject("vault"); !fault.Is(err, fault.NotFound) {
		t.Errorf("an unknown subject: %v", err)
	}
}
