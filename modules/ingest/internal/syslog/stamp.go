package syslog

import "time"

// The range of believable timestamps in Unix µs: from 2000-01-01, and so far ahead of the receipt (contracts.md).
const (
	earliest    = 946684800 * 1_000_000
	latestAhead = 24 * 3600 * 1_000_000
)

// halfYear in µs: a timestamp without a year is never further than this from its receipt.
const halfYear = 183 * 24 * 3600 * 1_000_000

// stamp3339 reads an RFC 3339 timestamp at the start of s. n is its length, 0 when s does not start with the shape
// of one; ok is false when the shape names no real time. Any number of fraction digits is read, to the microsecond.
func stamp3339(s string) (unixMicro int64, n int, ok bool) {
	const shape = "dddd-dd-ddTdd:dd:dd"
	if !shaped(s, shape) {
		return 0, 0, false
	}
	micro := 0
	n = len(shape)
	if n+1 < len(s) && s[n] == '.' && digit(s[n+1]) {
		n++
		for scale := 100_000; n < len(s) && digit(s[n]); n, scale = n+1, scale/10 {
			micro += int(s[n]-'0') * scale
		}
	}
	offset, zone := 0, 0
	switch {
	case n < len(s) && (s[n] == 'Z' || s[n] == 'z'):
		zone = 1
	case shaped(s[n:], "+dd:dd") || shaped(s[n:], "-dd:dd"):
		zone = 6
		offset = (num(s, n+1)*60 + num(s, n+4)) * 60
		if s[n] == '-' {
			offset = -offset
		}
		ok = num(s, n+1) < 24 && num(s, n+4) < 60
	}
	ok = zone == 1 || ok
	n += zone
	year, month, day := num(s, 0)*100+num(s, 2), num(s, 5), num(s, 8)
	hour, minute, second := num(s, 11), num(s, 14), num(s, 17)
	ok = ok && validDate(year, month, day) && hour < 24 && minute < 60 && second <= 60 // 60: a leap second
	if !ok {
		return 0, n, false
	}
	sec := daysSince1970(year, month, day)*86400 + int64(hour*3600+minute*60+second-offset)
	return sec*1_000_000 + int64(micro), n, true
}

// stamp3164 reads "Mmm dd hh:mm:ss" at the start of s (RFC 3164 section 4.1.2); the day may be padded with a blank,
// with a zero, or not at all, and a fraction may follow. The year is the one that puts the time closest to at.
// n and ok are as for stamp3339.
func stamp3164(s string, at time.Time, loc *time.Location) (unixMicro int64, n int, ok bool) {
	month := monthOf(s)
	if month == 0 || s[3] != ' ' {
		return 0, 0, false
	}
	day, i := 0, 4
	if s[i] == ' ' {
		i++
	}
	for ; i < 6 && digit(s[i]); i++ {
		day = day*10 + int(s[i]-'0')
	}
	const shape = " dd:dd:dd"
	if !digit(s[i-1]) || !shaped(s[i:], shape) {
		return 0, 0, false
	}
	n = i + len(shape)
	hour, minute, second := num(s, i+1), num(s, i+4), num(s, i+7)
	micro := 0
	if n+1 < len(s) && s[n] == '.' && digit(s[n+1]) {
		n++
		for scale := 100_000; n < len(s) && digit(s[n]); n, scale = n+1, scale/10 {
			micro += int(s[n]-'0') * scale
		}
	}
	if n < len(s) && s[n] != ' ' && s[n] != ':' {
		return 0, 0, false
	}
	if hour > 23 || minute > 59 || second > 60 {
		return 0, n, false
	}
	sec, ok := closestYear(at.In(loc), month, day, hour*3600+minute*60+second)
	return sec*1_000_000 + int64(micro), n, ok
}

// closestYear gives the Unix time of a date without a year, in the year that puts it closest to at, in at's zone.
// ok is false when the date exists in none of the three years around at.
func closestYear(at time.Time, month, day, second int) (unix int64, ok bool) {
	year := at.Year()
	best := int64(1) << 62
	for _, y := range [...]int{year, year - 1, year + 1} {
		if !validDate(y, month, day) {
			continue
		}
		t := zoned(at, y, month, day, second)
		away := max(t-at.Unix(), at.Unix()-t)
		if away < best {
			best, unix, ok = away, t, true
		}
		if away*1_000_000 < halfYear-2*86400_000_000 { // no other year can be closer
			break
		}
	}
	return unix, ok
}

// zoned gives the Unix time of a civil time in the zone of at.
func zoned(at time.Time, year, month, day, second int) int64 {
	civil := daysSince1970(year, month, day)*86400 + int64(second)
	if at.Location() == time.UTC {
		return civil
	}
	return time.Date(year, time.Month(month), day, 0, 0, second, 0, at.Location()).Unix()
}

// daysSince1970 counts days in the proleptic Gregorian calendar.
func daysSince1970(y, m, d int) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	// Years begin in March, so that the leap day is the last of its year.
	return int64(365*y+y/4-y/100+y/400+(153*(m-3)+2)/5+d-1) - 719468
}

func validDate(y, m, d int) bool {
	if m < 1 || m > 12 || d < 1 {
		return false
	}
	switch m {
	case 4, 6, 9, 11:
		return d <= 30
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return d <= 29
		}
		return d <= 28
	}
	return d <= 31
}

// monthOf reads an English month name of three letters at the start of a text that is long enough for a timestamp.
func monthOf(s string) int {
	if len(s) < len("Jan 1 00:00:00") {
		return 0
	}
	switch s[:3] {
	case "Jan":
		return 1
	case "Feb":
		return 2
	case "Mar":
		return 3
	case "Apr":
		return 4
	case "May":
		return 5
	case "Jun":
		return 6
	case "Jul":
		return 7
	case "Aug":
		return 8
	case "Sep":
		return 9
	case "Oct":
		return 10
	case "Nov":
		return 11
	case "Dec":
		return 12
	}
	return 0
}

// shaped reports whether s starts with shape, where d stands for any digit.
func shaped(s, shape string) bool {
	if len(s) < len(shape) {
		return false
	}
	for i := range len(shape) {
		if shape[i] == 'd' {
			if !digit(s[i]) {
				return false
			}
		} else if s[i] != shape[i] {
			return false
		}
	}
	return true
}

func digit(c byte) bool { return c-'0' <= 9 }

// num reads the two digits at s[i:].
func num(s string, i int) int { return int(s[i]-'0')*10 + int(s[i+1]-'0') }
