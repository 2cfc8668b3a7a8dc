package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/app/sink"
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/terminal"
)

// attack is what a device may call itself: sequences of a terminal in C0 and C1, another title, a forged row, text backwards, and one that
// is longer than any screen.
const attack = "\x1b]0;PWNED\x07\x1b[2J\u009b31m\r\nforged  row\tx\u202egnp.exe\u2066\u200f\u2028\x7f\b東京"

// obeyed finds what a terminal may obey in what a command printed, by the tables of Unicode.
func obeyed(text string) string {
	if !utf8.ValidString(text) {
		return "invalid UTF-8"
	}
	for _, r := range text {
		if r != '\n' && unicode.In(r, unicode.Cc, unicode.Bidi_Control, unicode.Zl, unicode.Zp) {
			return fmt.Sprintf("%U", r)
		}
	}
	return ""
}

// spoil puts the attack into every text of a JSON value, but for times and what is a key of the API.
func spoil(v any, long string) any {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			v[name] = spoil(inner, long)
		}
	case []any:
		for i, inner := range v {
			v[i] = spoil(inner, long)
		}
	case string:
		if _, err := time.Parse(time.RFC3339, v); err != nil {
			return v + attack + long
		}
	}
	return v
}

// hostileProxy passes calls on to a server and spoils its answers.
func hostileProxy(t *testing.T, server, long string) string {
	t.Helper()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, err := http.NewRequestWithContext(r.Context(), r.Method, server+r.URL.RequestURI(), r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		req.Header = r.Header.Clone()
		req.Header.Del("Accept-Encoding")
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = resp.Body.Close() }()
		body, _ := io.ReadAll(resp.Body)
		var value any
		if json.Unmarshal(body, &value) == nil {
			body, _ = json.Marshal(spoil(value, long))
		}
		w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
		w.WriteHeader(resp.StatusCode)
		_, _ = w.Write(body)
	}))
	t.Cleanup(proxy.Close)
	return proxy.URL
}

// TestHostileAnswers runs every command that shows something against a server whose every text is an attack: nothing of it reaches the
// terminal as more than text, no row is forged, and no cell is wider than its bound.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	m := apptest.Start(t, apptest.Options{Rules: []byte(scriptRules)})
	m.Destination.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnprocessableEntity) })
	for _, call := range []apiclient.Call{
		{Method: http.MethodPost, Path: []string{"dev-hosts"}, Body: map[string]string{"hostname": "lab-1"}},
		{Method: http.MethodPost, Path: []string{"teams"}, Body: map[string]string{"hostname": "lab-1", "team_assignment": "NETO"}},
		{Method: http.MethodPut, Path: []string{"config", "log_level"}, Body: map[string]string{"value": "error", "reason": "quiet"}},
	} {
		if err := m.Client.Do(t.Context(), call, nil); err != nil {
			t.Fatal(err)
		}
	}
	m.Send(apptest.Event("sw-1", "Interface Gi1, changed state to down"))
	apptest.Eventually(t, "a dead letter", func() (bool, any) { n := m.Queue("alert").Dead; return n == 1, n })
	letter := m.DeadLetters("alert")[0].ID
	proxy := hostileProxy(t, m.AdminURL, strings.Repeat("x", 30_000))
	for _, command := range [][]string{
		{"rules", "list"}, {"rules", "show", "1"}, {"rules", "delete", "999", "--yes"}, {"rules", "export"}, {"hosts", "list"}, {"teams", "list"}, {"queues"},
		{"dlq", "list"}, {"dlq", "show", letter}, {"dlq", "show", "none"}, {"keys", "list"}, {"keys", "show", "1"}, {"whoami"}, {"slo"},
		{"metrics"}, {"status"}, {"config", "get"}, {"config", "get", "log_level"}, {"config", "get", "none"}, {"config", "history"}, {"config", "set", "log_level", "warn"},
		{"audit", "list"}, {"audit", "show", "1"}, {"audit", "verify"}, {"audit", "head"}, {"roles", "--live"}, {"secrets", "status"}, {"hosts", "remove", "lab-1"},
		{"dlq", "replay", "--all", "--reason", "x"},
	} {
		for _, output := range []string{"text", "json", "yaml", "name"} {
			var out, errOut bytes.Buffer
			args := append(slices.Clone(command), "--server", proxy, "-o", output)
			Run(t.Context(), args, streams{in: strings.NewReader(""), out: &out, err: &errOut, environ: []string{"MUTT_API_KEY=" + apptest.AdminKey}})
			shown := out.String() + errOut.String()
			if strings.Contains(errOut.String(), "see 'mutt") || shown == "" {
				t.Errorf("%v: %s", args, shown)
			}
			if bad := obeyed(shown); bad != "" {
				t.Errorf("%v: has %s", args, bad)
			}
			if output != "text" && output != "name" || slices.Contains(command, "export") || slices.Contains(command, "show") && command[0] != "rules" {
				continue // whole by their nature
			}
			for l := range strings.SplitSeq(shown, "\n") {
				if strings.HasPrefix(l, "forged") || terminal.Width(l) > 9000 {
					t.Errorf("%v: a line of %d columns: %.80q", args, terminal.Width(l), l)
				}
			}
		}
	}
}

