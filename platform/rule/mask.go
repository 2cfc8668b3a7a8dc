package rule

import "unicode/utf8"

// maskInput is how much of a message decides its mask key, in bytes.
const maskInput = 1024

// AppendMask appends the mask key of a message to dst: its first KiB with what varies from one occurrence to
// the next replaced by a placeholder, so that like messages give like keys. The key holds no ASCII digit and at
// most three times the bytes that it was made of. The same message gives the same key in every process; the
// counters of unhandled events and the inbox rest on that, so a change here splits what was counted together.
//
//	<time>  dates and times of day     <ip>    IPv4 and IPv6 addresses
//	<uuid>  UUIDs                      <mac>   aa:bb:cc:dd:ee:ff, aa-bb-…, aabb.ccdd.eeff
//	<hex>   0x…, and mixed hex digits  <n>     other numbers, alone or in a name: Gi0/1 is Gi<n>/<n>
//	<str>   text in quotes
//
// Runs of white space become one space.
func AppendMask(dst []byte, message string) []byte {
	if len(message) > maskInput {
		end := maskInput
		for end > maskInput-utf8.UTFMax && !utf8.RuneStart(message[end]) {
			end--
		}
		message = message[:end]
	}
	for i := 0; i < len(message); {
		n, placeholder := maskAt(message, i)
		switch {
		case placeholder != "":
			dst = append(dst, placeholder...)
		case isSpace(message[i]):
			dst = append(dst, ' ')
		default:
			dst = appendWord(dst, message[i:i+n])
		}
		i += n
	}
	return dst
}

// maskAt looks at what begins at s[i], where a token may begin: its length, and its placeholder when the whole
// of it varies.
func maskAt(s string, i int) (n int, placeholder string) {
	rest := s[i:]
	switch c := s[i]; {
	case isSpace(c):
		for n < len(rest) && isSpace(rest[n]) {
			n++
		}
		return n, ""
	case c == '"' || c == '\'':
		if n = quoted(s, i); n > 0 {
			return n, "<str>"
		}
		return 1, ""
	case c == ':':
		if i == 0 || !isWord(s[i-1]) {
			n = ipv6Len(rest)
		}
		if n > 0 {
			return n, "<ip>"
		}
		return 1, ""
	case !isWord(c):
		return 1, ""
	}
	// The order matters: 42:60:88:bb:b2:05 begins like a time of day.
	for _, kind := range [...]struct {
		length      func(string) int
		placeholder string
	}{{uuidLen, "<uuid>"}, {macLen, "<mac>"}, {ipv6Len, "<ip>"}, {timeLen, "<time>"}, {ipv4Len, "<ip>"}, {numberLen, "<n>"}} {
		if n = kind.length(rest); n > 0 {
			return n, kind.placeholder
		}
	}
	n = wordLen(rest)
	if isHexWord(rest[:n]) {
		return n, "<hex>"
	}
	return n, ""
}

// appendWord appends a word with its numbers masked.
func appendWord(dst []byte, word string) []byte {
	for i := 0; i < len(word); {
		if !isDigit(word[i]) {
			dst = append(dst, word[i])
			i++
			continue
		}
		dst = append(dst, "<n>"...)
		i += digits(word[i:])
	}
	return dst
}

// quoted gives the length of a quoted text with its quotes. A single quote counts only where no word touches
// it from outside, so that "can't" opens nothing.
func quoted(s string, i int) int {
	q := s[i]
	if q == '\'' && i > 0 && isWord(s[i-1]) {
		return 0
	}
	for j := i + 1; j < len(s) && s[j] != '\n'; j++ {
		if s[j] == q && (q == '"' || j+1 == len(s) || !isWord(s[j+1])) {
			return j + 1 - i
		}
	}
	return 0
}

// timeLen knows 2026-11-23 (or with slashes), 23:22:58 with a fraction, both joined by T or a space and with a
// zone, and the syslog form "Nov 23 23:22:58".
func timeLen(s string) int {
	n := 0
	if d := dateLen(s); d > 0 {
		n = d
		if t := n + 1; t < len(s) && (s[n] == 'T' || s[n] == 't' || s[n] == ' ') {
			if c := clockLen(s[t:]); c > 0 {
				n = t + c
			}
		}
	} else if c := clockLen(s); c > 0 {
		n = c
	} else if m := monthLen(s); m > 0 {
		if c := clockLen(s[m:]); c > 0 {
			n = m + c
		}
	}
	return ended(s, n)
}

// dateLen knows a year of four digits with month and day.
func dateLen(s string) int {
	if len(s) < 10 || digits(s) != 4 || s[4] != '-' && s[4] != '/' || s[7] != s[4] || digits(s[5:]) != 2 || digits(s[8:]) < 2 {
		return 0
	}
	return 10
}

