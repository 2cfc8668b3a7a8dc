package cisco_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/modules/ingest/internal/cisco"
)

// The pieces of a device's line as relays hand them over; testdata/dialects of package syslog has whole lines of real ones.
func TestReadHeader(t *testing.T) {
	t.Parallel()
	type header = cisco.Header
	for _, c := range []struct {
		app, message string
		want         header
		time, text   string
	}{
		{"", "53: *Nov 30 08:00:00.123 UTC: %SYS-5-CONFIG_I: x", header{Sequence: "53"}, "*Nov 30 08:00:00.123 UTC", "%SYS-5-CONFIG_I: x"},
		{"53", " *Nov 30 08:00:00.123 UTC: %SYS-5-CONFIG_I: x", header{Sequence: "53", AppUsed: true}, "*Nov 30 08:00:00.123 UTC", "%SYS-5-CONFIG_I: x"},
		{"*Nov", " 30 08:00:00.123: %SYS-5-CONFIG_I: x", header{AppUsed: true}, "*Nov 30 08:00:00.123", "%SYS-5-CONFIG_I: x"},
		{"2026", "Nov 30 08:00:00 UTC: %VSHD-5-X: x", header{AppUsed: true}, "2026 Nov 30 08:00:00 UTC", "%VSHD-5-X: x"},
		{"2026-11-30T08", "00:00Z: %ASA-5-111008: x", header{AppUsed: true}, "2026-11-30T08:00:00Z", "%ASA-5-111008: x"},
		{"00", "05:12: %SYS-5-X: x", header{AppUsed: true}, "00:05:12", "%SYS-5-X: x"},
		{"66", " 00:05:12: %SYS-5-X: x", header{Sequence: "66", AppUsed: true}, "00:05:12", "%SYS-5-X: x"},
		{"2d03h", "%SYS-5-X: x", header{AppUsed: true}, "2d03h", "%SYS-5-X: x"},
		{"CEST", "%SYS-5-X: x", header{AppUsed: true}, "CEST", "%SYS-5-X: x"},
		{"n9k-1", "2026 Nov 30 08:00:00 UTC: %ETHPORT-5-X: x", header{Host: "n9k-1", AppUsed: true}, "2026 Nov 30 08:00:00 UTC", "%ETHPORT-5-X: x"},
		{"48", "rtr-3: *Nov 30 03:00:00.777 EST: %SYS-5-X: x", header{Sequence: "48", Host: "rtr-3", AppUsed: true}, "*Nov 30 03:00:00.777 EST", "%SYS-5-X: x"},
		{"48", "rtr-3: %SYS-5-X: x", header{Sequence: "48", Host: "rtr-3", AppUsed: true}, "", "%SYS-5-X: x"},
		{"9", "sw01: 8: Nov 30 2026 08:00:00.5: %SEC-6-X: x", header{Counter: "9", Sequence: "8", Host: "sw01", AppUsed: true}, "Nov 30 2026 08:00:00.5", "%SEC-6-X: x"},
		{"", "1105: xr-1 RP/0/RP0/CPU0:Nov 30 08:00:00.9 : bgp[1052]: %ROUTING-BGP-5-X : x",
			header{Sequence: "1105", Host: "xr-1", Node: "RP/0/RP0/CPU0", Process: "bgp", PID: "1052"}, "Nov 30 08:00:00.9", "%ROUTING-BGP-5-X : x"},
		{"RP", "Nov 30 08:00:00.9 UTC: bgp[1052]: %ROUTING-BGP-5-X : x",
			header{Node: "RP", Process: "bgp", PID: "1052", AppUsed: true}, "Nov 30 08:00:00.9 UTC", "%ROUTING-BGP-5-X : x"},
		{"wlc-1", "*spamApTask0: Nov 30 08:00:00.123: %CAPWAP-3-X: x", header{Host: "wlc-1", Process: "spamApTask0", AppUsed: true}, "Nov 30 08:00:00.123", "%CAPWAP-3-X: x"},
		{"asa-4", " %ASA-4-106023: x", header{Host: "asa-4", AppUsed: true}, "", "%ASA-4-106023: x"},
		{"", "asa-5 : %ASA-4-106023: x", header{Host: "asa-5"}, "", "%ASA-4-106023: x"},
		{"", " : %FTD-4-411002: x", header{}, "", "%FTD-4-411002: x"},
		{"", "<189>45: Nov 30 08:00:00: %SYS-5-X: x", header{Whole: true, Priority: 189, Sequence: "45"}, "Nov 30 08:00:00", "%SYS-5-X: x"},
		{"Aaa", "17: %AAA-5-LOGIN: x", header{Sequence: "17"}, "", "%AAA-5-LOGIN: x"},
		{"collect", "rtr-3: *Nov 30 08:00:00: %SYS-5-X: x", header{Host: "rtr-3"}, "*Nov 30 08:00:00", "%SYS-5-X: x"},
		{"45", " Nov 30 08:00:00.123 GMT+1: %SYS-5-X: x", header{Sequence: "45", AppUsed: true}, "Nov 30 08:00:00.123 GMT+1", "%SYS-5-X: x"},
		{"", "45: AP:a44c.11aa.bbcc: *Nov 30 08:00:00.1: %CAPWAP-3-X: x", header{Sequence: "45", Origin: "AP:a44c.11aa.bbcc"}, "*Nov 30 08:00:00.1", "%CAPWAP-3-X: x"},
		{"", "asa.example.net/ctx1 : %ASA-4-106023: x", header{Origin: "asa.example.net/ctx1"}, "", "%ASA-4-106023: x"},
		// An address that lost its beginning to the relay is not a host.
		{"2001", "db8::9: *Nov 30 08:00:00: %SYS-5-X: x", header{Sequence: "2001", Origin: "db8::9", AppUsed: true}, "*Nov 30 08:00:00", "%SYS-5-X: x"},
		// Text that is not a header stays.
		{"", "lib/x: %SYS-5-X: x", header{}, "", ""},
		{"", "see http://x: %SYS-5-X: x", header{}, "", ""},
		{"Ebra", "%LINEPROTO-5-UPDOWN: x", header{}, "", ""},
		{"", "%SYS-5-X: x", header{}, "", ""},
		{"", "error: %SYS-5-X: x", header{}, "", ""},
		{"app", "got a line with %SYS-5-X: x", header{}, "", ""},
		{"app", "rtr-3: 5 of %SYS-5-X: x", header{}, "", ""},
		{"", "5: a\"b/c: %SYS-5-X: x", header{}, "", ""},
		{"", "no mnemonic, 100 % of it", header{}, "", ""},
	} {
		got, text, ok := cisco.ReadHeader(c.app, "", c.message)
		if ok {
			if stamp := string(got.AppendTime(nil)); stamp != c.time {
				t.Errorf("%q, %q: time %q, want %q", c.app, c.message, stamp, c.time)
			}
			got.Time = [2]string{}
		}
		if d := cmp.Diff(c.want, got); d != "" || text != c.text || ok != (c.text != "") {
			t.Errorf("%q, %q: %q, %v, %s", c.app, c.message, text, ok, d)
		}
	}
}

