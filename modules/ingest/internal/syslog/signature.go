package syslog

import "bytes"

// maxCountDigits bounds an octet count: believing a longer one would swallow the stream.
const maxCountDigits = 7

// verdict says whether bytes are what is looked for. It never depends on how the stream was cut into reads: where
// further bytes could change the answer, the answer is more.
type verdict uint8

const (
	no verdict = iota
	yes
	more // the bytes end too early to decide
)

// separates reports whether c stands between frames.
func separates(c byte) bool { return c == '\n' || c == 0 || c == '\r' }

// padding returns the length of the BOMs and blanks at the start of data.
func padding(data []byte) (n int) {
	for n < len(data) {
		switch v := bomAt(data[n:]); {
		case v == yes:
			n += 3
		case v == more: // counted, so that the caller looks closer
			return n + 1
		case data[n] == ' ' || data[n] == '\t':
			n++
		default:
			return n
		}
		if n > lookahead/2 {
			return n
		}
	}
	return n
}

func bomAt(data []byte) verdict {
	const bom = "\ufeff"
	for i := range len(bom) {
		if i == len(data) {
			return more
		}
		if data[i] != bom[i] {
			return no
		}
	}
	return yes
}

// begins says whether data, which may begin with padding, begins a frame or ends one: a signature or the end of the
// stream, and unless strict is set a separator too.
func begins(data []byte, eof, strict bool) (v verdict) {
	for i := 0; i <= lookahead/2; {
		rest := data[i:]
		switch {
		case len(rest) == 0:
			if eof {
				return yes
			}
			return more
		case separates(rest[0]):
			if !strict {
				return yes
			}
			i++
			continue
		case rest[0] == ' ' || rest[0] == '\t':
			i++
			continue
		}
		if v = bomAt(rest); v == yes {
			i += 3
			continue
		}
		if v == no {
			if _, v = priAt(rest); v == no {
				_, _, v = countAt(rest)
			}
		}
		if v == more && eof {
			return no
		}
		return v
	}
	return no
}

// priAt says whether data begins with "<PRI>" in full (RFC 5424 section 6.2.1), which is n bytes long.
func priAt(data []byte) (n int, v verdict) {
	value := 0
	for i, c := range data {
		switch {
		case i == 0 && c == '<':
		case i >= 1 && i <= 3 && digit(c):
			value = value*10 + int(c-'0')
		case i >= 2 && c == '>' && value <= 191:
			return i + 1, yes
		default:
			return 0, no
		}
	}
	if value > 191 {
		return 0, no
	}
	return 0, more
}

// signedAt says whether data begins with "<PRI>", or with a BOM and it, which are n bytes long.
func signedAt(data []byte) (n int, v verdict) {
	switch bomAt(data) {
	case yes:
		n, v = priAt(data[3:])
		return n + 3, v
	case more:
		return 0, more
	}
	return priAt(data)
}

// countAt says whether data begins with "MSG-LEN SP <PRI>" in full, with or without a BOM before the PRI; header is the
// length of "MSG-LEN SP". A count that does not even cover the PRI is not one.
func countAt(data []byte) (count, header int, v verdict) {
	i := 0
	for ; i < len(data) && digit(data[i]); i++ {
		if i == maxCountDigits || data[0] == '0' {
			return 0, 0, no
		}
		count = count*10 + int(data[i]-'0')
	}
	switch {
	case i == len(data):
		return 0, 0, more
	case i == 0 || data[i] != ' ':
		return 0, 0, no
	}
	pri, v := signedAt(data[i+1:])
	if v == yes && count < pri {
		v = no
	}
	return count, i + 1, v
}

// number returns the value of digits.
func number(digits []byte) (n int) {
	for _, c := range digits {
		n = n*10 + int(c-'0')
	}
	return n
}

// bomBefore returns where the BOM begins that ends at data[i:], i when there is none.
func bomBefore(data []byte, i int) int {
	if i >= 3 && bomAt(data[i-3:i]) == yes {
		return i - 3
	}
	return i
}

