package apiclient

import (
	"encoding/json"
	"time"

	"github.com/muttproject/mutt/platform/rule"
)

// Pagination says which part of a list an answer holds. Page and Pages are 0 in a walk by cursor.
type Pagination struct {
	Page            int64      `json:"page" doc:"from 1; 0 in a walk by cursor"`
	Limit           int        `json:"limit" doc:"rows per page" min:"1" max:"200"`
	Total           int64      `json:"total" doc:"of rows; an estimate when total_is_estimate is there" min:"0"`
	Pages           int64      `json:"pages" doc:"0 in a walk by cursor" min:"0"`
	TotalIsEstimate bool       `json:"total_is_estimate,omitempty" doc:"total is exact to 10,000, an estimate above"`
	Partial         bool       `json:"partial,omitempty" doc:"the bounded search window ended before the page was full; go on with next_cursor"`
	LookedFrom      *time.Time `json:"looked_from,omitempty" doc:"with partial: how far back was looked; next_cursor goes on there"`
	NextCursor      string     `json:"next_cursor,omitempty" doc:"for the next page; absent at the end"`
}

// Created answers a POST that made something with a number.
type Created struct {
	ID      int64  `json:"id" doc:"of what was made" min:"1"`
	Message string `json:"message" doc:"what was done"`
	AuditID int64  `json:"audit_id" doc:"of its row of the change audit, which a rollback takes" min:"1"`
}

// Done answers a write that has nothing more to say.
type Done struct {
	Message string `json:"message" doc:"what was done"`
}

// Rules is the list of rules, in the order of their ids.
type Rules struct {
	Rules []rule.Rule `json:"rules"`
}

// RuleStats answers /rules/stats.
type RuleStats struct {
	From           time.Time  `json:"from" doc:"since when hits are counted: the full hour 24 hours ago"`
	RulesetVersion int64      `json:"ruleset_version" doc:"of these rules" min:"0"`
	ShadowsKnown   bool       `json:"shadows_known" doc:"false: which rules are shadowed was not found out, because it took longer than limits.tryout_time or a stored rule does not compile"`
	Rules          []RuleStat `json:"rules" doc:"in the order of judging, inactive ones last"`
	Unhandled      int64      `json:"unhandled" doc:"events since then that no rule matched" min:"0"`
	UnhandledHours []int64    `json:"unhandled_hours" doc:"these by the hour, the current one last" min:"0"`
}

// RuleStat is what is known about the use of a rule.
type RuleStat struct {
	RuleID     int64      `json:"rule_id" doc:"its id"`
	Name       string     `json:"name" doc:"its name"`
	IsActive   bool       `json:"is_active" doc:"false: it never matches"`
	Hits       int64      `json:"hits" doc:"events that it won" min:"0"`
	Hours      []int64    `json:"hours" doc:"these by the hour, the current one last" min:"0"`
	LastMatch  *time.Time `json:"last_match" doc:"receipt of the newest event that it won; null when none is known"`
	ShadowedBy *RuleRef   `json:"shadowed_by" doc:"a rule of better rank that matches whatever this one matches, so that it never wins; null when none is known"`
	Expires    *time.Time `json:"expires" doc:"its valid_until; null when it has none"`
}

// RuleRef names a rule.
type RuleRef struct {
	ID   int64  `json:"id" doc:"of the rule" min:"1"`
	Name string `json:"name" doc:"of the rule"`
}

// RuleSaved answers PUT, PATCH and DELETE of a rule.
type RuleSaved struct {
	ID       int64  `json:"id" doc:"of the rule" min:"1"`
	Message  string `json:"message" doc:"what was done"`
	Revision int64  `json:"revision" doc:"of the rule after the change; of the change when it was deleted"`
	AuditID  int64  `json:"audit_id" doc:"of its row of the change audit, which a rollback takes; 0 when nothing was changed" min:"0"`
}

// ImportResult answers an import of rules: what it did, or with DryRun what it would do.
type ImportResult struct {
	DryRun    bool          `json:"dry_run" doc:"true: this is what would be done"`
	Mode      string        `json:"mode" doc:"merge: by name; replace: rules that the file does not name are deleted" enum:"merge|replace"`
	Created   int           `json:"created" doc:"rules"`
	Updated   int           `json:"updated" doc:"rules"`
	Deleted   int           `json:"deleted" doc:"rules"`
	Unchanged int           `json:"unchanged" doc:"rules"`
	Revision  int64         `json:"revision,omitempty" doc:"of the change; absent when nothing changed"`
	AuditID   int64         `json:"audit_id,omitempty" doc:"last row of the change in the change audit, which POST /config/rollback takes with whole; absent when nothing changed"`
	Changes   []rule.Change `json:"changes" doc:"one for each rule that differs"`
}

