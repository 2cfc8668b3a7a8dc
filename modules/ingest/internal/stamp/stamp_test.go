package stamp_test

import (
	"math/big"
	"os"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the tests name zones

	"pgregory.net/rapid"

	"github.com/muttproject/mutt/modules/ingest/internal/stamp"
)

// TestTimes reads the lines of testdata/times.txt.
func TestTimes(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/times.txt")
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(data), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		column := strings.SplitN(line+" ", " | ", 5)
		if len(column) != 5 {
			t.Fatalf("line %d has %d columns", i+1, len(column))
		}
		at, loc := mustTime(t, column[1]), mustZone(t, column[2])
		text, want, rest := column[0], column[3], strings.TrimSuffix(column[4], " ")
		us, n, ok := stamp.Read(text, at, loc)
		got, left := "none", ""
		switch {
		case n > 0 && ok:
			got, left = time.UnixMicro(us).UTC().Format(time.RFC3339Nano), text[n:]
		case n > 0:
			got, left = "invalid", text[n:]
		case ok:
			got = "a time of no length"
		}
		if got != want || left != rest {
			t.Errorf("line %d: %s is %s with %q left, want %s with %q", i+1, text, got, left, want, rest)
		}
	}
}

func mustTime(t interface{ Fatal(...any) }, text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func mustZone(t interface{ Fatal(...any) }, name string) *time.Location {
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// layouts are forms that package time writes. exact says that the layout names a zone, yearless that it names no year.
var layouts = []struct {
	layout   string
	exact    bool
	yearless bool
}{
	{time.RFC3339, true, false}, {time.RFC3339Nano, true, false}, {"2006-01-02T15:04:05.000000-0700", true, false},
	{"2006-01-02T15:04:05,000Z07:00", true, false}, {"2006-01-02 15:04:05 -0700", true, false}, {time.DateTime, false, false},
	{"2006/01/02 15:04:05.000", false, false}, {"2006:01:02-15:04:05", false, false}, {time.Stamp, false, true}, {time.StampMilli, false, true},
	{time.StampMicro, false, true}, {"*Jan _2 15:04:05.000", false, true}, {"Jan 2 2006 15:04:05", false, false}, {"Jan _2 2006 15:04:05-07:00", true, false},
	{"Jan _2 15:04:05.000 2006", false, false}, {"2006 Jan _2 15:04:05.000", false, false}, {time.ANSIC, false, false}, {time.RFC1123Z, true, false},
	{"02/Jan/2006:15:04:05 -0700", true, false},
}

var zones = []string{"UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Pacific/Auckland", "America/St_Johns"}

// check writes an instant in a layout by package time, reads it back, and compares with what the text says.
func check(t interface{ Fatalf(string, ...any) }, when time.Time, layout int, loc *time.Location, age time.Duration, rest string) {
	l := layouts[layout]
	local := when.In(loc)
	if y := local.Year(); y < 1971 || y > 2098 {
		return
	}
	text := local.Format(l.layout)
	want := local.Truncate(time.Second)
	if strings.Contains(l.layout, "000000") || strings.Contains(l.layout, "999") {
		want = local.Truncate(time.Microsecond)
	} else if strings.Contains(l.layout, "000") {
		want = local.Truncate(time.Millisecond)
	}
	if !l.exact { // the hour that a clock shows twice
		if again := time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), local.Second(), local.Nanosecond(), loc); !again.Equal(local) {
			return
		}
	}
	at := when.Add(age)
	us, n, ok := stamp.Read(text+rest, at, loc)
	if !ok || n != len(text) || us != want.UnixMicro() {
		t.Fatalf("%q in %v received %v: %v, %d of %d bytes, %v; want %v", text, loc, at.UTC(), time.UnixMicro(us).UTC(), n, len(text), ok, want.UTC())
	}
}

// TestAgreesWithTime reads what package time writes. The age of a stamp without a year is from a day ahead to almost a year.
func TestAgreesWithTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		when := time.Unix(rapid.Int64Range(40_000_000, 4_000_000_000).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns"))
		loc := mustZone(t, rapid.SampledFrom(zones).Draw(t, "zone"))
		age := time.Duration(rapid.Int64Range(-int64(24*time.Hour), int64(363*24*time.Hour)).Draw(t, "age"))
		check(t, when, rapid.IntRange(0, len(layouts)-1).Draw(t, "layout"), loc, age, rapid.SampledFrom([]string{"", " host", ": %X-1-Y: z"}).Draw(t, "rest"))
	})
}

// FuzzRead holds that any text is read within bounds and that what package time writes is read as it means it.
func FuzzRead(f *testing.F) {
	f.Add("*Mar  1 00:00:00.123 UTC: %LINK-3-UPDOWN: x", int64(1796025600), uint8(3), uint8(1))
	f.Add("2026-11-30 08:00:00,445 +0100", int64(951782400), uint8(8), uint8(2))
	f.Add("Mon, 30 Nov 2026 09:00:00 +0100 DST", int64(1796025600), uint8(17), uint8(4))
	f.Add("%Nov 30 08:00:00:123 2026 UTC", int64(1709164800), uint8(18), uint8(5))
	f.Fuzz(func(t *testing.T, text string, unix int64, layout, zone uint8) {
		loc := mustZone(t, zones[int(zone)%len(zones)])
		us, n, ok := stamp.Read(text, mustTime(t, "2026-11-30T09:00:00Z"), loc)
		if n < 0 || n > len(text) || ok && n == 0 {
			t.Fatalf("%q: %d, %d bytes, %v", text, us, n, ok)
		}
		if again, m, _ := stamp.Read(text[:n], mustTime(t, "2026-11-30T09:00:00Z"), loc); ok && text[:n] == strings.TrimRight(text[:n], " ") && m == n && again != us {
			t.Fatalf("%q depends on what follows", text)
		}
		if unix > 0 && unix < 4_000_000_000 {
			check(t, time.Unix(unix, 0), int(layout)%len(layouts), loc, time.Hour, " x")
		}
	})
}

// TestNumberAgreesWithExactArithmetic compares with big.Rat; the unit is the one that puts the number between 1973 and 5138.
func TestNumberAgreesWithExactArithmetic(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[1-9][0-9]{0,17}(\.[0-9]{1,12})?`).Draw(t, "number")
		exact, _ := new(big.Rat).SetString(s)
		for unit := int64(1_000_000_000); unit >= 1; unit /= 1000 { // per second: seconds are tried last
			inSeconds := new(big.Rat).Quo(exact, new(big.Rat).SetInt64(unit))
			if unit == 1 || inSeconds.Cmp(new(big.Rat).SetInt64(100_000_000)) >= 0 {
				exact = inSeconds.Mul(inSeconds, new(big.Rat).SetInt64(1_000_000))
				break
			}
		}
		want := new(big.Int).Quo(exact.Num(), exact.Denom()).Int64()
		if us, ok := stamp.Number(s); !ok || us != want {
			t.Fatalf("%s: got %d, want %d", s, us, want)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	at := mustTime(b, "2026-11-30T09:00:00Z")
	for name, text := range map[string]string{"3164": "Nov 30 08:00:00 host", "3339": "2026-11-30T08:00:00.123456+01:00 host", "cisco": "*Mar  1 00:00:00.123 UTC: %LINK"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				stamp.Read(text, at, time.UTC)
			}
		})
	}
}
