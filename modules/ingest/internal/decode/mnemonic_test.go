package decode

import (
	"fmt"
	"strings"
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

// What relays make of a device's own header is read as in syslog; the sender's own members win.
func TestHeaderOfADeviceInTheMessage(t *testing.T) {
	t.Parallel()
	const head = `{"hostname":"relay-1","timestamp":"2026-11-23T09:59:59Z",`
	for _, c := range []struct{ members, host, app, pid, message, fields string }{
		{`"app_name":"n9k-1","message":"2026 Nov 23 09:00:00 UTC: %ETHPORT-5-SPEED: x"`,
			"n9k-1", "", "", "%ETHPORT-5-SPEED: x", `{"relay":"relay-1","device_time":"2026 Nov 23 09:00:00 UTC"}`},
		{`"app_name":"48","message":" rtr-3: *Nov 23 09:00:00.777 EST: %SYS-5-CONFIG_I: x"`,
			"rtr-3", "", "", "%SYS-5-CONFIG_I: x", `{"relay":"relay-1","sequence":"48","device_time":"*Nov 23 09:00:00.777 EST"}`},
		{`"app_name":"UTC","message":"%SYS-5-CONFIG_I: x","device_time":"mine"`, "relay-1", "", "", "%SYS-5-CONFIG_I: x", `{"device_time":"mine"}`},
		{`"message":"<187>45: xr-1 RP/0/RP0/CPU0:Nov 23 09:00:00.9 : bgp[1052]: %ROUTING-BGP-5-X : x"`,
			"xr-1", "bgp", "1052", "%ROUTING-BGP-5-X : x", `{"relay":"relay-1","sequence":"45","node":"RP/0/RP0/CPU0","device_time":"Nov 23 09:00:00.9"}`},
		{`"app_name":"Ebra","message":"%LINEPROTO-5-UPDOWN: x"`, "relay-1", "Ebra", "", "%LINEPROTO-5-UPDOWN: x", ""},
		{`"app_name":"app","message":"5 of %SYS-5-CONFIG_I: x"`, "relay-1", "app", "", "5 of %SYS-5-CONFIG_I: x", ""},
	} {
		rs, _, err := run(newDecoder(), head+c.members+"}", JSON)
		if err != nil {
			t.Errorf("%s: %v", c.members, err)
			continue
		}
		e := rs[0].Event
		if e.Hostname != c.host || e.AppName != c.app || e.ProcID != c.pid || e.Message != c.message || e.Fields != c.fields {
			t.Errorf("%s: %+v", c.members, e)
		}
		if severity := e.Severity; strings.Contains(c.members, "<187>") != (severity == 3 && e.Facility == 23) {
			t.Errorf("%s: severity %d, facility %d", c.members, severity, e.Facility)
		}
	}
}
