package page

import (
	"bytes"
	"flag"
	"fmt"
	"go/format"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/a-h/templ"
	"github.com/a-h/templ/generator"
	"github.com/a-h/templ/parser/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/apiclient"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGenerated holds the generated files to their templates.
func TestGenerated(t *testing.T) {
	t.Parallel()
	templates, err := filepath.Glob("*.templ")
	if err != nil || len(templates) < 5 {
		t.Fatalf("%d templates, %v", len(templates), err)
	}
	for _, name := range templates {
		parsed, err := parser.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := generator.Generate(parsed, &b, generator.WithFileName(name), generator.WithVersion(templ.Version())); err != nil {
			t.Fatal(err)
		}
		want, err := format.Source(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		have, err := os.ReadFile(strings.TrimSuffix(name, ".templ") + "_templ.go")
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), string(have)); d != "" {
			t.Errorf("%s is not what its template makes: run 'make generate' (-template +file):\n%.2000s", name, d)
		}
	}
}

// TestVocabulary holds the components to the golden file: a component that changes shows in a diff.
func TestVocabulary(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := vocabulary().Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	got := strings.ReplaceAll(b.String(), "><", ">\n<")
	path := filepath.Join("testdata", "vocabulary.html")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("the components changed; when that is meant, run with -update (-golden +now):\n%s", d)
	}
	for _, bad := range []string{"<script", " style=", " onclick", "javascript:"} {
		if strings.Contains(got, bad) {
			t.Errorf("a component has %q, which the policy forbids", bad)
		}
	}
}

func webFiles() string { return filepath.Join("..", "..", "..", "..", "web") }

// TestAssets: the fonts of the style sheet are there, and nothing is fetched from elsewhere.
func TestAssets(t *testing.T) {
	t.Parallel()
	a, err := NewAssets(os.DirFS(webFiles()))
	if err != nil {
		t.Fatal(err)
	}
	css := string(a.served[a.names["mutt.css"]].body)
	urls := regexp.MustCompile(`url\("([^"]*)"\)`).FindAllStringSubmatch(css, -1)
	for _, u := range urls {
		if _, there := a.served[u[1]]; !there {
			t.Errorf("the style sheet asks for %s, which is not served", u[1])
		}
	}
	if len(urls) != 2 || strings.Contains(css, "@import") || strings.Contains(css, "://") {
		t.Errorf("%d fonts, or something from elsewhere", len(urls))
	}
	for name := range a.served {
		if !regexp.MustCompile(`^[a-z-]+\.[0-9a-f]{12}\.(css|js|svg|woff2)$`).MatchString(name) {
			t.Errorf("%s has no hash in its name", name)
		}
	}
	if _, err := NewAssets(fstest.MapFS{"static/x.exe": {}}); err == nil {
		t.Error("a file of an unknown type is an error at start")
	}
	if _, err := NewAssets(fstest.MapFS{}); err == nil {
		t.Error("missing files are an error at start")
	}
}

