package provision

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/connect/vault"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/testkit"
)

// desk is an operator with a Vault.
type desk struct {
	t *testing.T
	s *testkit.VaultServer
	o Options
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	return &desk{t, testkit.Vault(t, testkit.VaultOptions{Bare: true}), Options{Base: vault.Path{Mount: "secret", Name: "mutt"}, Environments: []string{"prod", "dev"},
		AppRole: AppRole{TokenTTL: time.Hour, TokenMaxTTL: 24 * time.Hour}, Files: t.TempDir(), User: "mutt"}}
}

// run gives the action for each thing.
func (d *desk) run(o Options) (map[string]Action, Result) {
	d.t.Helper()
	client, err := vault.NewClient(vault.Server{Addr: d.s.Addr})
	if err != nil {
		d.t.Fatal(err)
	}
	defer client.Close()
	r, err := Run(d.t.Context(), vault.NewOperator(client, d.s.Token), o)
	if err != nil {
		d.t.Fatal(err)
	}
	out := map[string]Action{}
	for _, s := range r.Steps {
		out[s.What] = s.Action
	}
	d.hides(r)
	return out, r
}

// hides holds that a result has no secret in it.
func (d *desk) hides(r Result) {
	d.t.Helper()
	shown, err := json.Marshal(r)
	if err != nil {
		d.t.Fatal(err)
	}
	hidden := []string{d.s.Token.Reveal()}
	for _, env := range d.o.Environments {
		for k, v := range d.secrets(env) {
			if k != "DB_USER" {
				hidden = append(hidden, v)
			}
		}
		if id, err := os.ReadFile(d.file(env)); err == nil {
			hidden = append(hidden, strings.TrimSpace(string(id)))
		}
	}
	for _, h := range hidden {
		if strings.Contains(string(shown), h) {
			d.t.Fatalf("the result shows a secret: %s", shown)
		}
	}
}

func (d *desk) file(env string) string { return filepath.Join(d.o.Files, "mutt-"+env+".secret-id") }

func (d *desk) secrets(env string) map[string]string {
	d.t.Helper()
	out := map[string]string{}
	status, answer := d.s.Try(d.s.Token, "GET", "secret/data/mutt/"+env, nil)
	if status != http.StatusOK {
		return out
	}
	for k, v := range answer["data"].(map[string]any)["data"].(map[string]any) {
		out[k] = v.(string)
	}
	return out
}

func (d *desk) login(env, roleID string) secret.Secret {
	d.t.Helper()
	id, err := os.ReadFile(d.file(env))
	if err != nil {
		d.t.Fatal(err)
	}
	auth := d.s.Do("POST", "auth/approle/login", map[string]any{"role_id": roleID, "secret_id": strings.TrimSpace(string(id))})["auth"].(map[string]any)
	if got := auth["lease_duration"].(json.Number).String(); got != "3600" {
		d.t.Errorf("a token lives %s s", got)
	}
	return secret.New(auth["client_token"].(string))
}

func all(actions map[string]Action, want Action) bool {
	return !slices.ContainsFunc(slices.Collect(maps.Values(actions)), func(a Action) bool { return a != want })
}

func TestInit(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	dry := d.o
	dry.DryRun = true
	planned, r := d.run(dry)
	if !all(planned, Made) || len(planned) != 10 || !r.DryRun || len(r.Access) != 2 || r.Access[0].RoleID != "" {
		t.Fatalf("planned: %+v", r)
	}
	if mounts := d.s.Do("GET", "sys/mounts", nil)["data"].(map[string]any); mounts["secret/"] != nil || len(entries(t, d.o.Files)) > 0 {
		t.Fatal("a dry run changed something")
	}
	done, r := d.run(d.o)
	if dif := cmp.Diff(planned, done); dif != "" {
		t.Errorf("what was planned was done: %s", dif)
	}
	want := []string{"DB_PASS_CURRENT", "DB_PASS_NEXT", "DB_USER", "INGEST_API_KEY", "REDIS_PASS_CURRENT", "REDIS_PASS_NEXT", "WEBUI_API_KEY"}
	prod, dev := d.secrets("prod"), d.secrets("dev")
	if dif := cmp.Diff(want, slices.Sorted(maps.Keys(prod))); dif != "" {
		t.Error(dif)
	}
	seen := map[string]bool{}
	for _, values := range []map[string]string{prod, dev} {
		for k, v := range values {
			if k != "DB_USER" && (len(v) < 40 || seen[v]) {
				t.Errorf("%s is weak, or the same as another", k)
			}
			seen[v] = true
		}
	}
	d.leastPrivilege(r.Access[0].RoleID)
	if again, _ := d.run(d.o); !all(again, Kept) {
		t.Errorf("a second run: %v", again)
	}
	if dif := cmp.Diff(prod, d.secrets("prod")); dif != "" {
		t.Error("a second run changed the secrets")
	}
	d.drift()
	d.secretIDs()
}

// leastPrivilege logs in as the role of prod and tries what it may and may not.
func (d *desk) leastPrivilege(roleID string) {
	d.t.Helper()
	info, err := os.Stat(d.file("prod"))
	if err != nil || info.Mode().Perm() != 0o600 {
		d.t.Fatalf("%v %v", info, err)
	}
	token := d.login("prod", roleID)
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "secret/data/mutt/prod", 200}, {"GET", "auth/token/lookup-self", 200}, {"POST", "auth/token/renew-self", 200},
		{"POST", "secret/data/mutt/prod", 403}, {"DELETE", "secret/data/mutt/prod", 403}, {"GET", "secret/data/mutt/dev", 403}, {"GET", "secret/data/mutt/prod/x", 403},
		{"GET", "secret/metadata/mutt/prod", 403}, {"GET", "secret/metadata/mutt?list=true", 403}, {"GET", "secret/config", 403},
		{"GET", "sys/mounts", 403}, {"GET", "sys/policies/acl/mutt-prod", 403}, {"POST", "sys/seal", 403}, {"POST", "auth/token/create", 403},
		{"GET", "auth/approle/role/mutt-prod/role-id", 403}, {"POST", "auth/approle/role/mutt-prod/secret-id", 403}, {"GET", "cubbyhole/x", 403},
	} {
		if got, _ := d.s.Try(token, c.method, c.path, map[string]any{"data": map[string]any{}}); got != c.status {
			d.t.Errorf("%s %s: %d, want %d", c.method, c.path, got, c.status)
		}
	}
}

