package syslog

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/event"
)

// TestDialects reads the lines in testdata/dialects; its README.md explains the form.
func TestDialects(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/dialects/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	examples := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, block := range strings.Split(string(data), "\n\n") {
			example := map[string]string{}
			for line := range strings.Lines(block) {
				name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
				if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
					continue
				}
				if !ok {
					t.Fatalf("%s: %q is not \"name: value\"", file, line)
				}
				example[name] = strings.NewReplacer("<TAB>", "\t", "<LF>", "\n", "<NUL>", "\x00", "<BOM>", "\ufeff").Replace(value)
			}
			if len(example) > 0 {
				examples++
				t.Run(fmt.Sprintf("%s/%d", strings.TrimSuffix(filepath.Base(file), ".txt"), i+1), func(t *testing.T) { checkExample(t, example) })
			}
		}
	}
	if examples < 120 {
		t.Errorf("%d examples", examples)
	}
}

func checkExample(t *testing.T, want map[string]string) {
	t.Helper()
	at := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	var e event.Event
	NewParser(time.UTC).Parse(&Line{Text: []byte(want["line"]), Peer: peer, At: at}, &e)
	got := map[string]string{"line": want["line"], "message": e.Message}
	for name, value := range map[string]string{"app": e.AppName, "pid": e.ProcID, "msgid": e.MsgID} {
		if value != "" {
			got[name] = value
		}
	}
	if e.Hostname != peer {
		got["host"] = e.Hostname
	}
	if e.Timestamp != at.UnixMicro() {
		got["time"] = time.UnixMicro(e.Timestamp).UTC().Format(time.RFC3339Nano)
	}
	var fields map[string]any
	if e.Fields != "" {
		if err := json.Unmarshal([]byte(e.Fields), &fields); err != nil {
			t.Fatal(err)
		}
	}
	for pair := range strings.FieldsSeq(want["fields"]) {
		if name, value, _ := strings.Cut(pair, "="); fields[name] != value {
			t.Errorf("field %s is %v, want %s", name, fields[name], value)
		}
	}
	if want["pri"] != "" {
		got["pri"] = want["pri"]
	}
	if want["fields"] != "" {
		got["fields"] = want["fields"]
	} else if _, kept := fields["original_timestamp"]; kept {
		t.Errorf("the timestamp was not read: %s", e.Fields)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	var pri int
	number := strings.TrimPrefix(want["line"], "\ufeff")
	if want["pri"] != "" {
		number = "<" + want["pri"] + ">"
	}
	if _, err := fmt.Sscanf(number, "<%d>", &pri); err != nil {
		pri = -9 // neither severity nor facility
	}
	if e.Severity != int8(((pri%8)+8)%8) && pri >= 0 || int(e.Facility) != pri/8 {
		t.Errorf("severity %d, facility %d of PRI %d", e.Severity, e.Facility, pri)
	}
}
