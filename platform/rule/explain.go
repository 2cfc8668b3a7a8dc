package rule

import (
	"context"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/muttproject/mutt/platform/event"
)

// Step is one rule in the order of judging, and what became of it.
type Step struct {
	RuleID   int64  `json:"rule_id" doc:"its id"`
	Name     string `json:"name" doc:"its name"`
	Priority int    `json:"priority" doc:"its priority"`
	Matched  bool   `json:"matched" doc:"it won: the last step"`
	Field    string `json:"field,omitempty" doc:"the field of the rule that did not fit"`
	Reason   string `json:"reason,omitempty" doc:"why, in words"`
}

// Explain tells how e is judged at now (Unix µs): every rule of better rank than the winner with the reason why
// it lost, then the winner. Without a winner it tells of all active rules. It uses no index, so it also serves
// to check the index. For tools; its cost grows with the number of rules. When ctx ends, so does Explain, with its cause; the last
// step is then the rule that it was at.
func (s *Set) Explain(ctx context.Context, e *event.Event, now int64) ([]Step, error) {
	sc := s.NewScratch()
	sc.begin(s, e, now)
	sc.ctx = ctx
	var steps []Step
	for i := range s.rules {
		c := &s.rules[i]
		field, reason := c.why(sc)
		if sc.over() {
			return append(steps, Step{RuleID: c.rule.ID, Name: c.rule.Name, Priority: c.rule.Priority, Reason: "it was not judged to its end"}), context.Cause(ctx)
		}
		steps = append(steps, Step{RuleID: c.rule.ID, Name: c.rule.Name, Priority: c.rule.Priority,
			Matched: field == "", Field: field, Reason: reason})
		if field == "" {
			break
		}
	}
	return steps, nil
}

// why returns the first field that does not fit and the reason in words, or nothing when the rule matches.
func (c *compiled) why(sc *Scratch) (field, reason string) {
	for fits, miss := range c.conditions(sc) {
		if !fits {
			m := miss()
			return m.Field, m.Reason
		}
	}
	return "", ""
}

// conditions goes through the conditions that the rule has: whether the event fits each, and what to say when it does not.
func (c *compiled) conditions(sc *Scratch) iter.Seq2[bool, func() Miss] {
	e, r := sc.event, c.rule
	return func(yield func(bool, func() Miss) bool) {
		says := func(there, fits bool, field, format string, args ...any) bool {
			return !there || yield(fits, func() Miss { return Miss{field, fmt.Sprintf(format, args...)} })
		}
		_ = says(r.TrapOID != "" && e.TrapOID == "", false, "trap_oid", "the event has no trap OID") &&
			says(r.TrapOID != "" && e.TrapOID != "", oidUnder(e.TrapOID, r.TrapOID), "trap_oid", "%s is not at or under %s", e.TrapOID, r.TrapOID) &&
			(c.text == nil || yield(c.text.match(sc), func() Miss { return Miss{"match_string", c.text.miss()} })) &&
			(c.severities == anySeverity || yield(c.severities&severityBit(e.Severity) != 0, func() Miss {
				field, reason := c.whySeverity(e.Severity)
				return Miss{field, reason}
			})) &&
			says(c.source != event.SourceUnknown, c.source == e.Source, "source", "the event came by %s, the rule is for %s", e.Source, c.source) &&
			says(c.host.kind != hostAny, c.host.holds(sc), "host_pattern", "neither host %q nor address %q fits %q", e.Hostname, e.SourceIP, r.HostPattern) &&
			says(c.from != math.MinInt64, sc.now >= c.from, "valid_from", "the rule begins at %s", timeOf(c.from)) &&
			says(c.until != math.MaxInt64, sc.now < c.until, "valid_until", "the rule ended at %s", timeOf(c.until))
	}
}

func timeOf(micros int64) string { return event.Time(micros).Format(time.RFC3339) }

func (c *compiled) whySeverity(severity int8) (field, reason string) {
	field = "syslog_severity"
	switch {
	case c.rule.SyslogSeverity != nil:
	case c.rule.MinSeverity != nil && int(severity) < *c.rule.MinSeverity:
		field = "min_severity"
	case c.rule.MaxSeverity != nil:
		field = "max_severity"
	default:
		field = "min_severity"
	}
	if severityBit(severity) == severityBit(event.Absent) {
		return field, "the event has no severity"
	}
	return field, fmt.Sprintf("severity %d is not one that the rule asks for", severity)
}
