package httpserver

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/netguard/netguardtest"
)

// serving starts a server with one open route.
func serving(t *testing.T, addr string, names ...string) *Server {
	t.Helper()
	s := New(Options{Name: "test", Addr: addr, Logger: zap.NewNop(), Door: netguardtest.HTTP(t), Hosts: Hosts{Names: names}},
		route("/open", authn.Public, func(c echo.Context) error { return c.String(http.StatusOK, "ok") }))
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return s
}

// ask calls a server by its address with a header Host.
func ask(t *testing.T, addr, host string) (status int, e apiclient.Error) {
	t.Helper()
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	_, port, _ := net.SplitHostPort(addr)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:"+port+"/open", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		if err := json.Unmarshal(body, &e); err != nil {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
	}
	return resp.StatusCode, e
}

// TestHostsOfLoopback: a listener on loopback answers to this machine's names and those that are configured, and to no name that a page of
// another site may have.
func TestHostsOfLoopback(t *testing.T) {
	t.Parallel()
	plain, named, wide := serving(t, "127.0.0.1:0"), serving(t, "127.0.0.1:0", "mutt.example.net", "192.0.2.7"), serving(t, "0.0.0.0:0")
	for _, c := range []struct {
		host                 string
		plain, named, beyond bool
	}{
		{"localhost", true, true, true}, {"LocalHost:8090", true, true, true}, {"localhost.:1", true, true, true}, {"127.0.0.1", true, true, true},
		{"127.9.9.9:80", true, true, true}, {"[::1]", true, true, true}, {"[::1]:8090", true, true, true}, {"[::ffff:127.0.0.1]:8090", true, true, true},
		{"mutt.example.net", false, true, true}, {"MUTT.example.net.:8443", false, true, true}, {"192.0.2.7:8090", false, true, true},
		{"evil.example", false, false, true}, {"evil.example:8090", false, false, true}, {"localhost.evil.example", false, false, true},
		{"127.0.0.1.evil.example", false, false, true}, {"x.mutt.example.net", false, false, true}, {"192.0.2.8", false, false, true},
		{"0.0.0.0", false, false, true}, {"[::]", false, false, true}, {"2130706433", false, false, true}, {"[fe80::1]:80", false, false, true},
	} {
		for _, l := range []struct {
			s    *Server
			want bool
		}{{plain, c.plain}, {named, c.named}, {wide, c.beyond}} {
			status, e := ask(t, l.s.Addr(), c.host)
			switch {
			case l.want && status != http.StatusOK, !l.want && (status != http.StatusMisdirectedRequest || e.Code != string(fault.WrongHost)):
				t.Errorf("%s by %q (names %v): %d %+v", l.s.Addr(), c.host, l.s.opts.Hosts.Names, status, e)
			case !l.want && !strings.Contains(e.Remedy, "admin.hosts"):
				t.Errorf("the remedy does not name the setting: %+v", e)
			}
		}
	}
}

// TestRoutesForAnyHost: a route that only a key opens answers to every name, and nothing beside it does.
func TestRoutesForAnyHost(t *testing.T) {
	t.Parallel()
	post := route("/open", authn.Public, func(c echo.Context) error { return c.String(http.StatusOK, "ok") })
	post.Method, post.AnyHost = http.MethodPost, true
	s := New(Options{Name: "test", Addr: "127.0.0.1:0", Logger: zap.NewNop(), Door: netguardtest.HTTP(t)}, post,
		route("/open", authn.Public, func(c echo.Context) error { return c.String(http.StatusOK, "ok") }))
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	for request, want := range map[string]string{"POST /open": "200", "POST /open?a=b": "200", "GET /open": "421", "HEAD /open": "421", "POST /open/": "421",
		"POST //open": "421", "POST /other": "421"} {
		conn, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, request+" HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		if _ = conn.Close(); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 "+want) {
			t.Errorf("%s: %.60s %v, want %s", request, answer, err, want)
		}
	}
}

// TestARequestWithoutAHost: HTTP/1.0 has none, and no browser leaves it out.
func TestARequestWithoutAHost(t *testing.T) {
	t.Parallel()
	conn, err := net.Dial("tcp", serving(t, "127.0.0.1:0").Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "GET /open HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.0 200") {
		t.Errorf("%s %v", answer, err)
	}
}

func TestHostsSetting(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"mutt.example.net": "mutt.example.net", " A.example. ,b": "a.example|b", "::1": "", "http://x": "", "x:80": "", "*.x": "", "a,,b": "", "a b": ""} {
		var h Hosts
		_, problems := static.Resolve(h.Settings(), []static.Given{{Path: "admin.hosts", Text: text}}, nil)
		if got := strings.Join(h.Names, "|"); got != want || (len(problems) > 0) != (want == "") {
			t.Errorf("%q: %q %v", text, got, problems)
		}
	}
}

// TestProfilesAreBounded: no profile is longer than a minute, and a second one is refused while one is collected.
func TestProfilesAreBounded(t *testing.T) {
	t.Parallel()
	turn, begun, end := make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	h := OpsConfig{RemoteProfiles: true}.profile(turn, func(http.ResponseWriter, *http.Request) { close(begun); <-end })
	free := OpsConfig{RemoteProfiles: true}.profile(turn, func(http.ResponseWriter, *http.Request) {})
	e := echo.New()
	call := func(h echo.HandlerFunc, query string) error {
		req, err := http.NewRequest(http.MethodGet, "/debug/pprof/profile"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		return h(e.NewContext(req, nil))
	}
	for query, ok := range map[string]bool{"": true, "?seconds=1": true, "?seconds=0.5": true, "?seconds=60": true, "?seconds=": true, "?seconds=61": false, "?seconds=100000": false,
		"?seconds=0": false, "?seconds=-1": false, "?seconds=NaN": false, "?seconds=Inf": false, "?seconds=1e9": false, "?seconds=x": false} {
		if err := call(free, query); (err == nil) != ok || !ok && !fault.Is(err, fault.InvalidField) {
			t.Errorf("%s: %v", query, err)
		}
	}
	first := make(chan error)
	go func() { first <- call(h, "?seconds=60") }()
	<-begun
	err := call(free, "")
	if f, _ := fault.As(err); f == nil || f.Code != fault.RateLimited || f.RetryAfter != time.Minute {
		t.Errorf("a second profile: %v", err)
	}
	close(end)
	if err := <-first; err != nil {
		t.Error(err)
	}
	if err := call(free, ""); err != nil {
		t.Errorf("the next profile: %v", err)
	}
}
