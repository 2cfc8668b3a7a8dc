package decode

import (
	"fmt"
	"testing"
)

// A mnemonic that a relay made the application's name is part of the message again.
func TestMnemonicIsPartOfTheMessage(t *testing.T) {
	t.Parallel()
	const text = `{"hostname":"r1","timestamp":"2026-11-23T09:59:59Z","app_name":"%s","message":"%s"}`
	for _, c := range []struct{ app, message, want string }{
		{"%LINK-3-UPDOWN", ` Interface \"Gi0/1\" down`, `%LINK-3-UPDOWN: Interface "Gi0/1" down`},
		{"%LINK-3-UPDOWN", "%LINK-3-UPDOWN: Interface down", "%LINK-3-UPDOWN: Interface down"},
		{"sshd", " x", " x"},
	} {
		rs, _, err := run(newDecoder(), fmt.Sprintf(text, c.app, c.message), JSON)
		if err != nil || rs[0].Event.Message != c.want || rs[0].Event.AppName != c.app {
			t.Errorf("%s, %s: %+v, %v", c.app, c.message, rs, err)
		}
	}
}
