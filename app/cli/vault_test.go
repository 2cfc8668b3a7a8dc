package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/secret/provision"
	"github.com/muttproject/mutt/platform/testkit"
)

// TestVaultCommands sets a new Vault up twice and asks what a process gets of it.
func TestVaultCommands(t *testing.T) {
	t.Parallel()
	s, dir := testkit.Vault(t, testkit.VaultOptions{Bare: true, TLS: true}), t.TempDir()
	environ := []string{"VAULT_ADDR=" + s.Addr, "VAULT_CACERT=" + s.CAFile, "MUTT_CONFIG="}
	run := func(status int, in string, args ...string) (out, errOut string) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		if got := Run(t.Context(), args, streams{strings.NewReader(in), &stdout, &stderr, environ}); got != status {
			t.Fatalf("%v ends with %d: %s%s", args, got, &stdout, &stderr)
		}
		if strings.Contains(stdout.String()+stderr.String(), s.Token.Reveal()) {
			t.Fatalf("%v shows the token", args)
		}
		return stdout.String(), stderr.String()
	}
	if _, e := run(1, "", "vault", "init"); !strings.Contains(e, "VAULT_TOKEN") {
		t.Errorf("without a token: %s", e)
	}
	if _, e := run(1, "", "vault", "status"); !strings.Contains(e, "VAULT_ROLE_ID") {
		t.Errorf("without a role: %s", e)
	}
	run(2, "", "vault", "init", "--environments", "Prod!")
	run(2, "", "vault", "init", "--path", "secret")
	run(2, "", "vault", "init", "--token-ttl", "48h")

	values := filepath.Join(dir, "values.yaml")
	if err := os.WriteFile(values, []byte("MOOG_API_KEY: of-the-destination\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	initialize := []string{"vault", "init", "--token-file", "-", "--secret-id-dir", dir, "--values", values}
	if out, _ := run(0, s.Token.Reveal(), append(initialize, "--dry-run")...); !strings.Contains(out, "Nothing was changed") || !strings.Contains(out, "MOOG_API_KEY") {
		t.Errorf("dry run: %s", out)
	}
	environ = append(environ, "VAULT_TOKEN="+s.Token.Reveal())
	initialize = append([]string{"vault", "init"}, initialize[4:]...)
	out, _ := run(0, "", append(initialize, "-o", "json")...)
	var result provision.Result
	if err := json.Unmarshal([]byte(out), &result); err != nil || len(result.Access) != 2 || result.Access[0].SecretsPath != "secret/mutt/prod" {
		t.Fatalf("%v: %s", err, out)
	}
	prod := result.Access[0]
	if out, _ = run(0, "", initialize...); strings.Contains(out, "made") || !strings.Contains(out, "VAULT_ROLE_ID="+prod.RoleID) {
		t.Errorf("the second time: %s", out)
	}
	environ = append(environ, "VAULT_TOKEN=", "VAULT_ROLE_ID="+prod.RoleID, "VAULT_SECRET_ID_FILE="+prod.SecretIDFile)
	out, _ = run(0, "", "vault", "status")
	for _, want := range []string{"secret/mutt/prod", "version     1", "MOOG_API_KEY", "DB_PASS_NEXT", "token ends  2"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in the status: %s", want, out)
		}
	}
	environ = append(environ, "VAULT_SECRETS_PATH="+result.Access[1].SecretsPath)
	if _, e := run(1, "", "vault", "status"); !strings.Contains(e, "does not permit") {
		t.Errorf("another environment's secrets: %s", e)
	}
}
