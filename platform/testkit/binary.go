package testkit

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// Binary gives the path of a server's program, looked up in PATH and where Debian keeps PostgreSQL (the newest version).
// When it is missing, the test fails if MUTT_TEST_REQUIRE=1 and is skipped otherwise; pkg is the Debian package to install.
func Binary(t testing.TB, name, pkg string) string {
	t.Helper()
	if found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name); err == nil && len(found) > 0 {
		return slices.Max(found)
	}
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	if os.Getenv("MUTT_TEST_REQUIRE") == "1" {
		t.Fatalf("%s is missing: run .ci/install, or apt-get install %s", name, pkg)
	}
	t.Skipf("%s is missing: run .ci/install, or apt-get install %s", name, pkg)
	return ""
}
