// Package terminal makes text fit for a terminal, regardless of who wrote it. Events come from any device that reaches a port, and a terminal obeys
// what it reads: an escape sequence moves the cursor, renames the window or clears the screen, and a bidirectional override shows a line
// in another order than it has.
//
// Principles:
//  1. Line is for one value, such as a hostname or the message of an error: what it returns stays in its line and in its place.
//  2. Writer is the net below everything that a command prints or logs: only line feeds and tabs pass it as control characters.
//  3. Both escape as JSON does (\u001b), so that a quoted text of JSON or YAML still reads as the same value.
//  4. Widths are columns of a terminal: a wide character takes two, a combining one none.
package terminal

import (
	"strings"
	"unicode/utf8"
)

// Hostile reports whether a terminal may obey a character instead of showing it: control characters (C0, DEL, C1), those of bidirectional
// formatting, and the separators of lines and paragraphs.
func Hostile(r rune) bool {
	switch {
	case r < ' ', r >= 0x7f && r < 0xa0, r == 0x061c, r == 0x200e, r == 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return true
	default:
		return false
	}
}

// Line returns a text as a part of one line: white space that is not a space becomes one, other hostile characters are escaped, and bytes
// that are not UTF-8 are replaced.
func Line(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for _, r := range s { // an invalid byte is utf8.RuneError
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			b.WriteByte(' ')
		case Hostile(r):
			escape(&b, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// plain reports whether a text has printable ASCII characters only, which is what most texts are.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// escape writes a character of at most four hexadecimal digits, which every hostile one is.
func escape(b interface{ WriteByte(c byte) error }, r rune) {
	const digits = "0123456789abcdef"
	for _, c := range []byte{'\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15]} {
		_ = b.WriteByte(c) // of a buffer in memory
	}
}

// Cut returns the text, or as much of it as fits the width with an ellipsis at its end.
func Cut(s string, columns int) string {
	if len(s) <= columns && plain(s) || Width(s) <= columns {
		return s
	}
	left := columns - 1 // for the ellipsis
	for i, r := range s {
		if left -= runeWidth(r); left < 0 {
			return s[:i] + "…"
		}
	}
	return s
}

// Width returns how many columns a text takes, in which nothing is hostile.
func Width(s string) (columns int) {
	for _, r := range s {
		columns += runeWidth(r)
	}
	return columns
}

// Pad returns the text with spaces up to the width.
func Pad(s string, columns int) string {
	return s + strings.Repeat(" ", max(0, columns-Width(s)))
}

// whole returns how much of data ends with a whole character: what is left may go on in the next piece.
func whole(data []byte) int {
	for i := 1; i <= min(len(data), utf8.UTFMax-1); i++ {
		if c := data[len(data)-i]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(data[len(data)-i:]) {
				return len(data) - i
			}
			break
		}
	}
	return len(data)
}
