package apiclient

import (
	"time"

	"github.com/muttproject/mutt/platform/rule"
)

// RuleTestRequest asks how an event is judged, perhaps with a draft of a rule among the stored ones.
type RuleTestRequest struct {
	Event TestEvent   `json:"event"`
	Rule  *RuleInFile `json:"rule,omitempty"`
}

// TestEvent is an event as far as rules look at it.
type TestEvent struct {
	Hostname   string     `json:"hostname" doc:"who reports it" maxlen:"253" example:"sw1"`
	Message    string     `json:"message,omitempty" doc:"what happened" maxlen:"65536" example:"link down on Gi0/1"`
	Severity   *int       `json:"syslog_severity,omitempty" doc:"0 to 7" min:"0" max:"7"`
	TrapOID    string     `json:"trap_oid,omitempty" doc:"of an SNMP trap" maxlen:"1024"`
	Source     string     `json:"source,omitempty" doc:"the way it came; http when absent" enum:"source"`
	SourceIP   string     `json:"source_ip,omitempty" doc:"address of the device" maxlen:"1024"`
	AppName    string     `json:"app_name,omitempty" doc:"as in RFC 5424" maxlen:"1024"`
	ReceivedAt *time.Time `json:"received_at,omitempty" doc:"for rules with a validity; now when absent"`
}

// RuleDraft answers /events/{id}/draft: a rule that is not stored.
type RuleDraft struct {
	Rule RuleInFile `json:"rule" doc:"matches events like this one; its team is left out where the device has none"`
}

// RuleTest answers /rules/test.
type RuleTest struct {
	Verdict
	Signature    string      `json:"signature" doc:"stable for one problem; empty when no rule matched"`
	Severity     int         `json:"severity" doc:"the destination's scale: 0 clear to 5 critical" min:"0" max:"5"`
	Steps        []rule.Step `json:"steps" doc:"the rules in the order of judging, each with why it lost; the winner is the last. All active ones when none won"`
	StepsLeftOut int         `json:"steps_left_out" doc:"of the first, when there are many" min:"0"`
}

// Verdict is what judging makes of an event.
type Verdict struct {
	RuleID      *int64 `json:"rule_id" doc:"null when no rule matches; a draft has the id that it would get"`
	RuleName    string `json:"rule_name" doc:"empty when no rule matches"`
	Handling    string `json:"handling_decision" doc:"empty when no rule matches" enum:"handling_or_none"`
	Fate        string `json:"fate" doc:"what becomes of the event" enum:"fate"`
	Team        string `json:"team" doc:"who gets it"`
	Environment string `json:"environment" doc:"prod, or dev for a development host" enum:"prod|dev"`
}

// RulePreviewRequest asks what drafts of rules would change.
type RulePreviewRequest struct {
	Rules       []RuleInFile `json:"rules" doc:"the drafts, each with a name or a match; their expressions are bounded together" maxlen:"10000"`
	Replaces    []int64      `json:"replaces,omitempty" doc:"for each draft the id of the stored rule that it replaces, under its name or a new one; 0 for a new rule. Absent: a draft replaces the rule of its name" maxlen:"10000"`
	Mode        string       `json:"mode,omitempty" doc:"merge: they replace the stored ones of their names, or join them; replace: only they are there; merge when absent" enum:"merge|replace"`
	WindowHours int          `json:"window_hours,omitempty" doc:"look at the newest 100,000 events of so many hours instead, and answer with a review" min:"0" max:"24"`
	Without     []int64      `json:"without,omitempty" doc:"ids of stored rules that are left out, as if they were deleted" maxlen:"10000"`
	Events      int          `json:"events,omitempty" doc:"how many audited events to look at, the newest first; 1000 when absent or 0" min:"0" max:"10000"`
}

// RulePreview answers /rules/preview.
type RulePreview struct {
	Events     int             `json:"events" doc:"that were judged by both rulesets" min:"0"`
	Changed    int             `json:"changed" doc:"of which another handling, fate or team would come" min:"0"`
	Changes    []PreviewChange `json:"changes" doc:"by what they are and would be, the most frequent first, at most 100"`
	Samples    []PreviewSample `json:"samples" doc:"some of the events that would change, the newest first"`
	Unreadable int             `json:"unreadable,omitempty" doc:"events whose stored text does not decode: they were not judged" min:"0"`
	Partial    bool            `json:"partial,omitempty" doc:"the time of the call was over before all events were judged: events are the newest"`
	Review     *RuleReview     `json:"review,omitempty" doc:"with window_hours: what is asked before saving"`
}

// RuleReview says what drafts of rules would have done in a window of time.
type RuleReview struct {
	WindowHours    int             `json:"window_hours" doc:"that was asked for" min:"1" max:"24"`
	LookedFrom     time.Time       `json:"looked_from" doc:"receipt of the oldest event that was judged; looked_to when there is none"`
	LookedTo       time.Time       `json:"looked_to" doc:"end of the window"`
	Whole          bool            `json:"whole" doc:"all stored events of the window were judged; false: the bound of 100,000 or the time of the call came first"`
	NotAsRecorded  int             `json:"not_as_recorded" doc:"events that today's rules judge otherwise than was recorded, because rules, hosts or teams were changed since" min:"0"`
	Moves          []RuleMove      `json:"moves" doc:"events that another rule would win, the most frequent first, at most 50"`
	PagesBefore    float64         `json:"pages_per_hour_before" doc:"events that page, per hour that was looked at, by today's rules" min:"0"`
	PagesAfter     float64         `json:"pages_per_hour_after" doc:"the same with the drafts" min:"0"`
	Before         ReviewCounts    `json:"before" doc:"what today's rules make of the events"`
	After          ReviewCounts    `json:"after" doc:"the same with the drafts"`
	Hours          []ReviewHour    `json:"hours" doc:"events that page in each hour of the clock, the oldest first; hours that were not looked at are left out"`
	Rules          []RuleShare     `json:"rules" doc:"rules that would win another number of events, those that lose the most first, at most 50"`
	SentOtherwise  int             `json:"sent_otherwise" doc:"alerts that would go to the same team in the same way with another severity, signature or rule" min:"0"`
	Unreachable    []RuleRef       `json:"unreachable" doc:"active rules that would never win any more, because another one takes everything from them"`
	Examples       int             `json:"examples" doc:"examples of all rules that were checked" min:"0"`
	BrokenExamples []BrokenExample `json:"broken_examples" doc:"examples that would not hold: of the drafts, and those of other rules that hold today"`
}

