package rotate

import (
	"context"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/connect/vault"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rotation"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/secret/provision"
)

// Vault is the path of the secrets, as an operator sees it.
type Vault struct {
	Operator *vault.Operator
	Path     vault.Path
}

// Set is one version of the path.
type Set struct{ vault.Secrets }

// Of returns the current and the next secret of a subject as processes use them; they may be empty.
func (s Set) Of(subject rotation.Subject) (current, next Secret) {
	name, nextName := subject.Keys()
	if current = s.value(name); current.Empty() {
		current = s.value(legacy(name))
	}
	return current, s.value(nextName)
}

func (s Set) value(name string) Secret { return secret.New(secret.Tidy(s.Values[name].Reveal())) }

// legacy gives the older name of a current password, "" for none.
func legacy(name string) string {
	return map[string]string{"DB_PASS_CURRENT": "DB_PASS", "REDIS_PASS_CURRENT": "REDIS_PASS"}[name]
}

// Latest reads the path.
func (v *Vault) Latest(ctx context.Context) (Set, error) { return v.At(ctx, 0) }

// At reads one version of the path, 0 for the latest. One that has nothing is an error.
func (v *Vault) At(ctx context.Context, version int64) (Set, error) {
	s, err := v.Operator.Read(ctx, v.Path, version)
	switch {
	case err != nil:
		return Set{}, err
	case s.Deleted || s.Version == 0:
		return Set{}, fault.New(fault.SecretsUnavailable, "%s has no secrets in the version that is needed (%d)", v.Path, max(version, s.Version)).
			WithRemedy("undelete that version, or correct VAULT_SECRETS_PATH; a rotation needs the version before it and the one with the next secret")
	}
	return Set{s}, nil
}

// Write puts a changed set as the version after the one that it was read as.
func (v *Vault) Write(ctx context.Context, s Set) (int64, error) {
	return v.Operator.Write(ctx, v.Path, s.Secrets)
}

// MayWrite refuses a token that may only read, as that of a server's AppRole.
func (v *Vault) MayWrite(ctx context.Context) error {
	may, err := v.Operator.MayWrite(ctx, v.Path)
	if err == nil && !may {
		return fault.New(fault.Forbidden, "the token may not write %s: it is no operator's", v.Path).
			WithRemedy("give an operator's token in VAULT_TOKEN or --token-file; the AppRole of the servers may only read, and that is right")
	}
	return err
}

// generate makes a secret: a key in the form that MUTT tells a damaged one by, else a password.
func generate(s rotation.Subject) Secret {
	if s == rotation.IngestKey || s == rotation.AdminKey {
		return authn.NewSecret()
	}
	return provision.NewPassword()
}
