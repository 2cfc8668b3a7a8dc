package tlsconf_test

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peer is a server with all settings of TLS.
func peer() tlsconf.Peer {
	return tlsconf.Peer{Name: "Redis", Section: "redis", Sample: "redis", Enabled: "REDIS_TLS_ENABLED",
		CA: "REDIS_CA_CERT_PATH", Cert: "REDIS_CLIENT_CERT", Key: "REDIS_CLIENT_KEY"}
}

// files of a client that shows a certificate of one authority and trusts another.
func files(t *testing.T, trusts, shows *testkit.Authority, until time.Time) tlsconf.Config {
	t.Helper()
	dir := t.TempDir()
	f := tlsconf.Config{CAFile: filepath.Join(dir, "ca.pem"), CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	put(t, f, trusts, shows, until)
	return f
}

func put(t *testing.T, f tlsconf.Config, trusts, shows *testkit.Authority, until time.Time) {
	t.Helper()
	cert, key := shows.Pair(t, until)
	testkit.Replace(t, map[string]string{f.CAFile: trusts.CAFile, f.CertFile: cert, f.KeyFile: key})
}

// server asks for a certificate of the authority; it counts connections.
func server(t *testing.T, a *testkit.Authority) *httptest.Server {
	t.Helper()
	cert, key := a.Pair(t, time.Now().Add(time.Hour))
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.TLS.PeerCertificates[0].SerialNumber.String())
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: a.Client().RootCAs, ClientAuth: tls.RequireAndVerifyClientCert}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func get(t *testing.T, tr http.RoundTripper, url string) (string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := tr.RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func newWatcher(log *zap.Logger) *tlsconf.Watcher {
	return tlsconf.NewWatcher(tlsconf.WatcherOptions{Log: log, Registerer: prometheus.NewRegistry(), Now: time.Now})
}

func TestNewFilesApplyToNewConnections(t *testing.T) {
	t.Parallel()
	first, second := testkit.NewAuthority(t), testkit.NewAuthority(t)
	f := files(t, first, first, time.Now().Add(24*time.Hour))
	core, logs := observer.New(zap.InfoLevel)
	w := newWatcher(zap.New(core))
	s, err := w.Open(peer(), f)
	if err != nil {
		t.Fatal(err)
	}
	tr := tlsconf.NewTransport(&http.Transport{}, s.Client())
	t.Cleanup(tr.CloseIdleConnections)
	one, two := server(t, first), server(t, second)
	shown, err := get(t, tr, one.URL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := get(t, tr, two.URL); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Fatalf("an authority that is not trusted: %v", err)
	}
	put(t, f, first, first, time.Now().Add(24*time.Hour)) // a renewed certificate
	reload(t, w)
	if again, err := get(t, tr, one.URL); err != nil || again == shown {
		t.Fatalf("the kept connection shows the old certificate: %q, %v", again, err)
	}
	put(t, f, second, second, time.Now().Add(24*time.Hour)) // another authority
	reload(t, w)
	if _, err := get(t, tr, two.URL); err != nil {
		t.Fatal(err)
	}
	if _, err := get(t, tr, one.URL); err == nil {
		t.Fatal("the first authority is trusted still")
	}
	if n := logs.FilterMessageSnippet("new certificates").Len(); n != 2 {
		t.Fatalf("%d lines for 2 changes", n)
	}
}

func reload(t *testing.T, w *tlsconf.Watcher) {
	t.Helper()
	if err := w.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestFilesThatDoNotFitReplaceNothing(t *testing.T) {
	t.Parallel()
	a := testkit.NewAuthority(t)
	f := files(t, a, a, time.Now().Add(30*24*time.Hour))
	core, logs := observer.New(zap.InfoLevel)
	w := newWatcher(zap.New(core))
	s, err := w.Open(peer(), f)
	if err != nil {
		t.Fatal(err)
	}
	before := s.Client()()
	other, _ := a.Pair(t, time.Now().Add(time.Hour))
	for words, spoil := range map[string]func(){
		"REDIS_CA_CERT_PATH: the file holds no certificate": func() { write(t, f.CAFile, "nothing") },
		"REDIS_CA_CERT_PATH: the file cannot be read":       func() { _ = os.Remove(f.CAFile) },
		"REDIS_CA_CERT_PATH: the file is larger":            func() { write(t, f.CAFile, strings.Repeat("x", 2<<20)) },
		"REDIS_CLIENT_CERT and REDIS_CLIENT_KEY: the files": func() { testkit.Replace(t, map[string]string{f.CertFile: other}) },
	} {
		spoil()
		reload(t, w)
		reload(t, w)
		warnings, err := w.Ready(t.Context())
		if err != nil || len(warnings) != 1 || !strings.HasPrefix(warnings[0], words) || !strings.Contains(warnings[0], "last good") || strings.Contains(warnings[0], f.CAFile) {
			t.Errorf("%s: %q, %v", words, warnings, err)
		}
		if s.Client()() != before {
			t.Errorf("%s: another configuration is in force", words)
		}
		if _, err := tlsconf.New(peer(), f); !fault.Is(err, fault.ConfigInvalid) || !strings.Contains(err.Error(), words) {
			t.Errorf("at the start: %v", err)
		}
		put(t, f, a, a, time.Now().Add(30*24*time.Hour))
		reload(t, w)
		if warnings, _ := w.Ready(t.Context()); len(warnings) > 0 {
			t.Errorf("after a good one: %q", warnings)
		}
		before = s.Client()()
	}
	if n := logs.FilterMessageSnippet("not used").Len(); n != 4 {
		t.Errorf("%d warnings for 4 faults", n)
	}
	if _, err := tlsconf.New(peer(), tlsconf.Config{CertFile: f.CertFile}); !fault.Is(err, fault.ConfigInvalid) {
		t.Errorf("a certificate without its key: %v", err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTheEndOfTheClientCertificateIsTold(t *testing.T) {
	t.Parallel()
	a := testkit.NewAuthority(t)
	for words, left := range map[string]time.Duration{"expires at": 24 * time.Hour, "expired at": -time.Minute} {
		s, err := tlsconf.New(peer(), files(t, a, a, time.Now().Add(left)))
		if err != nil {
			t.Fatal(err)
		}
		if w := s.Warnings(time.Now()); len(w) != 1 || !strings.Contains(w[0], "for Redis (REDIS_CLIENT_CERT) "+words) {
			t.Errorf("%q", w)
		}
	}
}

func TestWhatAServerDoesNotSay(t *testing.T) {
	t.Parallel()
	a := testkit.NewAuthority(t)
	s := server(t, a)
	for want, shows := range map[error]func(*tls.Config){
		tlsconf.ErrNotShown: func(*tls.Config) {},
		tlsconf.ErrNotLiked: func(c *tls.Config) {
			cert, key := a.Pair(t, time.Now().Add(-time.Minute))
			pair, err := tls.LoadX509KeyPair(cert, key)
			if err != nil {
				t.Fatal(err)
			}
			c.Certificates = []tls.Certificate{pair}
		},
	} {
		conf := a.Client()
		shows(conf)
		c, asked := tlsconf.Fixed(conf).For("localhost")
		err := speak(s.Listener.Addr().String(), c)
		if err = asked.Because(err); !errors.Is(err, want) {
			t.Errorf("not %v: %v", want, err)
		}
		message, remedy, ok := peer().Explain(err)
		if !ok || !strings.Contains(message, "client certificate") || !strings.Contains(remedy, "REDIS_CLIENT_CERT") {
			t.Errorf("%q, %q", message, remedy)
		}
	}
	if c, asked := tlsconf.Client(nil).For("x"); c != nil || asked.Because(io.EOF) != io.EOF {
		t.Error("plain TCP has no configuration")
	}
}

func speak(addr string, c *tls.Config) error {
	conn, err := tls.Dial("tcp", addr, c)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_, err = conn.Read(make([]byte, 1))
	return err
}