// ReviewCounts is what a ruleset makes of the events of a review.
type ReviewCounts struct {
	Pages     int `json:"pages" doc:"events that page" min:"0"`
	Alerts    int `json:"alerts" doc:"events that are sent to the destination" min:"0"`
	Unhandled int `json:"unhandled" doc:"events that no rule wins" min:"0"`
}

// ReviewHour counts the events of an hour that page.
type ReviewHour struct {
	From   time.Time `json:"from" doc:"begin of the hour"`
	Before int       `json:"before" doc:"by today's rules" min:"0"`
	After  int       `json:"after" doc:"with the drafts" min:"0"`
}

// RuleShare is how many events a rule wins.
type RuleShare struct {
	Rule     *RuleRef `json:"rule" doc:"null: none, they are unhandled"`
	Priority *int     `json:"priority" doc:"of the rule, with the drafts; null for none"`
	Before   int      `json:"before" doc:"by today's rules" min:"0"`
	After    int      `json:"after" doc:"with the drafts" min:"0"`
}

// RuleMove counts events that one rule would lose to another.
type RuleMove struct {
	From   *RuleRef `json:"from" doc:"the rule that wins them today; null: none, they are unhandled"`
	To     *RuleRef `json:"to" doc:"the rule that would win them; null: none"`
	Events int      `json:"events" doc:"how many" min:"1"`
}

// BrokenExample is an example that does not hold.
type BrokenExample struct {
	Field   string `json:"field" doc:"where in the rules"`
	Message string `json:"message" doc:"what is wrong"`
}

// RuleMatchRequest asks which recent events a draft of a rule matches.
type RuleMatchRequest struct {
	Rule RuleInFile `json:"rule" doc:"the draft; it counts as active, and may be without a team"`
}

// RuleMatches answers /rules/matches.
type RuleMatches struct {
	LookedFrom time.Time   `json:"looked_from" doc:"receipt of the oldest event that was looked at"`
	Looked     int         `json:"looked" doc:"judged events of the last 24 hours that were looked at: the newest, at most 100,000, and as many as half of limits.tryout_time allows" min:"0"`
	Samples    int         `json:"samples" doc:"pairs of host and mask among them; the newest event of each is tried" min:"0"`
	LeftOut    int         `json:"left_out" doc:"events of further pairs, which were not tried: at most 20,000 pairs with 16 MiB together are kept" min:"0"`
	Matched    int         `json:"matched" doc:"samples that the draft matches" min:"0"`
	Events     int         `json:"events" doc:"events that they stand for, about" min:"0"`
	Problems   int         `json:"problems" doc:"different signatures of these samples; the events that they stand for may have more" min:"0"`
	Groups     []string    `json:"groups" doc:"named groups of the expression, which the signature can use"`
	Matches    []RuleMatch `json:"matches" doc:"those that stand for the most events, at most 50"`
	Near       []RuleMatch `json:"near" doc:"samples that fit all conditions of the draft but one, at most 20"`
}

// RuleMatch is a sample that stands for the events of its host and mask.
type RuleMatch struct {
	ID         string     `json:"id" doc:"of the event" format:"uuid"`
	ReceivedAt time.Time  `json:"received_at" doc:"when"`
	Hostname   string     `json:"hostname" doc:"who reported it"`
	Message    string     `json:"message" doc:"what happened"`
	Severity   *int       `json:"syslog_severity,omitempty" doc:"0 to 7" min:"0" max:"7"`
	Events     int        `json:"events" doc:"that it stands for" min:"1"`
	Signature  string     `json:"signature,omitempty" doc:"that its alert would have; none for a near miss"`
	Missing    *rule.Miss `json:"missing,omitempty" doc:"the one condition that did not fit"`
}

// PreviewChange counts the events that would go from one handling to another.
type PreviewChange struct {
	From        string `json:"from" doc:"handling, or the fate of an event without one" example:"unhandled"`
	FromTeam    string `json:"from_team" doc:"who gets it"`
	To          string `json:"to" doc:"the handling or fate with the drafts" example:"Page_only"`
	ToTeam      string `json:"to_team" doc:"who would get it"`
	Environment string `json:"environment" doc:"prod, or dev for development hosts" enum:"prod|dev"`
	Events      int    `json:"events" doc:"how many" min:"1"`
}

// PreviewSample is an event that would change.
type PreviewSample struct {
	ID         string    `json:"id" doc:"of the event" format:"uuid"`
	ReceivedAt time.Time `json:"received_at" doc:"when"`
	Hostname   string    `json:"hostname" doc:"who reported it"`
	Message    string    `json:"message" doc:"what happened"`
	Before     Verdict   `json:"before"`
	After      Verdict   `json:"after"`
}
