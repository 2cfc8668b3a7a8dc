package rule

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func mask(s string) string { return string(AppendMask(nil, s)) }

func TestMask(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{
		"":                                  "",
		"link down":                         "link down",
		"neighbor 203.0.113.10 down":        "neighbor <ip> down",
		"peer 203.0.113.10:179, reset":      "peer <ip>:<n>, reset",
		"route 10.0.0.0/8 via 2001:db8::1.": "route <ip>/<n> via <ip>.",
		"from ::1 and fe80::a:1%eth0":       "from <ip> and <ip>%eth<n>",
		"::ffff:10.1.1.1":                   "<ip>",
		"std::vector x::b":                  "std::vector x::b",
		"version 15.2.4 build 7":            "version <n> build <n>",
		"OID 1.3.6.1.4.1.9":                 "OID <n>",
		"300.1.1.1":                         "<n>",
		"Interface GigabitEthernet0/1/24, changed state":          "Interface GigabitEthernet<n>/<n>/<n>, changed state",
		"Gi0/1.100 ae10 ae1 Po12":                                 "Gi<n>/<n> ae<n> ae<n> Po<n>",
		"mac 00:1A:2b:3c:4d:5e, 00-1a-2b-3c-4d-5e 001a.2b3c.4d5e": "mac <mac>, <mac> <mac>",
		"id 123e4567-e89b-12d3-a456-426614174000!":                "id <uuid>!",
		"at 0x7fff1234 code 0xDEAD, deadbeef1":                    "at <hex> code <hex>, <hex>",
		"commit 4f2a9c and feed decade cafe":                      "commit <hex> and feed decade cafe",
		`user "admin 7" failed`:                                   "user <str> failed",
		"user 'bob' can't log in, isn't it":                       "user <str> can't log in, isn't it",
		`an open " quote 5`:                                       `an open " quote <n>`,
		"2026-11-23T23:22:58.123Z up":                             "<time> up",
		"2026-11-23 23:22:58,123 +0100 up":                        "<time> +<n> up",
		"2026/11/23 up 2026-11-23":                                "<time> up <time>",
		"*Mar  1 00:00:00.123 UTC: x":                             "*<time> UTC: x",
		"Nov 23 2026 1:02:03 x":                                   "<time> x",
		"Mar 1 was fine, May be":                                  "Mar <n> was fine, May be",
		"at 23:22:58+02:00":                                       "at <time>",
		"ratio 3.14, 50% of 100Mbps":                              "ratio <n>, <n>% of <n>Mbps",
		"a  b\t\tc\r\nd":                                          "a b c d",
		"größe 5µs 日本1":                                           "größe <n>µs 日本<n>",
		"%LINK-3-UPDOWN: x":                                       "%LINK-<n>-UPDOWN: x",
	} {
		if got := mask(message); got != want {
			t.Errorf("%q\n got %q\nwant %q", message, got, want)
		}
	}
}

// TestMaskFoldsWhatVaries is what counting rests on: two occurrences of one problem have one key.
func TestMaskFoldsWhatVaries(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		one := func() string {
			var v6 [16]byte
			for i := range v6 {
				v6[i] = byte(rng.Uint32())
			}
			return fmt.Sprintf("BGP neighbor %d.%d.%d.%d (%s) on Gi%d/%d: %d errors at %02d:%02d:%02d, hash %08x%01d, mac %02x:%02x:%02x:%02x:%02x:%02x \"%d\"",
				1+rng.IntN(255), rng.IntN(256), rng.IntN(256), rng.IntN(256), netip.AddrFrom16(v6), rng.IntN(50), rng.IntN(50), rng.IntN(1e9),
				rng.IntN(24), rng.IntN(60), rng.IntN(60), 0xa0000000|rng.Uint32(), rng.IntN(10),
				rng.IntN(256), rng.IntN(256), rng.IntN(256), rng.IntN(256), rng.IntN(256), rng.IntN(256), rng.IntN(9))
		}
		a, b := one(), one()
		if mask(a) != mask(b) {
			t.Fatalf("\n%s\n%s\n%s\n%s", a, b, mask(a), mask(b))
		}
	})
}

func TestMaskIsBounded(t *testing.T) {
	head := strings.Repeat("é", 512)
	if mask(head+"x") != head || mask("x"+head+"y") != "x"+strings.Repeat("é", 511) {
		t.Error("the input is not cut at a KiB between characters")
	}
	dst := make([]byte, 0, 4*maskInput)
	if n := testing.AllocsPerRun(10, func() { AppendMask(dst, "neighbor 203.0.113.10 at 2001:db8::1 'x' 0x1f down") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzMask holds, for any bytes: no panic; the same key each time, appended and nothing else; no digit left; the
// bound; nothing beyond the first KiB counts; and valid text stays valid.
func FuzzMask(f *testing.F) {
	for _, s := range []string{"", "::", "1.", "1.2.3.4.", "'", "''", `"`, "a'b'c", "0x", "00:11:22:33:44:55:66", "1::2::3", "Mar ", "2026-11-2", "12:34:5",
		"\xff\xfe1", "a:b:c:d:e:f:1:2", "::1.2.3.4", strings.Repeat("1 ", 600), strings.Repeat("'x ", 400)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := AppendMask([]byte("1:"), s)
		if !bytes.HasPrefix(got, []byte("1:")) {
			t.Fatal("what was there was changed")
		}
		got = got[2:]
		if string(got) != mask(s) {
			t.Fatal("two keys for one message")
		}
		if bytes.ContainsAny(got, "0123456789") {
			t.Fatalf("a digit is left: %q", got)
		}
		if len(got) > 3*min(len(s), maskInput) {
			t.Fatalf("%d bytes from %d", len(got), len(s))
		}
		if utf8.ValidString(s) && !utf8.Valid(got) {
			t.Fatalf("broken text: %q", got)
		}
		if long := s + strings.Repeat("~", maskInput); mask(long) != mask(long+"7") {
			t.Fatal("what comes after the first KiB counts")
		}
	})
}
