package app

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestLibcIsWhatSQLiteAsksFor: another libc than the one that the driver was generated for corrupts memory.
func TestLibcIsWhatSQLiteAsksFor(t *testing.T) {
	t.Parallel()
	gomod := readText(t, "../go.mod")
	version := func(module string) string {
		m := regexp.MustCompile(`(?m)^\s*` + regexp.QuoteMeta(module) + ` (v\S+)`).FindStringSubmatch(gomod)
		if m == nil {
			t.Fatalf("%s is not in go.mod", module)
		}
		return m[1]
	}
	graph, err := exec.Command("go", "mod", "graph").Output()
	if err != nil {
		t.Fatal(err)
	}
	edge := "modernc.org/sqlite@" + version("modernc.org/sqlite") + " modernc.org/libc@"
	_, rest, ok := strings.Cut(string(graph), edge)
	if !ok {
		t.Fatalf("no edge %q in the module graph", edge)
	}
	if wants, _, _ := strings.Cut(rest, "\n"); wants != version("modernc.org/libc") {
		t.Errorf("sqlite asks for libc %s, go.mod has %s", wants, version("modernc.org/libc"))
	}
}

// TestDependenciesHaveReasons: every direct dependency stands in docs/dependencies.md.
func TestDependenciesHaveReasons(t *testing.T) {
	t.Parallel()
	page := readText(t, "../docs/dependencies.md")
	found := 0
	for line := range strings.Lines(readText(t, "../go.mod")) {
		fields := strings.Fields(line)
		if len(fields) != 2 || !strings.Contains(fields[0], ".") || fields[0] == "go" {
			continue // not a requirement, or an indirect one (it has a comment)
		}
		found++
		if !strings.Contains(page, "`"+fields[0]+"`") {
			t.Errorf("%s has no reason in docs/dependencies.md", fields[0])
		}
	}
	if found < 5 {
		t.Errorf("only %d direct requirements were seen", found)
	}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
