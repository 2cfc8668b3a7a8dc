package acceptance

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/testkit"
)

// office is a distributed MUTT whose secrets are in Vault alone, with everything that was ever secret there.
type office struct {
	*testing.T
	vault   *testkit.VaultServer
	servers *apptest.Servers
	role    testkit.VaultRole
	site    *site
	now     map[string]string // what is in Vault
	hidden  []string          // every value and secret id that there was
	shown   strings.Builder   // every answer of the process
}

const secretsPath = "mutt/prod"

// put writes secrets over those that there are.
func (o *office) put(changes map[string]string) {
	o.Helper()
	for k, v := range changes {
		o.now[k] = v
		if k != "DB_USER" {
			o.hidden = append(o.hidden, v)
		}
	}
	o.vault.PutSecrets(secretsPath, o.now)
}

func newOffice(t *testing.T, d *apptest.Destination) *office {
	t.Helper()
	o := &office{T: t, vault: testkit.Vault(t, testkit.VaultOptions{}), servers: apptest.NewServers(t, "everysec"), now: map[string]string{}}
	env := []string{"VAULT_ADDR=" + o.vault.Addr, "MUTT_SECRETS_POLL_INTERVAL=200ms", "INGEST_API_KEY=", "WEBUI_API_KEY=", "MOOG_API_KEY="}
	for k, v := range o.servers.Env() {
		if !strings.HasPrefix(k, "DB_PASS") && !strings.HasPrefix(k, "REDIS_PASS") && k != "DB_USER" {
			env = append(env, k+"="+v)
		}
	}
	o.put(map[string]string{"DB_USER": o.servers.Postgres.User, "DB_PASS_CURRENT": o.servers.Postgres.Password.Reveal(), "REDIS_PASS_CURRENT": o.servers.Redis.Password.Reveal(),
		"INGEST_API_KEY": "ingest-key-of-vault-1", "WEBUI_API_KEY": apptest.AdminKey, "MOOG_API_KEY": "moog-key-of-vault-1"})
	// Tokens that live for seconds: they are renewed and replaced while the test runs.
	o.role = o.vault.NewRole(t, secretsPath, map[string]any{"token_ttl": "2s", "token_max_ttl": "4s"})
	id, err := os.ReadFile(o.role.SecretIDFile)
	if err != nil {
		t.Fatal(err)
	}
	o.hidden = append(o.hidden, strings.TrimSpace(string(id)))
	o.site = newSite(t, t.TempDir(), d.URL, append(env, "VAULT_ROLE_ID="+o.role.RoleID, "VAULT_SECRET_ID_FILE="+o.role.SecretIDFile)...)
	return o
}

// get keeps an answer of the process, whatever it is.
func (o *office) get(url string) (int, string) {
	o.Helper()
	return o.do(http.MethodGet, url, apptest.AdminKey, "")
}

func (o *office) do(method, url, key, body string) (int, string) {
	o.Helper()
	req, err := http.NewRequestWithContext(o.Context(), method, url, strings.NewReader(body))
	if err != nil {
		o.Fatal(err)
	}
	req.Header.Set("X-API-KEY", key)
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		o.Fatal(err)
	}
	fmt.Fprintf(&o.shown, "%s %v\n%s\n", url, resp.Header, text)
	return resp.StatusCode, string(text)
}

// send sends an event with a key and gives the status.
func (o *office) send(key, message string) int {
	o.Helper()
	status, _ := o.do(http.MethodPost, "http://"+o.site.ingest+"/api/v2/ingest", key, string(apptest.Event("h", message)))
	return status
}

// delivers sends an event and waits until it arrived with this key of the destination.
func (o *office) delivers(d *apptest.Destination, key, bearer string) {
	o.Helper()
	apptest.Eventually(o, "the destination is shown the key in force", func() (bool, any) {
		if status := o.send(key, "link down"); status != http.StatusOK {
			return false, status
		}
		return slices.ContainsFunc(d.Requests(), func(r apptest.Request) bool { return r.Header.Get("Authorization") == "Bearer "+bearer }), nil
	})
}

// health waits until the process is healthy, with or without a warning that has these words.
func (o *office) health(words string, there bool) {
	o.Helper()
	apptest.Eventually(o, fmt.Sprintf("it warns of %q: %v", words, there), func() (bool, any) {
		status, text := o.get("http://" + o.site.ops + "/health")
		return status == http.StatusOK && strings.Contains(text, words) == there, text
	})
}

// TestSecretsFromVault runs the binary with everything from Vault: it waits for Vault, takes changes over while it runs, works on
// while Vault is away, and at the end nothing that it wrote or answered has a secret in it.
func TestSecretsFromVault(t *testing.T) {
	t.Parallel()
	d := apptest.NewDestination(t)
	o := newOffice(t, d)
	migrated(t, o)
	o.vault.Kill()
	p := serve(t, o.site)
	apptest.Eventually(t, "it waits for Vault, with a line", func() (bool, any) {
		p.lives()
		return strings.Contains(o.site.tail(), "waiting for the secrets"), o.site.tail()
	})
	if status, _ := o.get("http://" + o.site.ops + "/health"); status != http.StatusServiceUnavailable {
		t.Errorf("while it waits it is not healthy: %d", status)
	}
	o.vault.Start()
	p.ready()
	addRule(t, o)
	o.delivers(d, "ingest-key-of-vault-1", "moog-key-of-vault-1")
	o.health("secrets: ", false)
	if status, text := o.get("http://" + o.site.ingest + "/admin/config"); status != http.StatusOK || !strings.Contains(text, "version 1 of vault secret/"+secretsPath) {
		t.Errorf("/admin/config does not say where the secrets come from: %d %s", status, text)
	}
	for _, want := range []string{`mutt_secrets_version{provider="vault",secret="DB_PASS_CURRENT"} 1`, "mutt_secrets_vault_token_expiry_timestamp_seconds"} {
		if _, text := o.get("http://" + o.site.ops + "/metrics"); !strings.Contains(text, want) {
			t.Errorf("no %s in /metrics", want)
		}
	}
	changes(t, o, d)
	outages(t, o)
	o.everything()
	p.stop()
	o.searched()
}

