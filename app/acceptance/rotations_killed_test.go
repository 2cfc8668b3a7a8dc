package acceptance

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/app/rotate"
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/rotation"
)

// TestRotationsKilled kills the command with -9 at each line that it writes once, at rotations of both passwords that go on at the same
// time. Whoever runs it again need do no more than that: it waits for the hold of the killed one, goes on, and in the end there
// was one rotation.
func TestRotationsKilled(t *testing.T) {
	t.Parallel()
	v := apptest.NewVaulted(t, "everysec")
	m := apptest.Start(t, apptest.Options{Env: v.Env(), Rules: []byte(rules), RotationHold: time.Second})
	operator := newRotator(t, v, m.AdminURL)
	t.Run("both", func(t *testing.T) { // it ends when both have
		for _, subject := range []rotation.Subject{rotation.Postgres, rotation.Redis} {
			t.Run(string(subject), func(t *testing.T) {
				t.Parallel()
				killedRotation(t, operator, v, m, subject)
			})
		}
	})
	through(m, "rotated")
	m.ExpectBalanced()
}

func killedRotation(t *testing.T, operator *rotator, v *apptest.Vaulted, m *apptest.MUTT, subject rotation.Subject) {
	old := passwordOf(v, subject)
	kills, waits, id := map[string]bool{}, 0, ""
	for over := false; !over; {
		said, err := operator.run(t, subject, func(p rotate.Progress) bool {
			point := string(p.Step) + " " + p.Event
			if kills[point] || p.Event != "begun" && p.Event != "done" || p.Step == rotation.Done {
				return false
			}
			kills[point] = true
			return true
		})
		if err != nil && !errors.Is(err, errKilled) {
			t.Fatalf("after %d kills: %v", len(kills), err)
		}
		for _, p := range said {
			if p.Step == "" && p.Event == "waiting" {
				waits++
			}
			if id == "" {
				id = p.ID
			}
			if p.ID != "" && p.ID != id {
				t.Fatalf("another rotation was begun: %+v", p)
			}
		}
		if a := m.Do(http.MethodGet, m.OpsURL+"/health", nil); a.Status != http.StatusOK {
			t.Errorf("/health after %v: %d %s", said[len(said)-1], a.Status, a.Body)
		}
		over = lastRotation(m, subject).Step == string(rotation.Done) // also when the kill came too late
	}
	t.Logf("killed at %d points, and waited %d times for the hold of the killed one", len(kills), waits)
	if len(kills) < len(subject.Steps())-1 {
		t.Errorf("it was killed at too few points: %v", kills)
	}
	name, _ := subject.Keys()
	if n := v.Promotions(name); n != 1 {
		t.Errorf("%d promotions", n)
	}
	rotated(t, v, subject, old)
}

// lastRotation gives the last rotation of a secret.
func lastRotation(m *apptest.MUTT, subject rotation.Subject) apiclient.Rotation {
	var all apiclient.Rotations
	m.Get(&all, nil, "secrets", "rotations")
	for _, one := range all.Rotations {
		if one.Secret == string(subject) {
			return one
		}
	}
	return apiclient.Rotation{}
}
