// Package rule is the pure domain of judging: what a rule is, which rule wins for an event, and why.
//
// Principles:
//  1. No I/O, no clock, no global state: the same rules and event give the same verdict in every process.
//  2. The semantics are those of contracts.md section 3, held by a property test against a naive model.
//  3. Compile does everything that can fail; Match cannot fail and does not allocate.
//  4. A prefilter may only leave out what cannot match: the index and package regexp agree on every event.
//  5. What is read from a client or a file is read strictly, and every fault names its field.
package rule

// MatchType says how match_string is compared with the message.
type MatchType string

// The match types. All but oid_prefix ignore case as RE2's (?i) does.
const (
	Contains  MatchType = "contains"
	Regex     MatchType = "regex"
	Equals    MatchType = "equals"
	Glob      MatchType = "glob"
	OIDPrefix MatchType = "oid_prefix"
)

// DefaultPriority is the priority of a rule that names none. The lowest number wins, ties go to the lowest id.
const DefaultPriority = 100

// Rule is one rule as it is stored, imported and shown.
type Rule struct {
	ID               int64     `json:"id" yaml:"-" doc:"of the rule" min:"1"`
	Name             string    `json:"name" yaml:"name" doc:"unique; made of the match when it is absent" maxlen:"200"`
	Description      string    `json:"description,omitempty" yaml:"description,omitempty" doc:"for people" maxlen:"4096"`
	MatchType        MatchType `json:"match_type" yaml:"match_type,omitempty" doc:"how match_string is compared; all but oid_prefix ignore case" enum:"match_type"`
	MatchString      string    `json:"match_string,omitempty" yaml:"match_string,omitempty" doc:"text to look for, or an RE2 expression" maxlen:"4096" example:"link down"`
	TrapOID          string    `json:"trap_oid,omitempty" yaml:"trap_oid,omitempty" doc:"matches at or under it, on whole arcs" example:"1.3.6.1.4.1.9"`
	SyslogSeverity   *int      `json:"syslog_severity,omitempty" yaml:"syslog_severity,omitempty" doc:"exactly this one, 0 to 7" min:"0" max:"7" accepts:"integer,string"`
	MinSeverity      *int      `json:"min_severity,omitempty" yaml:"min_severity,omitempty" doc:"from this one" min:"0" max:"7" accepts:"integer,string"`
	MaxSeverity      *int      `json:"max_severity,omitempty" yaml:"max_severity,omitempty" doc:"to this one" min:"0" max:"7" accepts:"integer,string"`
	HostPattern      string    `json:"host_pattern,omitempty" yaml:"host_pattern,omitempty" doc:"glob or CIDR on hostname or source_ip" maxlen:"200"`
	Source           string    `json:"source,omitempty" yaml:"source,omitempty" doc:"only events of this source" enum:"source"`
	Priority         int       `json:"priority" yaml:"priority" doc:"the lowest wins; ties go to the lowest id" example:"100"`
	ProdHandling     string    `json:"prod_handling" yaml:"prod_handling" doc:"of events of production hosts" enum:"handling"`
	DevHandling      string    `json:"dev_handling" yaml:"dev_handling" doc:"of events of development hosts" enum:"handling"`
	TeamAssignment   string    `json:"team_assignment" yaml:"team_assignment" doc:"who gets the alert" maxlen:"200" example:"NETOPS"`
	SeverityOverride *int      `json:"severity_override,omitempty" yaml:"severity_override,omitempty" doc:"sent instead, on the scale of the destination: 0 clear to 5 critical" min:"0" max:"5" accepts:"integer,string"`
	Signature        string    `json:"signature,omitempty" yaml:"signature,omitempty" doc:"template of what one problem is" example:"{{hostname}}::{{rule}}"`
	Examples         *Examples `json:"examples,omitempty" yaml:"examples,omitempty" doc:"that the rule must keep"`
	IsActive         bool      `json:"is_active" yaml:"is_active" doc:"false: it never matches"`
	ValidFrom        string    `json:"valid_from,omitempty" yaml:"valid_from,omitempty" doc:"RFC 3339; absent for always"`
	ValidUntil       string    `json:"valid_until,omitempty" yaml:"valid_until,omitempty" doc:"RFC 3339; absent for always"`
	Revision         int64     `json:"revision,omitempty" yaml:"-" doc:"of its last change"`
}

// Examples are sample messages that travel with a rule.
type Examples struct {
	Matches    []string          `json:"matches,omitempty" yaml:"matches,omitempty" doc:"messages that it must match"`
	NotMatches []string          `json:"not_matches,omitempty" yaml:"not_matches,omitempty" doc:"messages that it must not match"`
	Expect     map[string]string `json:"expect,omitempty" yaml:"expect,omitempty" doc:"message: name of the rule that wins"`
}

// Tables are the lookups beside the rules that judging needs.
type Tables struct {
	DevHosts []string          // exact names (any case), globs or CIDRs
	Teams    map[string]string // hostname -> team, for meta-alerts
	Version  int64             // the ruleset version: covers rules, hosts and teams
}
