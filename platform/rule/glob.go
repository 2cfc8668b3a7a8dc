package rule

import (
	"strings"
	"unicode/utf8"
)

// globMatch reports whether the whole text matches a pattern in which * stands for any text (line ends
// included) and ? for one character; every other character, the backslash included, stands for itself.
// Both are folded. Only the last star is ever reconsidered, so the time is bounded by len(pattern)*len(text).
func globMatch(pattern, text string) bool {
	p, t := 0, 0
	star, mark := -1, 0 // where to resume in pattern and text when a literal does not fit
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && pattern[p] == '?':
			t += runeLen(text[t:])
			p++
		case p < len(pattern) && pattern[p] == text[t]:
			p++
			t++
		case star >= 0:
			mark += runeLen(text[mark:])
			p, t = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

func runeLen(s string) int {
	_, n := utf8.DecodeRuneInString(s)
	return n
}

// globLiterals gives the texts that anything matching the pattern must contain.
func globLiterals(pattern string) [][]string {
	var clauses [][]string
	for _, part := range strings.FieldsFunc(pattern, func(r rune) bool { return r == '*' || r == '?' }) {
		clauses = append(clauses, []string{part})
	}
	return clauses
}
