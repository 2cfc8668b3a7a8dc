package apptest

import (
	"maps"
	"strconv"
	"testing"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/platform/connect/postgres"
	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/rotation"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/testkit"
)

// SecretsPath is where the secrets of a Vaulted are, below secret/.
const SecretsPath = "mutt/prod"

// Vaulted are the servers of a distributed MUTT whose secrets are in Vault, and who may rotate them there.
type Vaulted struct {
	*Servers
	Vault    *testkit.VaultServer
	Role     testkit.VaultRole // of the processes
	Operator secret.Secret     // token of whoever rotates
	Admins   app.Administrators
}

// NewVaulted runs them until the test ends; aof is Redis's appendfsync. The test's own tools are another user of Redis: what is
// rotated is the password of MUTT's.
func NewVaulted(t testing.TB, aof string) *Vaulted {
	t.Helper()
	v := &Vaulted{Servers: NewServers(t, aof), Vault: testkit.Vault(t, testkit.VaultOptions{TLS: true})}
	own := v.Servers.Env()
	v.Vault.PutSecrets(SecretsPath, map[string]string{"DB_USER": own["DB_USER"], "DB_PASS_CURRENT": own["DB_PASS"], "REDIS_PASS_CURRENT": own["REDIS_PASS"],
		"INGEST_API_KEY": IngestKey, "WEBUI_API_KEY": AdminKey, "MOOG_API_KEY": MoogKey})
	v.Role, v.Operator = v.Vault.NewRole(t, SecretsPath, nil), v.Vault.NewOperator(t, SecretsPath)
	v.Admins = app.Administrators{DSN: v.Postgres.DSN("postgres", v.Postgres.Password, v.Database), RedisUser: "admin", RedisPassword: secret.New("of-the-administrator")}
	v.Redis.Do("ACL", "SETUSER", v.Admins.RedisUser, "on", ">"+v.Admins.RedisPassword.Reveal(), "~*", "&*", "+@all")
	v.Redis.User, v.Redis.Password = v.Admins.RedisUser, v.Admins.RedisPassword
	return v
}

// Env gives the settings of a process, "" for what is not to be set.
func (v *Vaulted) Env() map[string]string { return v.from(v.Servers.Env()) }

// RedisEnv gives those of an ingestor or forwarder.
func (v *Vaulted) RedisEnv() map[string]string { return v.from(v.Servers.RedisEnv()) }

func (v *Vaulted) from(env map[string]string) map[string]string {
	for _, k := range []string{"DB_USER", "DB_PASS", "REDIS_PASS", "INGEST_API_KEY", "WEBUI_API_KEY", "MOOG_API_KEY"} {
		env[k] = ""
	}
	maps.Copy(env, map[string]string{"REDIS_USER": testkit.RedisUser, "VAULT_ADDR": v.Vault.Addr, "VAULT_CACERT": v.Vault.CAFile, "VAULT_ROLE_ID": v.Role.RoleID,
		"VAULT_SECRET_ID_FILE": v.Role.SecretIDFile, "VAULT_SECRETS_PATH": "secret/" + SecretsPath,
		"MUTT_SECRETS_POLL_INTERVAL": "200ms", "MUTT_SECRETS_RECYCLE_WITHIN": "500ms"})
	return env
}

// OperatorEnv gives the settings of 'mutt secrets rotate', but for where MUTT is.
func (v *Vaulted) OperatorEnv() map[string]string {
	env := v.Env()
	maps.Copy(env, map[string]string{"VAULT_ROLE_ID": "", "VAULT_SECRET_ID_FILE": "", "VAULT_TOKEN": v.Operator.Reveal(), "MUTT_ADMIN_DSN": v.Admins.DSN.Reveal(),
		"MUTT_REDIS_ADMIN_USER": v.Admins.RedisUser, "MUTT_REDIS_ADMIN_PASS": v.Admins.RedisPassword.Reveal(), "MUTT_API_KEY": AdminKey})
	return env
}

// Values gives the secrets of a version of the path, "" for the latest.
func (v *Vaulted) Values(version string) map[string]any {
	path := "secret/data/" + SecretsPath
	if version != "" {
		path += "?version=" + version
	}
	return v.Vault.Do("GET", path, nil)["data"].(map[string]any)["data"].(map[string]any)
}

// Promotions counts how often a secret changed over the versions of the path that Vault keeps, which are the last ten.
func (v *Vaulted) Promotions(key string) (n int) {
	answer := v.Vault.Do("GET", "secret/metadata/"+SecretsPath, nil)["data"].(map[string]any)
	versions := answer["versions"].(map[string]any)
	last := ""
	for i := 1; i <= 1000; i++ {
		if versions[strconv.Itoa(i)] == nil {
			continue
		}
		now, _ := v.Values(strconv.Itoa(i))[key].(string)
		if last != "" && now != last {
			n++
		}
		last = now
	}
	return n
}

// Accepts reports whether the server of a password takes it from MUTT's user.
func (v *Vaulted) Accepts(t testing.TB, subject rotation.Subject, password string) bool {
	t.Helper()
	yes, err := v.accepts(t, subject, secret.New(password))
	if err != nil {
		t.Fatal(err)
	}
	return yes
}

func (v *Vaulted) accepts(t testing.TB, subject rotation.Subject, password secret.Secret) (bool, error) {
	if subject == rotation.Postgres {
		a, err := postgres.NewAdministrator(v.Admins.DSN)
		if err != nil {
			return false, err
		}
		return a.Accepts(t.Context(), testkit.PostgresUser, password)
	}
	addr := v.Redis.Addr()
	a, err := redis.NewAdministrator(redis.Config{Addrs: []string{addr}}, testkit.RedisUser)
	if err != nil {
		return false, err
	}
	return a.Accepts(t.Context(), redis.Node{Addr: addr}, password)
}
