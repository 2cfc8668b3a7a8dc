package rotate

import (
	"context"
	"slices"

	"github.com/muttproject/mutt/platform/connect/postgres"
	"github.com/muttproject/mutt/platform/fault"
)

// Postgres is the role of a PostgreSQL. It has one password.
type Postgres struct {
	Admin *postgres.Administrator
	Role  string
}

var _ Server = (*Postgres)(nil)

// Check implements Server.
func (p *Postgres) Check(ctx context.Context, current, next Secret) error {
	if p.Admin.User() == p.Role {
		return fault.New(fault.ConfigInvalid, "the administrator's DSN is that of the role whose password is rotated").WithRemedy("give that of an administrator")
	}
	if err := p.Admin.MayAlter(ctx, p.Role); err != nil {
		return err
	}
	accepted, err := p.Admin.Accepts(ctx, p.Role, current)
	if accepted || err != nil {
		return err
	}
	if !next.Empty() {
		if accepted, err = p.Admin.Accepts(ctx, p.Role, next); err != nil {
			return err
		}
	}
	if accepted {
		return fault.New(fault.Conflict, "PostgreSQL accepts DB_PASS_NEXT and not DB_PASS_CURRENT: a rotation by hand is under way").
			WithRemedy("finish it: make DB_PASS_NEXT the DB_PASS_CURRENT in Vault")
	}
	return fault.New(fault.Conflict, "PostgreSQL does not accept DB_PASS_CURRENT").WithRemedy("correct it in Vault or at the server first; MUTT cannot log in with it either")
}

// Admit implements Server.
func (p *Postgres) Admit(ctx context.Context, _, next Secret, did func() error) error {
	accepted, err := p.Admin.Accepts(ctx, p.Role, next)
	if err == nil && !accepted {
		if err = p.Admin.SetPassword(ctx, p.Role, next); err == nil {
			err = did()
		}
	}
	if err != nil {
		return err
	}
	if accepted, err = p.Admin.Accepts(ctx, p.Role, next); err == nil && !accepted {
		err = fault.New(fault.Conflict, "PostgreSQL does not accept the password that it was given").WithRemedy("see whether this server and that of DB_HOST are the same")
	}
	return err
}

// Retire implements Server: the old password ended when the new one came.
func (p *Postgres) Retire(context.Context, Secret, []Secret, func() error) error { return nil }

// Verify implements Server.
func (p *Postgres) Verify(ctx context.Context, next Secret, old []Secret) error {
	return verify(slices.Concat([]Secret{next}, old), func(i int, s Secret) error {
		accepted, err := p.Admin.Accepts(ctx, p.Role, s)
		return outcome("PostgreSQL", i == 0, accepted, err)
	})
}

// Withdraw implements Server.
func (p *Postgres) Withdraw(ctx context.Context, next Secret, _ func() error) error {
	accepted, err := p.Admin.Accepts(ctx, p.Role, next)
	if err == nil && accepted {
		err = fault.New(fault.Conflict, "PostgreSQL has the new password already, and the old one is gone").WithRemedy("go on: run the command again without --abort")
	}
	return err
}

// verify tries secrets, the first of which is to be accepted.
func verify(all []Secret, try func(i int, s Secret) error) error {
	for i, s := range all {
		if err := try(i, s); err != nil {
			return err
		}
	}
	return nil
}

func outcome(where string, want, accepted bool, err error) error {
	switch {
	case err != nil || accepted == want:
		return err
	case want:
		return fault.New(fault.Conflict, "%s does not accept the new password", where).WithRemedy("see who else changes passwords there; then run the command again")
	default:
		return fault.New(fault.Conflict, "%s still accepts an old password", where).WithRemedy("see who else changes passwords there; then run the command again")
	}
}
