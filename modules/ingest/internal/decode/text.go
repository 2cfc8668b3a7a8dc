package decode

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// view gives b's bytes as a string without copying: valid until b is written.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// unquote gives the text of a valid JSON string: a view of the body, or of the scratch space when it has escapes.
// What the scratch space holds stays valid until the next event, also when it grows.
func (d *Decoder) unquote(s span) string {
	raw := d.body[s.start+1 : s.end-1]
	if bytes.IndexByte(raw, '\\') < 0 {
		return view(raw)
	}
	start := len(d.text)
	d.text = appendUnescaped(d.text, raw)
	return view(d.text[start:])
}

// appendUnescaped resolves the escapes of a valid string's content. A surrogate without its other half becomes
// U+FFFD; invalid UTF-8 passes through.
func appendUnescaped(dst, raw []byte) []byte {
	for len(raw) > 0 {
		n := bytes.IndexByte(raw, '\\')
		if n < 0 {
			return append(dst, raw...)
		}
		dst = append(dst, raw[:n]...)
		c := raw[n+1]
		raw = raw[n+2:]
		switch c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := hex4(raw)
			raw = raw[4:]
			if utf16.IsSurrogate(r) {
				low := rune(-1)
				if len(raw) >= 6 && raw[0] == '\\' && raw[1] == 'u' {
					low = hex4(raw[2:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					raw = raw[6:]
				}
			}
			dst = utf8.AppendRune(dst, r)
		default: // '"', '\\' and '/' stand for themselves
			dst = append(dst, c)
		}
	}
	return dst
}

// hex4 reads four hexadecimal digits, -1 for a fault.
func hex4(b []byte) rune {
	if len(b) < 4 {
		return -1
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return -1
		}
	}
	return r
}