// migrated brings the database to the schema, with the secrets of Vault too.
func migrated(t *testing.T, o *office) {
	t.Helper()
	if out, err := o.site.command(t, "migrate", "up"); err != nil {
		t.Fatalf("migrate: %v\n%s", err, out)
	} else {
		o.shown.WriteString(out)
	}
	out, err := o.site.command(t, "config", "print")
	if err != nil || !strings.Contains(out, "vault secret/"+secretsPath) {
		t.Errorf("config print: %v\n%s", err, out)
	}
	o.shown.WriteString(out)
}

func addRule(t *testing.T, o *office) {
	t.Helper()
	body := `{"name":"all","match_string":"link","prod_handling":"Page_only","dev_handling":"Ignore","team_assignment":"T"}`
	if status, text := o.do(http.MethodPost, "http://"+o.site.admin+"/api/v2/rules", apptest.AdminKey, body); status != http.StatusCreated {
		t.Fatalf("add a rule: %d %s", status, text)
	}
}

// changes writes new values, which the running process takes over.
func changes(t *testing.T, o *office, d *apptest.Destination) {
	t.Helper()
	o.put(map[string]string{"MOOG_API_KEY": "moog-key-of-vault-2", "INGEST_API_KEY_NEXT": "ingest-key-of-vault-2"})
	o.delivers(d, "ingest-key-of-vault-1", "moog-key-of-vault-2")
	apptest.Eventually(t, "the next key is accepted beside the present one", func() (bool, any) {
		status := o.send("ingest-key-of-vault-2", "link down")
		return status == http.StatusOK, status
	})
	o.put(map[string]string{"INGEST_API_KEY": "ingest-key-of-vault-2", "INGEST_API_KEY_NEXT": ""})
	apptest.Eventually(t, "the former key is refused", func() (bool, any) {
		status := o.send("ingest-key-of-vault-1", "link down")
		return status == http.StatusUnauthorized, status
	})
}

// outages takes Vault away in several ways; events are accepted all the time.
func outages(t *testing.T, o *office) {
	t.Helper()
	for _, one := range []struct {
		words      string
		away, back func()
	}{
		{"Vault cannot be reached", o.vault.Kill, o.vault.Start},
		{"Vault is sealed", o.vault.Seal, o.vault.Unseal},
		{"was deleted", func() { o.vault.Do("DELETE", "secret/data/"+secretsPath, nil) }, func() { o.put(nil) }},
	} {
		one.away()
		o.health(one.words, true)
		if status := o.send("ingest-key-of-vault-2", "link down"); status != http.StatusOK {
			t.Errorf("%s: an event is answered with %d", one.words, status)
		}
		one.back()
		o.health(one.words, false)
	}
}

// everything asks for whatever the process answers to a GET.
func (o *office) everything() {
	o.Helper()
	_, text := o.get("http://" + o.site.admin + "/api/v2/openapi.json")
	var doc struct {
		Paths map[string]map[string]any
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		o.Fatal(err)
	}
	asked := 0
	for path, methods := range doc.Paths {
		if methods["get"] != nil && !strings.Contains(path, "{") {
			o.get("http://" + o.site.admin + path)
			asked++
		}
	}
	if asked < 15 {
		o.Errorf("the document has only %d paths to ask", asked)
	}
	for _, path := range []string{"/metrics", "/health", "/debug/pprof/goroutine?debug=2", "/debug/pprof/cmdline"} {
		o.get("http://" + o.site.ops + path)
	}
}

// searched looks for everything that is secret in what the process wrote and answered, and in what it stored.
func (o *office) searched() {
	o.Helper()
	places := map[string]string{"an answer": o.shown.String()}
	for _, dir := range []string{filepath.Dir(o.site.logFile), strings.TrimPrefix(o.servers.Redis.Do("CONFIG", "GET", "dir"), "dir\n")} {
		err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() || e.Name() == "redis.conf" {
				return err
			}
			text, err := os.ReadFile(path)
			places[path] = string(text)
			return err
		})
		if err != nil {
			o.Fatal(err)
		}
	}
	tables := o.servers.Postgres.SQL(o.servers.Database, "SELECT string_agg(format('SELECT t::text FROM %I.%I t', schemaname, tablename), ' UNION ALL ') FROM pg_tables WHERE schemaname = 'public'")
	places["a table"] = o.servers.Postgres.SQL(o.servers.Database, tables)
	token := regexp.MustCompile(`hv[sbr]\.[A-Za-z0-9_-]{20,}`)
	for place, text := range places {
		for _, h := range o.hidden {
			if h != "" && strings.Contains(text, h) {
				o.Errorf("%s has the secret %v", place, secret.New(h)) // by its place alone: the test's own output is kept too
			}
		}
		if token.MatchString(text) {
			o.Errorf("%s has a token of Vault", place)
		}
	}
	if len(places["a table"]) < 1000 || len(places) < 4 {
		o.Errorf("too little was searched: %d places, %d bytes of tables", len(places), len(places["a table"]))
	}
}

// command runs a command of the binary with the site's settings.
func (s *site) command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary(t), args...)
	cmd.Env = s.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}
