package acceptance

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/secret"
)

// publicRoutes reads the routes that need no key from the reference page, which a test of its own holds to the code.
func publicRoutes(t *testing.T) (routes [][2]string) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "reference", "authorization.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?m)^\\| (\\w+) \\| GET \\| `([^`]+)` \\| public \\|$").FindAllStringSubmatch(string(page), -1) {
		routes = append(routes, [2]string{m[1], strings.ReplaceAll(m[2], ":file", "style.css")})
	}
	if len(routes) < 15 {
		t.Fatalf("%d public routes: the reading is broken", len(routes))
	}
	return routes
}

// anonymous holds that no answer without a key has an address of a server.
func anonymous(t *testing.T, state string, m *apptest.MUTT, servers []string) {
	t.Helper()
	base := map[string]string{"admin": m.AdminURL, "ingest": m.IngestURL, "ops": m.OpsURL}
	seen := 0
	for _, r := range publicRoutes(t) {
		if base[r[0]] == "" {
			continue
		}
		answer := m.Do(http.MethodGet, base[r[0]]+r[1], nil)
		text := fmt.Sprintln(answer.Header, string(answer.Body))
		seen++
		for _, address := range servers {
			if at := strings.Index(text, address); at >= 0 {
				t.Errorf("%s: %s %s names %q: …%s…", state, r[0], r[1], address, text[max(0, at-150):min(len(text), at+150)])
			}
		}
	}
	if seen == 0 {
		t.Fatal("nothing was asked")
	}
}

// TestAnswersWithoutAKeyNameNoServer takes the servers of a process away one after the other, and Redis's right to tell its settings
// before: nobody without a key learns from any route where they are.
func TestAnswersWithoutAKeyNameNoServer(t *testing.T) {
	t.Parallel()
	servers := apptest.NewVaulted(t, "always")
	env := servers.Env()
	// Without CONFIG GET the process warns that it cannot check what Redis promises.
	servers.Redis.Do("ACL", "SETUSER", env["REDIS_USER"], "-config")
	m := apptest.Start(t, apptest.Options{Rules: []byte(rules), Servers: servers.Servers, Env: env})
	known := []string{servers.Vault.Addr, servers.Role.SecretIDFile, servers.Vault.CAFile}
	vault, err := url.Parse(servers.Vault.Addr)
	if err != nil {
		t.Fatal(err)
	}
	destination, err := url.Parse(m.Destination.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, hostPort := range []string{servers.Redis.Addr(), net.JoinHostPort(servers.Postgres.Host, strconv.Itoa(servers.Postgres.Port)), vault.Host, destination.Host} {
		_, port, err := net.SplitHostPort(hostPort)
		if err != nil {
			t.Fatal(err)
		}
		known = append(known, ":"+port, "port "+port, "port="+port)
	}
	health := string(m.Do(http.MethodGet, m.OpsURL+"/health", nil).Body)
	if !strings.Contains(health, "does not tell its settings") {
		t.Errorf("the state is not the one that is meant: %s", health)
	}
	anonymous(t, "Redis tells no settings", m, known)
	m.Destination.Down()
	m.Send(apptest.Event("sw-1", "Interface Gi1, changed state to down"))
	anonymous(t, "destination away", m, known)
	password := servers.Values("")["REDIS_PASS_CURRENT"].(string)
	restart := func() { // without the administrator, whom only its memory knew
		servers.Redis.User, servers.Redis.Password = env["REDIS_USER"], secret.New(password)
		servers.Redis.Start()
	}
	for _, server := range []struct {
		name        string
		stop, start func()
		word        string // of /health
	}{{"Vault", servers.Vault.Stop, func() {}, "vault"}, {"PostgreSQL", servers.Postgres.Stop, servers.Postgres.Start, "store: "},
		{"Redis", servers.Redis.Stop, restart, "queue: "}} {
		server.stop()
		apptest.Eventually(t, server.name+" is missed", func() (bool, any) {
			body := string(m.Do(http.MethodGet, m.OpsURL+"/health", nil).Body)
			return strings.Contains(body, server.word), body
		})
		anonymous(t, server.name+" away", m, known)
		defer server.start() // an orderly stop needs it
	}
}
