// Package stamp reads the timestamps that senders write: one reader for HTTP and syslog.
//
// Principles:
//  1. Read also reports how far it read, so that what follows a timestamp in a header is never taken for part of it, and
//     no part of a timestamp (a year, a zone) is left for the reader of hostnames.
//  2. A timestamp without a zone is in the zone that the caller names. A zone's abbreviation is read in that zone first,
//     because several places share one: CST is China's where the caller's zone is, and America's elsewhere.
//     An hour that a zone has twice, or not at all, is the moment nearer to the receipt.
//  3. A missing year is the latest one that puts the timestamp at most a day after its receipt: a log line reports what was.
//  4. Nothing is allocated, and the time is linear in what is read.
package stamp

import (
	"strings"
	"time"
)

// Bounds of timestamps that are believed, in Unix µs: from 2000-01-01, and so far after the receipt.
const (
	Earliest    = 946684800 * 1_000_000
	LatestAhead = 24 * 3600 * 1_000_000
)

// civil is a timestamp as written. A year of -1 is missing.
type civil struct {
	year, month, day, second int // second of the day
	micro                    int
	offset                   int // seconds east of UTC
	zoned                    bool
	valid                    bool
	zone                     string // an abbreviation, to be looked up
	latest                   int    // year that can be meant: the next one, or this one in its first days. "2048 bytes" can follow a time, too
}

// Read reads a timestamp at the start of s: RFC 3339 and its relatives (a blank instead of T, a comma, slashes, an offset
// without a colon, no zone), RFC 3164 and its relatives (Cisco's marks, a year before, within or after it, a zone by
// abbreviation), a date with its day first, and a plain number of seconds, milliseconds, microseconds or nanoseconds since
// 1970. n is its length, 0 when s does not begin with one; ok is false when it names no real time. at is the time of
// receipt, loc the zone of what names none.
func Read(s string, at time.Time, loc *time.Location) (unixMicro int64, n int, ok bool) {
	if len(s) < len("1796025600") {
		return 0, 0, false
	}
	received := at.Unix()
	c := civil{year: -1, latest: 1971 + int(received/31_556_952)} // the mean length of a year
	switch first := s[0]; {
	case digit(first):
		if n = c.numeric(s); n == 0 {
			if n = c.dayFirst(s); n == 0 {
				return epoch(s)
			}
		}
	case first == '*' || first == '.' || first == '%': // Cisco: the clock is not set, or not synchronised; H3C begins so
		if n = c.monthFirst(s[1:]); n == 0 && digit(s[1]) {
			n = c.numeric(s[1:])
		}
		if n > 0 {
			n++
		}
	default:
		if n = c.monthFirst(s); n == 0 {
			n = c.weekday(s)
		}
	}
	if n == 0 || n < len(s) && (letter(s[n]) || digit(s[n])) {
		return 0, 0, false
	}
	if !c.valid {
		return 0, n, false
	}
	unix, ok := c.unix(received, loc)
	return unix*1_000_000 + int64(c.micro), n, ok
}

// numeric reads a date of numbers, or a year before a month's name.
func (c *civil) numeric(s string) (n int) {
	if len(s) < len("2026 Nov 3 08:00:00") || !pair(s, 0) || !pair(s, 2) {
		return 0
	}
	c.year = num(s, 0)*100 + num(s, 2)
	if s[4] == ' ' {
		if n = c.monthFirst(s[5:]); n > 0 {
			n += 5
		}
		return n
	}
	sep, t := s[4], s[10]
	if sep != '-' && sep != '/' && sep != ':' || s[7] != sep || !pair(s, 5) || !pair(s, 8) ||
		t != 'T' && t != 't' && t != ' ' && (t != '-' || sep != ':') {
		return 0
	}
	c.month, c.day = num(s, 5), num(s, 8)
	n = c.clock(s, len("2026-11-30T"))
	return c.zoneAt(s, n)
}

// monthFirst reads "Mmm dd [yyyy] hh:mm:ss" and what may follow it: a year, a zone.
func (c *civil) monthFirst(s string) (n int) {
	if c.month = monthOf(s); c.month == 0 || s[3] != ' ' {
		return 0
	}
	i := 4
	if s[i] == ' ' {
		i++
	}
	i = c.dayAt(s, i)
	if i == 0 || s[i] != ' ' {
		return 0
	}
	i++
	if y := yearAt(s, i); y > 0 && c.year < 0 && i+4 < len(s) && s[i+4] == ' ' {
		c.year = y
		i += 5
	}
	return c.tail(s, c.clock(s, i))
}

