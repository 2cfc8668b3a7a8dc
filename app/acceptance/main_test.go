package acceptance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/muttproject/mutt/app/apptest"
)

// rules are those of most tests: one that pages, one that only records, one that ignores.
const rules = `
version: 1
rules:
  - name: interface down
    match_type: regex
    match_string: 'Interface (?P<interface>\S+), changed state to down'
    priority: 10
    prod_handling: Page_and_ticket
    dev_handling: Log_only
    team_assignment: NETO
    signature: '{{hostname}}::interface::{{interface}}'
  - name: configuration change
    match_string: '%SYS-5-CONFIG_I'
    priority: 20
    prod_handling: Log_only
    dev_handling: Ignore
    team_assignment: NETO
  - name: chatter
    match_string: 'last message repeated'
    priority: 30
    prod_handling: Ignore
    dev_handling: Ignore
    team_assignment: NETO
`

// mode is where the MUTT of a test keeps things. The product must not show which it is.
type mode struct{ distributed bool }

// inBothModes runs a test on embedded storage and on Redis and PostgreSQL.
func inBothModes(t *testing.T, test func(t *testing.T, in mode)) {
	t.Run("embedded", func(t *testing.T) { test(t, mode{}) })
	t.Run("distributed", func(t *testing.T) { test(t, mode{distributed: true}) })
}

// start runs a MUTT of all roles with the rules of this package.
func (in mode) start(t *testing.T, env map[string]string) *apptest.MUTT {
	t.Helper()
	return in.run(t, apptest.Options{Env: env})
}

// run runs a MUTT, with the rules of this package unless the options have others.
func (in mode) run(t *testing.T, o apptest.Options) *apptest.MUTT {
	t.Helper()
	if o.Rules == nil {
		o.Rules = []byte(rules)
	}
	if in.distributed {
		o.Servers = apptest.NewServers(t, "always")
	}
	return apptest.Start(t, o)
}

// tool finds a program that a test needs. When it is missing, the test fails if MUTT_TEST_REQUIRE=1 and is skipped
// with that reason otherwise.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	// Debian keeps daemons where a user's PATH may not look.
	if _, e := os.Stat("/usr/sbin/" + name); e == nil {
		return "/usr/sbin/" + name
	}
	if os.Getenv("MUTT_TEST_REQUIRE") == "1" {
		t.Fatalf("%s is missing and MUTT_TEST_REQUIRE=1: run .ci/install", name)
	}
	t.Skipf("%s is missing; .ci/install installs it", name)
	return ""
}

// binaryDir names the directory of the binary under test, for the time of one run of this package.
const binaryDir = "MUTT_TEST_BINARY_DIR"

// TestMain makes and removes that directory.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "mutt-binary-")
	if err == nil {
		err = os.Setenv(binaryDir, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	_ = os.RemoveAll(dir) // a leftover in the temporary directory is no failure
	os.Exit(status)
}

// build builds the binary that users run, without the race detector, once for all tests.
var build = sync.OnceValues(func() (string, error) {
	path := filepath.Join(os.Getenv(binaryDir), "mutt")
	out, err := exec.Command("go", "build", "-o", path, "github.com/muttproject/mutt").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build mutt: %w: %s", err, out)
	}
	return path, nil
})

// binary gives the path of that binary.
func binary(t *testing.T) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
