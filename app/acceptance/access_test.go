package acceptance

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
)

// TestAccess goes through the life of keys and sessions, in both modes: embedded in one process, distributed with two uis
// and an ingestor that has no PostgreSQL.
func TestAccess(t *testing.T) {
	t.Parallel()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		m := apptest.Start(t, apptest.Options{NoDestination: true})
		(&access{T: t, one: m, other: m, senders: m}).all()
	})
	t.Run("distributed", func(t *testing.T) {
		t.Parallel()
		servers := apptest.NewServers(t, "always")
		start := func(env map[string]string, role app.Role) *apptest.MUTT {
			return apptest.Start(t, apptest.Options{Roles: app.RoleSet{role}, Env: env, NoDestination: true})
		}
		a := &access{T: t, one: start(servers.Env(), app.UI), other: start(servers.Env(), app.UI), senders: start(servers.RedisEnv(), app.Ingestor)}
		a.all()
	})
}

// access is a MUTT as its callers see it: two places for the API, and one for events.
type access struct {
	*testing.T
	one, other, senders *apptest.MUTT
}

func (a *access) all() {
	a.keys()
	a.rateLimit()
	a.sessions()
	a.lastUse()
}

// make creates a key through the first place.
func (a *access) make(body map[string]any) apiclient.KeyMade {
	a.Helper()
	var made apiclient.KeyMade
	a.one.Change(http.MethodPost, body, &made, "keys")
	return made
}

// api makes a call to the API of a place.
func (a *access) api(m *apptest.MUTT, method, path, body string, headers ...string) apptest.Answer {
	a.Helper()
	return m.Do(method, m.AdminURL+"/api/v2"+path, []byte(body), append(headers, "Content-Type", "application/json")...)
}

// send sends an event with a key.
func (a *access) send(key string) int {
	a.Helper()
	return a.senders.Do(http.MethodPost, a.senders.IngestURL+"/ingest", apptest.Event("h", "one"), "X-API-KEY", key, "Content-Type", "application/json").Status
}

// sees waits until senders with a key are answered with a status. The promise is a second, which is measured. One that is
// refused often is answered with 429.
func (a *access) sees(what, key string, status int) {
	a.Helper()
	begun := time.Now()
	apptest.Eventually(a, what, func() (bool, any) {
		got := a.send(key)
		return got == status || status == http.StatusUnauthorized && got == http.StatusTooManyRequests, got
	})
	a.Logf("%s after %v", what, time.Since(begun).Round(time.Millisecond))
}

// keys: what is changed in one place is so in the process without a store.
func (a *access) keys() {
	made := a.make(map[string]any{"name": "router-logs", "role": "ingest", "expires_in": "1h"})
	id := fmt.Sprint(made.ID)
	a.sees("a new key is accepted", made.Secret, http.StatusOK)
	if got := a.api(a.one, http.MethodGet, "/whoami", "", "X-API-KEY", made.Secret); got.Status != http.StatusOK {
		a.Errorf("whoami of a sender: %d", got.Status)
	}
	var rotated apiclient.KeyMade
	a.one.Change(http.MethodPost, map[string]any{"grace": "1h"}, &rotated, "keys", id, "rotate")
	a.sees("the new secret is accepted", rotated.Secret, http.StatusOK)
	if got := a.send(made.Secret); got != http.StatusOK {
		a.Errorf("the old secret within its grace: %d", got)
	}
	a.one.Change(http.MethodPatch, map[string]any{"drop_second_secret": true}, nil, "keys", id)
	a.sees("the old secret is refused", made.Secret, http.StatusUnauthorized)
	a.one.Change(http.MethodPatch, map[string]any{"role": "viewer"}, nil, "keys", id)
	a.sees("a viewer sends nothing", rotated.Secret, http.StatusForbidden)
	a.one.Change(http.MethodPatch, map[string]any{"role": "ingest", "expires_in": "1s"}, nil, "keys", id)
	a.sees("an expired key is refused", rotated.Secret, http.StatusUnauthorized)
	a.one.Change(http.MethodPatch, map[string]any{"expires_in": "never"}, nil, "keys", id)
	a.sees("and accepted again", rotated.Secret, http.StatusOK)
	a.one.Change(http.MethodDelete, nil, nil, "keys", id)
	a.sees("a deleted key is refused", rotated.Secret, http.StatusUnauthorized)
}

