package stamp

import (
	"math"
	"strconv"
	"strings"
)

// The units of a number follow from its size: each bound is the year 5138 in the smaller unit and 1973 in the larger one.
const (
	millisFrom = 100_000_000_000
	microsFrom = 1000 * millisFrom
	nanosFrom  = 1000 * microsFrom
)

// epoch reads a whole number of seconds, milliseconds, microseconds or nanoseconds since 1970, with a fraction, at the
// start of a header. Only numbers of the present length count: others are words of the message.
func epoch(s string) (unixMicro int64, n int, ok bool) {
	for n < len(s) && n < 20 && digit(s[n]) {
		n++
	}
	if n != 10 && n != 13 && n != 16 && n != 19 {
		return 0, 0, false
	}
	end := n
	if end+1 < len(s) && s[end] == '.' && digit(s[end+1]) {
		for end++; end < len(s) && digit(s[end]) && end < n+19; end++ {
		}
	}
	if end < len(s) && s[end] != ' ' && s[end] != ':' {
		return 0, 0, false
	}
	unixMicro, ok = Number(s[:end])
	if !ok || unixMicro < Earliest {
		return 0, 0, false
	}
	return unixMicro, end, true
}

// Number reads a number of seconds, milliseconds, microseconds or nanoseconds since 1970, with a fraction or an exponent.
// What is too large for any of them is math.MaxInt64.
func Number(s string) (unixMicro int64, ok bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || whole[0] == '+' || n < 0 || len(fraction) > 18 || !allDigits(fraction) {
		return float(s)
	}
	switch {
	case n >= nanosFrom:
		return n / 1000, true
	case n >= microsFrom:
		return n, true
	}
	scale := int64(1_000_000)
	if n >= millisFrom {
		scale = 1000
	}
	unixMicro = n * scale
	for i := 0; i < len(fraction) && scale >= 10; i++ {
		scale /= 10
		unixMicro += int64(fraction[i]-'0') * scale
	}
	return unixMicro, true
}

// float reads the odd forms: exponents, negative numbers, long fractions.
func float(s string) (unixMicro int64, ok bool) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) || math.IsNaN(f) || strings.ContainsAny(s, "xXpP_nN+iI") && !strings.ContainsAny(s, "eE") {
		return 0, false
	}
	switch size := math.Abs(f); {
	case size >= nanosFrom:
		f /= 1000
	case size >= microsFrom:
	case size >= millisFrom:
		f *= 1000
	default:
		f *= 1e6
	}
	if math.Abs(f) > 1e18 {
		return math.MaxInt64, true
	}
	return int64(f), true
}

func allDigits(s string) bool {
	for i := range len(s) {
		if !digit(s[i]) {
			return false
		}
	}
	return true
}
