package vault

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
)

// Operator sets Vault up with an operator's token. Every method is one question or one change; errors are faults.
type Operator struct {
	client *Client
	token  secret.Secret
}

// NewOperator makes an Operator.
func NewOperator(c *Client, token secret.Secret) *Operator { return &Operator{c, token} }

func (o *Operator) do(ctx context.Context, method, path string, body map[string]any, doing string) (*answer, error) {
	a, err := o.client.call(ctx, request{method: method, path: path, token: o.token, body: body})
	return a, Fault(err, doing)
}

// Lookup says who the operator is to Vault.
func (o *Operator) Lookup(ctx context.Context) (Token, error) {
	t, err := o.client.Lookup(ctx, o.token)
	return t, Fault(err, "look up the operator's token")
}

// Engine tells of the secrets engine at a mount: its type, "" when there is none, and of KV its version.
func (o *Operator) Engine(ctx context.Context, mount string) (kind, version string, err error) {
	a, err := o.do(ctx, http.MethodGet, "sys/mounts", nil, "list the secrets engines")
	if err != nil {
		return "", "", err
	}
	engine, _ := a.Data[mount+"/"].(map[string]any)
	kind, _ = engine["type"].(string)
	options, _ := engine["options"].(map[string]any)
	version, _ = options["version"].(string)
	return kind, version, nil
}

// readyEvery is how often a new engine is asked whether it is ready.
const readyEvery = 50 * time.Millisecond

// EnableKV mounts a KV engine of version 2 and waits until it is ready.
func (o *Operator) EnableKV(ctx context.Context, mount string) error {
	_, err := o.do(ctx, http.MethodPost, "sys/mounts/"+mount, map[string]any{"type": "kv", "options": map[string]any{"version": "2"}}, "mount a KV engine")
	if err != nil {
		return err
	}
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		if _, err = o.client.call(ctx, request{method: http.MethodGet, path: mount + "/config", token: o.token}); err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(Fault(err, "wait for the KV engine"), ctx.Err())
		}
	}
}

// AuthMethod gives the type of the authentication method at a mount, "" when there is none.
func (o *Operator) AuthMethod(ctx context.Context, mount string) (string, error) {
	a, err := o.do(ctx, http.MethodGet, "sys/auth", nil, "list the authentication methods")
	if err != nil {
		return "", err
	}
	method, _ := a.Data[mount+"/"].(map[string]any)
	kind, _ := method["type"].(string)
	return kind, nil
}

// EnableAppRole mounts the authentication method.
func (o *Operator) EnableAppRole(ctx context.Context, mount string) error {
	_, err := o.do(ctx, http.MethodPost, "sys/auth/"+mount, map[string]any{"type": "approle"}, "enable AppRole")
	return err
}

// Policy gives the text of a policy, "" when there is none.
func (o *Operator) Policy(ctx context.Context, name string) (string, error) {
	a, err := o.client.call(ctx, request{method: http.MethodGet, path: "sys/policies/acl/" + name, token: o.token})
	if status(err) == http.StatusNotFound {
		return "", nil
	}
	if err != nil {
		return "", Fault(err, "read a policy")
	}
	text, _ := a.Data["policy"].(string)
	return text, nil
}

// PutPolicy writes a policy.
func (o *Operator) PutPolicy(ctx context.Context, name, text string) error {
	_, err := o.do(ctx, http.MethodPost, "sys/policies/acl/"+name, map[string]any{"policy": text}, "write a policy")
	return err
}

// Role gives the settings of an AppRole, nil when there is none.
func (o *Operator) Role(ctx context.Context, name string) (map[string]any, error) {
	a, err := o.client.call(ctx, request{method: http.MethodGet, path: "auth/approle/role/" + name, token: o.token})
	if status(err) == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, Fault(err, "read an AppRole")
	}
	return a.Data, nil
}

// PutRole writes the settings of an AppRole.
func (o *Operator) PutRole(ctx context.Context, name string, settings map[string]any) error {
	_, err := o.do(ctx, http.MethodPost, "auth/approle/role/"+name, settings, "write an AppRole")
	return err
}

// RoleID gives the role id of an AppRole. It is no secret.
func (o *Operator) RoleID(ctx context.Context, name string) (string, error) {
	a, err := o.do(ctx, http.MethodGet, "auth/approle/role/"+name+"/role-id", nil, "read a role id")
	if err != nil {
		return "", err
	}
	id, ok := a.Data["role_id"].(string)
	if !ok {
		return "", fault.New(fault.SecretsUnavailable, "Vault gave no role id")
	}
	return id, nil
}

// NewSecretID makes a secret id of an AppRole.
func (o *Operator) NewSecretID(ctx context.Context, role string) (secret.Secret, error) {
	a, err := o.do(ctx, http.MethodPost, "auth/approle/role/"+role+"/secret-id", map[string]any{}, "make a secret id")
	if err != nil {
		return secret.Secret{}, err
	}
	id, ok := a.Data["secret_id"].(string)
	if !ok {
		return secret.Secret{}, fault.New(fault.SecretsUnavailable, "Vault gave no secret id")
	}
	return secret.New(id), nil
}

// KnowsSecretID reports whether a secret id is one of an AppRole that is still good for a login.
func (o *Operator) KnowsSecretID(ctx context.Context, role string, id secret.Secret) (bool, error) {
	a, err := o.do(ctx, http.MethodPost, "auth/approle/role/"+role+"/secret-id/lookup", map[string]any{"secret_id": id.Reveal()}, "look up a secret id")
	return err == nil && len(a.Data) > 0, err
}

// Read gives a version of a path, 0 the latest.
func (o *Operator) Read(ctx context.Context, p Path, version int64) (Secrets, error) {
	s, err := o.client.Read(ctx, o.token, p, version)
	return s, Fault(err, "read "+p.String())
}

// Write puts the values of a path as the version after the one that they were read as.
func (o *Operator) Write(ctx context.Context, p Path, s Secrets) (int64, error) {
	n, err := o.client.Write(ctx, o.token, p, s)
	return n, Fault(err, "write "+p.String())
}

// MayWrite reports whether the operator may write a path.
func (o *Operator) MayWrite(ctx context.Context, p Path) (bool, error) {
	a, err := o.do(ctx, http.MethodPost, "sys/capabilities-self", map[string]any{"paths": []string{p.data()}}, "ask what the operator's token may")
	if err != nil {
		return false, err
	}
	list, _ := a.Data[p.data()].([]any)
	may := map[any]bool{}
	for _, one := range list {
		may[one] = true
	}
	return may["root"] || may["update"] && may["create"], nil
}
