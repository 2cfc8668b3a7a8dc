package apiclient

import "github.com/muttproject/mutt/platform/rule"

// EventExplained answers /events/{id}.
type EventExplained struct {
	Event       AuditLog `json:"event"`
	Then        *Judging `json:"then" doc:"its judging by the rules that were in force then; null when they are not known, or not asked for"`
	ThenUnknown string   `json:"then_unknown,omitempty" doc:"why the rules of then are not known"`
	Now         *Judging `json:"now" doc:"its judging by today's rules, at the time of its receipt; null when it was not asked for"`
}

// Judging is what a ruleset makes of an event, and which rules came near.
type Judging struct {
	Verdict
	Priority       *int         `json:"priority" doc:"of the rule that matched; null when no rule matched"`
	Signature      string       `json:"signature" doc:"stable for one problem; empty when no rule matched"`
	Severity       int          `json:"severity" doc:"the destination's scale: 0 clear to 5 critical" min:"0" max:"5"`
	RulesetVersion int64        `json:"ruleset_version" doc:"of the rules"`
	Rules          int          `json:"rules" doc:"active ones" min:"0"`
	AsRecorded     bool         `json:"as_recorded" doc:"rule, handling, team and environment are those of the event's row"`
	Losers         []rule.Loser `json:"losers" doc:"the three rules that came nearest to winning, nearest first"`
}
