package rotate_test

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/app/rotate"
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/connect/postgres"
	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/rotation"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/testkit"
)

const secretsPath = "mutt/prod"

// site is a MUTT of two processes whose secrets are in Vault, one of them without PostgreSQL, and who may rotate them.
type site struct {
	*testing.T
	vault   *testkit.VaultServer
	servers *apptest.Servers
	env     map[string]string
	admins  app.Administrators
	api     *apptest.MUTT // alerter, ui, janitor
	edge    *apptest.MUTT // ingestor, forwarder
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{T: t, vault: testkit.Vault(t, testkit.VaultOptions{}), servers: apptest.NewServers(t, "everysec")}
	own := s.servers.Env()
	s.vault.PutSecrets(secretsPath, map[string]string{"DB_USER": own["DB_USER"], "DB_PASS_CURRENT": own["DB_PASS"], "REDIS_PASS_CURRENT": own["REDIS_PASS"],
		"INGEST_API_KEY": apptest.IngestKey, "WEBUI_API_KEY": apptest.AdminKey, "MOOG_API_KEY": apptest.MoogKey})
	role := s.vault.NewRole(t, secretsPath, nil)
	s.env = map[string]string{"REDIS_USER": testkit.RedisUser, "DB_PASS": "", "DB_USER": "", "REDIS_PASS": "", "INGEST_API_KEY": "", "WEBUI_API_KEY": "", "MOOG_API_KEY": "",
		"VAULT_ADDR": s.vault.Addr, "VAULT_ROLE_ID": role.RoleID, "VAULT_SECRET_ID_FILE": role.SecretIDFile, "VAULT_SECRETS_PATH": "secret/" + secretsPath,
		"MUTT_SECRETS_POLL_INTERVAL": "200ms", "MUTT_SECRETS_RECYCLE_WITHIN": "500ms"}
	s.admins = app.Administrators{DSN: s.servers.Postgres.DSN("postgres", s.servers.Postgres.Password, s.servers.Database),
		RedisUser: "admin", RedisPassword: secret.New("of-the-administrator")}
	s.servers.Redis.Do("ACL", "SETUSER", "admin", "on", ">"+s.admins.RedisPassword.Reveal(), "~*", "&*", "+@all")
	s.servers.Redis.User, s.servers.Redis.Password = "admin", s.admins.RedisPassword // for redis-cli
	s.api = s.start("api", app.Alerter, app.UI, app.Janitor)
	s.edge = s.start("edge", app.Ingestor, app.Forwarder)
	return s
}

func (s *site) start(name string, roles ...app.Role) *apptest.MUTT {
	env := map[string]string{"POD_NAME": name}
	for k, v := range s.env {
		env[k] = v
	}
	if name == "edge" { // which does without
		env["DB_HOST"], env["DB_PORT"], env["DB_NAME"] = "", "", ""
	}
	return apptest.Start(s, apptest.Options{Roles: roles, Env: env, Servers: s.servers})
}

// config is what the command is given of the settings.
func (s *site) config() app.Config {
	s.Helper()
	var environ []string
	env := s.servers.Env()
	for k, v := range s.env {
		env[k] = v
	}
	for k, v := range env {
		if v != "" {
			environ = append(environ, k+"="+v)
		}
	}
	c, _, err := app.LoadConfig(environ)
	if err != nil {
		s.Fatal(err)
	}
	return c
}

// rotation makes a command. Its options are changed by what the test brings.
func (s *site) rotation(subject rotation.Subject, change ...func(*rotate.Options)) *rotate.Rotation {
	s.Helper()
	c := s.config()
	v, err := c.RotationVault(s.vault.Token)
	if err != nil {
		s.Fatal(err)
	}
	server, err := c.RotationServer(s.Context(), subject, v, s.admins)
	if err != nil {
		s.Fatal(err)
	}
	o := rotate.Options{Subject: subject, Vault: v, Server: server, Wait: time.Minute, Holder: "test-" + string(subject),
		API: &rotate.API{Client: s.api.Client, WithKey: s.client, Reason: "test"},
		Report: func(p rotate.Progress) {
			s.Logf("%s %s %s: %s (%.1f s)", p.Secret, p.Step, p.Event, p.Message, p.Seconds)
		}}
	for _, f := range change {
		f(&o)
	}
	return rotate.New(o)
}

