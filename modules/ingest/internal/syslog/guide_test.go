package syslog

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/event"
)

// TestGuide reads the lines of docs/guides/devices.md, of which each section has some: MUTT makes of them what the guide says.
func TestGuide(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../../docs/guides/devices.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := strings.Split(string(text), "\n## ")[1:]
	if len(sections) < 22 {
		t.Errorf("the guide has %d sections", len(sections))
	}
	for _, section := range sections {
		title, _, _ := strings.Cut(section, "\n")
		_, after, marked := strings.Cut(section, "<!-- lines -->\n```\n")
		block, _, closed := strings.Cut(after, "\n```")
		if !marked || !closed {
			t.Errorf("%s has no lines", title)
		}
		for example := range strings.SplitSeq(block, "\n\n") {
			checkGuide(t, title, example)
		}
	}
}

func checkGuide(t *testing.T, title, example string) {
	t.Helper()
	want := map[string]string{}
	for line := range strings.SplitSeq(example, "\n") {
		name, value, _ := strings.Cut(line, ": ")
		want[name] = strings.ReplaceAll(value, "<TAB>", "\t")
	}
	at := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	var e event.Event
	NewParser(time.UTC).Parse(&Line{Text: []byte(want["line"]), Peer: "the address of the sender", At: at}, &e)
	severities := []string{"0 (emergency)", "1 (alert)", "2 (critical)", "3 (error)", "4 (warning)", "5 (notice)", "6 (informational)", "7 (debug)"}
	begin, cut := strings.CutSuffix(want["message"], "…")
	if len(want) != 4 || e.Hostname != want["host"] || severities[e.Severity] != want["severity"] ||
		!strings.HasPrefix(e.Message, begin) || !cut && e.Message != begin || begin == "" {
		t.Errorf("%s: %q is host %s, severity %d, message %q", title, want["line"], e.Hostname, e.Severity, e.Message)
	}
	// Nothing of the header stays behind: a time that was not read would be the time of receipt.
	if timed := strings.Contains(want["line"], "08:00:00") || strings.Contains(want["line"], "17:00:00+09:00"); timed &&
		!strings.Contains(begin, "date=") && e.Timestamp/1_000_000 != at.Unix()-3600 {
		t.Errorf("%s: %q is of %s", title, want["line"], time.UnixMicro(e.Timestamp).UTC())
	}
}