// drift removes a key, and changes a policy and a role by hand.
func (d *desk) drift() {
	d.t.Helper()
	left := d.secrets("prod")
	delete(left, "REDIS_PASS_NEXT")
	left["MINE"], left["DB_PASS_CURRENT"] = "other", "by hand"
	d.s.PutSecrets("mutt/prod", left)
	d.s.Do("POST", "sys/policies/acl/mutt-dev", map[string]any{"policy": `path "secret/*" { capabilities = ["read"] }`})
	d.s.Do("POST", "auth/approle/role/mutt-dev", map[string]any{"token_ttl": 60})
	done, r := d.run(d.o)
	for what, want := range map[string]Action{"secrets at secret/mutt/prod": Made, "secrets at secret/mutt/dev": Kept, "policy mutt-dev": Differs, "AppRole mutt-dev": Differs, "AppRole mutt-prod": Kept} {
		if done[what] != want {
			d.t.Errorf("%s: %s, want %s", what, done[what], want)
		}
	}
	for _, s := range r.Steps {
		if s.What == "secrets at secret/mutt/prod" && s.Detail != "REDIS_PASS_NEXT" || s.What == "AppRole mutt-dev" && s.Detail != "token_ttl" {
			d.t.Errorf("%+v", s)
		}
	}
	after := d.secrets("prod")
	if left["REDIS_PASS_NEXT"] = after["REDIS_PASS_NEXT"]; len(after["REDIS_PASS_NEXT"]) < 40 || !cmp.Equal(left, after) {
		d.t.Error("something else than the missing key was changed")
	}
	force := d.o
	force.Force, force.Values = true, map[string]secret.Secret{"DB_PASS_CURRENT": secret.New("by hand"), "MOOG_API_KEY": secret.New("given-and-long-enough")}
	force.DryRun = true
	planned, _ := d.run(force)
	if !cmp.Equal(after, d.secrets("prod")) {
		d.t.Error("a dry run with force changed something")
	}
	force.DryRun = false
	done, _ = d.run(force)
	if !cmp.Equal(planned, done) || done["policy mutt-dev"] != Replaced || done["AppRole mutt-dev"] != Replaced || done["policy mutt-prod"] != Kept || done["secrets at secret/mutt/prod"] != Replaced {
		d.t.Errorf("by force: %v, planned %v", done, planned)
	}
	forced := d.secrets("prod")
	if forced["MINE"] != "other" || forced["DB_PASS_CURRENT"] != "by hand" || forced["MOOG_API_KEY"] != "given-and-long-enough" || forced["INGEST_API_KEY"] == after["INGEST_API_KEY"] {
		d.t.Error("force makes its own keys anew, takes what is given, and leaves the keys of others")
	}
	force.Force, force.Values = false, nil
	if again, _ := d.run(force); !all(again, Kept) {
		d.t.Errorf("after force: %v", again)
	}
}

// secretIDs removes and spoils the files.
func (d *desk) secretIDs() {
	d.t.Helper()
	prod, dev := "secret id in "+d.file("prod"), "secret id in "+d.file("dev")
	if err := os.Remove(d.file("prod")); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(d.file("dev"), []byte("no-secret-id\n"), 0o644); err != nil {
		d.t.Fatal(err)
	}
	done, r := d.run(d.o)
	if done[prod] != Made || done[dev] != Replaced {
		d.t.Errorf("%v", done)
	}
	for i, env := range d.o.Environments {
		d.login(env, r.Access[i].RoleID)
		if info, err := os.Stat(d.file(env)); err != nil || info.Mode().Perm() != 0o600 {
			d.t.Errorf("%s: %v %v", env, info, err)
		}
	}
}

func entries(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	out, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestInitRefuses(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	client, err := vault.NewClient(vault.Server{Addr: d.s.Addr})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	run := func(token secret.Secret) error {
		_, err := Run(t.Context(), vault.NewOperator(client, token), d.o)
		return err
	}
	if err := run(secret.New("hvs.nonsense")); !fault.Is(err, fault.SecretsUnavailable) || !strings.Contains(err.Error(), "does not permit") || strings.Contains(err.Error(), "nonsense") {
		t.Errorf("a bad token: %v", err)
	}
	d.s.Do("POST", "sys/mounts/secret", map[string]any{"type": "kv", "options": map[string]string{"version": "1"}})
	if err := run(d.s.Token); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "secret/: kv 1") {
		t.Errorf("another engine: %v", err)
	}
	d.s.Do("DELETE", "sys/mounts/secret", nil)
	if err := run(d.s.Token); err != nil {
		t.Fatal(err)
	}
	d.s.Do("DELETE", "secret/data/mutt/prod", nil)
	if err := run(d.s.Token); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "version 1 of secret/mutt/prod was deleted") {
		t.Errorf("a deleted version: %v", err)
	}
	d.s.Seal()
	if err := run(d.s.Token); !fault.Is(err, fault.SecretsUnavailable) || !strings.Contains(err.Error(), "sealed") {
		t.Errorf("sealed: %v", err)
	}
}