// clockLen knows hours, minutes and seconds, a fraction and a numeric or Z zone.
func clockLen(s string) int {
	h := digits(s)
	if h < 1 || h > 2 || len(s) < h+6 || s[h] != ':' || digits(s[h+1:]) != 2 || s[h+3] != ':' || digits(s[h+4:]) != 2 {
		return 0
	}
	n := h + 6
	if n+1 < len(s) && (s[n] == '.' || s[n] == ',') && isDigit(s[n+1]) {
		n += 1 + digits(s[n+1:])
	}
	switch {
	case n < len(s) && (s[n] == 'Z' || s[n] == 'z'):
		return n + 1
	case n+4 < len(s) && (s[n] == '+' || s[n] == '-') && digits(s[n+1:]) == 4:
		return n + 5
	case n+5 < len(s) && (s[n] == '+' || s[n] == '-') && digits(s[n+1:]) == 2 && s[n+3] == ':' && digits(s[n+4:]) == 2:
		return n + 6
	default:
		return n
	}
}

// monthLen knows "Nov 23 " and "Nov  3 2026 ": what precedes the clock.
func monthLen(s string) int {
	if len(s) < 6 || s[3] != ' ' {
		return 0
	}
	switch s[:3] {
	case "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec":
	default:
		return 0
	}
	n := 4
	if s[n] == ' ' {
		n++
	}
	if d := digits(s[n:]); d == 1 || d == 2 {
		n += d
	} else {
		return 0
	}
	if n+5 < len(s) && s[n] == ' ' && digits(s[n+1:]) == 4 && s[n+5] == ' ' {
		n += 5
	}
	if n >= len(s) || s[n] != ' ' {
		return 0
	}
	return n + 1
}

func uuidLen(s string) int {
	if len(s) < 36 {
		return 0
	}
	for i := range 36 {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if s[i] != '-' {
				return 0
			}
		} else if !isHex(s[i]) {
			return 0
		}
	}
	return ended(s, 36)
}

func macLen(s string) int {
	const pairs, quads = 17, 14
	if len(s) >= pairs && (s[2] == ':' || s[2] == '-') && groups(s[:pairs], 2, s[2]) {
		if n := ended(s, pairs); n > 0 && (n == len(s) || s[n] != s[2]) {
			return n
		}
	}
	if len(s) >= quads && s[4] == '.' && groups(s[:quads], 4, '.') {
		if n := ended(s, quads); n > 0 && !allDigits(s[:quads]) {
			return n
		}
	}
	return 0
}

// groups reports whether s is hex in groups of a size with a separator between.
func groups(s string, size int, separator byte) bool {
	for i := range len(s) {
		if i%(size+1) == size {
			if s[i] != separator {
				return false
			}
		} else if !isHex(s[i]) {
			return false
		}
	}
	return true
}

// allDigits reports whether s has digits and dots only: 1234.5678.9012 is a number, not a MAC address.
func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) && s[i] != '.' {
			return false
		}
	}
	return true
}

func ipv4Len(s string) int {
	n := dottedLen(s)
	if n > 0 && isIPv4(s[:n]) {
		return ended(s, n)
	}
	return 0
}

func ipv6Len(s string) int {
	n, colons := 0, 0
	for n < len(s) && n < 45 && (isHex(s[n]) || s[n] == ':' || s[n] == '.') {
		if s[n] == ':' {
			colons++
		}
		n++
	}
	for n > 0 && (s[n-1] == '.' || s[n-1] == ':' && (n < 2 || s[n-2] != ':')) {
		n-- // punctuation after the address
	}
	if colons >= 2 && n > 2 && isIPv6(s[:n]) {
		return ended(s, n)
	}
	return 0
}

// numberLen knows digits, also with dots between: 15, 3.14, the OID 1.3.6.1.
func numberLen(s string) int { return ended(s, dottedLen(s)) }

// dottedLen gives the length of digits with single dots between.
func dottedLen(s string) int {
	n := digits(s)
	for n > 0 && n+1 < len(s) && s[n] == '.' && isDigit(s[n+1]) {
		n += 1 + digits(s[n+1:])
	}
	return n
}

// isHexWord takes 0x…, eight or more hex digits, and four or more that are no name with a number behind, as
// ae10 is. One digit at least must be decimal, or words like "decade" would go.
func isHexWord(w string) bool {
	if len(w) > 2 && w[0] == '0' && (w[1] == 'x' || w[1] == 'X') {
		w = w[2:]
		return hexDigits(w) == len(w)
	}
	if len(w) < 4 || hexDigits(w) < len(w) {
		return false
	}
	letters := 0
	for letters < len(w) && !isDigit(w[letters]) {
		letters++
	}
	return letters < len(w) && (len(w) >= 8 || letters+digits(w[letters:]) < len(w))
}

// ended gives n when no word goes on at s[n], else 0.
func ended(s string, n int) int {
	if n > 0 && n < len(s) && isWord(s[n]) {
		return 0
	}
	return n
}

func digits(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

func hexDigits(s string) int {
	n := 0
	for n < len(s) && isHex(s[n]) {
		n++
	}
	return n
}

func wordLen(s string) int {
	n := 0
	for n < len(s) && isWord(s[n]) {
		n++
	}
	return n
}

// isWord reports letters and digits; what is not ASCII counts as a letter.
func isWord(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= utf8.RuneSelf
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
