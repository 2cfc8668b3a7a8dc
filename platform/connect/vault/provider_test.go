package vault

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/secret/secrets"
	"github.com/muttproject/mutt/platform/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// trusting returns the settings of a server with the authorities that its client trusts.
func trusting(s *testkit.VaultServer, ca string) Config {
	return Config{Addr: s.Addr, TLS: tlsconf.Config{CAFile: ca}, RenewBefore: time.Hour, CheckEvery: time.Minute}
}

// asRole returns the settings of a role that reads secret/<name>.
func asRole(c Config, name string, r testkit.VaultRole) Config {
	c.Path, c.RoleID, c.SecretIDFile = Path{"secret", name}, r.RoleID, r.SecretIDFile
	return c
}

// provider returns a Provider that reads secret/<name> as a role.
func provider(t *testing.T, s *testkit.VaultServer, name string, r testkit.VaultRole) *Provider {
	t.Helper()
	return made(t, asRole(trusting(s, s.CAFile), name, r))
}

func made(t *testing.T, c Config) *Provider {
	t.Helper()
	p, err := NewProvider(Options{Config: c, Open: tlsconf.New, Exposure: Exposure(zap.NewNop()), Log: zap.NewNop(), Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.client.Close)
	return p
}

// expect reads and expects a password and its version.
func expect(t *testing.T, p *Provider, password string, version int64) {
	t.Helper()
	values, err := p.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := values[secrets.DBPass]
	if got.Secret.Reveal() != password || got.Version != (secrets.Version{Provider: "vault", Number: version}) || got.Origin != fmt.Sprintf("version %d of vault %s", version, p.config.Path) {
		t.Fatalf("it gives %q %v %q, not %q %d", got.Secret.Reveal(), got.Version, got.Origin, password, version)
	}
}

// mustFail expects a fault that says so, and shows neither token nor address.
func mustFail(t *testing.T, p *Provider, err error, words string) {
	t.Helper()
	f, ok := fault.As(err)
	if !ok || f.Code != fault.SecretsUnavailable || !strings.Contains(f.Message, words) || f.Remedy == "" {
		t.Fatalf("not a fault with a remedy and %q: %v", words, err)
	}
	shown := fmt.Sprintf("%v %+v %#v", err, err, f)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lease != nil && strings.Contains(shown, p.lease.token.Reveal()) || strings.Contains(f.Message+f.Remedy, "127.0.0.1") {
		t.Fatalf("it shows too much: %s", shown)
	}
}

func fails(t *testing.T, p *Provider, words string) {
	t.Helper()
	_, err := p.Read(t.Context())
	mustFail(t, p, err, words)
}

func TestProvider(t *testing.T) {
	t.Parallel()
	s := testkit.Vault(t, testkit.VaultOptions{TLS: true})
	for name, test := range map[string]func(*testing.T, *testkit.VaultServer, string){
		"versions": versions, "what is there": contents, "token revoked": tokenRevoked, "secret id rotated": secretIDRotated,
		"token file": tokenFile, "short lives": shortLives, "role without right": withoutRight, "untrusted": untrusted,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, s, "mutt/"+strings.ReplaceAll(name, " ", "-"))
		})
	}
}

func versions(t *testing.T, s *testkit.VaultServer, path string) {
	p := provider(t, s, path, s.NewRole(t, path, nil))
	fails(t, p, "there are no secrets at secret/"+path)
	s.PutSecrets(path, map[string]string{"DB_PASS_CURRENT": "one"})
	expect(t, p, "one", 1)
	s.PutSecrets(path, map[string]string{"DB_PASS_CURRENT": "two"})
	expect(t, p, "two", 2)
	s.Do("POST", "secret/delete/"+path, map[string]any{"versions": []int{2}})
	fails(t, p, "version 2 of secret/"+path+" was deleted")
	s.Do("POST", "secret/undelete/"+path, map[string]any{"versions": []int{2}})
	expect(t, p, "two", 2)
	s.Do("POST", "secret/destroy/"+path, map[string]any{"versions": []int{2}})
	fails(t, p, "was deleted")
	s.PutSecrets(path, map[string]string{"DB_PASS_CURRENT": "three"})
	expect(t, p, "three", 3)
	if n := testutil.ToFloat64(p.metrics.logins.WithLabelValues("ok")); n != 1 {
		t.Errorf("%v logins: a token is kept", n)
	}
}

