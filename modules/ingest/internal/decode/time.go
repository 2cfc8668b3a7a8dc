package decode

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// The range of timestamps that are believed.
const (
	minTime  = 946684800_000000  // 2000-01-01T00:00:00Z in Unix µs
	maxAhead = 24 * 3600_000_000 // µs after now
)

// parseTime reads a timestamp: RFC 3339, Unix seconds or milliseconds, RFC 3164 style. The result is in Unix µs.
func parseTime(s string, now int64) (us int64, ok bool) {
	s = strings.TrimSpace(s)
	switch {
	case len(s) >= 19 && s[4] == '-':
		return parseRFC3339(s)
	case s != "" && (s[0] >= '0' && s[0] <= '9' || s[0] == '-'):
		return parseUnix(s)
	default:
		return parseRFC3164(s, now)
	}
}

// clock reads what may follow a date: hh:mm:ss with a fraction. It gives the µs since midnight and the rest.
func clock(s string) (us int64, rest string, ok bool) {
	if len(s) < 8 || s[2] != ':' || s[5] != ':' {
		return 0, "", false
	}
	h, m, sec := number(s[:2]), number(s[3:5]), number(s[6:8])
	if h < 0 || h > 23 || m < 0 || m > 59 || sec < 0 || sec > 60 { // 60 is a leap second
		return 0, "", false
	}
	us = int64(h*3600+m*60+sec) * 1_000_000
	if s = s[8:]; s == "" || s[0] != '.' && s[0] != ',' {
		return us, s, true
	}
	i, scale := 1, int64(100_000)
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		us += int64(s[i]-'0') * scale
		scale /= 10
	}
	return us, s[i:], i > 1
}

// number reads digits, -1 for anything else.
func number(s string) int {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return -1
		}
		n = n*10 + int(s[i]-'0')
	}
	return n
}

// date gives the Unix µs of a day's beginning in UTC, for a day that exists.
func date(year, month, day int) (us int64, ok bool) {
	if year < 0 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, false
	}
	// Days from 1 March of year 0, so that the leap day is the last of a year.
	if month <= 2 {
		year--
		month += 12
	}
	days := 365*year + floorDiv(year, 4) - floorDiv(year, 100) + floorDiv(year, 400) + (153*(month-3)+2)/5 + day - 1
	return int64(days-719468) * 24 * 3600_000_000, true
}

func floorDiv(a, b int) int {
	if a < 0 {
		return -((b - 1 - a) / b)
	}
	return a / b
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	default:
		return 31
	}
}

// parseRFC3339 reads date, 'T' (in either case, or a space), time, fraction of any length, and offset. The offset
// may lack its colon or be missing, which means UTC: Python's isoformat writes that.
func parseRFC3339(s string) (us int64, ok bool) {
	if s[7] != '-' || s[10] != 'T' && s[10] != 't' && s[10] != ' ' {
		return 0, false
	}
	day, ok := date(number(s[:4]), number(s[5:7]), number(s[8:10]))
	if !ok {
		return 0, false
	}
	us, zone, ok := clock(s[11:])
	if !ok {
		return 0, false
	}
	offset, ok := parseOffset(strings.TrimPrefix(zone, " "))
	return day + us - offset, ok
}

// parseOffset reads Z, ±hh:mm or ±hhmm, or nothing; the result is in µs east of UTC.
func parseOffset(s string) (us int64, ok bool) {
	if s == "" || s == "Z" || s == "z" || s == "UTC" {
		return 0, true
	}
	if len(s) == 6 && s[3] == ':' {
		s = s[:3] + s[4:]
	}
	if len(s) != 5 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	h, m := number(s[1:3]), number(s[3:5])
	if h < 0 || h > 23 || m < 0 || m > 59 {
		return 0, false
	}
	us = int64(h*3600+m*60) * 1_000_000
	if s[0] == '-' {
		us = -us
	}
	return us, true
}

// millisFrom is where a number means milliseconds: as seconds it would be the year 5138, as milliseconds it is 1973.
const millisFrom = 100_000_000_000

// parseUnix reads seconds or milliseconds since 1970, with a fraction.
func parseUnix(s string) (us int64, ok bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || whole[0] == '+' || n < 0 || number(fraction) < 0 || len(fraction) > 18 {
		return parseUnixFloat(s)
	}
	scale := int64(1_000_000)
	if n >= millisFrom {
		scale = 1000
	}
	if n > math.MaxInt64/scale-1 {
		return math.MaxInt64, true // out of any range, which the caller says
	}
	us = n * scale
	for i := 0; i < len(fraction) && scale >= 10; i++ {
		scale /= 10
		us += int64(fraction[i]-'0') * scale
	}
	return us, true
}

// parseUnixFloat reads the odd forms: exponents, negative numbers, long fractions.
func parseUnixFloat(s string) (us int64, ok bool) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) || math.IsNaN(f) || strings.ContainsAny(s, "xXpP_nN+iI") && !strings.ContainsAny(s, "eE") {
		return 0, false
	}
	if math.Abs(f) >= millisFrom {
		f /= 1000
	}
	if f *= 1e6; math.Abs(f) > 1e18 {
		return math.MaxInt64, true
	}
	return int64(f), true
}

// parseRFC3164 reads "Mmm dd hh:mm:ss" (RFC 3164 section 4.1.2) as UTC, in the year that puts it closest to now.
func parseRFC3164(s string, now int64) (us int64, ok bool) {
	if len(s) < 14 || s[3] != ' ' {
		return 0, false
	}
	month := monthOf(s[:3])
	dayText, timeText, _ := strings.Cut(strings.TrimLeft(s[4:], " "), " ")
	day := number(dayText)
	if month == 0 || dayText == "" || len(dayText) > 2 {
		return 0, false
	}
	inDay, rest, ok := clock(timeText)
	if !ok || rest != "" {
		return 0, false
	}
	year := time.UnixMicro(now).UTC().Year()
	best, found := int64(0), false
	for y := year - 1; y <= year+1; y++ {
		at, exists := date(y, month, day)
		if !exists {
			continue // 29 February
		}
		if at += inDay; !found || distance(at, now) < distance(best, now) {
			best, found = at, true
		}
	}
	return best, found
}

func distance(a, b int64) int64 { return max(a-b, b-a) }

func monthOf(s string) int {
	var low [3]byte
	const months = "jan feb mar apr may jun jul aug sep oct nov dec "
	if i := strings.Index(months, string(append(lower(low[:0], s), ' '))); i >= 0 && i%4 == 0 {
		return i/4 + 1
	}
	return 0
}
