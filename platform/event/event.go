// Package event is the wire contract between modules: what an ingestor writes on the ingest queue
// (Event) and what an alerter writes on the alert queue (Alert).
//
// Principles:
//  1. Times are Unix microseconds in UTC: the precision that both databases keep.
//  2. A batch is versioned and self-describing; an older MUTT refuses a newer batch and never drops it.
//  3. Decoding does not copy text: the strings of a decoded event share one backing array, so keeping one
//     string alive keeps its batch alive. Clone what outlives the batch.
package event

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// ID is a UUID; MUTT's own are UUIDv7 (RFC 9562 section 5.7), ordered by time.
type ID = uuid.UUID

// Source says which listener took an event in.
type Source uint8

// The sources. The numbers are stored: never renumber.
const (
	SourceUnknown Source = iota
	SourceHTTP
	SourceSyslog
	SourceTrap
	SourceReplay // a dead-lettered event that was put back
	SourceMeta   // made by MUTT itself: a meta-alert
)

var sourceNames = [...]string{"unknown", "http", "syslog", "snmptrap", "replay", "meta"}

// String gives the name used in APIs and metrics.
func (s Source) String() string {
	if int(s) < len(sourceNames) {
		return sourceNames[s]
	}
	return sourceNames[0]
}

// Sources lists every source, for tables and tests.
func Sources() []Source {
	return []Source{SourceHTTP, SourceSyslog, SourceTrap, SourceReplay, SourceMeta}
}

// ParseSource is the inverse of Source.String; ok is false for an unknown name.
func ParseSource(name string) (s Source, ok bool) {
	for i, n := range sourceNames {
		if i > 0 && n == name {
			return Source(i), true
		}
	}
	return SourceUnknown, false
}

var severityNames = [...]string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}

// SeverityNames lists syslog's words for severities (RFC 5424 section 6.2.1), from 0, the worst, to 7.
func SeverityNames() []string { return slices.Clone(severityNames[:]) }

// Absent is the value of Severity and Facility when the sender gave none.
const Absent int8 = -1

// Event is one accepted message of a device.
type Event struct {
	ID            ID
	ReceivedAt    int64 // Unix µs, this process's clock
	Timestamp     int64 // Unix µs, the device's word (ReceivedAt when that could not be used)
	Source        Source
	Severity      int8 // syslog severity 0..7, or Absent (RFC 5424 section 6.2.1)
	Facility      int8 // syslog facility 0..23, or Absent
	Hostname      string
	Message       string // UTF-8 without NUL
	CorrelationID string
	SenderID      string // the sender's own id, "" when it gave none
	SourceType    string
	SourceIP      string
	AppName       string
	ProcID        string
	MsgID         string
	TrapOID       string // dotted, without a leading dot
	Variables     []Variable
	Fields        string // what else was sent, as the text of one JSON object; "" for none
	TraceParent   string
}

// Variable is one SNMP variable binding.
type Variable struct {
	OID, Type, Value string // Value in text form
}

// Fate says what judging made of an event; every received event gets exactly one.
type Fate uint8

// The fates. The numbers are stored: never renumber.
const (
	FateNone      Fate = iota
	FateForwarded      // an alert was published
	FateRecorded       // matched, handling Log_only
	FateIgnored        // matched, handling Ignore
	FateUnhandled      // no rule matched
	FateSilenced
	FateShed   // would have been forwarded, parked in the DLQ under pressure
	FatePoison // could not be judged, parked in the DLQ
)

var fateNames = [...]string{"none", "forwarded", "recorded", "ignored", "unhandled", "silenced", "shed", "poison"}

// String gives the name used in APIs and metrics.
func (f Fate) String() string {
	if int(f) < len(fateNames) {
		return fateNames[f]
	}
	return fateNames[0]
}

// Fates lists every fate, for tables and tests.
func Fates() []Fate {
	return []Fate{FateForwarded, FateRecorded, FateIgnored, FateUnhandled, FateSilenced, FateShed, FatePoison}
}

// ParseFate is the inverse of Fate.String; ok is false for an unknown name.
func ParseFate(name string) (f Fate, ok bool) {
	for i, n := range fateNames {
		if i > 0 && n == name {
			return Fate(i), true
		}
	}
	return FateNone, false
}

// Handling is what a rule wants done with an event.
type Handling uint8

// The handlings. The numbers are stored: never renumber.
const (
	HandlingNone Handling = iota
	PageAndTicket
	PageOnly
	TicketOnly
	Ignore
	LogOnly
)

var handlingNames = [...]string{"", "Page_and_ticket", "Page_only", "Ticket_only", "Ignore", "Log_only"}

// String gives the predecessor's spelling.
func (h Handling) String() string {
	if int(h) < len(handlingNames) {
		return handlingNames[h]
	}
	return ""
}

// Handlings lists the valid handlings in the order of the contract.
func Handlings() []Handling {
	return []Handling{PageAndTicket, PageOnly, TicketOnly, Ignore, LogOnly}
}

// ParseHandling reads a handling in any case; ok is false for an unknown one.
func ParseHandling(s string) (h Handling, ok bool) {
	for i, n := range handlingNames {
		if i > 0 && strings.EqualFold(n, s) {
			return Handling(i), true
		}
	}
	return HandlingNone, false
}

// Forwards reports whether events of this handling go to the destination.
func (h Handling) Forwards() bool { return h == PageAndTicket || h == PageOnly || h == TicketOnly }

// Fate gives what becomes of an event of this handling.
func (h Handling) Fate() Fate {
	switch h {
	case PageAndTicket, PageOnly, TicketOnly:
		return FateForwarded
	case Ignore:
		return FateIgnored
	case LogOnly:
		return FateRecorded
	default:
		return FateUnhandled
	}
}

// Decision is what judging made of one event: what the audit row stores and what is published follows it.
type Decision struct {
	Fate           Fate
	Handling       Handling
	Dev            bool // the host is a development host
	Severity       int8 // the destination's scale: 0 clear .. 5 critical (contracts.md section 9)
	RuleID         int64
	RuleName       string
	Team           string
	Signature      string
	RulesetVersion int64
}

// Environment names the environment of the decision.
func (d *Decision) Environment() string {
	if d.Dev {
		return "dev"
	}
	return "prod"
}

// Alert is a judged event on its way to the destination.
type Alert struct {
	Event    Event
	Decision Decision
}

// Micros converts a time to the unit of this package.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// Time converts back, in UTC.
func Time(us int64) time.Time { return time.UnixMicro(us).UTC() }
