package api

import (
	"math"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"pgregory.net/rapid"
)

func query(values url.Values) echo.Context {
	return echo.New().NewContext(httptest.NewRequest("GET", "/?"+values.Encode(), nil), httptest.NewRecorder())
}

func TestTimes(t *testing.T) {
	t.Parallel()
	day := func(d, h, m int) time.Time { return time.Date(2026, 11, d, h, m, 0, 0, time.UTC) }
	for text, want := range map[string]time.Time{
		"2026-11-23T08:30:00Z":      day(23, 8, 30),
		"2026-11-23T09:30:00+01:00": day(23, 8, 30),
		"2026-11-23T08:30:00.000Z":  day(23, 8, 30),
		"2026-11-23T08:30:00":       day(23, 8, 30),
		"2026-11-23 08:30:00":       day(23, 8, 30),
		"2026-11-23T08:30":          day(23, 8, 30),
		"2026-11-23":                day(23, 0, 0),
		"":                          {},
	} {
		start, end, err := timesOf(query(url.Values{"start_date": {text}}))
		if err != nil || !start.Equal(want) || !end.IsZero() {
			t.Errorf("start %q: got %v %v", text, start, err)
		}
	}
	if _, end, err := timesOf(query(url.Values{"end_date": {"2026-11-23"}})); err != nil || !end.Equal(day(24, 0, 0)) {
		t.Errorf("a bare end date means the whole day: %v %v", end, err)
	}
	if _, end, err := timesOf(query(url.Values{"start_date": {"2026-11-23"}, "end_date": {"2026-11-23"}})); err != nil || !end.Equal(day(24, 0, 0)) {
		t.Errorf("one day: %v %v", end, err)
	}
	for _, bad := range []string{"x", "2026-13-01", "1969-12-31", "9999-12-31", "0000-01-01", "2026-11-23T25:00:00Z", "1732351800"} {
		if start, _, err := timesOf(query(url.Values{"start_date": {bad}})); err == nil {
			t.Errorf("%q was taken for %v", bad, start)
		}
	}
}

// Every page that is accepted has an offset that the store can take.
func TestPagesNeverOverflow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		page := rapid.OneOf(rapid.Int64(), rapid.Int64Range(1, 1000), rapid.Just(int64(math.MaxInt64/maxLimit-1))).Draw(rt, "page")
		limit := rapid.IntRange(-1, 300).Draw(rt, "limit")
		p, err := pageOf(query(url.Values{"page": {strconv.FormatInt(page, 10)}, "limit": {strconv.Itoa(limit)}}))
		if err != nil {
			if page >= 1 && page < math.MaxInt64/maxLimit && limit >= 1 && limit <= maxLimit {
				rt.Fatal(err)
			}
			return
		}
		if p.offset() < 0 || p.offset()/p.limit != int(page-1) {
			rt.Fatalf("page %d of %d has offset %d", page, limit, p.offset())
		}
		total := rapid.Int64Range(0, 1e12).Draw(rt, "total")
		if out := p.pagination(total); out.Pages*int64(limit) < total || (out.Pages-1)*int64(limit) >= max(total, 1) {
			rt.Fatalf("%d rows at %d on %d pages", total, limit, out.Pages)
		}
	})
}

// The rates are those of a count over single events.
func TestRatesAgainstNaiveModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		now := noon.Add(time.Duration(rapid.IntRange(0, 86399).Draw(rt, "second")) * time.Second)
		first := now.Truncate(time.Hour).Add(-23 * time.Hour)
		counts := make([]int64, now.Unix()/60+1-first.Unix()/60)
		all, lastHour := int64(0), int64(0)
		for i := range counts {
			counts[i] = int64(rapid.IntRange(0, 5).Draw(rt, "n")) * 60
			if all += counts[i]; i >= 23*60 {
				lastHour += counts[i]
			}
		}
		m := rates(now, first, counts)
		whole := 0.0
		for _, d := range m.Chart24h.Data[:23] {
			whole += d * 60
		}
		if math.Abs(whole-float64(all-lastHour)) > 23*60*0.005+0.01 {
			rt.Fatalf("the chart holds %v of %d events", whole, all-lastHour)
		}
		begun := float64(now.Second()) / 60
		for _, w := range []struct {
			got    float64
			window int
		}{{m.Summary.CurrentRate1m, 1}, {m.Summary.AvgRate15m, 15}, {m.Summary.AvgRate1h, 60}} {
			n := len(counts)
			sum := float64(counts[n-1-w.window]) * (1 - begun)
			for _, c := range counts[n-w.window:] {
				sum += float64(c)
			}
			if math.Abs(w.got-sum/float64(w.window)) > 0.006 {
				rt.Fatalf("window of %d: got %v, want %v", w.window, w.got, sum/float64(w.window))
			}
		}
	})
}