// dayFirst reads "dd Mmm yyyy hh:mm:ss", with blanks, slashes or hyphens in the date and a colon before the time.
func (c *civil) dayFirst(s string) (n int) {
	i := c.dayAt(s, 0)
	if i == 0 || len(s) < i+len("/Nov/2026:08:00:00") {
		return 0
	}
	sep := s[i]
	c.month, c.year = monthOf(s[i+1:]), yearAt(s, i+5)
	if c.month == 0 || c.year == 0 || sep != ' ' && sep != '/' && sep != '-' || s[i+4] != sep || s[i+9] != ' ' && s[i+9] != ':' {
		return 0
	}
	return c.zoneAt(s, c.clock(s, i+10))
}

// weekday reads a date after "Mon " or "Mon, ".
func (c *civil) weekday(s string) (n int) {
	switch s[:3] {
	case "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun":
	default:
		return 0
	}
	skip := 3
	if s[skip] == ',' {
		skip++
	}
	if s[skip] != ' ' {
		return 0
	}
	skip++
	if digit(s[skip]) {
		n = c.dayFirst(s[skip:])
	} else {
		n = c.monthFirst(s[skip:])
	}
	if n == 0 {
		return 0
	}
	return n + skip
}

// dayAt reads a day of one or two digits and returns where it ends.
func (c *civil) dayAt(s string, i int) int {
	c.day = 0
	from := i
	for ; i < len(s) && i < from+2 && digit(s[i]); i++ {
		c.day = c.day*10 + int(s[i]-'0')
	}
	if i == from || i == len(s) {
		return 0
	}
	return i
}

// clock reads "hh:mm:ss" at s[i:] with a fraction of any length, and returns where it ends, 0 when it is not there.
func (c *civil) clock(s string, i int) (n int) {
	if len(s) < i+8 || !pair(s, i) || s[i+2] != ':' || !pair(s, i+3) || s[i+5] != ':' || !pair(s, i+6) {
		return 0
	}
	hour, minute, second := num(s, i), num(s, i+3), num(s, i+6)
	c.valid = hour < 24 && minute < 60 && second <= 60 // 60: a leap second
	c.second = hour*3600 + minute*60 + second
	n = i + 8
	if n+1 >= len(s) || s[n] != '.' && s[n] != ',' && s[n] != ':' || !digit(s[n+1]) {
		return n
	}
	colon, end := s[n] == ':', n+1
	for scale := 100_000; end < len(s) && digit(s[end]); end, scale = end+1, scale/10 {
		c.micro += int(s[end]-'0') * scale
	}
	if colon && (end != n+4 || end < len(s) && s[end] != ' ') { // H3C writes milliseconds after a colon
		c.micro = 0
		return n
	}
	return end
}

// tail reads what may follow the time of a date without a year before it: a year and a zone, in either order.
func (c *civil) tail(s string, n int) int {
	if n == 0 {
		return 0
	}
	n = c.yearAfter(s, n)
	n = c.zoneAt(s, n)
	return c.yearAfter(s, n)
}

func (c *civil) yearAfter(s string, n int) int {
	i := blanks(s, n)
	y := yearAt(s, i)
	if c.year >= 0 || i == n || y == 0 || y > c.latest || i+4 < len(s) && s[i+4] != ' ' && !strings.HasPrefix(s[i+4:], ": ") {
		return n
	}
	c.year = y
	return i + 4
}

