package rotate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rotation"
	"github.com/muttproject/mutt/platform/secret"
)

// Secret saves the users of this package an import.
type Secret = secret.Secret

// about says what a step does.
func about(s rotation.Subject, step rotation.Step) string {
	current, next := s.Keys()
	switch step {
	case rotation.Stage:
		return "make " + next + " and write it to Vault"
	case rotation.Wait:
		return "wait until every process that uses it has read " + next
	case rotation.Alter:
		return "give the role of PostgreSQL the new password: the old one ends, open connections live on"
	case rotation.Add:
		return "add the new password on every node of Redis, beside the old one"
	case rotation.Check:
		return "wait until every process has logged in with the new password"
	case rotation.Senders:
		return "see that nobody has used the old key lately"
	case rotation.Promote:
		return "make " + next + " the " + current + " in Vault"
	case rotation.Recycle:
		return "wait until every process works by that, and no connection by the old one"
	case rotation.Remove:
		return "remove the old password on every node of Redis"
	default:
		return "see that the old one is refused and the new one is accepted"
	}
}

// secrets gives those of this rotation: the new one, and all that it replaces.
func (r *Rotation) secrets(ctx context.Context) (next Secret, old []Secret, err error) {
	base, err := r.o.Vault.At(ctx, r.state.Base)
	if err != nil {
		return next, nil, err
	}
	staged, err := r.o.Vault.At(ctx, r.state.Staged)
	if err != nil {
		return next, nil, err
	}
	_, next = staged.Of(r.o.Subject)
	if next.Empty() {
		return next, nil, fault.New(fault.Conflict, "version %d of %s has no next secret", r.state.Staged, r.o.Vault.Path).WithRemedy("abort the rotation and begin anew")
	}
	current, before := base.Of(r.o.Subject)
	for _, s := range []Secret{current, before} { // a NEXT that was there before may be accepted somewhere too
		if !s.Empty() && !s.Equal(next) && !slices.ContainsFunc(old, s.Equal) {
			old = append(old, s)
		}
	}
	return next, old, nil
}

// stage writes a new NEXT. One of a command that was killed here was never used, and is replaced.
func (r *Rotation) stage(ctx context.Context) (version int64, err error) {
	_, name := r.o.Subject.Keys()
	return r.edit(ctx, func(now Set) (bool, error) {
		now.Values[name] = generate(r.o.Subject)
		return true, nil
	})
}

// promote makes NEXT the CURRENT, once.
func (r *Rotation) promote(ctx context.Context) (version int64, err error) {
	next, _, err := r.secrets(ctx)
	if err != nil {
		return 0, err
	}
	name, nextName := r.o.Subject.Keys()
	return r.edit(ctx, func(now Set) (bool, error) {
		current, waiting := now.Of(r.o.Subject)
		switch {
		case current.Equal(next):
			return false, nil // it was killed before it could say so
		case !waiting.Equal(next):
			return false, fault.New(fault.Conflict, "somebody else has replaced %s in Vault since version %d", nextName, r.state.Staged).
				WithRemedy("write the value of version %d again: the server has it already", r.state.Staged)
		}
		now.Values[name] = next
		delete(now.Values, nextName)
		delete(now.Values, legacy(name))
		return true, nil
	})
}

// edits is how often the path is written when somebody else always comes first.
const edits = 5

// edit writes the latest version as change leaves it, if that says so, and gives the version that has it. Another rotation may write
// the path between the reading and the writing: then change is given what that wrote.
func (r *Rotation) edit(ctx context.Context, change func(now Set) (write bool, err error)) (version int64, err error) {
	for range edits {
		now, readErr := r.o.Vault.Latest(ctx)
		if readErr != nil {
			return 0, readErr
		}
		if write, err := change(now); !write || err != nil {
			return now.Version, err
		}
		if version, err = r.write(ctx, now); !fault.Is(err, fault.Conflict) {
			break
		}
	}
	return version, err
}

func (r *Rotation) write(ctx context.Context, s Set) (version int64, err error) {
	if err := r.o.Fault("before Vault is written at " + string(r.state.Step)); err != nil {
		return 0, err
	}
	if version, err = r.o.Vault.Write(ctx, s); err != nil {
		return 0, err
	}
	return version, r.o.Fault("after Vault was written at " + string(r.state.Step))
}

func (r *Rotation) admit(ctx context.Context) error {
	next, old, err := r.secrets(ctx)
	if err != nil {
		return err
	}
	if len(old) == 0 {
		return fault.New(fault.Conflict, "version %d of %s has no secret to replace", r.state.Base, r.o.Vault.Path).WithRemedy("abort the rotation and begin anew")
	}
	return r.o.Server.Admit(ctx, old[0], next, r.did)
}

func (r *Rotation) retire(ctx context.Context) error {
	next, old, err := r.secrets(ctx)
	if err != nil {
		return err
	}
	return r.o.Server.Retire(ctx, next, old, r.did)
}

func (r *Rotation) verify(ctx context.Context) error {
	next, old, err := r.secrets(ctx)
	if err != nil {
		return err
	}
	if r.o.Server == nil {
		return r.o.API.verifyKey(ctx, next, old[0], r.o.Wait)
	}
	return r.o.Server.Verify(ctx, next, old)
}

func (r *Rotation) did() error {
	return r.o.Fault("after a server was changed at " + string(r.state.Step))
}

// withdraw takes the new secret out of Vault and off the servers.
func (r *Rotation) withdraw(ctx context.Context) error {
	_, name := r.o.Subject.Keys()
	if r.state.Staged == 0 { // what a killed command may have written was never used
		_, err := r.edit(ctx, func(now Set) (bool, error) {
			delete(now.Values, name)
			return true, nil
		})
		return err
	}
	next, _, err := r.secrets(ctx)
	if err != nil {
		return err
	}
	now, err := r.o.Vault.Latest(ctx)
	if err != nil {
		return err
	}
	if current, _ := now.Of(r.o.Subject); current.Equal(next) {
		return forward(r.o.Subject, r.state.Step)
	}
	if r.o.Server != nil {
		if err := r.o.Server.Withdraw(ctx, next, r.did); err != nil {
			return err
		}
	}
	_, err = r.edit(ctx, func(now Set) (bool, error) {
		_, waiting := now.Of(r.o.Subject)
		delete(now.Values, name)
		return waiting.Equal(next), nil
	})
	return err
}

// senders refuses to go on while the old key is in use.
func (r *Rotation) senders(ctx context.Context) (string, error) {
	if r.o.UnusedFor == 0 {
		return "it was not asked whether the old key is in use", nil
	}
	last, err := r.o.API.lastUsed(ctx, r.o.Subject)
	if err != nil {
		return "", err
	}
	if last == nil {
		return "the old key was never used", nil
	}
	if ago := time.Since(*last); ago < r.o.UnusedFor {
		return "", fault.New(fault.Conflict, "the old key was used %s ago, at %s: somebody still sends it", ago.Round(time.Second), last.UTC().Format(time.RFC3339)).
			WithRemedy("give the senders the next key, and run this command again when the old one was unused for %s (--unused-for)", r.o.UnusedFor)
	}
	return fmt.Sprintf("the old key was used last at %s", last.UTC().Format(time.RFC3339)), nil
}