// A header that is taken off a message has nothing in it that JSON escapes, whatever the bytes, and the text is a part of the message.
func FuzzReadHeader(f *testing.F) {
	f.Add("53", "", "*Nov 30 08:00:00.123 UTC: %SYS-5-CONFIG_I: x")
	f.Add("", "", "1105: xr-1 RP/0/RP0/CPU0:Nov 30 08:00:00.9 : bgp[1052]: %ROUTING-BGP-5-X : x")
	f.Add("2026-11-30T08", "", "00:00Z: %ASA-5-111008: x")
	f.Fuzz(func(t *testing.T, app, pid, message string) {
		h, text, ok := cisco.ReadHeader(app, pid, message)
		if !ok {
			return
		}
		if !strings.HasSuffix(message, text) || cisco.Mnemonic(text) == 0 {
			t.Errorf("text %q of %q", text, message)
		}
		for _, part := range []string{h.Counter, h.Sequence, h.Host, h.Origin, h.Node, h.Process, h.PID, string(h.AppendTime(nil))} {
			if quoted, err := json.Marshal(part); err != nil || string(quoted) != `"`+part+`"` {
				t.Errorf("%q of %q, %q: %v", part, app, message, err)
			}
		}
	})
}

// FuzzHeaderParts writes headers from their parts and takes them apart as relays do that read RFC 3164: at any of the places where such a
// relay ends the APP-NAME. The parts come back whatever the place.
func FuzzHeaderParts(f *testing.F) {
	f.Add(uint32(53), uint32(1000), "link", uint8(5), "UP", false)
	f.Add(uint32(0), uint32(86399), "sys", uint8(0), "CONFIG", true)
	letters := func(s string) string {
		return "AB" + strings.Map(func(r rune) rune { return 'C' + r%20 }, s[:min(len(s), 12)])
	}
	f.Fuzz(func(t *testing.T, sequence, second uint32, facility string, severity uint8, name string, star bool) {
		at := time.Date(2026, 11, 30, 0, 0, int(second%86400), 0, time.UTC).Format("Jan _2 15:04:05.000")
		if star {
			at = "*" + at
		}
		number := strconv.Itoa(int(sequence%1_000_000) + 1)
		text := fmt.Sprintf("%%%s-%d-%s: what was said", letters(facility), severity%8, letters(name))
		for way, parts := range map[string][2]string{
			"whole": {"", number + ": " + at + ": " + text}, "the number is the APP-NAME": {number, " " + at + ": " + text},
		} {
			h, got, ok := cisco.ReadHeader(parts[0], "", parts[1])
			if !ok || got != text || h.Sequence != number || string(h.AppendTime(nil)) != at || h.AppUsed != (parts[0] != "") || h.Host != "" {
				t.Fatalf("%s: %q, %q became %+v, %q, %v", way, parts[0], parts[1], h, got, ok)
			}
		}
	})
}