// Host is a development host entry: a name, a glob or a CIDR.
type Host struct {
	Hostname string `json:"hostname" doc:"a name, a glob of * and ?, or a CIDR" example:"lab-*"`
	Revision int64  `json:"revision,omitempty" doc:"of its last change"`
}

// Hosts is the list of development hosts, by name.
type Hosts struct {
	Hosts []Host `json:"hosts"`
}

// Team maps a device to the team of its meta-alerts.
type Team struct {
	Hostname       string `json:"hostname" doc:"of the device" example:"sw1"`
	TeamAssignment string `json:"team_assignment" doc:"who gets its meta-alerts" example:"NETOPS"`
	Revision       int64  `json:"revision,omitempty" doc:"of its last change"`
}

// Teams is the list of device teams, by hostname.
type Teams struct {
	Teams []Team `json:"teams"`
}

// Imported answers a CSV import: what it did, or with DryRun what it would do.
type Imported struct {
	DryRun         bool          `json:"dry_run" doc:"true: this is what would be done"`
	Created        int           `json:"created" doc:"entries"`
	Updated        int           `json:"updated" doc:"entries"`
	Deleted        int           `json:"deleted" doc:"entries that the file does not name, with mode=replace"`
	Unchanged      int           `json:"unchanged" doc:"entries of the file"`
	Changes        []EntryChange `json:"changes" doc:"one for each entry that differs, at most 1000"`
	ChangesLeftOut int           `json:"changes_left_out,omitempty" doc:"how many more there are"`
	IgnoredColumns []string      `json:"ignored_columns,omitempty" doc:"headings of columns that were not read"`
	AuditID        int64         `json:"audit_id,omitempty" doc:"last row of the change in the change audit, which POST /config/rollback takes with whole; absent when nothing changed"`
	Message        string        `json:"message" doc:"what was done"`
}

// EntryChange is one entry that an import changes.
type EntryChange struct {
	Operation string `json:"operation" enum:"create|update|delete" doc:"what is done with it"`
	Hostname  string `json:"hostname" doc:"the entry"`
	From      string `json:"from,omitempty" doc:"its team before"`
	To        string `json:"to,omitempty" doc:"its team afterwards"`
}

// Config is the list of dynamic configuration values.
type Config struct {
	Config map[string]any `json:"config" members:"dynamic_keys" doc:"the effective value of each key"`
	Items  []ConfigItem   `json:"items,omitempty" doc:"the keys in full; under /api/v2"`
}

// ConfigItem is one dynamic key. Min and Max are null where the type has no bounds.
type ConfigItem struct {
	Key         string     `json:"key" doc:"its name" example:"moog_rate_limit"`
	Value       any        `json:"value" doc:"in force" example:"50"`
	Default     any        `json:"default" doc:"without a setting" example:"50"`
	Type        string     `json:"type" doc:"of the value" enum:"int|float|bool|string"`
	Min         *float64   `json:"min" doc:"least value, or length; null without bounds"`
	Max         *float64   `json:"max" doc:"greatest value, or length; null without bounds"`
	Options     []string   `json:"options,omitempty" doc:"the only values that it takes"`
	Unit        string     `json:"unit" doc:"of the value"`
	Description string     `json:"description" doc:"what it does"`
	Readers     []string   `json:"readers" doc:"the roles that read it"`
	UpdatedAt   *time.Time `json:"updated_at" doc:"null until it is set"`
	UpdatedBy   string     `json:"updated_by" doc:"who set it"`
	Revision    int64      `json:"revision" doc:"of its last change; 0 until it is set"`
}

// ConfigChanged answers PUT and DELETE of a dynamic key.
type ConfigChanged struct {
	Key      string `json:"key" doc:"its name"`
	OldValue any    `json:"old_value" doc:"in force before"`
	NewValue any    `json:"new_value" doc:"in force now"`
	Revision int64  `json:"revision" doc:"of the change; 0 when the key is not set any more"`
}

