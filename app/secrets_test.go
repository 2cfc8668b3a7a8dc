package app

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/connect/vault"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret/secrets"
)

// TestEverySecretSettingHasAKey: a secret whose key no provider knows would not be watched.
func TestEverySecretSettingHasAKey(t *testing.T) {
	t.Parallel()
	open := []secrets.Key{secrets.DBUser, secrets.DBUserNext, secrets.MoogURL} // settings that need not be secret
	want := slices.DeleteFunc(secrets.Keys(), func(k secrets.Key) bool { return slices.Contains(open, k) })
	var got []secrets.Key
	for _, s := range secretsOf(new(Config)) {
		got = append(got, s.key)
	}
	slices.Sort(got)
	slices.Sort(want)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestProvidersInOrder has each secret in another place, and some in several.
func TestProvidersInOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if err := os.Mkdir(filepath.Join(dir, "mount"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("mount/DB_PASS", "of the directory\n")
	file := write("secrets.yaml", "DB_PASS_CURRENT: of the file\nREDIS_PASS: of the file\nDB_USER: of-the-file\n")
	single := write("moog", "of its own file\n")
	c, _, err := Load(Sources{Environ: []string{"MUTT_SECRETS_DIR=" + filepath.Join(dir, "mount"), "MUTT_SECRETS_FILE=" + file,
		"DB_PASS=env", "REDIS_PASS=env", "INGEST_API_KEY=env", "DB_HOST=db"}, Set: []string{"forward.api_key_file=" + single}})
	if err != nil {
		t.Fatal(err)
	}
	a := New(Quiet(Options{Config: c}))
	w, err := secretSources{config: &c, settings: a.parts.settings, log: zap.NewNop(), exposure: vault.Exposure(zap.NewNop()), registerer: prometheus.NewRegistry(), refuse: secrets.RefuseNone}.watcher()
	if err == nil {
		err = w.Reload(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	got := map[secrets.Key][2]string{}
	for _, k := range secrets.Keys() {
		if v := w.Current().Secret(k); !v.Empty() {
			origin, _, _ := strings.Cut(w.Current().Origin(k), " modified ")
			got[k] = [2]string{v.Reveal(), origin}
		}
	}
	want := map[secrets.Key][2]string{
		secrets.DBPass:    {"of the directory", "file " + filepath.Join(dir, "mount", "DB_PASS")},
		secrets.DBUser:    {"of-the-file", "file " + file},
		secrets.RedisPass: {"of the file", "file " + file},
		secrets.IngestKey: {"env", "environment INGEST_API_KEY"},
		secrets.MoogKey:   {"of its own file", "file " + single},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if order := postgresCredentials(&c.Postgres, w.Current()); len(order) != 1 || order[0].User != "of-the-file" {
		t.Errorf("the user of a provider comes before the setting: %+v", order)
	}
	// The file that a single setting names is read again without a reload of the settings.
	write("moog", "another")
	if err := w.Reload(t.Context()); err != nil || w.Current().Secret(secrets.MoogKey).Reveal() != "another" {
		t.Errorf("%v", err)
	}
	write("moog", "")
	if err := w.Reload(t.Context()); !fault.Is(err, fault.SecretsUnavailable) || w.Current().Secret(secrets.MoogKey).Reveal() != "another" {
		t.Errorf("an empty file changes nothing: %v", err)
	}
}

func TestVaultSettings(t *testing.T) {
	t.Parallel()
	for environ, names := range map[string]string{
		"VAULT_ADDR=https://v VAULT_ROLE_ID=r VAULT_SECRET_ID_FILE=f": "",
		"VAULT_ADDR=https://v VAULT_TOKEN_FILE=f":                     "",
		"VAULT_ADDR=https://v":                                        "VAULT_ROLE_ID and VAULT_SECRET_ID_FILE, or VAULT_TOKEN_FILE",
		"VAULT_ADDR=https://v VAULT_ROLE_ID=r":                        "VAULT_SECRET_ID_FILE",
		"VAULT_ADDR=https://v VAULT_ROLE_ID=r VAULT_TOKEN_FILE=f":     "excludes",
		"VAULT_TOKEN_FILE=f":                                          "VAULT_ADDR is not",
	} {
		c := load(t, strings.Fields(environ)...)
		if err := c.Check(Roles()); (err == nil) != (names == "") || err != nil && !strings.Contains(err.Error(), names) {
			t.Errorf("%s: %v", environ, err)
		}
	}
	for _, bad := range []string{"VAULT_ADDR=v:8200", "VAULT_ADDR=https://u:hush@v", "VAULT_ADDR=https://v/ui", "VAULT_SECRETS_PATH=secret", "VAULT_SECRETS_PATH=a/../b"} {
		if _, _, err := LoadConfig([]string{bad}); !fault.Is(err, fault.ConfigInvalid) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
