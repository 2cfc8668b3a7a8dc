package acceptance

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/muttproject/mutt/app/apptest"
)

// vaultAddr is how documents name a site's Vault.
const vaultAddr = "https://vault.example.net:8200"

// vault is what a document that names a Vault is read beside: the MUTT at the desk takes its secrets from there and works on a Redis
// and a PostgreSQL, and the reader may rotate them.
type vault struct {
	*apptest.Vaulted
	home, etc string // of the reader, and what stands for /etc/mutt
}

// newVault runs the servers.
func newVault(t *testing.T, home string) *vault {
	t.Helper()
	for _, name := range []string{"jq", "psql", "redis-cli", "setsid"} {
		tool(t, name)
	}
	etc := filepath.Join(home, "etc")
	if err := os.Mkdir(etc, 0o700); err != nil {
		t.Fatal(err)
	}
	return &vault{apptest.NewVaulted(t, "everysec"), home, etc}
}

// settings gives those of the process.
func (v *vault) settings() (env []string) {
	for name, value := range v.Env() {
		env = append(env, name+"="+value)
	}
	return env
}

// words gives what a document says of the servers, each followed by what is true.
func (v *vault) words() []string {
	_, port, _ := strings.Cut(v.Redis.Addr(), ":")
	return []string{
		vaultAddr, v.Vault.Addr, "/etc/mutt/vault-ca.pem", v.Vault.CAFile, "role-id-of-mutt", v.Role.RoleID, "/etc/mutt", v.etc,
		"127.0.0.1:6379", v.Redis.Addr(), "REDIS_PORT=6379", "REDIS_PORT=" + port,
		"PGPORT=5432", "PGPORT=" + strconv.Itoa(v.Postgres.Port), "PGDATABASE=mutt", "PGDATABASE=" + v.Database,
		"--wait 10m", "--wait 1ns", // so that there is something to take back
	}
}

// prepare makes the schema, and the files that the reader and the processes have.
func (v *vault) prepare(t *testing.T, s *site) {
	t.Helper()
	if out, err := s.command(t, "migrate", "up"); err != nil {
		t.Fatalf("migrate: %v\n%s", err, out)
	}
	id, err := os.ReadFile(v.Role.SecretIDFile)
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		filepath.Join(v.etc, "secret-id"):             string(id),
		filepath.Join(v.home, "mutt-admin-key"):       apptest.AdminKey,
		filepath.Join(v.home, ".vault-token"):         v.Vault.Token.Reveal(),
		filepath.Join(v.home, "vault-operator-token"): v.Operator.Reveal(),
		filepath.Join(v.home, "postgres-admin-dsn"):   v.Admins.DSN.Reveal(),
		filepath.Join(v.home, ".pgpass"):              v.Postgres.Host + ":*:*:postgres:" + v.Postgres.Password.Reveal(),
		filepath.Join(v.home, "redis-admin-password"): v.Admins.RedisPassword.Reveal(),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
