package page

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
)

// eventRow is one judged event.
type eventRow struct {
	id, time, exact                           string
	severity                                  int // syslog's, −1 where the device sent none
	sent                                      int // the destination's
	host, source, message                     string
	rule, team, handling, fate, env           string
	signature, correlation, ruleset, href, ip string
	selected                                  bool
}

// rowOf renders one judged event. What the device said is in the whole event.
func rowOf(l *apiclient.AuditLog, now time.Time) eventRow {
	raw := struct {
		Message  string `json:"message"`
		Source   string `json:"source"`
		IP       string `json:"source_ip"`
		Severity *int   `json:"syslog_severity"`
	}{}
	_ = json.Unmarshal(l.RawMessage, &raw) // what is not there stays empty: the row is shown all the same
	message := visible(cut(raw.Message, maxRowText))
	if len(raw.Message) > maxRowText {
		message += "…"
	}
	row := eventRow{
		id: l.ID, time: clock(l.ReceivedAt, now), exact: exact(l.ReceivedAt),
		severity: -1, sent: l.Severity, host: visible(l.Hostname), source: sourceWord(raw.Source), ip: visible(raw.IP), message: message,
		rule: visible(l.RuleName), team: visible(l.Team), handling: l.Handling, fate: l.Fate, env: l.Environment,
		signature: visible(l.Signature), correlation: visible(l.CorrelationID), ruleset: strconv.FormatInt(l.RulesetVersion, 10),
	}
	if raw.Severity != nil && *raw.Severity >= 0 && *raw.Severity <= 7 {
		row.severity = *raw.Severity
	}
	return row
}

func sourceWord(source string) string {
	switch source {
	case "http":
		return "HTTP"
	case "snmptrap":
		return "trap"
	}
	return visible(source)
}

// peekView is the event beside the list.
type peekView struct {
	eventRow
	text    text // the whole message
	verdict string
	device  string
	ago     string
	same    string // link to the events of its host; "" where the list is of it
	fields  []pair
	closed  string // link to the list without it
	failed  *problem
}

// Bounds of what a row and the event beside the list show; the whole event is on its own page.
const (
	maxRowText = 300 // bytes of a message
	maxFields  = 40
	maxField   = 400 // bytes of a value
)

// peekOf renders the event beside the list.
func peekOf(l *apiclient.AuditLog, now time.Time, s listState) *peekView {
	v := &peekView{eventRow: rowOf(l, now), device: clock(l.EventTimestamp, now), ago: span(max(0, now.Sub(l.ReceivedAt))) + " ago"}
	v.verdict = verdictSentence(&v.eventRow)
	shown := []string{"id", "received_at", "timestamp", "source", "hostname", "message", "syslog_severity", "source_ip", "_correlation_id"}
	for _, f := range fieldsOf(l.RawMessage) {
		switch {
		case f.name == "message":
			v.text = shorten(f.value, maxShown)
		case !slices.Contains(shown, f.name) && len(v.fields) < maxFields:
			v.fields = append(v.fields, pair{visible(cut(f.name, maxField)), shorten(f.value, maxField).shown, true})
		}
	}
	if host := (condition{"host", l.Hostname}); l.Hostname != "" && visible(l.Hostname) == l.Hostname && !strings.Contains(s.q, host.String()) {
		of := s.first()
		of.q = host.String()
		v.same = of.href()
	}
	return v
}

// verdictSentence says what was decided of an event, as far as its row knows. MUTT does not record deliveries for single events.
func verdictSentence(r *eventRow) string {
	switch r.fate {
	case event.FateForwarded.String():
		do := map[string]string{event.PageAndTicket.String(): "page and ticket ", event.PageOnly.String(): "page ", event.TicketOnly.String(): "open a ticket for "}[r.handling]
		if do == "" || r.team == "" {
			return "Published to the alert queue."
		}
		return "Published to " + do + r.team + "."
	case event.FateRecorded.String():
		return "Recorded only. Nobody was notified."
	case event.FateIgnored.String():
		return "Ignored."
	case event.FateSilenced.String():
		return "Held back by a silence."
	case event.FateUnhandled.String():
		return "No rule matched it."
	case event.FateShed.String():
		return "Shed: not published."
	case event.FatePoison.String():
		return "It could not be judged."
	}
	return ""
}
