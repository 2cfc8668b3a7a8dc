package apiclient

import (
	"encoding/json"
	"time"

	"github.com/muttproject/mutt/platform/rule"
)

// Pagination says which part of a list an answer holds. Page and Pages are 0 in a walk by cursor.
type Pagination struct {
	Page            int64  `json:"page"`
	Limit           int    `json:"limit"`
	Total           int64  `json:"total"`
	Pages           int64  `json:"pages"`
	TotalIsEstimate bool   `json:"total_is_estimate,omitempty"`
	Partial         bool   `json:"partial,omitempty"`     // the bounded search window ended before the page was full
	NextCursor      string `json:"next_cursor,omitempty"` // "" at the end
}

// Created answers a POST that made something with a number.
type Created struct {
	ID      int64  `json:"id"`
	Message string `json:"message"`
}

// Done answers a write that has nothing more to say.
type Done struct {
	Message string `json:"message"`
}

// Rules is the list of rules, in the order of their ids.
type Rules struct {
	Rules []rule.Rule `json:"rules"`
}

// RuleSaved answers PUT, PATCH and DELETE of a rule.
type RuleSaved struct {
	ID       int64  `json:"id"`
	Message  string `json:"message"`
	Revision int64  `json:"revision"`
}

// ImportResult answers an import of rules: what it did, or with DryRun what it would do.
type ImportResult struct {
	DryRun    bool          `json:"dry_run"`
	Mode      string        `json:"mode"` // merge or replace
	Created   int           `json:"created"`
	Updated   int           `json:"updated"`
	Deleted   int           `json:"deleted"`
	Unchanged int           `json:"unchanged"`
	Revision  int64         `json:"revision,omitempty"` // of the change, 0 for none
	Changes   []rule.Change `json:"changes"`
}

// Host is a development host entry: a name, a glob or a CIDR.
type Host struct {
	Hostname string `json:"hostname"`
	Revision int64  `json:"revision,omitempty"`
}

// Hosts is the list of development hosts, by name.
type Hosts struct {
	Hosts []Host `json:"hosts"`
}

// Team maps a device to the team of its meta-alerts.
type Team struct {
	Hostname       string `json:"hostname"`
	TeamAssignment string `json:"team_assignment"`
	Revision       int64  `json:"revision,omitempty"`
}

// Teams is the list of device teams, by hostname.
type Teams struct {
	Teams []Team `json:"teams"`
}

// Imported answers a CSV import.
type Imported struct {
	Created   int    `json:"created"`
	Updated   int    `json:"updated"`
	Unchanged int    `json:"unchanged"`
	Message   string `json:"message"`
}

// Config is the list of dynamic configuration values.
type Config struct {
	Config map[string]any `json:"config"`
	Items  []ConfigItem   `json:"items,omitempty"` // under /api/v2
}

// ConfigItem is one dynamic key. Min and Max are null where the type has no bounds.
type ConfigItem struct {
	Key         string     `json:"key"`
	Value       any        `json:"value"`
	Default     any        `json:"default"`
	Type        string     `json:"type"`
	Min         *float64   `json:"min"`
	Max         *float64   `json:"max"`
	Options     []string   `json:"options,omitempty"`
	Unit        string     `json:"unit"`
	Description string     `json:"description"`
	Readers     []string   `json:"readers"`
	UpdatedAt   *time.Time `json:"updated_at"` // null until it is set
	UpdatedBy   string     `json:"updated_by"`
	Revision    int64      `json:"revision"` // 0 until it is set
}

// ConfigChanged answers PUT and DELETE of a dynamic key.
type ConfigChanged struct {
	Key      string `json:"key"`
	OldValue any    `json:"old_value"`
	NewValue any    `json:"new_value"`
	Revision int64  `json:"revision"`
}

// Change is one row of the change audit. Values are JSON; null for none.
type Change struct {
	ID            int64           `json:"id"`
	ChangedAt     time.Time       `json:"changed_at"`
	ChangedBy     string          `json:"changed_by"`
	Operation     string          `json:"operation"`
	TableName     string          `json:"table_name,omitempty"` // not in /config/history, which has one table
	RecordID      string          `json:"record_id"`
	OldValue      json.RawMessage `json:"old_value"`
	NewValue      json.RawMessage `json:"new_value"`
	Reason        string          `json:"reason"`
	CorrelationID string          `json:"correlation_id"`
}

// History is a page of /config/history.
type History struct {
	History    []Change   `json:"history"`
	Pagination Pagination `json:"pagination"`
}

// Changes is a page of /audit.
type Changes struct {
	Logs       []Change   `json:"logs"`
	Pagination Pagination `json:"pagination"`
}

// AuditLog is one judged event.
type AuditLog struct {
	ID              string          `json:"id"`
	EventTimestamp  time.Time       `json:"event_timestamp"`
	ReceivedAt      time.Time       `json:"received_at"`
	Hostname        string          `json:"hostname"`
	MatchedRuleID   *int64          `json:"matched_rule_id"`
	RuleName        string          `json:"rule_name"`
	Handling        string          `json:"handling_decision"`
	Fate            string          `json:"fate"`
	ForwardedToMoog bool            `json:"forwarded_to_moog"` // the decision, not the delivery
	Team            string          `json:"team"`
	Severity        int             `json:"severity"` // the destination's scale, 0 clear to 5 critical
	Environment     string          `json:"environment"`
	Signature       string          `json:"signature"`
	RulesetVersion  int64           `json:"ruleset_version"`
	CorrelationID   string          `json:"correlation_id"`
	RawMessage      json.RawMessage `json:"raw_message"` // the whole event
}

