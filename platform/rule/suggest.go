package rule

import (
	"cmp"
	"regexp"
	"strings"
	"unicode"

	"github.com/muttproject/mutt/platform/event"
)

// Bounds of a suggestion, in bytes.
const (
	suggestedMatch = 200
	suggestedName  = 80
	leastFixed     = 4 // of a fixed part that says something
)

// Suggest returns the draft of a rule for events like e, with e as its example. It matches the OID of a trap; of a message its mnemonic
// (%LINK-3-UPDOWN, RPD_BGP_NEIGHBOR_STATE_CHANGED), else the longest part that has nothing that varies from one occurrence to the next.
// It is not bound to e's host. The team is left open.
func Suggest(e *event.Event) Rule {
	r := blank()
	r.ProdHandling, r.DevHandling = event.TicketOnly.String(), event.LogOnly.String()
	example := e.Message
	if oid := cleanOID(e.TrapOID); oid != "" && oid == strings.TrimPrefix(e.TrapOID, ".") && checkOID(oid) == nil {
		r.MatchType, r.TrapOID, r.Name, example = OIDPrefix, oid, "trap "+oid, oid
	} else {
		r.MatchString = telling(e.Message)
		r.Name = strings.TrimPrefix(r.MatchString, "%")
	}
	line := strings.Map(func(c rune) rune { // a name is one line of text
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, r.Name)
	r.Name = cmp.Or(strings.TrimSpace(cut(line, suggestedName)), "new rule")
	if example != "" && len(example) <= MaxExample {
		r.Examples = &Examples{Matches: []string{example}}
	}
	r.Normalize()
	return r
}

// telling returns the part of a message that tells what it is about.
func telling(message string) string {
	line := message
	if at := strings.IndexFunc(line, unicode.IsControl); at >= leastFixed {
		line = line[:at]
	}
	line = head(line, maskInput)
	mnemonic := regexp.MustCompile(`%[A-Z][A-Z0-9_]*(?:-[A-Z0-9_]+)*-[0-7]-[A-Z0-9_]+|\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b`)
	if found := mnemonic.FindString(line); found != "" && len(found) <= suggestedMatch {
		return found
	}
	longest, begin := "", 0
	take := func(end int) {
		if part := strings.Trim(line[begin:end], " \t.,:;-([{<"); len(part) > len(longest) {
			longest = part
		}
	}
	for i := 0; i < len(line); {
		n, placeholder := maskAt(line, i)
		if placeholder != "" || strings.ContainsFunc(line[i:i+n], func(c rune) bool { return unicode.IsDigit(c) || unicode.IsControl(c) }) {
			take(i)
			begin = i + n
		}
		i += n
	}
	take(len(line))
	if len(longest) < leastFixed {
		longest = strings.TrimSpace(line)
	}
	return head(longest, suggestedMatch)
}

// head returns the first n bytes of s, fewer where a character would be split.
func head(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.TrimSuffix(cut(s, n), "…")
}