func contents(t *testing.T, s *testkit.VaultServer, path string) {
	p := provider(t, s, path, s.NewRole(t, path, nil))
	s.Do("POST", "secret/data/"+path, map[string]any{"data": map[string]any{"DB_PASS_CURRENT": 12345678901234567}})
	values, err := p.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := secrets.NewSet(values); !fault.Is(err, fault.SecretUnfit) || !strings.Contains(err.Error(), "DB_PASS_CURRENT from version 1 of vault secret/"+path+" must be a text") {
		t.Errorf("a number: %v", err)
	}
	odd := "sp ace\"quote'ü\\n"
	s.Do("POST", "secret/data/"+path, map[string]any{"data": map[string]any{"DB_PASS_CURRENT": odd, "DB_USER": nil, "SOMETHING_ELSE": "x",
		"billing_port": 5432, "nothing": nil, "hosts": []string{"a"}, "owner": map[string]any{"name": "b"}}})
	expect(t, p, odd, 2)
}

func tokenRevoked(t *testing.T, s *testkit.VaultServer, path string) {
	s.PutSecrets(path, map[string]string{"DB_PASS_CURRENT": "one"})
	p := provider(t, s, path, s.NewRole(t, path, nil))
	expect(t, p, "one", 1)
	for range 2 {
		s.Do("POST", "auth/token/revoke", map[string]any{"token": p.lease.token.Reveal()})
		expect(t, p, "one", 1)
	}
	if n := testutil.ToFloat64(p.metrics.logins.WithLabelValues("ok")); n != 3 {
		t.Errorf("%v logins", n)
	}
}

func secretIDRotated(t *testing.T, s *testkit.VaultServer, path string) {
	s.PutSecrets(path, map[string]string{"DB_PASS_CURRENT": "one"})
	role := s.NewRole(t, path, nil)
	p := provider(t, s, path, role)
	expect(t, p, "one", 1)
	old, err := os.ReadFile(role.SecretIDFile)
	if err != nil {
		t.Fatal(err)
	}
	s.NewSecretID(t, role)
	s.Do("POST", "auth/approle/role/"+role.Name+"/secret-id/destroy", map[string]any{"secret_id": strings.TrimSpace(string(old))})
	s.Do("POST", "auth/token/revoke", map[string]any{"token": p.lease.token.Reveal()})
	expect(t, p, "one", 1)
	// The old one again, which is no secret id any more.
	if err := os.WriteFile(role.SecretIDFile, old, 0o600); err != nil {
		t.Fatal(err)
	}
	s.Do("POST", "auth/token/revoke", map[string]any{"token": p.lease.token.Reveal()})
	fails(t, p, "log in to Vault as the role VAULT_ROLE_ID: Vault refuses it")
	if _, err := p.Read(t.Context()); strings.Contains(fmt.Sprint(err), strings.TrimSpace(string(old))) {
		t.Errorf("it shows the secret id: %v", err)
	}
	s.NewSecretID(t, role)
	expect(t, p, "one", 1)
	if err := os.Remove(role.SecretIDFile); err != nil {
		t.Fatal(err)
	}
	expect(t, p, "one", 1) // the token lives
	s.Do("POST", "auth/token/revoke", map[string]any{"token": p.lease.token.Reveal()})
	fails(t, p, "the file VAULT_SECRET_ID_FILE cannot be read")
}

