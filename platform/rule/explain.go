package rule

import (
	"context"
	"fmt"
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

// why gives the first field that does not fit and the reason in words, or nothing when the rule matches.
func (c *compiled) why(sc *Scratch) (field, reason string) {
	e, r := sc.event, c.rule
	switch {
	case r.TrapOID != "" && e.TrapOID == "":
		return "trap_oid", "the event has no trap OID"
	case r.TrapOID != "" && !oidUnder(e.TrapOID, r.TrapOID):
		return "trap_oid", fmt.Sprintf("%s is not at or under %s", e.TrapOID, r.TrapOID)
	case c.text != nil && !c.text.match(sc):
		return "match_string", c.text.miss()
	case c.severities&severityBit(e.Severity) == 0:
		return c.whySeverity(e.Severity)
	case c.source != event.SourceUnknown && c.source != e.Source:
		return "source", fmt.Sprintf("the event came by %s, the rule is for %s", e.Source, c.source)
	case !c.host.holds(sc):
		return "host_pattern", fmt.Sprintf("neither host %q nor address %q fits %q", e.Hostname, e.SourceIP, r.HostPattern)
	case sc.now < c.from:
		return "valid_from", "the rule begins at " + event.Time(c.from).Format(time.RFC3339)
	case sc.now >= c.until:
		return "valid_until", "the rule ended at " + event.Time(c.until).Format(time.RFC3339)
	default:
		return "", ""
	}
}

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
