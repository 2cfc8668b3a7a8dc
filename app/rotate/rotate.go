// Package rotate rotates the passwords and keys of a running MUTT: what 'mutt secrets rotate' does.
//
// Principles:
//  1. Whoever rotates has rights that no server of MUTT has: an operator's token of Vault, an administrator of PostgreSQL or Redis. They
//     are used here and kept nowhere.
//  2. How far a rotation has come is kept by the server, one audited change for each step. A step is idempotent and is checked before
//     the next one is noted, so that a command that was killed anywhere is run again and goes on.
//  3. The secrets of a rotation are read from Vault by their versions each time. No message, state or error has them.
//  4. Nothing that works is taken away before its successor works everywhere.
package rotate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rotation"
)

// Options are what a rotation is made of.
type Options struct {
	Subject rotation.Subject
	API     *API
	Vault   *Vault
	Server  Server // that the password is for; nil for a key
	// Wait bounds each wait for the processes.
	Wait time.Duration
	// UnusedFor is how long nobody may have used an old key before the next one takes its place; 0 asks for nothing.
	UnusedFor time.Duration
	Holder    string // who works on it, unique
	Report    func(Progress)
	// Fault is called before and after everything that changes something, for tests; its error ends the rotation there.
	Fault func(point string) error
}

// Server is what a password is for. Its errors are faults in the operator's words.
type Server interface {
	// Check sees that the rotation can be done, and changes nothing: the present password is accepted everywhere, and the next one, if
	// there is one, not the only one.
	Check(ctx context.Context, current, next Secret) error
	// Admit has every node accept the new password. PostgreSQL has one password for each role, so the old one ends there.
	Admit(ctx context.Context, old, next Secret, did func() error) error
	// Retire has every node refuse what is old.
	Retire(ctx context.Context, next Secret, old []Secret, did func() error) error
	// Verify sees that the new password is accepted everywhere, and the old one nowhere.
	Verify(ctx context.Context, next Secret, old []Secret) error
	// Withdraw takes back what Admit did, as far as it can be; its error says that it cannot.
	Withdraw(ctx context.Context, next Secret, did func() error) error
}

// Progress is one line of what a rotation does.
type Progress struct {
	At      time.Time     `json:"at"`
	Secret  string        `json:"secret"`
	ID      string        `json:"rotation,omitempty"` // absent when none is under way
	Step    rotation.Step `json:"step"`
	Event   string        `json:"event"` // begun, waiting, done
	Message string        `json:"message"`
	Seconds float64       `json:"seconds,omitempty"` // that the step took
}

// Rotation is one rotation in the works.
type Rotation struct {
	o     Options
	state rotation.State
}

// New makes a Rotation. It does no I/O.
func New(o Options) *Rotation {
	if o.Report == nil {
		o.Report = func(Progress) {}
	}
	if o.Fault == nil {
		o.Fault = func(string) error { return nil }
	}
	return &Rotation{o: o, state: rotation.State{Subject: o.Subject}}
}

// Run rotates from where the last command left it, or from the beginning.
func (r *Rotation) Run(ctx context.Context) error {
	return r.taken(ctx, func(ctx context.Context) error {
		if !r.state.Open() {
			if err := r.begin(ctx); err != nil {
				return err
			}
		} else {
			r.say("resumed", "a rotation of %s is under way since %s, by %s: it goes on", r.o.Subject, r.state.StartedAt.UTC().Format(time.RFC3339), r.state.StartedBy)
		}
		for r.state.Open() {
			if err := r.next(ctx); err != nil {
				return err
			}
		}
		r.say("done", "%s is rotated: version %d of %s is in force, the old one is refused", r.o.Subject, r.state.Promoted, r.o.Vault.Path)
		return nil
	})
}

// taken calls fn while this command alone works on the rotation, with what the server knows of it.
func (r *Rotation) taken(ctx context.Context, fn func(context.Context) error) error {
	if err := r.ownKey(ctx); err != nil {
		return err
	}
	return r.held(ctx, func(ctx context.Context) error {
		if err := r.load(ctx); err != nil {
			return err
		}
		return fn(ctx)
	})
}