// rateLimit: two places share the limit of a key.
func (a *access) rateLimit() {
	made := a.make(map[string]any{"name": "poller", "role": "viewer", "rate_limit": 6})
	apptest.Eventually(a, "the key is known", func() (bool, any) {
		got := a.api(a.other, http.MethodGet, "/rules", "", "X-API-KEY", made.Secret)
		return got.Status != http.StatusUnauthorized, got.Status
	})
	passed := 0
	for range 5 {
		for _, m := range []*apptest.MUTT{a.one, a.other} {
			got := a.api(m, http.MethodGet, "/rules", "", "X-API-KEY", made.Secret)
			switch {
			case got.Status == http.StatusOK:
				passed++
			case got.Status != http.StatusTooManyRequests || got.Header.Get("Retry-After") == "":
				a.Errorf("%d %s", got.Status, got.Body)
			}
		}
	}
	if passed > 1 { // one more every ten seconds: a slow machine may see it
		a.Errorf("%d of 10 calls passed beyond the first", passed)
	}
}

// sessions: one is valid in every ui and over a restart, and ends with its key.
func (a *access) sessions() {
	made := a.make(map[string]any{"name": "anna", "role": "operator"})
	login := a.api(a.one, http.MethodPost, "/session", `{"key":"`+made.Secret+`"}`)
	var opened apiclient.Session
	if err := login.JSON(&opened); err != nil || login.Status != http.StatusOK {
		a.Fatalf("login: %d %s", login.Status, login.Body)
	}
	cookie, _, _ := strings.Cut(login.Header.Get("Set-Cookie"), ";")
	whoami := func(m *apptest.MUTT) func() (bool, any) {
		return func() (bool, any) {
			got := a.api(m, http.MethodGet, "/whoami", "", "Cookie", cookie)
			return got.Status == http.StatusOK, got.Status
		}
	}
	apptest.Eventually(a, "the session is valid in the other ui", whoami(a.other))
	a.other.Restart(nil)
	apptest.Eventually(a, "the session is valid after a restart", whoami(a.other))
	host := `{"hostname":"lab-anna"}`
	if got := a.api(a.one, http.MethodPost, "/dev-hosts", host, "Cookie", cookie); got.Status != http.StatusForbidden {
		a.Errorf("a write without the CSRF token: %d", got.Status)
	}
	if got := a.api(a.one, http.MethodPost, "/dev-hosts", host, "Cookie", cookie, "X-CSRF-Token", opened.CSRFToken); got.Status != http.StatusCreated {
		a.Errorf("a write: %d %s", got.Status, got.Body)
	}
	var audit apiclient.Changes
	a.one.Get(&audit, map[string][]string{"table_name": {"development_hosts"}}, "audit")
	if len(audit.Logs) != 1 || audit.Logs[0].ChangedBy != "key:anna" {
		a.Errorf("the audit says %+v", audit.Logs)
	}
	a.one.Change(http.MethodPost, map[string]any{}, nil, "keys", fmt.Sprint(made.ID), "rotate")
	for _, m := range []*apptest.MUTT{a.one, a.other} {
		apptest.Eventually(a, "the session has ended with its secret", func() (bool, any) {
			got := a.api(m, http.MethodGet, "/whoami", "", "Cookie", cookie)
			return got.Status == http.StatusUnauthorized, got.Status
		})
	}
}

// lastUse: what senders used is told by their process, at the latest when it ends.
func (a *access) lastUse() {
	made := a.make(map[string]any{"name": "rarely", "role": "ingest"})
	a.sees("the key is accepted", made.Secret, http.StatusOK)
	a.senders.Restart(nil)
	if a.one != a.senders {
		a.one.Restart(nil)
	}
	var k apiclient.Key
	a.one.Get(&k, nil, "keys", fmt.Sprint(made.ID))
	if k.LastUsed == nil || time.Since(*k.LastUsed) > 10*time.Minute {
		a.Errorf("last used: %v", k.LastUsed)
	}
}

// TestBootstrapKeysFromFiles changes the key of senders in the running process: the files are watched.
func TestBootstrapKeysFromFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// Generated ones: others are refused, right or wrong, while a source is throttled for its failed attempts.
	first, second := authn.NewSecret().Reveal(), authn.NewSecret().Reveal()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name+".new"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, name+".new"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	write("INGEST_API_KEY", first)
	m := apptest.Start(t, apptest.Options{NoDestination: true,
		Env: map[string]string{"INGEST_API_KEY": "", "MUTT_SECRETS_DIR": dir, "MUTT_SECRETS_POLL_INTERVAL": "1s"}})
	a := &access{T: t, one: m, other: m, senders: m}
	a.sees("the key of the file is accepted", first, http.StatusOK)
	write("INGEST_API_KEY_NEXT", second)
	a.sees("the next one is accepted too", second, http.StatusOK)
	if got := a.send(first); got != http.StatusOK {
		t.Errorf("the present one: %d", got)
	}
	write("INGEST_API_KEY", second)
	if err := os.Remove(filepath.Join(dir, "INGEST_API_KEY_NEXT")); err != nil {
		t.Fatal(err)
	}
	a.sees("the old one is refused", first, http.StatusUnauthorized)
	if got := a.send(second); got != http.StatusOK {
		t.Errorf("the new one: %d", got)
	}
}