// AuditLogs is a page of /audit-logs.
type AuditLogs struct {
	Logs       []AuditLog `json:"logs"`
	Pagination Pagination `json:"pagination"`
}

// Queue is the depth of one queue, in events.
type Queue struct {
	Name             string  `json:"name"`
	Ready            int64   `json:"ready"`
	Claimed          int64   `json:"claimed"`
	Delayed          int64   `json:"delayed"`
	Dead             int64   `json:"dead"`
	Depth            int64   `json:"depth"` // ready, claimed and delayed together
	Entries          int64   `json:"entries"`
	Consumers        int     `json:"consumers"`          // partitions that a process works on
	OldestAgeSeconds float64 `json:"oldest_age_seconds"` // 0 when empty
}

// Queues answers /queues.
type Queues struct {
	Queues []Queue `json:"queues"`
}

// Process is a running MUTT process, as it told last.
type Process struct {
	ID             string            `json:"id"` // of this start of it
	Name           string            `json:"name"`
	Roles          []string          `json:"roles"`
	Version        string            `json:"version"`
	StartedAt      time.Time         `json:"started_at"`
	ConfigRevision int64             `json:"config_revision"`
	Listeners      []string          `json:"listeners"`       // "ingest 0.0.0.0:8080"
	SecretVersions map[string]string `json:"secret_versions"` // in use, by the secret's name; never a secret
}

// Processes answers /processes.
type Processes struct {
	Processes []Process `json:"processes"`
}

// DeadLetter is one dead-lettered event (queue ingest) or alert (queue alert).
type DeadLetter struct {
	ID          string          `json:"id"`
	Queue       string          `json:"queue"`
	Hostname    string          `json:"hostname"`
	Code        string          `json:"code"` // shed, rejected, exhausted, poison
	Reason      string          `json:"reason"`
	Attempts    int             `json:"attempts"`
	FirstTried  *time.Time      `json:"first_tried_at"`
	DiedAt      time.Time       `json:"died_at"`
	Event       json.RawMessage `json:"event"`                  // null when it does not decode
	Alert       *AlertDecision  `json:"alert,omitempty"`        // what was decided, in the queue alert
	DecodeError string          `json:"decode_error,omitempty"` // why Event is null
}

// AlertDecision is what judging made of a dead-lettered alert.
type AlertDecision struct {
	RuleID      *int64 `json:"rule_id"`
	RuleName    string `json:"rule_name"`
	Handling    string `json:"handling_decision"`
	Team        string `json:"team"`
	Severity    int    `json:"severity"`
	Environment string `json:"environment"`
	Signature   string `json:"signature"`
}

// DeadLetters is a page of /dlq/{queue}.
type DeadLetters struct {
	Queue      string       `json:"queue"`
	Items      []DeadLetter `json:"items"`
	Pagination Pagination   `json:"pagination"`
}

// ReplayRequest selects dead letters to put back: exactly one of IDs, All and Count.
type ReplayRequest struct {
	IDs    []string `json:"ids,omitempty"`
	All    bool     `json:"all,omitempty"`
	Count  int      `json:"count,omitempty"` // the oldest ones
	Reason string   `json:"reason,omitempty"`
}

// Replayed answers a replay.
type Replayed struct {
	Queue    string `json:"queue"`
	Replayed int    `json:"replayed"`
	Message  string `json:"message"`
}

// Metrics answers /metrics. All rates are events per minute.
type Metrics struct {
	Summary struct {
		CurrentRate1m float64 `json:"current_rate_1m"`
		AvgRate15m    float64 `json:"avg_rate_15m"`
		AvgRate1h     float64 `json:"avg_rate_1h"`
	} `json:"summary"`
	Chart24h struct {
		Labels []string  `json:"labels"` // 24 hours, oldest first, "15:00" in UTC
		Data   []float64 `json:"data"`
	} `json:"chart_24h"`
}

// Ledger answers /ledger: the two books (docs/architecture.md). Balanced means that nothing is missing beyond
// what is being worked on at this moment; it is exact when InFlight is 0.
type Ledger struct {
	Judging  JudgingBook  `json:"judging"`
	Delivery DeliveryBook `json:"delivery"`
}

// JudgingBook is: received = judged, by fate, + in flight.
type JudgingBook struct {
	Received   int64            `json:"received"`
	Judged     int64            `json:"judged"`
	ByFate     map[string]int64 `json:"by_fate"`
	InFlight   int64            `json:"in_flight"`
	Difference int64            `json:"difference"` // received - judged - in_flight
	Balanced   bool             `json:"balanced"`
}

// DeliveryBook is: forwardable = delivered + discarded + parked + in flight.
type DeliveryBook struct {
	Forwardable int64 `json:"forwardable"`
	Delivered   int64 `json:"delivered"`
	Discarded   int64 `json:"discarded"`
	Parked      int64 `json:"parked"`
	InFlight    int64 `json:"in_flight"`
	Difference  int64 `json:"difference"`
	Balanced    bool  `json:"balanced"`
}

// Version answers /version.
type Version struct {
	Product           string   `json:"product"`
	Version           string   `json:"version"`
	Commit            string   `json:"commit,omitempty"`
	APIVersion        string   `json:"api_version"`
	SupportedVersions []string `json:"supported_versions"`
}

// Whoami answers /whoami.
type Whoami struct {
	Name string `json:"name"`
	Role string `json:"role"`
}
