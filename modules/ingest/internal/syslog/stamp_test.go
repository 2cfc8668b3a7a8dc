package syslog

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The year is the one that puts the time closest to now, whatever the zone.
func TestYearIsTheClosest(t *testing.T) {
	t.Parallel()
	zones := []*time.Location{time.UTC, time.FixedZone("east", 14*3600), time.FixedZone("west", -11*3600)}
	rapid.Check(t, func(t *rapid.T) {
		loc := rapid.SampledFrom(zones).Draw(t, "zone")
		now := time.Unix(rapid.Int64Range(946684800, 4102444800).Draw(t, "now"), 0).In(loc)
		month, day := rapid.IntRange(1, 12).Draw(t, "month"), rapid.IntRange(1, 31).Draw(t, "day")
		second := rapid.IntRange(0, 86399).Draw(t, "second")
		got, ok := closestYear(now, month, day, second)
		var want time.Time
		for y := now.Year() - 2; y <= now.Year()+2; y++ {
			c := time.Date(y, time.Month(month), day, 0, 0, second, 0, loc)
			exists := int(c.Month()) == month && c.Day() == day && y >= now.Year()-1 && y <= now.Year()+1
			if exists && (want.IsZero() || c.Sub(now).Abs() < want.Sub(now).Abs()) {
				want = c
			}
		}
		if ok == want.IsZero() || ok && got != want.Unix() {
			t.Fatalf("%v (%v), want %v", time.Unix(got, 0).In(loc), ok, want)
		}
	})
}

// An RFC 3339 stamp is read as package time reads it.
func TestStamp3339AgreesWithTime(t *testing.T) {
	t.Parallel()
	layouts := []string{time.RFC3339, time.RFC3339Nano, "2006-01-02T15:04:05.000Z07:00", "2006-01-02T15:04:05.000000-07:00"}
	rapid.Check(t, func(t *rapid.T) {
		zone := time.FixedZone("z", rapid.IntRange(-23*60, 23*60).Draw(t, "zone")*60)
		text := time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "s"), rapid.Int64Range(0, 999999999).Draw(t, "ns")).
			In(zone).Format(rapid.SampledFrom(layouts).Draw(t, "layout"))
		want, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return // a year beyond four digits in its zone
		}
		got, n, ok := stamp3339(text + " rest")
		if !ok || n != len(text) || got != want.UnixMicro() {
			t.Fatalf("%s: %d %d %v, want %d", text, got, n, ok, want.UnixMicro())
		}
	})
}

func TestStamp3164AgreesWithTime(t *testing.T) {
	t.Parallel()
	layouts := []string{time.Stamp, time.StampMilli, time.StampMicro, "Jan 02 15:04:05", "Jan 2 15:04:05"}
	rapid.Check(t, func(t *rapid.T) {
		layout := rapid.SampledFrom(layouts).Draw(t, "layout")
		want := received.Add(-time.Duration(rapid.Int64Range(0, int64(180*24*time.Hour)).Draw(t, "ago")))
		text := want.Format(layout)
		switch layout {
		case time.StampMilli:
			want = want.Truncate(time.Millisecond)
		case time.StampMicro:
			want = want.Truncate(time.Microsecond)
		default:
			want = want.Truncate(time.Second)
		}
		got, n, ok := stamp3164(text+" host", received, time.UTC)
		if !ok || n != len(text) || got != want.UnixMicro() {
			t.Fatalf("%s: %d %d %v, want %d", text, got, n, ok, want.UnixMicro())
		}
	})
}

func TestNoStamp(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "Oct", "Oct 11 22:14", "Oct 11 22:14:15x", "Okt 11 22:14:15 h", "Oct   1 22:14:15", "Oct 111 22:14:15",
		"Oct xx 22:14:15", "2026-10-11", "2026-10-11 22:14:15Z", "20261011T221415Z"} {
		if _, n, ok := stamp3164(s, received, time.UTC); n != 0 || ok {
			t.Errorf("%q is taken for an RFC 3164 time", s)
		}
		if _, n, ok := stamp3339(s); n != 0 || ok {
			t.Errorf("%q is taken for an RFC 3339 time", s)
		}
	}
}

func TestNewYear(t *testing.T) {
	t.Parallel()
	newYear := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		at   time.Time
		text string
		want time.Time
	}{
		{newYear.Add(time.Second), "Dec 31 23:59:58", newYear.Add(-2 * time.Second)},
		{newYear.Add(-time.Second), "Jan  1 00:00:03", newYear.Add(3 * time.Second)},
		{newYear.AddDate(1, 2, 0), "Feb 29 12:00:00", time.Date(2028, 2, 29, 12, 0, 0, 0, time.UTC)},
	} {
		got, _, ok := stamp3164(c.text, c.at, time.UTC)
		if !ok || got != c.want.UnixMicro() {
			t.Errorf("%s at %v is %v, want %v", c.text, c.at, time.UnixMicro(got).UTC(), c.want)
		}
	}
}

// Every day of a year reads as package time counts it, and a day that does not exist is refused.
func TestEveryDay(t *testing.T) {
	t.Parallel()
	for _, year := range []int{1999, 2000, 2026, 2028, 2100} {
		for m := time.January; m <= time.December; m++ {
			for day := 0; day <= 32; day++ {
				want := time.Date(year, m, day, 1, 2, 3, 0, time.UTC)
				exists := want.Month() == m && want.Day() == day
				text := fmt.Sprintf("%04d-%02d-%02dT01:02:03Z", year, m, day)
				got, n, ok := stamp3339(text)
				if n != len(text) || ok != exists || ok && got != want.UnixMicro() {
					t.Errorf("%s: %d %d %v", text, got, n, ok)
				}
				if m == time.February && day == 29 {
					continue // without a year it may be that of a neighbour
				}
				text = fmt.Sprintf("%s %2d 01:02:03", m.String()[:3], day)
				got, n, ok = stamp3164(text, time.Date(year, m, 15, 0, 0, 0, 0, time.UTC), time.UTC)
				if n != len(text) || ok != exists || ok && got != want.UnixMicro() {
					t.Errorf("%s: %d %d %v", text, got, n, ok)
				}
			}
		}
	}
}