// Change is one row of the change audit. Values are JSON; null for none.
type Change struct {
	ID            int64           `json:"id" doc:"in order, without gaps"`
	ChangedAt     time.Time       `json:"changed_at" doc:"when"`
	ChangedBy     string          `json:"changed_by" doc:"the name of the key or user" example:"key:netops-ci"`
	Operation     string          `json:"operation" doc:"what was done" enum:"operation"`
	TableName     string          `json:"table_name,omitempty" doc:"what was changed; absent in /config/history"`
	RecordID      string          `json:"record_id" doc:"which of them"`
	OldValue      json.RawMessage `json:"old_value" doc:"what changed, as it was; null for none"`
	NewValue      json.RawMessage `json:"new_value" doc:"what changed, as it became; null for none"`
	Reason        string          `json:"reason" doc:"as it was given"`
	CorrelationID string          `json:"correlation_id" doc:"of the request"`
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
	ID              string          `json:"id" doc:"of the event" format:"uuid"`
	EventTimestamp  time.Time       `json:"event_timestamp" doc:"the device's time"`
	ReceivedAt      time.Time       `json:"received_at" doc:"MUTT's time"`
	Hostname        string          `json:"hostname" doc:"who reported it"`
	MatchedRuleID   *int64          `json:"matched_rule_id" doc:"null when no rule matched"`
	RuleName        string          `json:"rule_name" doc:"empty when no rule matched"`
	Handling        string          `json:"handling_decision" doc:"empty when no rule matched" enum:"handling_or_none"`
	Fate            string          `json:"fate" doc:"what judging made of it" enum:"fate"`
	ForwardedToMoog bool            `json:"forwarded_to_moog" doc:"the decision, not the delivery"`
	Team            string          `json:"team" doc:"who gets it"`
	Severity        int             `json:"severity" doc:"the destination's scale: 0 clear to 5 critical" min:"0" max:"5"`
	Environment     string          `json:"environment" doc:"prod, or dev for a development host" enum:"prod|dev"`
	Signature       string          `json:"signature" doc:"stable for one problem"`
	RulesetVersion  int64           `json:"ruleset_version" doc:"of the rules that judged it"`
	CorrelationID   string          `json:"correlation_id" doc:"of the request that brought it"`
	RawMessage      json.RawMessage `json:"raw_message" doc:"the whole event"`
}

// AuditLogs is a page of /audit-logs.
type AuditLogs struct {
	Logs       []AuditLog `json:"logs"`
	Pagination Pagination `json:"pagination"`
}

// Queue is the depth of one queue, in events.
type Queue struct {
	Name             string  `json:"name" doc:"of the queue" enum:"queue"`
	Ready            int64   `json:"ready" doc:"events that wait"`
	Claimed          int64   `json:"claimed" doc:"events that are being worked on"`
	Delayed          int64   `json:"delayed" doc:"events that wait for a retry"`
	Dead             int64   `json:"dead" doc:"dead letters"`
	Depth            int64   `json:"depth" doc:"ready, claimed and delayed together"`
	Entries          int64   `json:"entries" doc:"batches that hold them"`
	Bytes            int64   `json:"bytes" doc:"of the events, uncompressed, and 256 for each batch: what max_ingest_queue_bytes bounds"`
	Consumers        int     `json:"consumers" doc:"partitions that a process works on"`
	OldestAgeSeconds float64 `json:"oldest_age_seconds" doc:"0 when empty"`
	// DeadLetters is nil when there are none.
	DeadLetters *DeadSummary `json:"dead_letters,omitempty" doc:"what will become of the dead letters; absent when there are none"`
}

// Queues answers /queues.
type Queues struct {
	Queues []Queue `json:"queues"`
}

// Process is a running MUTT process, as it told last.
type Process struct {
	ID             string            `json:"id" doc:"of this start of it"`
	Name           string            `json:"name" doc:"of the process"`
	Roles          []string          `json:"roles" doc:"what it does"`
	Version        string            `json:"version" doc:"of the program"`
	StartedAt      time.Time         `json:"started_at" doc:"when"`
	ConfigRevision int64             `json:"config_revision" doc:"that it has applied"`
	RulesetVersion int64             `json:"ruleset_version" doc:"of the rules, development hosts and teams that it has applied"`
	Listeners      []string          `json:"listeners" doc:"what it listens on" example:"[\"ingest 0.0.0.0:8080\"]"`
	SecretVersions map[string]string `json:"secret_versions" doc:"in use, by the secret's name; never a secret"`
}

// Processes answers /processes.
type Processes struct {
	Processes []Process `json:"processes"`
}

