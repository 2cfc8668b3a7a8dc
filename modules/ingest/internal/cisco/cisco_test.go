package cisco_test

import (
	"testing"

	"github.com/muttproject/mutt/modules/ingest/internal/cisco"
)

func TestMnemonic(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"%LINK-3-UPDOWN: Interface": 14, "%SECURITY-SSHD-3-ERR_GENERAL : Failed": 28, "%ASA-4-106023": 13, "%C4K_IOSMODPORTMAN-4-POWERSUPPLYBAD: x": 35,
		"": 0, "%": 0, "LINK-3-UPDOWN": 0, "%LINK-3": 0, "%LINK-8-UPDOWN": 0, "%3-UPDOWN": 0, "%LINK--3-UP": 0, "%LINK-3-: x": 0, "%d-3-": 0, "%% x": 0,
	} {
		if got := cisco.Mnemonic(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

func TestAppendMessage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ app, message, want string }{
		{"%LINK-3-UPDOWN", "Interface Gi0/1", "%LINK-3-UPDOWN: Interface Gi0/1"},
		{"%LINK-3-UPDOWN:", "  Interface Gi0/1", "%LINK-3-UPDOWN: Interface Gi0/1"},
		{"%LINK-3-UPDOWN", ": Interface Gi0/1", "%LINK-3-UPDOWN: Interface Gi0/1"},
		{"%LINK-3-UPDOWN", "%LINK-3-UPDOWN: Interface Gi0/1", ""},
		{"sshd", "Interface Gi0/1", ""},
		{"%LINK-3-UPDOWN x", "Interface Gi0/1", ""},
	} {
		got, ok := cisco.AppendMessage(nil, c.app, c.message)
		if string(got) != c.want || ok != (c.want != "") {
			t.Errorf("%q, %q: %q, want %q", c.app, c.message, got, c.want)
		}
	}
}
