package page

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// listState is the state of the list, which is its URL.
type listState struct {
	q, rng, from, to, cursor, peek, live string
	// back are the cursors of the newer pages, the nearest last; newestPage stands for the newest.
	back []string
	at   int // rows before this page
}

const newestPage = "0"

// maxBack is how many newer pages an address leads back to one by one.
const maxBack = 10

// stateOf reads the state of the list. A range that is not known is the usual one.
func stateOf(c echo.Context) listState {
	s := listState{q: c.QueryParam("q"), rng: c.QueryParam("range"), from: c.QueryParam("from"), to: c.QueryParam("to"), cursor: c.QueryParam("cursor"),
		peek: c.QueryParam("e"), live: liveParam(c.QueryParam("live"))}
	if back := c.QueryParam("back"); back != "" && s.cursor != "" {
		s.back = strings.Split(back, ".")
		s.back = s.back[max(0, len(s.back)-maxBack):]
	}
	if at, err := strconv.ParseUint(c.QueryParam("at"), 10, 31); err == nil && s.cursor != "" {
		s.at = int(at)
	}
	return s
}

func (s listState) href() string {
	v := url.Values{}
	for name, value := range map[string]string{"q": s.q, "range": s.rng, "from": s.from, "to": s.to, "cursor": s.cursor, "back": strings.Join(s.back, "."),
		"e": s.peek, "live": s.live} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if s.at > 0 {
		v.Set("at", strconv.Itoa(s.at))
	}
	if len(v) == 0 {
		return "/events"
	}
	return "/events?" + v.Encode()
}

// first returns the state of the newest page of a list, with nothing beside it.
func (s listState) first() listState {
	s.cursor, s.peek, s.back, s.at = "", "", nil, 0
	return s
}

// older returns the state of the page that a cursor begins, after rows on this one.
func (s listState) older(cursor string, rows int) listState {
	back := append(slices.Clone(s.back), cmp.Or(s.cursor, newestPage))
	s.back, s.cursor, s.peek, s.at = back[max(0, len(back)-maxBack):], cursor, "", s.at+rows
	return s
}

// newer returns the state of the page before, as far as the address knows it.
func (s listState) newer() (listState, bool) {
	last := len(s.back) - 1
	if last < 0 {
		return s, false
	}
	if s.back[last] == newestPage {
		return s.first(), true
	}
	s.cursor, s.back, s.peek, s.at = s.back[last], s.back[:last], "", max(0, s.at-pageRows)
	return s, true
}

// period is the time that a list is of. A zero start or end is open.
type period struct {
	start, end time.Time
	live       bool // it ends now, and moves on
	words      string
}

// span is how long it is; 0 when its start is open.
func (p period) span() time.Duration {
	if p.start.IsZero() {
		return 0
	}
	return p.end.Sub(p.start)
}

// set adds it to a query of the API.
func (p period) set(query url.Values) {
	if !p.start.IsZero() {
		query.Set("start_date", p.start.Format(time.RFC3339Nano))
	}
	if !p.live && !p.end.IsZero() {
		query.Set("end_date", p.end.Format(time.RFC3339Nano))
	}
}

// periodOf returns the time that the state is of. One event that is asked for by its id is looked for at all times, unless a range was chosen.
// wrong is a sentence about the fields of a chosen range, "" where they can be used.
func periodOf(s *listState, conds []condition, now time.Time) (p period, wrong string) {
	byID := slices.ContainsFunc(conds, func(c condition) bool { return c.key == "id" })
	switch {
	case s.from == "" && s.to == "" && s.rng == "" && byID:
		return period{end: now, live: true, words: "at any time"}, ""
	case s.from == "" && s.to == "":
		span := time.Hour
		if chosen := slices.IndexFunc(ranges(), func(d time.Duration) bool { return rangeName(d) == s.rng }); chosen >= 0 {
			span = ranges()[chosen]
		}
		s.rng = rangeName(span)
		return period{now.Add(-span), now, true, "in the last " + rangeWords(span)}, ""
	}
	s.rng = ""
	p = period{end: now, words: "in the chosen time"}
	for _, field := range []struct {
		text, name string
		into       *time.Time
	}{{s.from, "From", &p.start}, {s.to, "To", &p.end}} {
		t, ok := readTime(field.text)
		if !ok {
			return p, field.name + " must be a time in UTC such as 2026-11-30T03:00:00"
		}
		if !t.IsZero() {
			*field.into = t
		}
	}
	if !p.start.Before(p.end) {
		return p, "To must be after From"
	}
	return p, ""
}

// readTime reads a time as addresses and fields have it. "" is the zero time.
func readTime(text string) (time.Time, bool) {
	if text == "" {
		return time.Time{}, true
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1970 && t.Year() <= 9998 {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// fieldTime writes a time as the browser's field for times takes it.
func fieldTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05")
}

// ranges are the lengths of time that a list of events can be of.
func ranges() []time.Duration {
	return []time.Duration{15 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}
}

func rangeName(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d >= time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dm", d/time.Minute)
}

// rangeLabel is the name of a range for people.
func rangeLabel(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d d", d/(24*time.Hour))
	case d >= time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d min", d/time.Minute)
}

func rangeWords(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return counted(int64(d/(24*time.Hour)), "day", "days")
	case d > time.Hour:
		return counted(int64(d/time.Hour), "hour", "hours")
	case d == time.Hour:
		return "hour"
	}
	return counted(int64(d/time.Minute), "minute", "minutes")
}

// part renders how much of a time was looked at, without more precision than that needs: 6 h of 24 h.
func part(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return rangeLabel(d.Round(24 * time.Hour))
	case d >= 10*time.Hour:
		return rangeLabel(d.Round(time.Hour))
	case d >= time.Minute:
		return strings.TrimSuffix(strings.TrimSuffix(span(d.Round(time.Minute)), " 00 s"), " 00 min")
	}
	return span(d.Round(time.Second))
}

type rangeLink struct {
	label, href, key string
	current          bool
}

// rangeLinks are the ranges to choose from; [ and ] step through them.
func rangeLinks(s listState) (out []rangeLink) {
	s = s.first()
	s.from, s.to = "", ""
	at := -1
	for i, d := range ranges() {
		link, name := s, rangeName(d)
		link.rng = name
		if name == s.rng {
			at = i
		}
		out = append(out, rangeLink{label: rangeLabel(d), href: link.href(), current: name == s.rng})
	}
	if at > 0 {
		out[at-1].key = "["
	}
	if at >= 0 && at+1 < len(out) {
		out[at+1].key = "]"
	}
	return out
}
