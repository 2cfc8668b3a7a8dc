// Package yamltexttest reads YAML with PyYAML, a reader of YAML 1.1, in tests.
package yamltexttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Nasty returns texts that some reader or writer of YAML gets wrong.
func Nasty() []string {
	return []string{
		"no", "No", "NO", "off", "on", "On", "y", "Y", "n", "N", "yes", "true", "False", "null", "Null", "~", "=", "<<", "",
		"1:30", "190:20:30.15", "0100", "010", "0o17", "0x1F", "0b11", "1_000", "0_", "1e3", "1.5e+3", "1.10", ".5", "+1", "-0", "1,000", ".inf", "-.INF", ".NaN",
		"2026-11-30", "2026-11-30T08:00:00Z", "2026-11-30 8:00:00 +1", "2026-1-1", "127.0.0.1:8090", "1.3.6.1.4", "10.0.0.0/8", "30s", ":8080", ":symbol",
		" lead", "trail ", "\ttab", "tab\tinside", "a: b", "a:", "# no comment", "a #b", "- item", "-", "---", "...", "? key", "[x]", "{a: b}", "a, b", "!tag", "&anchor", "*alias",
		"'", "\"", "it's", "%TAG", "@at", "`tick", "|", ">", "multi\nline", "multi\nline\n", "\nfirst", "  in\n out", "a\n\nb", "x\u0085y", "\u2028", "\ufeffbom", "\u00a0nbsp",
		"日本語", "é", "\U0001F600", "\x7f", "\x1b[31m", "\\", "\\n", "C:\\new", "null pointer", "no route", "yes/no", "1 of 2", "<none>", "=>",
	}
}

// Load returns what PyYAML's safe loader reads, in the types of encoding/json.
func Load(t testing.TB, text []byte) any {
	t.Helper()
	cmd := exec.Command("python3", "-c", "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin.buffer.read()), sys.stdout)")
	cmd.Stdin = bytes.NewReader(text)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if missing := errors.Is(err, exec.ErrNotFound) || strings.Contains(complaint.String(), "No module named 'yaml'"); missing && os.Getenv("MUTT_TEST_REQUIRE") == "" {
		t.Skip("PyYAML is not installed (Debian: python3-yaml)")
	}
	if err != nil {
		t.Fatalf("PyYAML does not read this: %v\n%s\n%s", err, complaint.String(), text)
	}
	var v any
	if err := json.Unmarshal(out, &v); err != nil {
		t.Fatalf("what PyYAML read is not JSON: %v\n%s", err, out)
	}
	return v
}
