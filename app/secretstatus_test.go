package app

import (
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/coord"
)

// TestWhenAnOldPasswordMayGo holds what the processes together say.
func TestWhenAnOldPasswordMayGo(t *testing.T) {
	t.Parallel()
	process := func(name, version, reason string) coord.Process {
		return coord.Process{Name: name, Secrets: map[string]string{"MOOG_API_KEY": version}, Logins: map[string]connect.Status{
			"postgres": {Loaded: []connect.Loaded{{Key: "DB_PASS_CURRENT", Version: version, Accepted: true}}, Safe: reason == "", Reason: reason}}}
	}
	for name, c := range map[string]struct {
		live []coord.Process
		safe bool
		says string
	}{
		"all use the current one":     {[]coord.Process{process("a", "vault:7", ""), process("b", "vault:7", "")}, true, "every process"},
		"one has an old connection":   {[]coord.Process{process("a", "vault:7", ""), process("b", "vault:7", "still 2")}, false, "b: still 2"},
		"one has not loaded it":       {[]coord.Process{process("a", "vault:7", ""), process("b", "vault:6", "")}, false, "a has loaded DB_PASS_CURRENT vault:7, and b DB_PASS_CURRENT vault:6"},
		"times of files mean nothing": {[]coord.Process{process("a", "file:1", ""), process("b", "file:2", "")}, true, "every process"},
	} {
		got := reported()[0].gather(c.live)
		if got.SafeToRetire != c.safe || !strings.Contains(got.Reason, c.says) || len(got.Processes) != len(c.live) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := reported()[1].gather([]coord.Process{process("a", "vault:7", "")}); len(got.Processes) != 0 {
		t.Errorf("a server that nobody uses: %+v", got)
	}
	sourced := process("a", "vault:7", "")
	sourced.Secrets, sourced.SecretSources = map[string]string{"MOOG_API_KEY": "vault:7"}, map[string]string{"MOOG_API_KEY": "version 7 of vault secret/mutt/prod"}
	if got := reported()[2].gather([]coord.Process{sourced}); !strings.Contains(got.Reason, "MOOG_API_KEY from version 7 of vault secret/mutt/prod is in force") {
		t.Errorf("%+v", got)
	}
	keys := coord.Process{Name: "a", Secrets: map[string]string{"INGEST_API_KEY": "vault:7", "INGEST_API_KEY_NEXT": "vault:7"}}
	if got := reported()[3].gather([]coord.Process{keys}); got.SafeToRetire || !strings.Contains(got.Reason, "INGEST_API_KEY_NEXT vault:7 is loaded too") {
		t.Errorf("senders may have the old key yet: %+v", got)
	}
	moog := reported()[2].gather([]coord.Process{process("a", "vault:7", ""), process("b", "vault:6", "")})
	if moog.SafeToRetire || len(moog.Processes) != 2 || moog.Processes[0].Loaded[0].Key != "MOOG_API_KEY" {
		t.Errorf("%+v", moog)
	}
}
