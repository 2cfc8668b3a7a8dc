package httpserver

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/netguard/netguardtest"
	"github.com/muttproject/mutt/platform/testkit"
)

// overTLS is a server whose certificate is in files that can be replaced.
type overTLS struct {
	*Server
	authority *testkit.Authority
	files     tlsconf.ListenerConfig
	watcher   *tlsconf.Watcher
	registry  *prometheus.Registry
	logs      *observer.ObservedLogs
}

// newOverTLS starts a server at an address; change may alter its settings of TLS.
func newOverTLS(t *testing.T, change func(*overTLS, *tlsconf.ListenerConfig)) *overTLS {
	t.Helper()
	s := &overTLS{authority: testkit.NewAuthority(t), registry: prometheus.NewRegistry()}
	s.files.CertFile, s.files.KeyFile = s.authority.Pair(t, time.Now().Add(30*24*time.Hour))
	core, logs := observer.New(zap.InfoLevel)
	s.logs = logs
	s.watcher = tlsconf.NewWatcher(tlsconf.WatcherOptions{Log: zap.New(core), Registerer: s.registry, Now: time.Now})
	if change != nil {
		change(s, &s.files)
	}
	endpoint, err := s.watcher.Listen("test", s.files, tlsconf.ListenerConfig{}, Protocols()...)
	if err != nil {
		t.Fatal(err)
	}
	s.Server = New(Options{Name: "test", Addr: "127.0.0.1:0", Logger: zap.NewNop(), Door: netguardtest.HTTP(t), TLS: endpoint},
		Route{Method: "GET", Path: "/", Handler: func(c echo.Context) error { return c.String(200, c.Request().Proto) }},
		Route{Method: "POST", Path: "/", Handler: func(c echo.Context) error { return c.String(200, "taken") }})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// client returns one whose TLS configuration may be changed. Its connections are closed at the end.
func (s *overTLS) client(t *testing.T, change func(*http.Transport)) *http.Client {
	t.Helper()
	tr := &http.Transport{TLSClientConfig: s.authority.Client(), ForceAttemptHTTP2: true}
	if change != nil {
		change(tr)
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second}
}

func (s *overTLS) get(t *testing.T, c *http.Client) (string, error) {
	t.Helper()
	resp, err := c.Get("https://" + s.Addr() + "/")
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func (s *overTLS) failures(reason string) float64 {
	families, _ := s.registry.Gather()
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == "mutt_tls_handshake_failures_total" && l.GetValue() == reason {
					return m.GetCounter().GetValue()
				}
			}
		}
	}
	return 0
}

func TestTLSProtocols(t *testing.T) {
	t.Parallel()
	s := newOverTLS(t, nil)
	if got, err := s.get(t, s.client(t, nil)); err != nil || got != "HTTP/2.0" {
		t.Errorf("by ALPN: %q, %v", got, err)
	}
	old := s.client(t, func(tr *http.Transport) { tr.ForceAttemptHTTP2 = false })
	if got, err := s.get(t, old); err != nil || got != "HTTP/1.1" {
		t.Errorf("HTTP/1.1: %q, %v", got, err)
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c := s.client(t, func(tr *http.Transport) {
			tr.TLSClientConfig.MinVersion, tr.TLSClientConfig.MaxVersion = version, version
		})
		if _, err := s.get(t, c); err != nil {
			t.Errorf("TLS version %x: %v", version, err)
		}
	}
	before := s.failures("handshake")
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		c := s.client(t, func(tr *http.Transport) {
			tr.TLSClientConfig.MinVersion, tr.TLSClientConfig.MaxVersion = version, version
		})
		if _, err := s.get(t, c); err == nil || !strings.Contains(err.Error(), "protocol version") {
			t.Errorf("TLS version %x: %v", version, err)
		}
	}
	wait(t, "two failed handshakes", func() bool { return s.failures("handshake") == before+2 })
	if n := s.logs.FilterMessage("TLS handshakes with the test listener fail").Len(); n != 1 {
		t.Errorf("%d lines for two failed handshakes", n)
	}
}

// wait waits for what another goroutine does after the client has its answer.
func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 2000 {
		if ok() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("not seen: %s", what)
}

