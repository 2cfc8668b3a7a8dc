package acceptance

import (
	"os"
	"os/exec"
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

// start runs a MUTT with the rules of this package.
func start(t *testing.T, env map[string]string) *apptest.MUTT {
	t.Helper()
	return apptest.Start(t, apptest.Options{Env: env, Rules: []byte(rules)})
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