// TestTokens holds every colour of the style sheet to the tokens: none is written anywhere else.
func TestTokens(t *testing.T) {
	t.Parallel()
	css, err := os.ReadFile(filepath.Join(webFiles(), "static", "mutt.css"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(css), ":root[data-theme")
	if colours := regexp.MustCompile(`#[0-9a-fA-F]{3,8}\b`).FindAllString(rest, -1); !found || len(colours) > 0 {
		t.Errorf("colours beside the tokens: %v", colours)
	}
	used := regexp.MustCompile(`var\((--[a-z0-9-]+)`).FindAllStringSubmatch(string(css), -1)
	for _, u := range used {
		if !strings.Contains(string(css), u[1]+":") {
			t.Errorf("%s is used and not declared", u[1])
		}
	}
}

func TestOwnPath(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{
		"/": "/", "/events?q=host%3Aa&range=1h": "/events?q=host%3Aa&range=1h", "/events/1#now": "/events/1#now",
		"": "/", "events": "/", "//evil.example": "/", "///evil.example": "/", `/\evil.example`: "/", `\\evil.example`: "/", "https://evil.example": "/",
		"https:evil.example": "/", "javascript:alert(1)": "/", "/\t/evil.example": "/", "/\n/evil.example": "/", " /events": "/", "//evil@x/": "/",
		"/%zz": "/", "/login?next=/login": "/", "/logout": "/", "/" + strings.Repeat("a", 3000): "/", "http:///events": "/", "/events\x00": "/",
	} {
		if got := ownPath(next); got != want {
			t.Errorf("%q leads to %q, want %q", next, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 3, 12, 44, 0, time.UTC)
	for _, c := range []struct{ got, want string }{
		{count(0), "0"}, {count(999), "999"}, {count(1000), "1,000"}, {count(18402069), "18,402,069"}, {count(-1234), "−1,234"}, {count(-1 << 63), "−9,223,372,036,854,775,808"},
		{counted(1, "event", "events"), "1 event"}, {counted(0, "event", "events"), "0 events"},
		{rate(60 * 268), "268"}, {rate(60 * 3.6), "3.6"}, {rate(0), "0"},
		{span(46 * time.Millisecond), "46 ms"}, {span(1270 * time.Millisecond), "1.27 s"}, {span(5 * time.Second), "5 s"}, {span(488 * time.Second), "8 min 08 s"},
		{span(84 * time.Hour), "3 days"}, {span(150 * time.Minute), "2 h 30 min"},
		{percent(.9998), "99.98 %"}, {percent(1), "100 %"}, {percent(.99999), "99.999 %"},
		{moment(now.Add(-time.Minute), now), "03:11:44"}, {moment(now.Add(-5*time.Hour), now), "Sun 22:12"}, {moment(now.AddDate(0, 0, -27), now), "3 Nov 03:12"},
		{moment(now.AddDate(-1, 0, 0), now), "30 Nov 2025"}, {clock(now.Add(-41*time.Millisecond), now), "03:12:43.959"},
		{visible("Gi0/1 é ↑"), "Gi0/1 é ↑"}, {visible("a\x00\x1b[31m\u202eb"), "a‹U+0000›‹U+001B›[31m‹U+202E›b"},
		{sentenceCase("is required"), "Is required."}, {sentenceCase(""), ""},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

// TestExample: a Host header is the client's word, and the example is pasted into a shell.
func TestExample(t *testing.T) {
	t.Parallel()
	udp := Listener{SyslogUDPListener, "udp", "[::]:5514", ""}
	for _, host := range []string{"x;rm -rf ~", "$(reboot)", "a`b`", "-oProxy", strings.Repeat("a", 300), "a b:80", ""} {
		if got := example(Status{Listeners: []Listener{udp}}, host); !strings.HasPrefix(got, "logger -n localhost -P 5514 -d ") {
			t.Errorf("%q was repeated: %s", host, got)
		}
	}
	for want, s := range map[string][]Listener{
		"logger -n 2001:db8::1 -P 5514 -d ":    {udp, {IngestListener, "http", "[::]:8080", ""}},
		"logger -n 2001:db8::1 -P 5515 -T ":    {{IngestListener, "http", "[::]:8080", ""}, {SyslogTCPListener, "tcp", ":5515", ""}},
		`curl -H "X-API-KEY: $INGEST_API_KEY"`: {{SyslogUDPListener, "udp", "", ""}, {IngestListener, "http", "[::]:8080", ""}},
	} {
		if got := example(Status{Listeners: s}, "[2001:db8::1]:8090"); !strings.HasPrefix(got, want) {
			t.Errorf("got %s, want %s…", got, want)
		}
	}
	if got := example(Status{}, "h"); got != "" {
		t.Errorf("nothing is offered that is not there: %s", got)
	}
}

// TestDoubleRule: the double rule is drawn only under a difference of 0 of a book that balances.
func TestDoubleRule(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		difference     int64
		balanced, want bool
	}{{0, true, true}, {3, true, false}, {-1, true, false}, {0, false, false}, {3, false, false}} {
		l := apiclient.Ledger{Judging: apiclient.JudgingBook{Difference: c.difference, Balanced: c.balanced}, Delivery: apiclient.DeliveryBook{Balanced: true},
			Window: &apiclient.LedgerWindow{Judging: apiclient.JudgingWindow{Difference: c.difference}}}
		all, balanced := books(&l)
		last := all[0].rows[len(all[0].rows)-1]
		if last.even != c.want || balanced != c.balanced || last.value != count(c.difference) || (last.class == "bad") == c.balanced {
			t.Errorf("%+v: %+v, balanced %v", c, last, balanced)
		}
	}
}

// TestListState: the URL is the state, and nothing else is.
func TestListState(t *testing.T) {
	t.Parallel()
	s := listState{q: "host:a", rng: "1h", cursor: "c", peek: "e", back: []string{"0", "b"}, at: 100}
	u, err := url.Parse(s.href())
	if err != nil || fmt.Sprint(u.Query()) != fmt.Sprint(url.Values{"q": {"host:a"}, "range": {"1h"}, "cursor": {"c"}, "e": {"e"}, "back": {"0.b"}, "at": {"100"}}) || (listState{}).href() != "/events" {
		t.Errorf("%s, %v", s.href(), err)
	}
	keys := []string{}
	for _, r := range rangeLinks(s) {
		keys = append(keys, r.key)
	}
	if !slices.Equal(keys, []string{"[", "", "]", "", ""}) {
		t.Errorf("keys of the ranges: %q", keys)
	}
}