// ownKey changes this command over to the next admin key when that is what is rotated and the caller's key is the old one: it would keep
// the old key in use, and be refused at the end.
func (r *Rotation) ownKey(ctx context.Context) error {
	if r.o.Subject != rotation.AdminKey {
		return nil
	}
	who, err := r.o.API.whoami(ctx)
	if err == nil && who != bootstrapKey(r.o.Subject) || err != nil && !fault.Is(err, fault.Unauthorized) {
		return err
	}
	now, vaultErr := r.o.Vault.Latest(ctx)
	if vaultErr != nil {
		return vaultErr
	}
	current, next := now.Of(r.o.Subject)
	for _, s := range []Secret{next, current} {
		if known, knowErr := r.o.API.knows(ctx, s); known || knowErr != nil {
			return errors.Join(knowErr, r.o.API.use(s))
		}
	}
	return err
}

// load takes over what the server knows.
func (r *Rotation) load(ctx context.Context) error {
	s, err := r.o.API.state(ctx, r.o.Subject)
	if err == nil && s != nil {
		r.state = *s
	}
	return err
}

// begin checks everything that can be known before, and notes a new rotation.
func (r *Rotation) begin(ctx context.Context) error {
	base, err := r.ready(ctx)
	if err != nil {
		return err
	}
	return r.put(ctx, rotation.State{Subject: r.o.Subject, ID: uuid.Must(uuid.NewV7()).String(), Step: rotation.Stage, Base: base, Revision: r.state.Revision})
}

// ready sees that a rotation can be done, and gives the version that it would begin at.
func (r *Rotation) ready(ctx context.Context) (base int64, err error) {
	if err := r.o.Vault.MayWrite(ctx); err != nil {
		return 0, err
	}
	now, err := r.o.Vault.Latest(ctx)
	if err != nil {
		return 0, err
	}
	current, next := now.Of(r.o.Subject)
	name, nextName := r.o.Subject.Keys()
	if current.Empty() {
		return 0, fault.New(fault.NotFound, "%s has no %s", r.o.Vault.Path, name).WithRemedy("write it there first, or correct VAULT_SECRETS_PATH; 'mutt vault init' makes one")
	}
	if r.o.Subject == rotation.Postgres && !now.Values["DB_USER_NEXT"].Empty() {
		return 0, fault.New(fault.Unprocessable, "DB_USER_NEXT is set: this command rotates the password of one role, not from one role to another").
			WithRemedy("rotate two roles by hand, or remove DB_USER_NEXT")
	}
	if err := r.fromVault(ctx, name, nextName); err != nil {
		return 0, err
	}
	if r.o.Server == nil {
		return now.Version, nil
	}
	return now.Version, r.o.Server.Check(ctx, current, next)
}

// fromVault sees that the processes take the secret from Vault: others would never follow.
func (r *Rotation) fromVault(ctx context.Context, names ...string) error {
	all, err := r.o.API.Processes(ctx, r.o.Subject)
	if err != nil {
		return err
	}
	for _, p := range all {
		for _, l := range p.Loaded {
			if from, _ := versionOf(l.Version); from != "vault" && (l.Key == names[0] || l.Key == names[1]) {
				return fault.New(fault.Unprocessable, "the process %s takes %s from elsewhere than Vault (%s), and would not follow", p.Name, l.Key, l.Version).
					WithRemedy("give it VAULT_ADDR and its AppRole, and remove the variable or file")
			}
		}
	}
	return nil
}

// next does the present step and notes the one that follows.
func (r *Rotation) next(ctx context.Context) error {
	began, step := time.Now(), r.state.Step
	r.say("begun", "%s", about(r.o.Subject, step))
	next := r.state
	next.Step = r.o.Subject.After(step)
	message, err := r.do(ctx, &next)
	if err != nil {
		return fmt.Errorf("rotate %s, at the step %s: %w", r.o.Subject, step, err)
	}
	if err := r.put(ctx, next); err != nil {
		return err
	}
	r.report(Progress{Step: step, Event: "done", Message: message, Seconds: time.Since(began).Round(time.Millisecond).Seconds()})
	return nil
}