// countBefore returns where the octet count begins whose "<PRI>", of so many bytes, is at data[i:]; -1 when there is none.
func countBefore(data []byte, i, pri int) int {
	if at := bomBefore(data, i); at < i {
		i, pri = at, pri+i-at
	}
	if i < 2 || data[i-1] != ' ' {
		return -1
	}
	start := i - 1
	for start > 0 && digit(data[start-1]) {
		if start--; i-1-start > maxCountDigits {
			return -1
		}
	}
	for start < i-1 && data[start] == '0' {
		start++
	}
	if number(data[start:i-1]) < pri {
		return -1
	}
	return start
}

// embedded looks from data[from:] on for a frame within what an octet count covers: another count, or a line after a
// terminator. The message then ends at end and the frame begins at next; end is -1 when there is none, and a later call
// with more data continues at resume.
func embedded(data []byte, from int) (end, next, resume int) {
	for i := from; i < len(data); i++ {
		at := bytes.IndexByte(data[i:], '<')
		if at < 0 {
			break
		}
		i += at
		pri, v := priAt(data[i:])
		if v == more {
			return -1, -1, i
		}
		if v == no {
			continue
		}
		if at := bomBefore(data, i); at > 0 && (data[at-1] == '\n' || data[at-1] == 0) {
			return at - 1, at, i
		}
		if start := countBefore(data, i, pri); start > 0 {
			return start, start, i
		}
	}
	return -1, -1, max(from, len(data))
}

// nextFrame looks from data[from:] on for the end of bytes that no signature began: a terminator (next is after it), or
// the signature of a frame (next is at). Lines are looked for only when lines is set. at is -1 when there is neither, and
// a later call with more data continues at resume.
func nextFrame(data []byte, from int, lines, eof bool) (at, next, resume int) {
	end, after := lineEnd(data, from)
	window := data
	if end >= 0 {
		window = data[:end]
	}
	for i := from; i < len(window); i++ {
		open := bytes.IndexByte(window[i:], '<')
		if open < 0 {
			break
		}
		i += open
		pri, v := priAt(data[i:])
		if v == yes {
			if start := countBefore(data, i, pri); start >= 0 {
				return start, start, i
			}
			if v = no; lines {
				v = credible(data, i, pri)
			}
		}
		switch {
		case v == yes:
			return i, i, i
		case v == more && !eof:
			return -1, -1, i
		}
	}
	return end, after, len(data)
}

// credible says whether the "<PRI>" of so many bytes at data[i:] begins a line although no terminator is before it: a
// header follows, or what is before it is not text. A "<5>" within the text of a line without a PRI does not.
func credible(data []byte, i, pri int) verdict {
	if i > 0 {
		if c := data[i-1]; c < ' ' && c != '\t' || c == 0x7f || c >= 0xf5 || bomBefore(data, i) < i {
			return yes
		}
	}
	rest := data[i+pri:]
	if len(rest) > 0 && rest[0] == ' ' {
		rest = rest[1:]
	}
	verdicts := no
	for _, shape := range [...]string{"Mmm d", "Mmm  d", "dddd-dd-dd", "d dddd-", "d - "} {
		switch looksLike(rest, shape) {
		case yes:
			return yes
		case more:
			verdicts = more
		}
	}
	return verdicts
}

// looksLike says whether data begins with shape, where d is a digit, M an upper and m a lower case letter.
func looksLike(data []byte, shape string) verdict {
	for i := range len(shape) {
		if i == len(data) {
			return more
		}
		c := data[i]
		ok := c == shape[i]
		switch shape[i] {
		case 'd':
			ok = digit(c)
		case 'M':
			ok = c >= 'A' && c <= 'Z'
		case 'm':
			ok = c >= 'a' && c <= 'z'
		}
		if !ok {
			return no
		}
	}
	return yes
}
