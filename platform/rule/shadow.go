package rule

import (
	"context"
	"slices"
	"strings"

	"github.com/muttproject/mutt/platform/event"
)

// ShadowedBy returns, by rule id, for each active rule that can never win the first rule that takes every event from it: one of better
// rank that matches whatever this one matches, at any time. It is sound, not complete: a rule that is not in the answer may be shadowed
// all the same, by an expression or by several rules together. Its cost grows with the square of the number of rules; when ctx ends, so
// does ShadowedBy, with its cause.
func (s *Set) ShadowedBy(ctx context.Context) (map[int64]*Rule, error) {
	out := map[int64]*Rule{}
	for i := range s.rules {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		for k := range i {
			if s.rules[k].covers(&s.rules[i]) {
				out[s.rules[i].rule.ID] = s.rules[k].rule
				break
			}
		}
	}
	return out, nil
}

// covers reports that c matches whatever other matches. False means that this is not known.
func (c *compiled) covers(other *compiled) bool {
	return other.severities&^c.severities == 0 &&
		(c.source == event.SourceUnknown || c.source == other.source) &&
		c.from <= other.from && c.until >= other.until &&
		(c.rule.TrapOID == "" || other.rule.TrapOID != "" && oidUnder(other.rule.TrapOID, c.rule.TrapOID)) &&
		c.host.covers(&other.host) && coversText(c.text, other.text)
}

// covers reports that h holds for whatever other holds for.
func (h *hostPattern) covers(other *hostPattern) bool {
	switch {
	case h.kind == hostAny || *h == *other || h.kind == hostGlob && strings.Trim(h.text, "*") == "":
		return true
	case h.kind == hostGlob && other.kind == hostExact:
		return globMatch(h.text, other.text)
	case h.kind == hostNet && other.kind == hostNet:
		return h.net.Bits() <= other.net.Bits() && h.net.Contains(other.net.Addr())
	default:
		return false
	}
}

// coversText reports that t matches whatever other matches; nil matches every message.
func coversText(t, other textMatcher) bool {
	if t == nil {
		return true
	}
	switch t := t.(type) {
	case containsText:
		if same, ok := other.(equalsText); ok {
			return strings.Contains(same.folded, t.folded)
		}
		if longer, ok := other.(containsText); ok { // the usual case: it allocates nothing
			return strings.Contains(longer.folded, t.folded)
		}
		if other == nil {
			return t.folded == ""
		}
		for _, clause := range other.literals() { // the message contains one of them
			if len(clause) > 0 && !slices.ContainsFunc(clause, func(literal string) bool { return !strings.Contains(literal, t.folded) }) {
				return true
			}
		}
		return false
	case equalsText:
		same, ok := other.(equalsText)
		return ok && same.folded == t.folded
	case globText:
		if strings.Trim(t.folded, "*") == "" {
			return true
		}
		switch other := other.(type) {
		case equalsText:
			return globMatch(t.folded, other.folded)
		case globText:
			return t.folded == other.folded
		}
		return false
	case regexText:
		same, ok := other.(regexText)
		return ok && same.re.String() == t.re.String()
	default:
		return false
	}
}