// DeadLetter is one dead-lettered event (queue ingest) or alert (queue alert).
type DeadLetter struct {
	ID          string          `json:"id" doc:"of the event" format:"uuid"`
	Queue       string          `json:"queue" doc:"that it was in" enum:"queue"`
	Hostname    string          `json:"hostname" doc:"who reported it"`
	Code        string          `json:"code" doc:"why: shed, rejected, exhausted, outage, poison"`
	Reason      string          `json:"reason" doc:"in words"`
	Attempts    int             `json:"attempts" doc:"that were made"`
	Replays     int             `json:"replays" doc:"automatic replays that it has used up" min:"0"`
	GivenUp     bool            `json:"given_up" doc:"true: it used up max_poison_retries and is not replayed automatically any more"`
	FirstTried  *time.Time      `json:"first_tried_at" doc:"null when it never was"`
	DiedAt      time.Time       `json:"died_at" doc:"when"`
	Event       json.RawMessage `json:"event" doc:"null when it does not decode"`
	Alert       *AlertDecision  `json:"alert,omitempty" doc:"what was decided, in the queue alert"`
	DecodeError string          `json:"decode_error,omitempty" doc:"why event is null"`
}

// AlertDecision is what judging made of a dead-lettered alert.
type AlertDecision struct {
	RuleID      *int64 `json:"rule_id" doc:"null when no rule matched"`
	RuleName    string `json:"rule_name" doc:"empty when no rule matched"`
	Handling    string `json:"handling_decision" doc:"empty when no rule matched" enum:"handling_or_none"`
	Team        string `json:"team" doc:"who gets it"`
	Severity    int    `json:"severity" doc:"the destination's scale" min:"0" max:"5"`
	Environment string `json:"environment" doc:"of the host" enum:"prod|dev"`
	Signature   string `json:"signature" doc:"stable for one problem"`
}

// DeadLetters is a page of /dlq/{queue}.
type DeadLetters struct {
	Queue      string       `json:"queue" doc:"that they were in" enum:"queue"`
	Items      []DeadLetter `json:"items"`
	Summary    *DeadSummary `json:"summary,omitempty" doc:"what will become of them; absent when there are none"`
	Pagination Pagination   `json:"pagination"`
}

// DeadSummary says what will become of the dead letters of a queue.
type DeadSummary struct {
	Count      int64      `json:"count" doc:"how many there are" min:"1"`
	Oldest     time.Time  `json:"oldest_died_at" doc:"when the one of the oldest event became a dead letter"`
	Replayed   int        `json:"replayed" doc:"those that are replayed automatically, as of the janitor's last try" min:"0"`
	Undecided  int        `json:"undecided" doc:"those that need a decision: refused by the destination, or unreadable" min:"0"`
	GivenUp    int        `json:"given_up" doc:"those that used up their automatic replays" min:"0"`
	Partial    bool       `json:"partial" doc:"true: not all were counted"`
	NextReplay *time.Time `json:"next_replay_at" doc:"when the janitor tries next at the latest; null when it does not"`
	Plan       string     `json:"plan" doc:"in words"`
}

// ReplayRequest selects dead letters to put back: exactly one of IDs, All and Count.
type ReplayRequest struct {
	IDs    []string `json:"ids,omitempty" doc:"these" maxlen:"10000"`
	All    bool     `json:"all,omitempty" doc:"all that are dead now"`
	Count  int      `json:"count,omitempty" doc:"so many, the oldest first" min:"0"`
	Reason string   `json:"reason,omitempty" doc:"why, for the change audit; required here or in the header X-Reason" maxlen:"1000"`
}

// Replayed answers a replay.
type Replayed struct {
	Queue    string `json:"queue" doc:"that they are in again" enum:"queue"`
	Replayed int    `json:"replayed" doc:"how many"`
	Message  string `json:"message" doc:"what was done"`
}

// Metrics answers /metrics. All rates are events per minute.
type Metrics struct {
	Summary struct {
		CurrentRate1m float64 `json:"current_rate_1m" doc:"over the last minute"`
		AvgRate15m    float64 `json:"avg_rate_15m" doc:"over the last 15 minutes"`
		AvgRate1h     float64 `json:"avg_rate_1h" doc:"over the last hour"`
	} `json:"summary"`
	Chart24h struct {
		Labels []string  `json:"labels" doc:"24 hours, oldest first, in UTC"`
		Data   []float64 `json:"data" doc:"the average of each hour"`
	} `json:"chart_24h"`
}

// Ledger answers /ledger: the two books (docs/architecture.md). Balanced means that nothing is missing beyond
// what is being worked on at this moment; it is exact when InFlight is 0.
type Ledger struct {
	Judging  JudgingBook  `json:"judging"`
	Delivery DeliveryBook `json:"delivery"`
	Beside   BesideBooks  `json:"beside"`
	// Window is nil unless it was asked for.
	Window *LedgerWindow `json:"window,omitempty" doc:"the statement of the window that was asked for; its differences are those of the whole books, whose balanced holds for it too"`
}

