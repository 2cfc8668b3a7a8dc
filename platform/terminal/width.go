package terminal

import (
	"unicode"

	"golang.org/x/text/width"
)

// runeWidth returns the columns of one character.
func runeWidth(r rune) int {
	switch {
	case r < 0x300: // Latin: the common case needs no table
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	default:
		return 1
	}
}
