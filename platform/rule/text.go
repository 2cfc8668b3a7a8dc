package rule

import (
	"regexp"
	"strings"
)

// textMatcher is the match_string of one rule.
type textMatcher interface {
	match(sc *Scratch) bool
	// literals gives, in conjunctive form, folded texts that the folded message must contain for match to hold:
	// one of each clause. No clause means that nothing is known.
	literals() [][]string
	// alone reports that containing the single literal is all there is to matching.
	alone() bool
	// miss says for a person why match did not hold.
	miss() string
}

// indexedLen is how much of a literal the automaton holds; of a longer one the message is searched for the rest.
const indexedLen = 64

type containsText struct{ folded, shown string }

func (t containsText) match(sc *Scratch) bool { return strings.Contains(sc.message(), t.folded) }
func (t containsText) literals() [][]string   { return [][]string{{t.folded}} }
func (t containsText) alone() bool            { return len(t.folded) <= indexedLen }
func (t containsText) miss() string           { return "the message does not contain " + t.shown }

type equalsText struct{ folded, shown string }

func (t equalsText) match(sc *Scratch) bool { return sc.message() == t.folded }
func (t equalsText) literals() [][]string   { return nil }
func (t equalsText) alone() bool            { return false }
func (t equalsText) miss() string           { return "the message is not " + t.shown }

type globText struct{ folded, shown string }

func (t globText) match(sc *Scratch) bool { return globMatch(t.folded, sc.message()) }
func (t globText) literals() [][]string   { return globLiterals(t.folded) }
func (t globText) alone() bool            { return false }
func (t globText) miss() string           { return "the message does not match the glob " + t.shown }

// regexText searches the message as it is. Bytes that are no UTF-8 count as U+FFFD.
type regexText struct {
	re      *regexp.Regexp
	steps   int // that it compiles to
	clauses [][]string
	shown   string
}

func (t regexText) match(sc *Scratch) bool {
	if text := sc.interruptible(t.steps); text != nil {
		return t.re.MatchReader(text)
	}
	return t.re.MatchString(sc.event.Message)
}
func (t regexText) literals() [][]string { return t.clauses }
func (t regexText) alone() bool          { return false }
func (t regexText) miss() string         { return "the message does not match the expression " + t.shown }
