package decode

import (
	"encoding/binary"
	"math/bits"
)

// span is a piece of the body. No span is empty: a JSON value has at least one byte, so zero means absent.
type span struct{ start, end int }

// member is a name (with its quotes) and a value.
type member struct{ name, value span }

// document is one object taken apart, without a judgement about its values.
type document struct {
	body  []byte
	seen  uint32 // bit set of known fields
	known [numFields]span
	other []member
}

// maxOther is how many unknown members the scanner compares with one another; more take the slow path.
const maxOther = 16

func (o *document) reset(body []byte) {
	o.body, o.seen, o.other = body, 0, o.other[:0]
	o.known = [numFields]span{}
}

// scan reads the object at b[i] when it is flat, its names are plain ASCII, and it is faultless. When it is not, ok
// is false and nothing is said about whether it is valid.
func (o *document) scan(b []byte, i int) (end int, ok bool) {
	o.reset(b)
	i = skip(b, i+1)
	if i < len(b) && b[i] == '}' {
		return i + 1, true
	}
	for i < len(b) && b[i] == '"' {
		m := member{name: span{start: i}}
		if i = scanString(b, i+1); i < 0 || !plain(b[m.name.start+1:i-1]) {
			return 0, false
		}
		m.name.end = i
		if i = skip(b, i); i >= len(b) || b[i] != ':' {
			return 0, false
		}
		i = skip(b, i+1)
		m.value.start = i
		if i = scanScalar(b, i); i < 0 {
			return 0, false
		}
		m.value.end = i
		if !o.note(m) {
			return 0, false
		}
		if i = skip(b, i); i >= len(b) {
			return 0, false
		}
		if b[i] == '}' {
			return i + 1, true
		}
		if b[i] != ',' {
			return 0, false
		}
		i = skip(b, i+1)
	}
	return 0, false
}

// note keeps a member; false when its name was there before or there are too many to compare.
func (o *document) note(m member) bool {
	name := o.body[m.name.start+1 : m.name.end-1]
	if f, known := lookup(name); known {
		if o.seen&(1<<f) != 0 {
			return false
		}
		o.seen |= 1 << f
		o.known[f] = m.value
		return true
	}
	if len(o.other) == maxOther {
		return false
	}
	for _, before := range o.other {
		if string(o.body[before.name.start+1:before.name.end-1]) == string(name) {
			return false
		}
	}
	o.other = append(o.other, m)
	return true
}

// plain reports whether a name is ASCII without escapes, so that equal bytes mean equal names.
func plain(name []byte) bool {
	for _, c := range name {
		if c >= 0x80 || c == '\\' {
			return false
		}
	}
	return true
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

func skip(b []byte, i int) int {
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	return i
}

// scanScalar gives the end of the string, number or literal at b[i], -1 for anything else.
func scanScalar(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch c := b[i]; {
	case c == '"':
		return scanString(b, i+1)
	case c == '-' || c >= '0' && c <= '9':
		return scanNumber(b, i)
	case c == 't':
		return scanWord(b, i, "true")
	case c == 'f':
		return scanWord(b, i, "false")
	case c == 'n':
		return scanWord(b, i, "null")
	default:
		return -1
	}
}

func scanWord(b []byte, i int, word string) int {
	if end := i + len(word); end <= len(b) && string(b[i:end]) == word {
		return end
	}
	return -1
}

// scanString gives the offset after the closing quote of the string whose content begins at b[i], -1 for a fault.
func scanString(b []byte, i int) int {
	for {
		// Eight bytes at a time while none of them is a quote, a backslash or a control character.
		for i+8 <= len(b) {
			if m := special(binary.LittleEndian.Uint64(b[i:])); m != 0 {
				i += bits.TrailingZeros64(m) >> 3
				break
			}
			i += 8
		}
		if i >= len(b) {
			return -1
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			if i = scanEscape(b, i+1); i < 0 {
				return -1
			}
		case c < 0x20:
			return -1
		default:
			i++
		}
	}
}

// special sets the high bit of the first byte (from the lowest) that is '"', '\\' or below 0x20. Higher bytes may
// be marked falsely (a borrow runs upwards only), the lowest mark is always right.
func special(w uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	quote, slash := w^(ones*'"'), w^(ones*'\\')
	return ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*0x20)&^w) & highs
}

// scanEscape gives the offset after the escape whose letter is b[i], -1 for a fault.
func scanEscape(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		if i+5 <= len(b) && hex4(b[i+1:]) >= 0 {
			return i + 5
		}
	}
	return -1
}

// scanNumber gives the end of the number at b[i] by the grammar of RFC 8259 section 6, -1 for a fault.
func scanNumber(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	switch {
	case i >= len(b):
		return -1
	case b[i] == '0':
		i++
	default:
		if i = digits(b, i); i < 0 {
			return -1
		}
	}
	if i < len(b) && b[i] == '.' {
		if i = digits(b, i+1); i < 0 {
			return -1
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		return digits(b, i)
	}
	return i
}

// digits passes at least one digit, else -1.
func digits(b []byte, i int) int {
	start := i
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	if i == start {
		return -1
	}
	return i
}
