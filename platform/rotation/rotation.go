// Package rotation is what the rotation of a secret is: its steps, their order, and the state between them.
//
// Principles:
//  1. A step is begun when the state names it, and the state names the next one only when the step was checked. Whoever finds a
//     state repeats its step: steps are idempotent.
//  2. The state never holds a secret, only versions of the path in the source of secrets.
//  3. There is one rotation of a subject at a time. Its steps go forward only; it ends done or aborted.
package rotation

import (
	"slices"
	"time"

	"github.com/muttproject/mutt/platform/fault"
)

// Subject is what is rotated.
type Subject string

// The subjects.
const (
	Postgres  Subject = "postgres"
	Redis     Subject = "redis"
	IngestKey Subject = "ingest-key"
	AdminKey  Subject = "webui-key"
)

// Subjects lists them in the order of documents.
func Subjects() []Subject { return []Subject{Postgres, Redis, IngestKey, AdminKey} }

// ParseSubject reads the name of a subject.
func ParseSubject(name string) (Subject, error) {
	if s := Subject(name); slices.Contains(Subjects(), s) {
		return s, nil
	}
	return "", fault.Field(fault.NotFound, "secret", "%q is not rotated", name).WithRemedy("choose postgres, redis, ingest-key or webui-key")
}

// Keys gives the names of the secret that is in force and of the next one (contracts.md, section 7).
func (s Subject) Keys() (current, next string) {
	switch s {
	case Postgres:
		return "DB_PASS_CURRENT", "DB_PASS_NEXT"
	case Redis:
		return "REDIS_PASS_CURRENT", "REDIS_PASS_NEXT"
	case IngestKey:
		return "INGEST_API_KEY", "INGEST_API_KEY_NEXT"
	default:
		return "WEBUI_API_KEY", "WEBUI_API_KEY_NEXT"
	}
}

// Step is a part of a rotation.
type Step string

// The steps; behaviour.md (Secrets and rotation) has their order.
const (
	Stage   Step = "stage"   // NEXT is made and written to Vault
	Wait    Step = "wait"    // every process has read it
	Alter   Step = "alter"   // PostgreSQL: the role gets the new password, and the old one ends
	Check   Step = "check"   // PostgreSQL: every process has logged in with it
	Add     Step = "add"     // Redis: every node takes the new password beside the old one
	Senders Step = "senders" // keys: nobody sends the old one any more
	Promote Step = "promote" // NEXT becomes CURRENT in Vault
	Recycle Step = "recycle" // every process has read that, and no connection uses the old password
	Remove  Step = "remove"  // Redis: every node forgets the old password
	Verify  Step = "verify"  // the old one is refused, the new one is accepted
	Done    Step = "done"
	Aborted Step = "aborted"
)

// Steps gives the steps of a subject in their order, with Done at the end.
func (s Subject) Steps() []Step {
	switch s {
	case Postgres:
		return []Step{Stage, Wait, Alter, Check, Promote, Recycle, Verify, Done}
	case Redis:
		return []Step{Stage, Wait, Add, Promote, Recycle, Remove, Verify, Done}
	default:
		return []Step{Stage, Wait, Senders, Promote, Recycle, Verify, Done}
	}
}

// AllSteps lists every step once, and how a rotation ends.
func AllSteps() []Step {
	return []Step{Stage, Wait, Alter, Check, Add, Senders, Promote, Recycle, Remove, Verify, Done, Aborted}
}

// After gives the step that follows, "" after the last.
func (s Subject) After(step Step) Step {
	steps := s.Steps()
	if i := slices.Index(steps, step); i >= 0 && i+1 < len(steps) {
		return steps[i+1]
	}
	return ""
}

// Abortable reports whether a rotation that has come to a step can still be taken back: before PostgreSQL has the new password only, or
// before the new one is the current one.
func (s Subject) Abortable(step Step) bool {
	point := Promote
	if s == Postgres {
		point = Alter
	}
	steps := s.Steps()
	i := slices.Index(steps, step)
	return i >= 0 && i <= slices.Index(steps, point)
}

// State is how far a rotation has come. Versions are those of the path in Vault, 0 before they are known.
type State struct {
	Subject  Subject
	ID       string // of this rotation, unique
	Step     Step   // that is under way; Done and Aborted end it
	Base     int64  // before the rotation: its CURRENT is the old secret
	Staged   int64  // its NEXT is the new secret
	Promoted int64  // its CURRENT is the new secret

	StartedAt, UpdatedAt time.Time
	StartedBy, UpdatedBy string // as the change audit names them
	Revision             int64
}

// Open reports whether the rotation is under way.
func (s *State) Open() bool { return s != nil && s.Step != "" && s.Step != Done && s.Step != Aborted }

// Follows refuses a state that cannot come after the present one, nil for none.
func (s *State) Follows(present *State) error {
	switch {
	case !present.Open() && s.Step == Stage && s.Base > 0 && s.Staged == 0 && s.Promoted == 0 && s.ID != "" && (present == nil || present.ID != s.ID):
		return nil
	case !present.Open():
		return fault.Field(fault.Unprocessable, "step", "no rotation of %s is under way: one begins with the step stage, an id of its own and the version before", s.Subject)
	case s.ID != present.ID:
		return fault.New(fault.Conflict, "another rotation of %s is under way, at the step %s, since %s", s.Subject, present.Step, present.StartedAt.UTC().Format(time.RFC3339)).
			WithRemedy("go on with it, or abort it")
	case s.Step == Aborted:
		if !s.Subject.Abortable(present.Step) {
			return fault.Field(fault.Unprocessable, "step", "the rotation cannot be aborted at the step %s: go on", present.Step)
		}
		return nil
	case s.Step != s.Subject.After(present.Step):
		return fault.Field(fault.Unprocessable, "step", "%s does not come after %s", s.Step, present.Step)
	}
	return s.versions()
}

// versions refuses a step without the version that the step before it made.
func (s *State) versions() error {
	steps := s.Subject.Steps()
	at := slices.Index(steps, s.Step)
	switch {
	case s.Staged <= s.Base:
		return fault.Field(fault.Unprocessable, "staged", "is the version that has the new secret, above %d", s.Base)
	case at > slices.Index(steps, Promote) && s.Promoted <= s.Staged:
		return fault.Field(fault.Unprocessable, "promoted", "is the version in which the new secret is the current one, above %d", s.Staged)
	case at <= slices.Index(steps, Promote) && s.Promoted != 0:
		return fault.Field(fault.Unprocessable, "promoted", "is not known before the step %s is done", Promote)
	}
	return nil
}
