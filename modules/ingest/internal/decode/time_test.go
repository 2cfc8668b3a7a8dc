package decode

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muttproject/mutt/modules/ingest/internal/stamp"
)

func TestTimestamps(t *testing.T) {
	t.Parallel()
	const s = int64(1_000_000)
	at := testNow.UnixMicro()
	cases := map[string]int64{
		`"2026-11-23T10:00:00Z"`:               at,
		`"2026-11-23t10:00:00.5z"`:             at + s/2,
		`"2026-11-23T10:00:00.123456789Z"`:     at + 123456,
		`"2026-11-23 10:00:00,25"`:             at + s/4,
		`"2026-11-23T11:30:00+01:30"`:          at,
		`"2026-11-23T02:00:00-0800"`:           at,
		`"2026-11-23T10:00:00"`:                at,
		`"2026-11-23T09:59:60Z"`:               at,
		`" 2026-11-23T10:00:00 UTC "`:          at,
		`"2000-01-01T00:00:00Z"`:               stamp.Earliest,
		`"2026-11-24T10:00:00Z"`:               at + 24*3600*s,
		`1795428000`:                           at,
		`1795428000.25`:                        at + s/4,
		`1795428000123`:                        at + 123_000,
		`1795428000123.5`:                      at + 123_500,
		`1.795428e9`:                           at,
		`1.795428E12`:                          at,
		`"1795428000"`:                         at,
		`"1795428000123"`:                      at + 123_000,
		`"Nov 23 10:00:00"`:                    at,
		`"nov 23 10:00:00.5"`:                  at + s/2,
		`"Nov 03 10:00:00"`:                    at - 20*24*3600*s,
		`"Nov  3 10:00:00"`:                    at - 20*24*3600*s,
		`"Jun  1 00:00:00"`:                    time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC).UnixMicro(),
		`"Dec 25 10:00:00"`:                    time.Date(2025, 12, 25, 10, 0, 0, 0, time.UTC).UnixMicro(),
		`"Feb 29 10:00:00"`:                    time.Date(2024, 2, 29, 10, 0, 0, 0, time.UTC).UnixMicro(),
		`1795428000123456`:                     at + 123_456,
		`"1795428000123456789"`:                at + 123_456,
		`"Nov 23 2026 11:00:00 CET"`:           at,
		`"\u0032026-11-23T10:00:00Z"`:          at,
		`"2024-02-29T00:00:00.0000000000001Z"`: time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC).UnixMicro(),
	}
	for text, want := range cases {
		rs, _, err := run(newDecoder(), `{"hostname":"h","message":"m","timestamp":`+text+`}`, JSON)
		if err != nil || rs[0].Err != "" || rs[0].Event.Timestamp != want {
			t.Errorf("%s: got %+v, %v, want %d", text, rs, err, want)
		}
	}
	for _, text := range []string{`""`, `"now"`, `"2026-13-01T00:00:00Z"`, `"2026-02-29T00:00:00Z"`, `"2026-11-23T24:00:00Z"`,
		`"2026-11-23T10:00:61Z"`, `"2026-11-23T10:00:00X"`, `"2026-11-23T10:00:00.Z"`, `"2026-11-23T10:00:00+24:00"`,
		`"2026-11-23"`, `"1999-12-31T23:59:59.999999Z"`, `"2026-11-24T10:00:00.000001Z"`, `0`, `-1`, `1e300`, `-1e300`,
		`99999999999999999999999`, `"0x1p30"`, `"1_000_000_000"`, `"inf"`, `"NaN"`, `"17954280OO"`, `"Foo 23 10:00:00"`, `"Nov 31 10:00:00"`,
		`"Nov 23 10:00"`, `true`, `[]`, `"9999-99-99T99:99:99Z"`, `"0000-00-00T00:00:00Z"`, `"+1795428000"`, `"an  eb 10:00:00"`} {
		rs, _, err := run(newDecoder(), `{"hostname":"h","message":"m","timestamp":`+text+`}`, JSON)
		if err != nil || rs[0].Field != "timestamp" {
			t.Errorf("%s: got %+v, %v", text, rs, err)
		}
	}
}

// TestTimeAgreesWithTheStandardLibrary compares the hand-written parser with time.Parse.
func TestTimeAgreesWithTheStandardLibrary(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := fmt.Sprintf("%04d-%02d-%02dT%02d:%02d:%02d%s%s", rapid.IntRange(0, 9999).Draw(t, "y"), rapid.IntRange(0, 13).Draw(t, "m"),
			rapid.IntRange(0, 32).Draw(t, "d"), rapid.IntRange(0, 24).Draw(t, "h"), rapid.IntRange(0, 60).Draw(t, "min"),
			rapid.IntRange(0, 59).Draw(t, "s"), rapid.SampledFrom([]string{"", ".1", ".123456", ".999999999"}).Draw(t, "f"),
			rapid.SampledFrom([]string{"Z", "+00:00", "-08:00", "+23:59"}).Draw(t, "z"))
		want, err := time.Parse(time.RFC3339Nano, text)
		us, ok := parseTime(text, 0)
		if ok != (err == nil) || ok && us != want.UnixMicro() {
			t.Fatalf("%s: got %d %v, want %v %v", text, us, ok, want, err)
		}
	})
}
