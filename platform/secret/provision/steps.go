package provision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/muttproject/mutt/platform/connect/vault"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/private"
	"github.com/muttproject/mutt/platform/secret"
)

// engine mounts KV version 2. Another engine in its place is never replaced: it has somebody's secrets.
func (r *run) engine(ctx context.Context) error {
	mount := r.Base.Mount
	kind, version, err := r.vault.Engine(ctx, mount)
	if err != nil {
		return err
	}
	if kind != "" && (kind != "kv" || version != "2") {
		return fault.New(fault.Conflict, "there is another secrets engine at %s/: %s", mount, strings.TrimSpace(kind+" "+version)).
			WithRemedy("give a path whose first part is a KV engine of version 2, or is free")
	}
	return r.ensure("KV engine of version 2 at "+mount+"/", "", kind != "", true, func() error { return r.vault.EnableKV(ctx, mount) })
}

func (r *run) appRole(ctx context.Context) error {
	kind, err := r.vault.AuthMethod(ctx, "approle")
	if err != nil {
		return err
	}
	if kind != "" && kind != "approle" {
		return fault.New(fault.Conflict, "there is another authentication method at approle/: %s", kind)
	}
	return r.ensure("authentication method at approle/", "", kind != "", true, func() error { return r.vault.EnableAppRole(ctx, "approle") })
}

// environment is one of Options.Environments.
type environment struct {
	*run
	name string // of the policy and of the role
	path vault.Path
	made bool // the role is new, or a dry run would make it
}

// Policy gives what a role may that reads a path.
func Policy(p vault.Path) string {
	return fmt.Sprintf(`# MUTT reads its secrets, and keeps its own token alive. 'mutt vault init' wrote this.
path "%s/data/%s" {
  capabilities = ["read"]
}
path "auth/token/renew-self" {
  capabilities = ["update"]
}
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
`, p.Mount, p.Name)
}

func (e *environment) policy(ctx context.Context) error {
	want := Policy(e.path)
	have, err := e.vault.Policy(ctx, e.name)
	if err != nil {
		return err
	}
	return e.ensure("policy "+e.name, "may read "+e.path.String()+" and renew its own token", have != "", strings.TrimSpace(have) == strings.TrimSpace(want),
		func() error { return e.vault.PutPolicy(ctx, e.name, want) })
}

// role bounds what a login gives. The default policy is left out: it would let a token do more than it needs.
func (e *environment) role(ctx context.Context) error {
	a := e.AppRole
	want := map[string]any{
		"token_policies": []any{e.name}, "token_no_default_policy": true, "bind_secret_id": true,
		"token_ttl": int(a.TokenTTL.Seconds()), "token_max_ttl": int(a.TokenMaxTTL.Seconds()),
		"secret_id_ttl": int(a.SecretIDTTL.Seconds()), "secret_id_num_uses": a.SecretIDUses,
	}
	have, err := e.vault.Role(ctx, e.name)
	if err != nil {
		return err
	}
	var other []string
	for k, v := range want {
		if have != nil && text(have[k]) != text(v) {
			other = append(other, k)
		}
	}
	slices.Sort(other)
	e.made = have == nil
	detail := fmt.Sprintf("tokens live %s, %s at the most", a.TokenTTL, a.TokenMaxTTL)
	if len(other) > 0 {
		detail = strings.Join(other, ", ")
	}
	return e.ensure("AppRole "+e.name, detail, have != nil, len(other) == 0, func() error { return e.vault.PutRole(ctx, e.name, want) })
}

// text compares what JSON made of a value with the value.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// secrets makes the keys that are missing; by force all of them. Other keys at the path stay.
func (e *environment) secrets(ctx context.Context) error {
	have, err := e.vault.Read(ctx, e.path, 0)
	if e.DryRun && fault.Is(err, fault.SecretsUnavailable) {
		have, err = vault.Secrets{}, nil // the engine would be new
	}
	if err != nil {
		return err
	}
	if have.Deleted {
		return fault.New(fault.Conflict, "version %d of %s was deleted", have.Version, e.path).WithRemedy("undelete it with 'vault kv undelete', or remove the path with 'vault kv metadata delete'")
	}
	next, added, replaced := e.merge(have)
	if len(added)+len(replaced) > 0 && !e.DryRun {
		have.Values = next
		if _, err := e.vault.Write(ctx, e.path, have); err != nil {
			return err
		}
	}
	what := "secrets at " + e.path.String()
	switch {
	case len(replaced) > 0:
		e.say(Replaced, what, strings.Join(slices.Concat(replaced, added), ", "))
	case len(added) > 0:
		e.say(Made, what, strings.Join(added, ", "))
	default:
		e.say(Kept, what, "")
	}
	return nil
}

// merge returns the texts that there should be, and the names of those that are new and of those that replace others.
func (e *environment) merge(have vault.Secrets) (next map[string]secret.Secret, added, replaced []string) {
	next = map[string]secret.Secret{}
	for k, v := range have.Values {
		next[k] = v
	}
	for _, k := range e.keys() {
		old := have.Values[k]
		there := !old.Empty() || have.Others[k] != nil
		if there && !e.Force {
			continue
		}
		value := e.value(k)
		switch {
		case !there:
			added = append(added, k)
		case old.Equal(value):
			continue
		default:
			replaced = append(replaced, k)
		}
		next[k] = value
	}
	return next, added, replaced
}

func (e *environment) file() string { return filepath.Join(e.Files, e.name+".secret-id") }

// login gives the role id, and sees that the file has a secret id that is good for a login. One that is stays, also by force: it is
// rotated by removing the file.
func (e *environment) login(ctx context.Context) (roleID string, err error) {
	what := "secret id in " + e.file()
	if e.DryRun && e.made {
		e.say(Made, what, "")
		return "", nil
	}
	if roleID, err = e.vault.RoleID(ctx, e.name); err != nil {
		return "", err
	}
	old, err := os.ReadFile(e.file())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the secret id: %w", err)
	}
	action := Made
	if id := strings.TrimSpace(string(old)); id != "" {
		good, err := e.vault.KnowsSecretID(ctx, e.name, secret.New(id))
		if err != nil {
			return "", err
		}
		if good {
			e.say(Kept, what, "")
			return roleID, nil
		}
		action = Replaced
	}
	if !e.DryRun {
		if err := e.newSecretID(ctx); err != nil {
			return "", err
		}
	}
	e.say(action, what, map[Action]string{Replaced: "the former one is not good any more"}[action])
	return roleID, nil
}

// newSecretID writes the file whole or not at all.
func (e *environment) newSecretID(ctx context.Context) error {
	id, err := e.vault.NewSecretID(ctx, e.name)
	if err != nil {
		return err
	}
	if err := private.Write(e.file(), []byte(id.Reveal()+"\n")); err != nil {
		return fmt.Errorf("write the secret id: %w", err)
	}
	return nil
}
