package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	lib "github.com/hashicorp/vault-client-go"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/secret/secrets"
)

// distant is a Vault in virtual time, without its network: tokens that live for an hour, one path, and outages.
type distant struct {
	mu      sync.Mutex
	away    bool
	ends    map[string]time.Time // of tokens
	version int
	calls   map[string]int // by path, also in vain
}

// send stands for the library's client.
func (d *distant) send(_ context.Context, r request, _ []lib.RequestOption) (*answer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls[r.path]++
	if d.away {
		return nil, errors.New("connection refused")
	}
	token := r.token.Reveal()
	if r.path == "auth/approle/login" {
		token = fmt.Sprint("token-", len(d.ends))
		d.ends[token] = time.Now().Add(time.Hour)
	}
	if !time.Now().Before(d.ends[token]) {
		return nil, &lib.ResponseError{StatusCode: http.StatusForbidden}
	}
	switch r.path {
	case "auth/approle/login", "auth/token/renew-self":
		d.ends[token] = time.Now().Add(time.Hour)
		return &answer{Auth: &lib.ResponseAuth{ClientToken: token, LeaseDuration: 3600}}, nil
	case "secret/data/mutt/prod":
		return &answer{Data: map[string]any{"data": map[string]any{"DB_PASS_CURRENT": fmt.Sprint("password-", d.version)},
			"metadata": map[string]any{"version": json.Number(fmt.Sprint(d.version))}}}, nil
	default:
		return &answer{}, nil
	}
}

// leave begins or ends an outage, with another version of the secrets, and counts anew.
func (d *distant) leave(away bool, version int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.away, d.version, d.calls = away, version, map[string]int{}
}

// count gives the calls since then, of one path or "" for all.
func (d *distant) count(path string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for one, times := range d.calls {
		if path == "" || one == path {
			n += times
		}
	}
	return n
}

// TestHoursWithoutVault: for a night nothing changes but the health, and the tries are bounded, also while a server refuses the
// passwords. When Vault is back the token has long ended: one login, and what is new is in force with the next look.
func TestHoursWithoutVault(t *testing.T) {
	t.Parallel()
	id := filepath.Join(t.TempDir(), "secret-id")
	if err := os.WriteFile(id, []byte("the-secret-id"), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.WarnLevel)
		p, err := NewProvider(Options{Config: Config{Addr: "http://vault.test", Path: Path{"secret", "mutt/prod"}, RoleID: "mutt", SecretIDFile: id,
			RenewBefore: time.Hour, CheckEvery: 5 * time.Minute}, Open: tlsconf.New, Exposure: Exposure(zap.NewNop()), Log: zap.New(core), Registerer: prometheus.NewRegistry()})
		if err != nil {
			t.Fatal(err)
		}
		v := &distant{ends: map[string]time.Time{}, version: 1, calls: map[string]int{}}
		p.client.send = v.send
		w := secrets.NewWatcher(secrets.Options{Providers: []secrets.Provider{p}, Every: 30 * time.Second, Refuse: secrets.RefuseNone, Log: zap.New(core), Registerer: prometheus.NewRegistry()})
		if err := w.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = w.Stop(context.Background()) }()
		holds := func(password string, warnings int) {
			t.Helper()
			synctest.Wait()
			said, err := w.Ready(t.Context())
			if got, _ := w.Current().Get(secrets.DBPass); got.Reveal() != password || len(said) != warnings || err != nil {
				t.Fatalf("%s is in force, not %s; health says %q, %v", got.Reveal(), password, said, err)
			}
		}
		time.Sleep(24 * time.Hour)
		holds("password-1", 0)
		if n := v.count("auth/approle/login"); n != 1 || logs.Len() > 0 {
			t.Errorf("in a day with Vault there were %d logins, and the log has %v", n, logs.All())
		}

		v.leave(true, 2)
		for range 2 * 12 { // 12 hours
			time.Sleep(30 * time.Minute)
			holds("password-1", 1)
		}
		if n := v.count(""); n > 12*120+40 { // a look each 30 s, and some tries for the token before its end
			t.Errorf("%d calls in 12 hours", n)
		}
		v.leave(true, 2)
		for range 3600 { // for an hour a server refuses every password, and who is refused asks
			time.Sleep(time.Second)
			_ = w.Refresh(t.Context())
		}
		holds("password-1", 1)
		if n := v.count(""); n > 2*120+10 {
			t.Errorf("%d calls in an hour of refusals", n)
		}
		if n := logs.FilterMessage("secrets cannot be read: the last ones stay in force").Len(); n != 1 {
			t.Errorf("it was told %d times", n)
		}

		v.leave(false, 3)
		time.Sleep(31 * time.Second)
		holds("password-3", 0)
		if n := v.count("auth/approle/login"); n != 1 {
			t.Errorf("%d logins afterwards", n)
		}
		before := logs.Len()
		time.Sleep(24 * time.Hour)
		holds("password-3", 0)
		if n := v.count("auth/approle/login"); n != 1 || logs.Len() != before {
			t.Errorf("%d logins in the day after, and the log has %v", n, logs.All()[before:])
		}
	})
}
