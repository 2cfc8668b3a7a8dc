package cli

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/testkit"
)

// TestMain makes the test binary answer as mutt when a script calls mutt.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"mutt": func() { os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// scriptRules are what the server of a script starts with.
const scriptRules = `
version: 1
rules:
  - {name: interface down, match_string: changed state to down, prod_handling: Page_only, dev_handling: Ignore, team_assignment: NETO}
`

// TestScripts runs testdata/script. Beside testscript's own commands there are:
//
//	server             starts a MUTT; sets MUTT_SERVER, MUTT_API_KEY, INGEST_API_KEY, INGEST_URL, SYSLOG_UDP, SYSLOG_TCP, SINK and STORE
//	edit STATEMENT     runs a statement on the server's database, past the server
//	exits N cmd…       runs a command that must end with the status N
//	freeport NAME      sets a variable to a free port of this machine
//	answers URL TEXT   waits until a GET of the URL is answered with 200 and the text in it
//	delivered N        waits until N different alerts arrived at the server's sink
//	dead N             waits until N alerts of the server are dead letters
//	put URL BODY       a PUT that must be answered with 200
//	waitfile FILE TEXT waits until the file holds the text
//	capture NAME EXPR  sets a variable to what the group of the expression matches in the last stdout
func TestScripts(t *testing.T) {
	t.Parallel()
	s := &scripts{t: t}
	testscript.Run(t, testscript.Params{
		Dir:   filepath.Join("testdata", "script"),
		Setup: s.setup,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"server": s.server, "exits": s.exits, "freeport": s.freePort, "answers": s.answers,
			"delivered": s.delivered, "dead": s.dead, "judged": s.judged, "put": s.put, "waitfile": s.waitFile,
			"capture": s.capture, "edit": s.edit,
		},
	})
}

// scripts are the commands of TestScripts.
type scripts struct{ t *testing.T }

// setup gives the script the checkout's configuration.
func (s *scripts) setup(env *testscript.Env) error {
	source, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return err
	}
	env.Setenv("SOURCE", source)
	return nil
}

// args refuses a call with another number of arguments.
func args(ts *testscript.TestScript, neg bool, n int, got []string) {
	if neg || len(got) != n {
		ts.Fatalf("takes %d arguments and no !", n)
	}
}

func (s *scripts) server(ts *testscript.TestScript, neg bool, a []string) {
	args(ts, neg, 0, a)
	m := apptest.Start(s.t, apptest.Options{Rules: []byte(scriptRules)})
	ts.Defer(m.Stop)
	for k, v := range map[string]string{
		"MUTT_SERVER": m.AdminURL, "MUTT_API_KEY": apptest.AdminKey, "INGEST_API_KEY": apptest.IngestKey, "INGEST_URL": m.IngestURL,
		"SYSLOG_UDP": m.SyslogUDP, "SYSLOG_TCP": m.SyslogTCP, "SINK": m.Destination.URL[:strings.LastIndex(m.Destination.URL, "/")],
		"STORE": filepath.Join(m.DataDir, "mutt.db"),
	} {
		ts.Setenv(k, v)
	}
	s.t.Cleanup(m.Destination.Down)
}

func (s *scripts) edit(ts *testscript.TestScript, neg bool, a []string) {
	args(ts, neg, 1, a)
	db, err := sql.Open("sqlite", ts.Getenv("STORE")+"?_pragma=busy_timeout(10000)")
	ts.Check(err)
	_, err = db.ExecContext(s.t.Context(), a[0])
	ts.Check(errors.Join(err, db.Close()))
}

func (s *scripts) exits(ts *testscript.TestScript, neg bool, a []string) {
	if neg || len(a) < 2 {
		ts.Fatalf("exits N cmd…")
	}
	want, err := strconv.Atoi(a[0])
	ts.Check(err)
	err = ts.Exec(a[1], a[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%q ended with %d, want %d", a[1:], got, want)
	}
}

func (s *scripts) freePort(ts *testscript.TestScript, neg bool, a []string) {
	args(ts, neg, 1, a)
	ts.Setenv(a[0], strconv.Itoa(testkit.FreePort(s.t)))
}

func (s *scripts) answers(ts *testscript.TestScript, neg bool, a []string) {
	args(ts, neg, 2, a)
	s.until(ts, a[0]+" answers "+a[1], func() (bool, any) {
		got, err := request(http.MethodGet, a[0], "")
		return err == nil && strings.Contains(got, a[1]), fmt.Sprint(got, err)
	})
}

func (s *scripts) delivered(ts *testscript.TestScript, neg bool, a []string) {
	args(ts, neg, 1, a)
	s.count(ts, ts.Getenv("SINK")+"/stats", a[0], func(body []byte) (int, error) {
		var st struct{ Distinct int }
		return st.Distinct, json.Unmarshal(body, &st)
	})
}

func (s *scripts) dead(ts *testscript.TestScript, neg bool, a []string) {
	args(ts, neg, 1, a)
	s.until(ts, a[0]+" dead letters", func() (bool, any) {
		if err := ts.Exec("mutt", "queues", "-o", "json"); err != nil {
			return false, err
		}
		text := ts.ReadFile("stdout")
		return strings.Contains(text, `"dead": `+a[0]+","), text
	})
}

// judged waits until so many events are listed.
func (s *scripts) judged(ts *testscript.TestScript, neg bool, a []string) {
	args(ts, neg, 1, a)
	s.until(ts, a[0]+" judged events", func() (bool, any) {
		if err := ts.Exec("mutt", "events", "list", "-o", "json"); err != nil {
			return false, err
		}
		text := ts.ReadFile("stdout")
		return strings.Contains(text, `"total": `+a[0]+","), text
	})
}

func (s *scripts) put(ts *testscript.TestScript, neg bool, a []string) {
	args(ts, neg, 2, a)
	_, err := request(http.MethodPut, a[0], a[1])
	ts.Check(err)
}

func (s *scripts) waitFile(ts *testscript.TestScript, neg bool, a []string) {
	args(ts, neg, 2, a)
	s.until(ts, a[0]+" holds "+a[1], func() (bool, any) {
		got, err := os.ReadFile(ts.MkAbs(a[0]))
		return err == nil && strings.Contains(string(got), a[1]), string(got)
	})
}

func (s *scripts) capture(ts *testscript.TestScript, neg bool, a []string) {
	args(ts, neg, 2, a)
	expr, err := regexp.Compile(a[1])
	ts.Check(err)
	found := expr.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) != 2 {
		ts.Fatalf("%s does not match one group", a[1])
	}
	ts.Setenv(a[0], found[1])
}

// count waits until a number in an answer is reached.
func (s *scripts) count(ts *testscript.TestScript, url, want string, read func([]byte) (int, error)) {
	n, err := strconv.Atoi(want)
	ts.Check(err)
	s.until(ts, fmt.Sprintf("%d at %s", n, url), func() (bool, any) {
		body, err := request(http.MethodGet, url, "")
		if err != nil {
			return false, err
		}
		got, err := read([]byte(body))
		return err == nil && got == n, body
	})
}

// until polls as apptest does; the script fails when it takes too long.
func (s *scripts) until(ts *testscript.TestScript, what string, done func() (bool, any)) {
	if got, ok := apptest.Poll(done); !ok {
		ts.Fatalf("it does not come to this: %s; last seen: %v", what, got)
	}
}

// request makes one request and wants 200.
func request(method, url, body string) (string, error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	got, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, got)
	}
	return string(got), err
}