func (s *site) client(key secret.Secret) (*apiclient.Client, error) {
	return apiclient.New(apiclient.Options{BaseURL: s.api.AdminURL, Key: key.Reveal()})
}

// state gives the last rotation.
func (s *site) state(subject rotation.Subject) apiclient.Rotation {
	s.Helper()
	last, err := (&rotate.API{Client: s.api.Client}).Last(s.Context(), subject)
	if err != nil || last == nil {
		s.Fatalf("the last rotation of %s: %v, %v", subject, last, err)
	}
	return *last
}

// values gives a version of the path, 0 the latest.
func (s *site) values(version string) map[string]any {
	s.Helper()
	path := "secret/data/" + secretsPath
	if version != "" {
		path += "?version=" + version
	}
	return s.vault.Do("GET", path, nil)["data"].(map[string]any)["data"].(map[string]any)
}

// accepts reports whether the server of a subject takes a password.
func (s *site) accepts(subject rotation.Subject, password string) bool {
	s.Helper()
	var yes bool
	var err error
	if subject == rotation.Postgres {
		var a *postgres.Administrator
		if a, err = postgres.NewAdministrator(s.admins.DSN); err == nil {
			yes, err = a.Accepts(s.Context(), testkit.PostgresUser, secret.New(password))
		}
	} else {
		var a *redis.Administrator
		addr := s.servers.Redis.Addr()
		if a, err = redis.NewAdministrator(redis.Config{Addrs: []string{addr}}, testkit.RedisUser); err == nil {
			yes, err = a.Accepts(s.Context(), redis.Node{Addr: addr}, secret.New(password))
		}
	}
	if err != nil {
		s.Fatal(err)
	}
	return yes
}

// healthy sees that both processes say they are well.
func (s *site) healthy() {
	s.Helper()
	for _, url := range []string{s.api.OpsURL, s.edge.OpsURL} {
		req, err := http.NewRequestWithContext(s.Context(), http.MethodGet, url+"/health", nil)
		if err != nil {
			s.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			s.Fatal(err)
		}
		if resp.StatusCode != http.StatusOK {
			s.Errorf("%s/health: %s", url, resp.Status)
		}
		_ = resp.Body.Close()
	}
}

// status gives what every process says of a secret.
func (s *site) status(subject rotation.Subject) apiclient.SecretStatus {
	s.Helper()
	var all apiclient.Secrets
	s.api.Get(&all, nil, "secrets")
	for _, one := range all.Secrets {
		if one.Secret == string(subject) {
			return one
		}
	}
	return apiclient.SecretStatus{}
}

// truthful waits until nothing that is said of a secret contradicts the server: what was accepted last is accepted, what was refused is
// refused, and the old one is safe to retire only when the server accepts what is current to every process.
func (s *site) truthful(subject rotation.Subject) {
	s.Helper()
	apptest.Eventually(s, "the status of "+string(subject)+" tells the truth", func() (bool, any) {
		status := s.status(subject)
		for _, p := range status.Processes {
			for i, l := range p.Loaded {
				version, _ := strings.CutPrefix(l.Version, "vault:")
				password, _ := s.values(version)[l.Key].(string)
				takes := s.accepts(subject, password)
				if l.Accepted && !takes || l.Refused && takes || i == 0 && status.SafeToRetire && !takes {
					return false, status
				}
			}
		}
		return true, nil
	})
}

var errKilled = errors.New("killed by the test")

// promotions counts how often the current secret of a key changed over the versions of the path, up to the latest.
func (s *site) promotions(key string) (n int) {
	s.Helper()
	answer := s.vault.Do("GET", "secret/metadata/"+secretsPath, nil)["data"].(map[string]any)
	versions := answer["versions"].(map[string]any)
	last := ""
	for i := 1; i <= 1000; i++ { // Vault keeps the last ten
		if versions[itoa(i)] == nil {
			continue
		}
		now, _ := s.values(itoa(i))[key].(string)
		if last != "" && now != last {
			n++
		}
		last = now
	}
	return n
}

func itoa(n int) string { return strconv.Itoa(n) }

func secretOf(text string) secret.Secret { return secret.New(text) }