func tokenFile(t *testing.T, s *testkit.VaultServer, path string) {
	s.PutSecrets(path, map[string]string{"DB_PASS_CURRENT": "one"})
	role := s.NewRole(t, path, nil)
	file := filepath.Join(t.TempDir(), "token")
	c := trusting(s, s.CAFile)
	c.Path, c.TokenFile = Path{"secret", path}, file
	p := made(t, c)
	fails(t, p, "the file VAULT_TOKEN_FILE cannot be read")
	write := func(token secret.Secret) {
		t.Helper()
		if err := os.WriteFile(file, []byte(token.Reveal()+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	login := func() secret.Secret {
		t.Helper()
		l, err := p.client.loginRole(t.Context(), role.RoleID, s.NewSecretID(t, role))
		if err != nil {
			t.Fatal(err)
		}
		return l.token
	}
	write(secret.New(""))
	fails(t, p, "is empty")
	first := login()
	write(first)
	expect(t, p, "one", 1)
	s.Do("POST", "auth/token/revoke", map[string]any{"token": first.Reveal()})
	fails(t, p, "Vault does not permit it")
	write(login())
	expect(t, p, "one", 1)
}

// shortLives has a token of 2 s that may live 4 s at the most: it is renewed, and then replaced, and nobody who reads notices.
func shortLives(t *testing.T, s *testkit.VaultServer, path string) {
	s.PutSecrets(path, map[string]string{"DB_PASS_CURRENT": "one"})
	p := provider(t, s, path, s.NewRole(t, path, map[string]any{"token_ttl": "2s", "token_max_ttl": "4s"}))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { p.Keep(ctx); close(ended) }()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		expect(t, p, "one", 1)
		renewals, logins := testutil.ToFloat64(p.metrics.renewals.WithLabelValues("ok")), testutil.ToFloat64(p.metrics.logins.WithLabelValues("ok"))
		if renewals >= 2 && logins >= 2 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v renewals and %v logins", renewals, logins)
		}
	}
	if expiry := p.Expiry(); time.Until(expiry) > 3*time.Second || expiry.IsZero() {
		t.Errorf("it says that the token ends at %v", expiry)
	}
	cancel()
	<-ended
}

// withoutRight logs in once, however often it is refused: the token is alive, and another one would not help.
func withoutRight(t *testing.T, s *testkit.VaultServer, path string) {
	role := s.NewRole(t, path, nil)
	p := made(t, asRole(trusting(s, s.CAFile), "mutt/other", role))
	for range 3 {
		fails(t, p, "read VAULT_SECRETS_PATH: Vault does not permit it")
	}
	if n := testutil.ToFloat64(p.metrics.logins.WithLabelValues("ok")); n != 1 {
		t.Errorf("%v logins", n)
	}
	p.config.Path = Path{"nowhere", "mutt"}
	fails(t, p, "read VAULT_SECRETS_PATH: Vault does not permit it")
}

func untrusted(t *testing.T, s *testkit.VaultServer, path string) {
	role := s.NewRole(t, path, nil)
	c := asRole(trusting(s, testkit.NewAuthority(t).CAFile), path, role)
	fails(t, made(t, c), "the certificate of Vault is not trusted")
	c.TLS = tlsconf.Config{}
	fails(t, made(t, c), "the certificate of Vault is not trusted") // by the system's authorities
	c.Addr = strings.Replace(s.Addr, "https:", "http:", 1)
	fails(t, made(t, c), "Vault refuses it") // 400, the client spoke HTTP to a TLS server
}

// TestAway takes the server away in every way; the same token works when it is back.
func TestAway(t *testing.T) {
	t.Parallel()
	s := testkit.Vault(t, testkit.VaultOptions{})
	const path = "mutt/prod"
	s.PutSecrets(path, map[string]string{"DB_PASS_CURRENT": "one"})
	role := s.NewRole(t, path, nil)
	p := provider(t, s, path, role)
	expect(t, p, "one", 1)
	s.Seal()
	fails(t, p, "Vault is sealed or not ready")
	s.Unseal()
	expect(t, p, "one", 1)
	s.Kill()
	fails(t, p, "Vault cannot be reached")
	fails(t, provider(t, s, path, role), "log in to Vault as the role VAULT_ROLE_ID: Vault cannot be reached")
	s.Start()
	expect(t, p, "one", 1)
	s.Pause()
	var err error
	for range 100 { // the freezing takes a moment
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		if _, err = p.Read(ctx); err != nil {
			cancel()
			break
		}
		cancel()
	}
	mustFail(t, p, err, "Vault did not answer in time")
	s.Resume()
	expect(t, p, "one", 1)
	if n := testutil.ToFloat64(p.metrics.logins.WithLabelValues("ok")); n != 1 {
		t.Errorf("%v logins", n)
	}
	c := p.config
	c.Addr = strings.Replace(s.Addr, "http:", "https:", 1)
	fails(t, made(t, c), "Vault does not speak TLS")
}

// TestWrite holds the check-and-set that a rotation is built on.
func TestWrite(t *testing.T) {
	t.Parallel()
	s := testkit.Vault(t, testkit.VaultOptions{})
	c, err := NewClient(Server{Addr: s.Addr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	ctx, at := t.Context(), Path{"secret", "a/b"}
	write := func(value string, cas int64) (int64, error) {
		return c.Write(ctx, s.Token, at, Secrets{Values: map[string]secret.Secret{"K": secret.New(value)}, Version: cas})
	}
	if got, err := c.Read(ctx, s.Token, at, 0); err != nil || got.Version != 0 {
		t.Fatalf("%+v %v", got, err)
	}
	for i, value := range []string{"one", "two"} {
		if n, err := write(value, int64(i)); err != nil || n != int64(i)+1 {
			t.Fatalf("%d %v", n, err)
		}
	}
	if _, err := write("late", 1); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "it has version 2, not 1") {
		t.Errorf("a write that is too late: %v", err)
	}
	for version, want := range map[int64]string{0: "two", 1: "one", 2: "two"} {
		got, err := c.Read(ctx, s.Token, at, version)
		if err != nil || got.Values["K"].Reveal() != want || got.Created.IsZero() {
			t.Errorf("version %d: %+v %v", version, got, err)
		}
	}
	token, err := c.Lookup(ctx, s.Token)
	if err != nil || token.TTL != 0 || len(token.Policies) != 1 || token.Policies[0] != "root" {
		t.Errorf("%+v %v", token, err)
	}
	if _, err := c.Lookup(ctx, secret.New("nonsense")); status(err) != http.StatusForbidden {
		t.Error(err)
	}
}

// TestWriteKeepsWhatIsNotOurs: another application's number, list and null are the same after a rotation has written the path.
func TestWriteKeepsWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	s := testkit.Vault(t, testkit.VaultOptions{})
	c, err := NewClient(Server{Addr: s.Addr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	at := Path{"secret", "shared"}
	s.Do("POST", "secret/data/shared", map[string]any{"data": map[string]any{"K": "one", "port": 5432, "hosts": []any{"a", 1.5}, "nothing": nil}})
	have, err := c.Read(t.Context(), s.Token, at, 0)
	if err != nil {
		t.Fatal(err)
	}
	have.Values["K"] = secret.New("two")
	if _, err := c.Write(t.Context(), s.Token, at, have); err != nil {
		t.Fatal(err)
	}
	again, err := c.Read(t.Context(), s.Token, at, 0)
	if got := fmt.Sprint(again.Others); err != nil || again.Values["K"].Reveal() != "two" || got != "map[hosts:[a 1.5] nothing:<nil> port:5432]" {
		t.Errorf("%s %v", got, err)
	}
}

func TestParsePath(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"secret/mutt/prod": "secret/mutt/prod", "/secret/mutt/": "secret/mutt", "secret/data/mutt/dev": "secret/mutt/dev",
		"team/kv/data/mutt/prod": "team/kv/data/mutt/prod", "secret/data/app/data/prod": "secret/data/app/data/prod", "secret/mutt/data": "secret/mutt/data"} {
		if p, err := ParsePath(text); err != nil || p.String() != want {
			t.Errorf("%s: %v %v", text, p, err)
		}
	}
	for _, bad := range []string{"", "secret", "secret/", "/", "secret/../sys", "secret//x", "secret/a b", "secret/a?b", "sécret/x"} {
		if p, err := ParsePath(bad); err == nil {
			t.Errorf("%q: %v", bad, p)
		}
	}
}