// do does the present step and fills in what the next state knows by it.
func (r *Rotation) do(ctx context.Context, next *rotation.State) (message string, err error) {
	switch r.state.Step {
	case rotation.Stage:
		next.Staged, err = r.stage(ctx)
		return fmt.Sprintf("version %d has the next one", next.Staged), err
	case rotation.Wait:
		if err = r.await(ctx, Loaded, r.state.Staged); err == nil {
			err = r.ownKey(ctx)
		}
		return "every process has it", err
	case rotation.Alter, rotation.Add:
		return "the server accepts it", r.admit(ctx)
	case rotation.Check:
		return "every process has logged in with it", r.await(ctx, Accepted, r.state.Staged)
	case rotation.Senders:
		return r.senders(ctx)
	case rotation.Promote:
		next.Promoted, err = r.promote(ctx)
		return fmt.Sprintf("version %d has it as the current one", next.Promoted), err
	case rotation.Recycle:
		return "no connection uses the old one", r.await(ctx, Safe, r.state.Promoted)
	case rotation.Remove:
		return "the server has forgotten the old one", r.retire(ctx)
	case rotation.Verify:
		return "the new one is accepted, the old one is refused", r.verify(ctx)
	default:
		return "", fault.New(fault.NewerVersion, "the step %s is not known", r.state.Step).WithRemedy("go on with the version of mutt that began the rotation, or a later one")
	}
}

// put notes a state. An answer that was lost is no reason to stop: what is stored then tells.
func (r *Rotation) put(ctx context.Context, next rotation.State) error {
	if err := r.o.Fault("before " + string(next.Step)); err != nil {
		return err
	}
	stored, err := r.o.API.Put(ctx, next)
	if err != nil && ctx.Err() == nil && !fault.Is(err, fault.Forbidden) && !fault.Is(err, fault.Unauthorized) {
		now, loadErr := r.o.API.state(ctx, r.o.Subject)
		if loadErr == nil && now != nil && now.ID == next.ID && now.Step == next.Step {
			stored, err = *now, nil
		}
	}
	if err != nil {
		return fmt.Errorf("note the step %s: %w", next.Step, err)
	}
	r.state = stored
	return r.o.Fault("at " + string(next.Step))
}

// Abort takes a rotation back, where that is still possible.
func (r *Rotation) Abort(ctx context.Context) error {
	return r.taken(ctx, func(ctx context.Context) error {
		if !r.state.Open() {
			return fault.New(fault.NotFound, "no rotation of %s is under way", r.o.Subject).WithRemedy("none is needed")
		}
		if !r.o.Subject.Abortable(r.state.Step) {
			return forward(r.o.Subject, r.state.Step)
		}
		if err := r.withdraw(ctx); err != nil {
			return err
		}
		next := r.state
		next.Step = rotation.Aborted
		if err := r.put(ctx, next); err != nil {
			return err
		}
		r.say("aborted", "the rotation is taken back: the secret from before it stays in force")
		return nil
	})
}

func forward(s rotation.Subject, step rotation.Step) error {
	return fault.New(fault.Conflict, "the rotation of %s is past the point where it can be taken back, at the step %s", s, step).
		WithRemedy("go on: run 'mutt secrets rotate %s' again; then rotate once more if the new secret must not be used", s)
}

func (r *Rotation) say(event, format string, args ...any) {
	r.report(Progress{Step: r.state.Step, Event: event, Message: fmt.Sprintf(format, args...)})
}

func (r *Rotation) report(p Progress) {
	p.At, p.Secret, p.ID = time.Now().UTC(), string(r.o.Subject), r.state.ID
	r.o.Report(p)
}

// errTaken ends a rotation that another command works on.
var errTaken = errors.New("another command has taken over the rotation")
