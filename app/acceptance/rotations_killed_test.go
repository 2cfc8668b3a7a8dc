package acceptance

import (
	"errors"
	"net/http"
	"sync"
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
	all := []*killedRotation{newKilledRotation(v, rotation.Postgres), newKilledRotation(v, rotation.Redis)}
	for !all[0].over || !all[1].over {
		var commands sync.WaitGroup
		for _, k := range all {
			if !k.over {
				commands.Go(func() { k.said, k.err = operator.run(t, k.subject, k.kill) })
			}
		}
		commands.Wait()
		for _, k := range all {
			if !k.over {
				k.look(t, m)
			}
		}
	}
	for _, k := range all {
		k.ended(t, v)
	}
	through(m, "rotated")
	m.ExpectBalanced()
}

// killedRotation is one rotation, whose command is killed again and again.
type killedRotation struct {
	subject rotation.Subject
	old     string          // password from before
	kills   map[string]bool // points at which it was killed
	waits   int             // for the hold of a killed one
	id      string          // of the rotation
	over    bool

	said []rotate.Progress // of the last command
	err  error
}

func newKilledRotation(v *apptest.Vaulted, subject rotation.Subject) *killedRotation {
	return &killedRotation{subject: subject, old: passwordOf(v, subject), kills: map[string]bool{}}
}

// kill says whether the command is killed at a line.
func (k *killedRotation) kill(p rotate.Progress) bool {
	point := string(p.Step) + " " + p.Event
	if k.kills[point] || p.Event != "begun" && p.Event != "done" || p.Step == rotation.Done {
		return false
	}
	k.kills[point] = true
	return true
}

// look sees what the last command did.
func (k *killedRotation) look(t *testing.T, m *apptest.MUTT) {
	t.Helper()
	if k.err != nil && !errors.Is(k.err, errKilled) {
		t.Fatalf("after %d kills: %v", len(k.kills), k.err)
	}
	for _, p := range k.said {
		if p.Step == "" && p.Event == "waiting" {
			k.waits++
		}
		if k.id == "" {
			k.id = p.ID
		}
		if p.ID != "" && p.ID != k.id {
			t.Fatalf("another rotation was begun: %+v", p)
		}
	}
	if a := m.Do(http.MethodGet, m.OpsURL+"/health", nil); a.Status != http.StatusOK {
		t.Errorf("/health after %+v: %d %s", k.said, a.Status, a.Body)
	}
	k.over = lastRotation(m, k.subject).Step == string(rotation.Done) // also when the kill came too late
}

// ended holds that there was one rotation, and that it is whole.
func (k *killedRotation) ended(t *testing.T, v *apptest.Vaulted) {
	t.Helper()
	t.Logf("%s: killed at %d points, and waited %d times for the hold of the killed one", k.subject, len(k.kills), k.waits)
	if len(k.kills) < len(k.subject.Steps())-1 {
		t.Errorf("it was killed at too few points: %v", k.kills)
	}
	name, _ := k.subject.Keys()
	if n := v.Promotions(name); n != 1 {
		t.Errorf("%d promotions of %s", n, k.subject)
	}
	rotated(t, v, k.subject, k.old)
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