// zoneAt reads a zone at s[n:], directly or after blanks, and returns where it ends.
func (c *civil) zoneAt(s string, n int) int {
	if n == 0 || n == len(s) {
		return n
	}
	i := blanks(s, n)
	if i == len(s) {
		return n
	}
	switch first := s[i]; {
	case i == n && (first == 'Z' || first == 'z'):
		c.zoned = true
		return n + 1
	case first == '+' || first == '-':
		length := offsetLength(s[i:], i == n)
		if length == 0 {
			return n
		}
		hour, minute := int(s[i+1]-'0'), 0
		if length > 2 {
			hour = num(s, i+1)
		}
		if length > 3 {
			minute = num(s, i+length-2)
		}
		c.valid = c.valid && hour < 24 && minute < 60
		c.offset = (hour*60 + minute) * 60
		if first == '-' {
			c.offset = -c.offset
		}
		c.zoned = true
		end := i + length
		if dst := blanks(s, end); dst > end && word(s, dst) == "DST" { // Huawei: the offset contains it
			return dst + 3
		}
		return end
	case strings.HasPrefix(s[i:], "UTC+"), strings.HasPrefix(s[i:], "UTC-"), strings.HasPrefix(s[i:], "GMT+"), strings.HasPrefix(s[i:], "GMT-"):
		end := i + 3
		if end += offsetLength(s[end:], true); end == i+3 || end < len(s) && s[end] != ' ' && s[end] != ':' {
			return n
		}
		return c.zoneAt(s, i+3) // Huawei: "UTC+08:00"
	case first >= 'A' && first <= 'Z':
		name := word(s, i)
		end := i + len(name)
		_, known := offsetOf(name)
		switch {
		case known:
		case name == "DST" && (end == len(s) || s[end] == ' ' || s[end] == ':'): // Huawei: summer time of the caller's zone
		case len(name) >= 2 && len(name) <= 5 && len(s) > end+1 && s[end] == ':' && s[end+1] == ' ' && i > n && cisco(s[end+2:]):
		default:
			return n
		}
		c.zone = name
		return end
	}
	return n
}

// cisco reports whether s begins as a message of Cisco's does: what stands between the time and it is a zone.
func cisco(s string) bool { return s != "" && s[0] == '%' }

// offsetLength returns the length of an offset from UTC: "+hh:mm", "+hhmm" or, directly after the time, "+hh" or "+h".
func offsetLength(s string, direct bool) int {
	switch {
	case direct && len(s) >= 2 && digit(s[1]) && (len(s) == 2 || !digit(s[2]) && (s[2] != ':' || strings.HasPrefix(s[3:], " "))):
		return 2
	case len(s) < 3 || !pair(s, 1):
		return 0
	case len(s) >= 6 && s[3] == ':' && pair(s, 4) && (len(s) == 6 || !digit(s[6])):
		return 6
	case len(s) >= 5 && pair(s, 3) && (len(s) == 5 || !digit(s[5])):
		return 5
	case direct && (len(s) == 3 || !digit(s[3])):
		return 3
	}
	return 0
}

// unix returns the Unix time in seconds; received is that of the receipt.
func (c *civil) unix(received int64, loc *time.Location) (unix int64, ok bool) {
	if c.year >= 0 {
		if !validDate(c.year, c.month, c.day) {
			return 0, false
		}
		return c.in(c.year, received, loc), true
	}
	const day = 24 * 3600
	for year := c.latest; year >= c.latest-10; year-- { // 29 February is up to eight years ago
		if !validDate(year, c.month, c.day) || daysSince1970(year, c.month, c.day)*day > received+3*day {
			continue
		}
		if unix = c.in(year, received, loc); unix <= received+day {
			return unix, true
		}
	}
	return 0, false
}

// in returns the Unix time in a year. An hour that comes twice, when summer time ends, or never, when it begins, is read as
// the moment that is nearer to the receipt.
func (c *civil) in(year int, received int64, loc *time.Location) int64 {
	wall := daysSince1970(year, c.month, c.day)*86400 + int64(c.second)
	if c.zoned {
		return wall - int64(c.offset)
	}
	offset, known := 0, false
	if c.zone != "" {
		if offset, known = offsetOf(c.zone); known && offset == 0 {
			return wall
		}
	}
	if loc == time.UTC {
		return wall - int64(offset)
	}
	const day = 24 * 3600 // further from UTC than any zone; no zone changes its offset twice in two days
	name, before := time.Unix(wall-day, 0).In(loc).Zone()
	later, after := time.Unix(wall+day, 0).In(loc).Zone()
	switch {
	case known && c.zone != name && c.zone != later:
		return wall - int64(offset)
	case known && c.zone != name:
		return wall - int64(after)
	case known && c.zone != later, before == after: // the usual one
		return wall - int64(before)
	case c.zone == "DST":
		return wall - int64(max(before, after))
	}
	first, second := wall-int64(before), wall-int64(after)
	_, atFirst := time.Unix(first, 0).In(loc).Zone()
	_, atSecond := time.Unix(second, 0).In(loc).Zone()
	if isFirst := atFirst == before; isFirst != (atSecond == after) { // one of them is that time of the day, the other is not
		if isFirst {
			return first
		}
		return second
	}
	if max(first-received, received-first) <= max(second-received, received-second) {
		return first
	}
	return second
}
