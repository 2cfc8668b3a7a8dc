package store

import (
	"time"

	"github.com/muttproject/mutt/platform/event"
)

// Actor is who makes a change, as the change audit names it: "key:netops-ci", "user:anna", "system", "cli:root".
type Actor struct {
	Name          string
	CorrelationID string
}

// AuditRow is one judged event as it is stored. It is the decision: what is published follows it.
type AuditRow struct {
	Event    *event.Event
	Decision *event.Decision
}

// LedgerCount adds N events of a source and fate to the judging book of a minute.
type LedgerCount struct {
	Minute int64 // Unix minutes of the judging: what was received by then and is in no row yet waits
	Source event.Source
	Fate   event.Fate
	N      int64
}

// JudgedEntry is the outcome of one queue entry.
type JudgedEntry struct {
	Entry  event.ID
	Rows   []AuditRow
	Counts []LedgerCount
}

// AuditLog is an audit row as it is read.
type AuditLog struct {
	ID             event.ID
	EventTimestamp time.Time
	ReceivedAt     time.Time
	Hostname       string
	RuleID         *int64 // nil when no rule matched
	RuleName       string
	Decision       event.Decision
	CorrelationID  string
	Source         event.Source
	SyslogSeverity int8   // event.Absent when the device sent none
	RawMessage     string // the whole event as JSON
}

// SeverityRange is a range of syslog's severities, both ends included. 0, emerg, is the worst. An event without a severity is in no range.
type SeverityRange struct{ Worst, Least int8 }

// AuditFilter selects audit rows; zero fields do not filter. Newest first.
type AuditFilter struct {
	Hostname      string
	RuleID        *int64
	Team          string
	Handling      event.Handling
	Fate          event.Fate
	Source        event.Source
	Severity      *SeverityRange // of what the device said, not of what is sent
	Dev           *bool          // environment: of development hosts only, or of the others only
	CorrelationID string
	Query         string   // substring of the message, over a bounded window
	ID            event.ID // the one event that has it; zero for all
	Start, End    time.Time
	Before        event.ID // keyset: only rows with a lower id; zero for the newest
	Limit, Offset int
	Bytes         int  // of RawMessage, after which a page ends before its limit; 0 for no bound
	WithoutTotal  bool // leaves Page.Total open, for a walk over many pages
}

// Page is one page of a list.
type Page[T any] struct {
	Items           []T
	Total           int64
	TotalIsEstimate bool
	Partial         bool     // a bounded search window ended before the page was full
	Next            event.ID // keyset cursor for the next page, zero at the end
}

// Change is one row of the change audit (config_audit_log).
type Change struct {
	ID            int64     `json:"id"`
	ChangedAt     time.Time `json:"changed_at"`
	ChangedBy     string    `json:"changed_by"`
	Operation     string    `json:"operation"` // CREATE, UPDATE, DELETE
	TableName     string    `json:"table_name"`
	RecordID      string    `json:"record_id"`
	OldValue      string    `json:"-"` // JSON object text: only what changed, plus the identity; "" for none
	NewValue      string    `json:"-"`
	Reason        string    `json:"reason"`
	CorrelationID string    `json:"correlation_id"`
	Revision      int64     `json:"revision"`
	PrevHash      string    `json:"-"` // hex SHA-256 of the row before
	Hash          string    `json:"-"`
}

// ChangeFilter selects change-audit rows; zero fields do not filter. Newest first.
type ChangeFilter struct {
	ChangedBy, Operation, TableName, RecordID string
	Without                                   string // a table whose rows are left out, "" for none
	Start, End                                time.Time
	Limit, Offset                             int
}

// ConfigValue is a dynamic configuration value that was set.
type ConfigValue struct {
	Key       string
	Value     string // JSON text
	UpdatedAt time.Time
	UpdatedBy string
	Revision  int64
}

// DevHost is a development host entry: a name, a glob or a CIDR.
type DevHost struct {
	Hostname string `json:"hostname"`
	Revision int64  `json:"revision,omitempty"`
}

// Team maps a device to the team that its meta-alerts go to.
type Team struct {
	Hostname       string `json:"hostname"`
	TeamAssignment string `json:"team_assignment"`
	Revision       int64  `json:"revision,omitempty"`
}

// APIKey is a stored API key; its secrets are kept as hashes only.
type APIKey struct {
	ID        int64
	Name      string
	Role      string
	Hash      []byte // SHA-256 of the secret
	Bootstrap bool   // from the secret source, which alone changes it
	RateLimit int64  // requests per minute, 0 for no limit
	CreatedAt time.Time
	ExpiresAt time.Time // zero for never
	LastUsed  time.Time // of the present secret, written by the minute; zero for never
	// Second is the hash of another secret that is accepted too, nil for none: that of the next rotation, or the one
	// that the last rotation replaced.
	Second      []byte
	SecondUntil time.Time // zero for as long as it is there
	SecondUsed  time.Time
	Revision    int64
}

// KeyUse says when a secret was used last.
type KeyUse struct {
	Hash []byte    `json:"hash"` // SHA-256 of the secret
	At   time.Time `json:"at"`
}

// Session is one session of the user interface; its token is kept as a hash only.
type Session struct {
	TokenHash []byte // SHA-256 of the token
	KeyHash   []byte // of the secret that it was opened with, and lives with; nil for an external identity
	Name      string // as the audit names it
	Role      string // of an external identity; that of a key is the key's
	CreatedAt time.Time
	SeenAt    time.Time // written by the minute
	ExpiresAt time.Time
}

// MinuteCount is the running total of one of the queue's counters.
type MinuteCount struct {
	Minute  int64
	Process string
	Kind    string
	Label   string
	N       int64
}

// KindSum is a sum over minutes and processes, see Sums.
type KindSum struct {
	Kind  string
	Label string
	N     int64
}
