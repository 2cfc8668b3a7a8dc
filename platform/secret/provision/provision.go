// Package provision sets Vault up for MUTT: what 'mutt vault init' does.
//
// Principles:
//  1. It looks before it acts, and does only what is missing: a second run changes nothing. What is there and differs is told of, and
//     replaced only by force.
//  2. A role may read one path, renew and look up its own token, and nothing else.
//  3. A dry run goes the same way and leaves out the changes.
//  4. Values that it makes go to Vault, and the secret id to a file that only its owner may read; no result has one.
package provision

import (
	"context"
	"time"

	"github.com/muttproject/mutt/platform/connect/vault"
	"github.com/muttproject/mutt/platform/secret"
)

// Options say what there should be.
type Options struct {
	Base         vault.Path // secrets are at Base/<environment>
	Environments []string   // such as prod and dev; each has a role of its own
	AppRole      AppRole
	Files        string                   // directory of the secret ids
	User         string                   // DB_USER
	Values       map[string]secret.Secret // instead of made ones
	Force        bool                     // replace what is there
	DryRun       bool
}

// AppRole bounds the lives of what a role gets.
type AppRole struct {
	TokenTTL, TokenMaxTTL time.Duration
	SecretIDTTL           time.Duration // 0 never ends
	SecretIDUses          int           // logins with one secret id; 0 for any number
}

// Action says what was done to one thing, or would be.
type Action string

// The actions.
const (
	Kept     Action = "kept"     // it is there as it should be
	Differs  Action = "differs"  // it is there otherwise, and stays without force
	Made     Action = "made"     // it was missing
	Replaced Action = "replaced" // by force, or because it was of no use any more
)

// Step is what was done to one thing.
type Step struct {
	Action Action `json:"action"`
	What   string `json:"what"`
	Detail string `json:"detail,omitempty"`
}

// Access is what a process needs to read the secrets of an environment.
type Access struct {
	Environment  string `json:"environment"`
	SecretsPath  string `json:"secrets_path"`
	RoleID       string `json:"role_id,omitempty"` // "" when a dry run would make the role
	SecretIDFile string `json:"secret_id_file"`
}

// Result is what was done, or would be.
type Result struct {
	DryRun bool     `json:"dry_run"`
	Steps  []Step   `json:"steps"`
	Access []Access `json:"access"`
}

// run is one provisioning under way.
type run struct {
	Options
	vault  *vault.Operator
	result *Result
}

// Run does what is missing. After an error the steps before it are done, and a second run goes on.
func Run(ctx context.Context, operator *vault.Operator, o Options) (Result, error) {
	result := Result{DryRun: o.DryRun}
	r := &run{o, operator, &result}
	for _, step := range []func(context.Context) error{r.engine, r.appRole} {
		if err := step(ctx); err != nil {
			return result, err
		}
	}
	for _, env := range o.Environments {
		if err := r.environment(ctx, env); err != nil {
			return result, err
		}
	}
	return result, nil
}

// environment makes what one environment needs.
func (r *run) environment(ctx context.Context, env string) error {
	e := environment{run: r, name: "mutt-" + env, path: vault.Path{Mount: r.Base.Mount, Name: r.Base.Name + "/" + env}}
	access := Access{Environment: env, SecretsPath: e.path.String(), SecretIDFile: e.file()}
	for _, step := range []func(context.Context) error{e.policy, e.role, e.secrets} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	var err error
	if access.RoleID, err = e.login(ctx); err != nil {
		return err
	}
	r.result.Access = append(r.result.Access, access)
	return nil
}

// ensure settles one thing: make is called when it is missing, and when it differs and force is given.
func (r *run) ensure(what, detail string, there, same bool, make func() error) error {
	action := Kept
	switch {
	case !there:
		action = Made
	case !same && r.Force:
		action = Replaced
	case !same:
		action = Differs
	}
	if (action == Made || action == Replaced) && !r.DryRun {
		if err := make(); err != nil {
			return err
		}
	}
	if action == Kept {
		detail = ""
	}
	r.say(action, what, detail)
	return nil
}

func (r *run) say(action Action, what, detail string) {
	r.result.Steps = append(r.result.Steps, Step{action, what, detail})
}
