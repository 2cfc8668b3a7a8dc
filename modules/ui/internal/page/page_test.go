package page

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/netguard/netguardtest"
)

func newPage(t *testing.T, s Status) *httpserver.Server {
	t.Helper()
	now := func() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }
	p, err := New(os.DirFS(filepath.Join("..", "..", "..", "..", "web")), func() Status { return s }, now)
	if err != nil {
		t.Fatal(err)
	}
	return httpserver.New(httpserver.Options{Name: "admin", Door: netguardtest.HTTP(t), Logger: zap.NewNop()}, p.Routes()...)
}

func fetch(s *httpserver.Server, host, path string) *httptest.ResponseRecorder {
	req := httptest.NewRequest("GET", path, nil)
	req.Host = host
	rec := httptest.NewRecorder()
	s.Handler().ServeHTTP(rec, req)
	return rec
}

func TestHome(t *testing.T) {
	t.Parallel()
	s := newPage(t, Status{Version: "2.5.0", Commit: "abc123", Roles: []string{"ingestor", "ui"}, Storage: "embedded (SQLite)",
		Since: time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC), Listeners: []Listener{
			{IngestListener, "http", "[::]:18080", "events as JSON"}, {SyslogTCPListener, "tcp", "[::]:5515", "syslog"},
			{SyslogUDPListener, "udp", "[::]:5514", "syslog"}, {AdminListener, "http", "127.0.0.1:18090", "<this>"}, {"trap", "udp", "", "SNMP"},
		}})
	rec := fetch(s, "box.example:18090", "/")
	body := rec.Body.String()
	if rec.Code != 200 || rec.Header().Get("Content-Type") != "text/html; charset=UTF-8" || rec.Header().Get("Content-Security-Policy") != Policy {
		t.Fatalf("got %d %v", rec.Code, rec.Header())
	}
	for _, want := range []string{"version 2.5.0", ">ingestor<", "embedded (SQLite)", "2026-11-23T11:00:00Z", "http://box.example:18080/ingest",
		"logger -n box.example -P 5514 -d", "&lt;this&gt;", `<span class="off">off</span>`, "http://box.example:18090/api/v2/queues", `href="/health"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(body, "<script") || strings.Contains(body, " style=") || strings.Contains(body, "//fonts") {
		t.Error("the page has what its policy forbids")
	}
}

// A Host header is the client's word, and the examples are pasted into a shell.
func TestHomeDoesNotRepeatAnOddHost(t *testing.T) {
	t.Parallel()
	s := newPage(t, Status{Listeners: []Listener{{IngestListener, "http", "[::]:18080", ""}}})
	for _, host := range []string{"x;rm -rf ~", "$(reboot)", "a`b`", "-oProxy", strings.Repeat("a", 300), "a b:80", ""} {
		if body := fetch(s, host, "/").Body.String(); !strings.Contains(body, "http://localhost:18080/ingest") {
			t.Errorf("%q was repeated", host)
		}
	}
	if body := fetch(s, "[2001:db8::1]:8090", "/").Body.String(); !strings.Contains(body, "http://[2001:db8::1]:18080/ingest") {
		t.Error("an IPv6 address is kept")
	}
}

func TestHomeWithoutListeners(t *testing.T) {
	t.Parallel()
	if body := fetch(newPage(t, Status{}), "h", "/").Body.String(); strings.Contains(body, "Send a first event") || !strings.Contains(body, "No listener is open") {
		t.Error("nothing is offered that is not there")
	}
	tcpOnly := newPage(t, Status{Listeners: []Listener{{SyslogTCPListener, "tcp", ":5514", ""}}})
	if body := fetch(tcpOnly, "h", "/").Body.String(); !strings.Contains(body, "-P 5514 -T") {
		t.Error("syslog over TCP is offered when UDP is off")
	}
}

func TestStatic(t *testing.T) {
	t.Parallel()
	s := newPage(t, Status{})
	rec := fetch(s, "h", "/static/mutt.css")
	if rec.Code != 200 || !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/css") || !strings.Contains(rec.Body.String(), "body") {
		t.Fatalf("got %d %v", rec.Code, rec.Header())
	}
	if strings.Contains(rec.Body.String(), "url(") || strings.Contains(rec.Body.String(), "@import") {
		t.Error("the style sheet fetches something")
	}
	for _, path := range []string{"/static/none.css", "/static/..%2fembed.go", "/static/%2e%2e%2fembed.css", "/static/mutt", "/static/..", "/static/a%00.css", "/static/", "/static/../embed.go"} {
		if rec := fetch(s, "h", path); rec.Code != 404 {
			t.Errorf("%s: got %d", path, rec.Code)
		}
	}
}

func TestBadTemplateIsAStartError(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"{{.Missing}}", "{{"} {
		assets := fstest.MapFS{"templates/home.html": {Data: []byte(text)}, "static/x.css": {Data: []byte("")}}
		if _, err := New(assets, func() Status { return Status{} }, time.Now); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}
