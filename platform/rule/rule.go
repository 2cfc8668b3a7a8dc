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
	ID               int64     `json:"id" yaml:"-"`
	Name             string    `json:"name" yaml:"name"`
	Description      string    `json:"description,omitempty" yaml:"description,omitempty"`
	MatchType        MatchType `json:"match_type" yaml:"match_type,omitempty"`
	MatchString      string    `json:"match_string,omitempty" yaml:"match_string,omitempty"`
	TrapOID          string    `json:"trap_oid,omitempty" yaml:"trap_oid,omitempty"`
	SyslogSeverity   *int      `json:"syslog_severity,omitempty" yaml:"syslog_severity,omitempty"`
	MinSeverity      *int      `json:"min_severity,omitempty" yaml:"min_severity,omitempty"`
	MaxSeverity      *int      `json:"max_severity,omitempty" yaml:"max_severity,omitempty"`
	HostPattern      string    `json:"host_pattern,omitempty" yaml:"host_pattern,omitempty"`
	Source           string    `json:"source,omitempty" yaml:"source,omitempty"`
	Priority         int       `json:"priority" yaml:"priority"`
	ProdHandling     string    `json:"prod_handling" yaml:"prod_handling"`
	DevHandling      string    `json:"dev_handling" yaml:"dev_handling"`
	TeamAssignment   string    `json:"team_assignment" yaml:"team_assignment"`
	SeverityOverride *int      `json:"severity_override,omitempty" yaml:"severity_override,omitempty"` // destination scale 0..5
	Signature        string    `json:"signature,omitempty" yaml:"signature,omitempty"`
	Examples         *Examples `json:"examples,omitempty" yaml:"examples,omitempty"`
	IsActive         bool      `json:"is_active" yaml:"is_active"`
	ValidFrom        string    `json:"valid_from,omitempty" yaml:"valid_from,omitempty"` // RFC 3339, "" for always
	ValidUntil       string    `json:"valid_until,omitempty" yaml:"valid_until,omitempty"`
	Revision         int64     `json:"revision,omitempty" yaml:"-"` // of its last change, set by the store
}

// Examples are sample messages that travel with a rule.
type Examples struct {
	Matches    []string          `json:"matches,omitempty" yaml:"matches,omitempty"`
	NotMatches []string          `json:"not_matches,omitempty" yaml:"not_matches,omitempty"`
	Expect     map[string]string `json:"expect,omitempty" yaml:"expect,omitempty"` // message -> name of the rule that wins
}

// Tables are the lookups beside the rules that judging needs.
type Tables struct {
	DevHosts []string          // exact names (any case), globs or CIDRs
	Teams    map[string]string // hostname -> team, for meta-alerts
	Version  int64             // the ruleset version: covers rules, hosts and teams
}
