package rotate

import (
	"context"
	"net/http"
	"time"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rotation"
)

// API is the running MUTT.
type API struct {
	Client *apiclient.Client
	// WithKey makes a client of the same server with another key.
	WithKey func(key Secret) (*apiclient.Client, error)
	Reason  string // for the change audit
}

// use goes on with another key.
func (a *API) use(key Secret) error {
	c, err := a.WithKey(key)
	if err == nil {
		a.Client = c
	}
	return err
}

// whoami gives the name of the key in use.
func (a *API) whoami(ctx context.Context) (string, error) {
	var who apiclient.Whoami
	err := a.call(ctx, http.MethodGet, []string{"whoami"}, 0, nil, &who)
	return who.Name, err
}

// bootstrapKey is the name of the key that a subject is.
func bootstrapKey(s rotation.Subject) string {
	return map[rotation.Subject]string{rotation.IngestKey: "key:bootstrap-ingest", rotation.AdminKey: "key:bootstrap-admin"}[s]
}

func (a *API) call(ctx context.Context, method string, path []string, ifMatch int64, body, out any) error {
	return a.Client.Do(ctx, apiclient.Call{Method: method, Path: path, Body: body, IfMatch: ifMatch, Reason: a.Reason}, out)
}

// Last gives the last rotation of a secret, nil when there was none.
func (a *API) Last(ctx context.Context, s rotation.Subject) (*apiclient.Rotation, error) {
	var all apiclient.Rotations
	if err := a.call(ctx, http.MethodGet, []string{"secrets", "rotations"}, 0, nil, &all); err != nil {
		return nil, err
	}
	for i := range all.Rotations {
		if all.Rotations[i].Secret == string(s) {
			return &all.Rotations[i], nil
		}
	}
	return nil, nil
}

// state is Last as a State.
func (a *API) state(ctx context.Context, s rotation.Subject) (*rotation.State, error) {
	last, err := a.Last(ctx, s)
	if err != nil || last == nil {
		return nil, err
	}
	out := stateOf(*last)
	return &out, nil
}

// Put notes a step.
func (a *API) Put(ctx context.Context, s rotation.State) (rotation.State, error) {
	var out apiclient.Rotation
	err := a.call(ctx, http.MethodPut, []string{"secrets", "rotations", string(s.Subject)}, s.Revision, apiclient.RotationInput{
		ID: s.ID, Step: string(s.Step), Base: s.Base, Staged: s.Staged, Promoted: s.Promoted, Reason: a.Reason}, &out)
	return stateOf(out), err
}

func stateOf(r apiclient.Rotation) rotation.State {
	return rotation.State{Subject: rotation.Subject(r.Secret), ID: r.ID, Step: rotation.Step(r.Step), Base: r.Base, Staged: r.Staged, Promoted: r.Promoted,
		StartedAt: r.StartedAt, StartedBy: r.StartedBy, UpdatedAt: r.UpdatedAt, UpdatedBy: r.UpdatedBy, Revision: r.Revision}
}

// Hold takes, renews or ends the hold on a rotation.
func (a *API) Hold(ctx context.Context, s rotation.Subject, holder string, release bool) (out apiclient.RotationHeld, err error) {
	err = a.call(ctx, http.MethodPost, []string{"secrets", "rotations", string(s), "hold"}, 0, apiclient.RotationHold{Holder: holder, Release: release}, &out)
	return out, err
}

// Processes gives the live processes that use a secret.
func (a *API) Processes(ctx context.Context, s rotation.Subject) (out []Process, err error) {
	var all apiclient.Secrets
	if err := a.call(ctx, http.MethodGet, []string{"secrets"}, 0, nil, &all); err != nil {
		return nil, err
	}
	for _, one := range all.Secrets {
		if one.Secret != string(s) {
			continue
		}
		for _, p := range one.Processes {
			out = append(out, Process(p))
		}
	}
	if len(out) == 0 {
		return nil, fault.New(fault.Conflict, "no live process uses %s", s).WithRemedy("start MUTT with this secret first")
	}
	return out, nil
}

// lastUsed tells when the present key was used last, nil for never.
func (a *API) lastUsed(ctx context.Context, s rotation.Subject) (*time.Time, error) {
	var all apiclient.Keys
	if err := a.call(ctx, http.MethodGet, []string{"keys"}, 0, nil, &all); err != nil {
		return nil, err
	}
	for _, k := range all.Keys {
		if "key:"+k.Name == bootstrapKey(s) {
			return k.LastUsed, nil
		}
	}
	return nil, fault.New(fault.NotFound, "the server does not know %s", bootstrapKey(s))
}

// verifyKey returns when the server knows one key and not the other, with a fault when that is not so within a time: a process tells
// that it has read a key a moment before it goes by it. What a key may do does not matter.
func (a *API) verifyKey(ctx context.Context, next, old Secret, bound time.Duration) error {
	timeout, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	for {
		if err := a.changedOver(ctx, next, old); !fault.Is(err, fault.Conflict) || !pause(timeout) {
			return err
		}
	}
}

// changedOver is verifyKey at this moment.
func (a *API) changedOver(ctx context.Context, next, old Secret) error {
	for i, key := range []Secret{next, old} {
		want := i == 0
		known, err := a.knows(ctx, key)
		switch {
		case err != nil:
			return err
		case want && !known:
			return fault.New(fault.Conflict, "the server does not accept the new key").WithRemedy("look at 'mutt secrets status'")
		case !want && known:
			return fault.New(fault.Conflict, "the server still accepts the old key").WithRemedy("look at 'mutt secrets status', and at 'mutt keys list': another key may have the same secret")
		}
	}
	return nil
}

func (a *API) knows(ctx context.Context, key Secret) (bool, error) {
	if key.Empty() {
		return false, nil
	}
	c, err := a.WithKey(key)
	if err != nil {
		return false, err
	}
	err = c.Do(ctx, apiclient.Call{Method: http.MethodGet, Path: []string{"whoami"}}, nil)
	switch {
	case err == nil, fault.Is(err, fault.Forbidden):
		return true, nil
	case fault.Is(err, fault.Unauthorized):
		return false, nil
	}
	return false, err
}