// LedgerWindow is a statement of both books over a window that ends now. It has no balanced of its own: what is brought forward is computed
// from the books before the window, so its differences are always those of the whole books, and balanced there holds for both.
type LedgerWindow struct {
	From     time.Time      `json:"from" doc:"begin of the window, a whole minute"`
	Seconds  int64          `json:"seconds" doc:"its length until now" min:"1"`
	Judging  JudgingWindow  `json:"judging"`
	Delivery DeliveryWindow `json:"delivery"`
	Beside   BesideBooks    `json:"beside"`
}

// JudgingWindow is: brought forward + received = judged, by fate, + in flight.
type JudgingWindow struct {
	BroughtForward int64            `json:"brought_forward" doc:"received before the window and not judged before it: in the ingest queue when it began, and any difference of the books"`
	Received       int64            `json:"received" doc:"events"`
	Judged         int64            `json:"judged" doc:"events"`
	ByFate         map[string]int64 `json:"by_fate" doc:"judged, by fate"`
	InFlight       int64            `json:"in_flight" doc:"events in the ingest queue now"`
	Difference     int64            `json:"difference" doc:"brought_forward + received - judged - in_flight; batches that are being worked on may show in it"`
}

// DeliveryWindow is: brought forward + forwardable = delivered + discarded + in flight + parked. What is brought forward includes the dead letters.
type DeliveryWindow struct {
	BroughtForward int64 `json:"brought_forward" doc:"forwardable before the window and not delivered or discarded before it: in the alert queue and its dead letters when it began, and any difference of the books"`
	Forwardable    int64 `json:"forwardable" doc:"forwarded, shed, and meta-alerts"`
	Delivered      int64 `json:"delivered" doc:"alerts"`
	Discarded      int64 `json:"discarded" doc:"dead letters that were discarded"`
	Parked         int64 `json:"parked" doc:"dead letters now"`
	InFlight       int64 `json:"in_flight" doc:"alerts in the alert queue now"`
	Difference     int64 `json:"difference" doc:"what the others leave of brought_forward and forwardable; batches that are being worked on may show in it"`
}

// BesideBooks are events that are in neither book, because they were not taken in. One that is sent again counts again.
type BesideBooks struct {
	Refused  int64 `json:"refused" doc:"events that MUTT was not there to take: the queue was full or away, or the process stopped" min:"0"`
	Rejected int64 `json:"rejected" doc:"events that are wrong, or over the rate limit" min:"0"`
}

// JudgingBook is: received = judged, by fate, + in flight.
type JudgingBook struct {
	Received   int64            `json:"received" doc:"events"`
	Judged     int64            `json:"judged" doc:"events"`
	ByFate     map[string]int64 `json:"by_fate" doc:"judged, by fate"`
	InFlight   int64            `json:"in_flight" doc:"events in the ingest queue"`
	Difference int64            `json:"difference" doc:"received - judged - in_flight"`
	Balanced   bool             `json:"balanced" doc:"nothing is missing beyond what is being worked on"`
}

// DeliveryBook is: forwardable = delivered + discarded + parked + in flight.
type DeliveryBook struct {
	Forwardable int64 `json:"forwardable" doc:"forwarded, shed, and meta-alerts"`
	Delivered   int64 `json:"delivered" doc:"alerts"`
	Discarded   int64 `json:"discarded" doc:"dead letters that were discarded"`
	Parked      int64 `json:"parked" doc:"dead letters"`
	InFlight    int64 `json:"in_flight" doc:"alerts in the alert queue"`
	Difference  int64 `json:"difference" doc:"what the others leave of forwardable"`
	Balanced    bool  `json:"balanced" doc:"nothing is missing beyond what is being worked on"`
}

// Version answers /version.
type Version struct {
	Product           string   `json:"product" doc:"MUTT"`
	Version           string   `json:"version" doc:"of the program"`
	Commit            string   `json:"commit,omitempty" doc:"that it was built of"`
	APIVersion        string   `json:"api_version" doc:"of the API"`
	SupportedVersions []string `json:"supported_versions" doc:"of the API, as Accept-Version takes them"`
}

// Whoami answers /whoami.
type Whoami struct {
	Name string `json:"name" doc:"of the key" example:"key:netops-ci"`
	Role string `json:"role" doc:"of the key" enum:"role"`
}
