package rule

import (
	"unicode"
	"unicode/utf8"
	"unsafe"
)

// foldRune gives the representative of r's orbit under simple case folding: its lowest rune. Two runes fold
// alike exactly when RE2's (?i) takes one for the other, so K, k and U+212A are one, as are S, s and U+017F,
// while ß is only itself and ẞ. For ASCII letters the representative is the capital.
func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		return rune(upper(byte(r)))
	}
	low := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		low = min(low, f)
	}
	return low
}

func upper(b byte) byte {
	if 'a' <= b && b <= 'z' {
		return b - ('a' - 'A')
	}
	return b
}

// appendFold appends s with every rune folded. A byte that is no UTF-8 becomes U+FFFD, which is also what
// package regexp takes it for; ingest replaces such bytes, so here it only has to be harmless.
func appendFold(dst []byte, s string) []byte {
	for i := 0; i < len(s); {
		if b := s[i]; b < utf8.RuneSelf {
			dst = append(dst, upper(b))
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		dst = utf8.AppendRune(dst, foldRune(r))
		i += n
	}
	return dst
}

// fold is appendFold for patterns, which are folded once.
func fold(s string) string { return string(appendFold(make([]byte, 0, len(s)), s)) }

// isASCII looks at eight bytes at a time: it runs over every message.
func isASCII(s string) bool {
	for len(s) >= 8 {
		w := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		if w&0x8080808080808080 != 0 {
			return false
		}
		s = s[8:]
	}
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// viewString gives b's bytes as a string without copying; it is good until b is written again.
func viewString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