func TestClientCertificateOfHTTP(t *testing.T) {
	t.Parallel()
	s := newOverTLS(t, func(s *overTLS, c *tlsconf.ListenerConfig) { c.ClientCAFile = s.authority.CAFile })
	shows := func(a *testkit.Authority) *http.Client {
		cert, key := a.Pair(t, time.Now().Add(time.Hour))
		return s.client(t, func(tr *http.Transport) {
			pair, err := tls.LoadX509KeyPair(cert, key)
			if err != nil {
				t.Fatal(err)
			}
			tr.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		})
	}
	if _, err := s.get(t, shows(s.authority)); err != nil {
		t.Error(err)
	}
	for name, c := range map[string]*http.Client{"none": s.client(t, nil), "of another authority": shows(testkit.NewAuthority(t))} {
		if _, err := s.get(t, c); err == nil {
			t.Errorf("a client certificate %s is let in", name)
		}
	}
}

// TestHintOverClearText: a client that speaks HTTP to a port of HTTPS gets an answer, also when it sends a long body.
func TestHintOverClearText(t *testing.T) {
	t.Parallel()
	s := newOverTLS(t, nil)
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	for _, body := range []string{"", strings.Repeat("x", 40<<10)} {
		req, err := http.NewRequest(http.MethodPost, "http://"+s.Addr()+"/", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		var hint apiclient.Error
		if err := json.NewDecoder(resp.Body).Decode(&hint); err != nil || resp.StatusCode != 400 || hint.Code != "bad_request" ||
			!strings.Contains(hint.Message, "speaks HTTPS") || !strings.Contains(hint.Remedy, "https://") || !resp.Close {
			t.Errorf("%d %+v, %v", resp.StatusCode, hint, err)
		}
		_ = resp.Body.Close()
	}
	if n := s.failures("clear_text"); n != 2 {
		t.Errorf("%v counted", n)
	}
	if n := s.failures("handshake"); n != 0 {
		t.Errorf("%v counted as failed handshakes too", n)
	}
	if warnings, _ := s.watcher.Ready(t.Context()); len(warnings) != 1 || !strings.HasPrefix(warnings[0], "clear text was sent to the test listener") || strings.Contains(warnings[0], "127.0.0.1") {
		t.Errorf("%q", warnings)
	}
}

func TestTLSToClearText(t *testing.T) {
	t.Parallel()
	s := newOverTLS(t, func(_ *overTLS, c *tlsconf.ListenerConfig) { *c = tlsconf.ListenerConfig{} })
	for range 2 {
		if _, err := s.get(t, s.client(t, nil)); err == nil || !strings.Contains(err.Error(), "HTTP response to HTTPS client") {
			t.Errorf("got %v", err)
		}
	}
	if n := s.logs.FilterMessageSnippet("TLS was sent to the test listener").Len(); n != 1 {
		t.Errorf("%d lines", n)
	}
	resp, err := http.Get("http://" + s.Addr() + "/")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}

// TestPairChangesUnderLoad: no request fails while the certificate is replaced, by clients that keep connections and by ones that do not.
func TestPairChangesUnderLoad(t *testing.T) {
	t.Parallel()
	s := newOverTLS(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	var load sync.WaitGroup
	var answered atomic.Int64
	for i := range 4 {
		c := s.client(t, func(tr *http.Transport) { tr.DisableKeepAlives = i%2 == 0 })
		load.Go(func() {
			for ctx.Err() == nil {
				if _, err := s.get(t, c); err != nil {
					t.Errorf("a request failed: %v", err)
				}
				answered.Add(1)
			}
		})
	}
	serial := func() string {
		conn, err := tls.Dial("tcp", s.Addr(), s.authority.Client())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	seen := map[string]bool{serial(): true}
	for range 5 {
		before := answered.Load()
		wait(t, "requests", func() bool { return answered.Load() > before+20 })
		cert, key := s.authority.Pair(t, time.Now().Add(30*24*time.Hour))
		testkit.Replace(t, map[string]string{s.files.CertFile: cert, s.files.KeyFile: key})
		if err := s.watcher.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if now := serial(); seen[now] {
			t.Error("a new connection gets an old certificate")
		} else {
			seen[now] = true
		}
	}
	cancel()
	load.Wait()
}

// TestHalfHandshakes: connections that do not finish their handshake keep nobody out.
func TestHalfHandshakes(t *testing.T) {
	t.Parallel()
	s := newOverTLS(t, nil)
	hello := helloOf(t)
	for i := range 200 { // more than one source may have
		conn, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := conn.Write(hello[:i%len(hello)]); err != nil { // also none
			t.Fatal(err)
		}
	}
	if _, err := s.get(t, s.client(t, nil)); err != nil {
		t.Errorf("after 200 half handshakes: %v", err)
	}
}

// TestHandshakeHasADeadline is in virtual time, over a connection in memory.
func TestHandshakeHasADeadline(t *testing.T) {
	t.Parallel()
	hello := helloOf(t)
	synctest.Test(t, func(t *testing.T) {
		a := testkit.NewAuthority(t)
		var files tlsconf.ListenerConfig
		files.CertFile, files.KeyFile = a.Pair(t, time.Now().Add(time.Hour))
		endpoint, err := tlsconf.NewWatcher(tlsconf.WatcherOptions{Log: zap.NewNop(), Registerer: prometheus.NewRegistry(), Now: time.Now}).
			Listen("test", files, tlsconf.ListenerConfig{}, Protocols()...)
		if err != nil {
			t.Fatal(err)
		}
		s := New(Options{Name: "test", Logger: zap.NewNop(), Door: netguardtest.HTTP(t), TLS: endpoint})
		l := &inMemory{conns: make(chan net.Conn), done: make(chan struct{})}
		go func() { _ = s.http.Serve(endpoint.Wrap(l, httpsHint())) }()
		for _, sent := range [][]byte{nil, hello[:3], hello[:len(hello)-1]} {
			client, server := net.Pipe()
			l.conns <- server
			if len(sent) > 0 {
				if _, err := client.Write(sent); err != nil {
					t.Fatal(err)
				}
			}
			begin := time.Now()
			if _, err := client.Read(make([]byte, 1)); err == nil { // the alert, or the end
				_, _ = io.Copy(io.Discard, client)
			}
			if took := time.Since(begin); took < time.Second || took > 15*time.Second {
				t.Errorf("%d bytes of a hello: the connection ended after %s", len(sent), took)
			}
			_ = client.Close()
		}
		if err := s.http.Close(); err != nil {
			t.Error(err)
		}
	})
}

// inMemory is a listener whose connections a test makes.
type inMemory struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (l *inMemory) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *inMemory) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *inMemory) Addr() net.Addr { return &net.TCPAddr{} }

// helloOf returns what a client sends first.
func helloOf(t *testing.T) []byte {
	t.Helper()
	client, server := net.Pipe()
	defer func() { _, _ = client.Close(), server.Close() }()
	go func() {
		_ = tls.Client(client, &tls.Config{ServerName: "localhost", MinVersion: tls.VersionTLS12}).Handshake()
	}()
	var hello bytes.Buffer
	r := bufio.NewReader(server)
	header := make([]byte, 5)
	if _, err := io.ReadFull(r, header); err != nil {
		t.Fatal(err)
	}
	hello.Write(header)
	if _, err := io.CopyN(&hello, r, int64(header[3])<<8|int64(header[4])); err != nil {
		t.Fatal(err)
	}
	return hello.Bytes()
}

// TestSessionCookies: over TLS, or behind a proxy that speaks it, only the cookie counts that no other site of the domain can set.
func TestSessionCookies(t *testing.T) {
	t.Parallel()
	known := sessions{&authn.Session{Identity: authn.Identity{Name: "user:anna", Role: authn.Operator}, CSRF: "csrf"}}
	name := func(c echo.Context) error { return c.String(200, Identity(c).Name) }
	serve := func(endpoint *tlsconf.Endpoint, proxied bool) *Server {
		s := New(Options{Name: "test", Addr: "127.0.0.1:0", Logger: zap.NewNop(), Door: netguardtest.HTTP(t), Gate: newGate(authn.NewKeyring(time.Now)), Sessions: known, ProxiedTLS: proxied, TLS: endpoint},
			route("/", authn.Viewer, name))
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Stop(context.Background()) })
		return s
	}
	over := newOverTLS(t, nil)
	endpoint, err := over.watcher.Listen("cookies", over.files, tlsconf.ListenerConfig{}, Protocols()...)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		about, scheme string
		server        *Server
		secure        bool
	}{
		{"clear text", "http", serve(nil, false), false}, {"a proxy speaks TLS", "http", serve(nil, true), true}, {"TLS", "https", serve(endpoint, false), true},
	} {
		for _, cookie := range []string{SessionCookie, SecureSessionCookie} {
			req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("%s://%s/", c.scheme, c.server.Addr()), nil)
			if err != nil {
				t.Fatal(err)
			}
			req.AddCookie(&http.Cookie{Name: cookie, Value: "token"})
			resp, err := over.client(t, nil).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if in := resp.StatusCode == 200; in != (c.secure == (cookie == SecureSessionCookie)) {
				t.Errorf("%s, cookie %s: status %d", c.about, cookie, resp.StatusCode)
			}
			if resp.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: browsers may guess the type of a body", c.about)
			}
		}
	}
}