// TestHostileAlerts: what 'mutt sink' and 'mutt demo' print of an alert is one line.
func TestHostileAlerts(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := sink.New(10, printer(terminal.NewWriter(&out)))
	alert, err := json.Marshal(map[string]any{"source": attack, "class": attack, "type": attack, "description": attack + strings.Repeat("x", 60_000), "severity": 4})
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range [][]byte{alert, []byte(`{"source":5,"description":"\u001b[2J` + strings.Repeat("y", 60_000) + `"}`)} {
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body)))
	}
	if bad := obeyed(out.String()); bad != "" || strings.Count(out.String(), "\n") != 2 || out.Len() > 6000 {
		t.Errorf("has %s, %d lines, %d bytes: %.300q", bad, strings.Count(out.String(), "\n"), out.Len(), out.String())
	}
}

// TestHostileLocalErrors: names and files that a command reads from this machine are text too.
func TestHostileLocalErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "rules.yaml")
	text := "version: 1\nrules:\n  - name: \"a\\x1b[2J\\u202e\\nwhat to do: run rm\"\n    match_type: \"\\x1b[31m\"\n    team_assignment: X\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"rules", "check", file}, {"rules", "check", "none\x1b[2J\n  what to do: x"}, {"config", "lint", file}, {"\x1b[2Jnone"}, {"rules", "list", "--server", "http://\x1b[2J"}, {"rules", "list", "-o", "\u202e"}} {
		var out, errOut bytes.Buffer
		if Run(t.Context(), args, streams{in: strings.NewReader(""), out: &out, err: &errOut}) == 0 {
			t.Errorf("%q passes", args)
		}
		shown := out.String() + errOut.String()
		if bad := obeyed(shown); bad != "" || strings.Contains(shown, "\nwhat to do: run rm") {
			t.Errorf("%q: has %s: %q", args, bad, shown)
		}
	}
}

// FuzzTable: whatever the cells are, a table has one line for each row, none wider than the bounds of its cells, and nothing that a
// terminal obeys.
func FuzzTable(f *testing.F) {
	f.Add("a", attack, "")
	f.Add("\n", "\t", "東京")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		rows := [][]string{{"ID", "HOST", "REASON"}, {a, b, c}, {c, a, b}}
		v := map[string]string{"a": a, "b": b, "c": c}
		for name, show := range map[string]struct {
			print func(w io.Writer) error
			lines int
		}{
			"table":  {func(w io.Writer) error { return table(w, rows) }, 3},
			"fields": {func(w io.Writer) error { return fields(w, v) }, 3},
			"name":   {func(w io.Writer) error { return printTable(w, "name", nil, rows) }, 2},
			"line":   {func(w io.Writer) error { return line(w, a) }, 1},
			"printf": {func(w io.Writer) error { return printf(w, "%s: %v %-8s %d\n", a, b, c, 7) }, 1},
		} {
			var out bytes.Buffer
			if err := show.print(&out); err != nil {
				t.Fatal(err)
			}
			if bad := obeyed(out.String()); bad != "" || strings.Count(out.String(), "\n") != show.lines || terminal.Width(out.String()) > 3*(longest+10)*show.lines {
				t.Errorf("%s: has %s in %q", name, bad, out.String())
			}
		}
	})
}

func TestTableFitsTheTerminal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		wide  []int
		width int
		want  int // the bound of the columns after the first
	}{
		{[]int{36, 20, 250, 60}, 120, 29}, {[]int{4, 10, 10}, 80, 12}, {[]int{36, 20, 250, 60}, 80, cellLeft}, {[]int{36, 60_000}, 120, 82}, {[]int{10}, 80, 80},
	} {
		if got := widestCell(c.wide, c.width); got != c.want {
			t.Errorf("%v on %d: %d, want %d", c.wide, c.width, got, c.want)
		}
	}
}

// TestEscapedTextReadsAsTheSame: JSON and YAML that went through the stream of a command have the values that they had.
func TestEscapedTextReadsAsTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.String(), rapid.StringMatching("[ab \x1b\u009b\u202e\u2028\u2066\x7f\n\r]{0,12}")).Draw(t, "text")
		var asJSON, asYAML bytes.Buffer
		v := map[string]string{value: value}
		if err := errors.Join(print(terminal.NewWriter(&asJSON), "json", v, nil), print(terminal.NewWriter(&asYAML), "yaml", v, nil)); err != nil {
			t.Fatal(err)
		}
		if bad := obeyed(asJSON.String() + asYAML.String()); bad != "" {
			t.Errorf("%q: %q %q has %s", value, &asJSON, &asYAML, bad)
		}
		var fromJSON, fromYAML map[string]string
		if err := errors.Join(json.Unmarshal(asJSON.Bytes(), &fromJSON), yaml.Unmarshal(asYAML.Bytes(), &fromYAML)); err != nil {
			t.Fatalf("%v: %q", err, &asYAML)
		}
		if !maps.Equal(fromJSON, v) || !maps.Equal(fromYAML, v) {
			t.Errorf("%q: %q %q", value, fromJSON, fromYAML)
		}
	})
}

// TestCommandsPrintCleaned: in this package only the functions that clean write to a stream.
func TestCommandsPrintCleaned(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 30 {
		t.Fatal(len(files), err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		may := map[string]int{"table.go": 2, "root.go": 1, "send.go": 1}[name] // line and printf, errors, the bar of progress
		if got := strings.Count(string(text), "fmt.Fprint"); !strings.HasSuffix(name, "_test.go") && got != may {
			t.Errorf("%s uses fmt.Fprint %d times, and may %d times: use line, printf or table", name, got, may)
		}
	}
}
