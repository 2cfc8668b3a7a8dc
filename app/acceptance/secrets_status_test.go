package acceptance

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/apiclient"
)

// rotating is a MUTT whose passwords are files of one directory.
type rotating struct {
	*testing.T
	*apptest.MUTT
	servers *apptest.Servers
	dir     string
}

func newRotating(t *testing.T) *rotating {
	t.Helper()
	r := &rotating{T: t, servers: apptest.NewServers(t, "always"), dir: t.TempDir()}
	r.put("DB_PASS_CURRENT", r.servers.Postgres.Password.Reveal())
	r.put("REDIS_PASS_CURRENT", r.servers.Redis.Password.Reveal())
	env := r.servers.Env()
	env["DB_PASS"], env["REDIS_PASS"] = "", ""
	env["MUTT_SECRETS_DIR"], env["MUTT_SECRETS_POLL_INTERVAL"], env["MUTT_SECRETS_RECYCLE_WITHIN"] = r.dir, "500ms", "2s"
	r.MUTT = apptest.Start(t, apptest.Options{Env: env, Rules: []byte(rules)})
	r.servers.Redis.User = "default" // the test's own tool: what is rotated is the user mutt
	return r
}

// put writes a secret, "" removes it.
func (r *rotating) put(key, value string) {
	r.Helper()
	path := filepath.Join(r.dir, key)
	if value == "" {
		if err := os.Remove(path); err != nil {
			r.Fatal(err)
		}
		return
	}
	if err := os.WriteFile(path+".new", []byte(value), 0o600); err != nil {
		r.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		r.Fatal(err)
	}
}

// status waits until a secret stands as it should, and gives it.
func (r *rotating) status(secret, what string, holds func(apiclient.SecretStatus) bool) {
	r.Helper()
	began := time.Now()
	apptest.Eventually(r.T, what, func() (bool, any) {
		var all apiclient.Secrets
		r.Get(&all, nil, "secrets")
		i := slices.IndexFunc(all.Secrets, func(s apiclient.SecretStatus) bool { return s.Secret == secret })
		return i >= 0 && len(all.Secrets[i].Processes) == 1 && holds(all.Secrets[i]), all
	})
	r.Logf("%s: %s after %v", secret, what, time.Since(began).Round(100*time.Millisecond))
}

// safe means that the key's present file is what every connection uses.
func (r *rotating) safe(secret, key string) {
	r.Helper()
	info, err := os.Stat(filepath.Join(r.dir, key))
	if err != nil {
		r.Fatal(err)
	}
	version := fmt.Sprint("directory:", info.ModTime().UnixMilli())
	r.status(secret, "the old password is safe to retire", func(s apiclient.SecretStatus) bool {
		p := s.Processes[0]
		return s.SafeToRetire && p.Loaded[0].Version == version && p.Loaded[0].Accepted && len(p.InUse) == 1 && p.InUse[0].Version == version
	})
}

// health waits until /health has these words, "" for a report without warnings about passwords.
func (r *rotating) health(status int, words string) {
	r.Helper()
	apptest.Eventually(r.T, "health says: "+words, func() (bool, any) {
		a := r.Do(http.MethodGet, r.OpsURL+"/health", nil)
		body := string(a.Body)
		if words == "" {
			return a.Status == status && !strings.Contains(body, "_PASS_"), body
		}
		return a.Status == status && strings.Contains(body, words), body
	})
}

// TestSecretsStatusTellsTheTruth goes through a rotation of both passwords by hand, and through a mistake.
func TestSecretsStatusTellsTheTruth(t *testing.T) {
	t.Parallel()
	r := newRotating(t)
	pg := r.servers.Postgres
	r.safe("postgres", "DB_PASS_CURRENT")
	r.safe("redis", "REDIS_PASS_CURRENT")
	r.health(http.StatusOK, "")

	r.put("DB_PASS_NEXT", "second-of-postgres")
	r.status("postgres", "NEXT is known", func(s apiclient.SecretStatus) bool { return len(s.Processes[0].Loaded) == 2 })
	pg.SQL("postgres", "ALTER ROLE mutt PASSWORD 'second-of-postgres'")
	through(r.MUTT, "altered")
	r.status("postgres", "the process notices that CURRENT is refused", func(s apiclient.SecretStatus) bool {
		l := s.Processes[0].Loaded
		return !s.SafeToRetire && l[0].Refused && l[1].Accepted
	})
	r.health(http.StatusOK, "a rotation is under way")
	r.put("DB_PASS_CURRENT", "second-of-postgres")
	r.put("DB_PASS_NEXT", "")
	r.safe("postgres", "DB_PASS_CURRENT")
	r.health(http.StatusOK, "")
	through(r.MUTT, "promoted")

	r.servers.Redis.Do("ACL", "SETUSER", "mutt", ">second-of-redis")
	r.put("REDIS_PASS_CURRENT", "second-of-redis")
	r.safe("redis", "REDIS_PASS_CURRENT")
	r.servers.Redis.Do("ACL", "SETUSER", "mutt", "<"+r.servers.Redis.Password.Reveal())
	through(r.MUTT, "removed")

	pg.SQL("postgres", "ALTER ROLE mutt PASSWORD 'nobody-told-mutt'")
	pg.SQL("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'mutt'")
	r.health(http.StatusServiceUnavailable, "PostgreSQL refuses DB_PASS_CURRENT")
	r.put("DB_PASS_CURRENT", "nobody-told-mutt")
	r.health(http.StatusOK, "")
	through(r.MUTT, "corrected")
	r.safe("postgres", "DB_PASS_CURRENT")
	r.ExpectBalanced()
	for line := range strings.Lines(string(r.Do(http.MethodGet, r.OpsURL+"/metrics", nil).Body)) {
		if strings.HasPrefix(line, "mutt_connect_") {
			t.Log(strings.TrimSpace(line))
		}
	}
}
