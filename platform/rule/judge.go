package rule

import "github.com/muttproject/mutt/platform/event"

// Judge decides what becomes of e at now (Unix µs) and fills the whole of d. When no rule matches, the fate is
// FateUnhandled, RuleID is 0, Team is the device's ("" when it has none) and Signature is "".
//
// The signature is cut from a buffer of sc that is never rewritten; it stays good as long as it is kept.
func (s *Set) Judge(e *event.Event, now int64, sc *Scratch, d *event.Decision) {
	rank := s.winner(e, now, sc)
	_, dev := s.hosts.dev.find(sc)
	*d = event.Decision{Fate: event.FateUnhandled, Dev: dev, Severity: MapSeverity(e.Severity), RulesetVersion: s.version}
	if rank == noRank {
		d.Team, _ = s.hosts.teams.find(sc)
		return
	}
	c := &s.rules[rank]
	d.Handling = c.prod
	if d.Dev {
		d.Handling = c.dev
	}
	d.Fate = d.Handling.Fate()
	d.RuleID, d.RuleName, d.Team = c.rule.ID, c.rule.Name, c.rule.TeamAssignment
	if c.override >= 0 {
		d.Severity = c.override
	}
	d.Signature = c.signature.render(sc, c.rule)
}

// MapSeverity maps a syslog severity to the destination's scale, 0 clear to 5 critical (contracts.md section 9).
// An absent one is indeterminate.
func MapSeverity(syslog int8) int8 {
	switch syslog {
	case 0, 1, 2:
		return 5
	case 3:
		return 4
	case 4:
		return 3
	case 5:
		return 2
	default:
		return 1
	}
}
