package page

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
)

// pageRows is how many events a page of the list has.
const pageRows = 50

// eventsView is what the Events page shows.
type eventsView struct {
	query      string
	kept       []pair // the range, which a new query keeps
	conditions []condition
	ranges     []rangeLink
	fixed      string // link that turns the live range into a fixed one; "" where it is fixed
	sentence   string
	rows       []eventRow
	peek       *eventRow
	closePeek  string
	newest     string // links of the paging; "" where there is none
	older      string
	partial    bool
	looser     []looser
	failed     *problem
	badQuery   string
	live       bool
	switchTo   string // link to the other mode
	script     string // of the live list
}

type rangeLink struct {
	label, href, key string
	current          bool
}

// condition is one chip of the query, with the query without it.
type condition struct{ text, without string }

// looser is a query that finds more.
type looser struct{ label, href string }

// eventRow is one judged event.
type eventRow struct {
	id, time, exact, received, device         string
	severity                                  int // syslog's, −1 where the device sent none
	sent                                      int // the destination's
	host, source, message                     string
	rule, team, handling, fate, env           string
	signature, correlation, ruleset, href, ip string
	selected                                  bool
}

// params name what the API takes for each condition of a query.
func params() map[string]string {
	return map[string]string{"host": "hostname", "fate": "fate", "rule": "rule_id", "team": "team", "corr": "correlation_id", "handling": "handling"}
}

// parseQuery splits a query into conditions of the API and chips: host:edge-fra-1 fate:unhandled some text.
func parseQuery(q string) (api url.Values, chips []string, err error) {
	api = url.Values{}
	var text []string
	for _, word := range strings.Fields(q) {
		name, value, cond := strings.Cut(word, ":")
		switch param, known := params()[name]; {
		case !cond || name == "text" && value == "":
			text = append(text, word)
		case name == "text":
			text = append(text, value)
		case known && value == "":
			return nil, nil, fault.Field(fault.InvalidField, "query", "%s: needs a value, as in host:edge-fra-1", name)
		case known && api.Has(param):
			return nil, nil, fault.Field(fault.InvalidField, "query", "%s: can be given once", name)
		case known:
			api.Set(param, value)
			chips = append(chips, word)
		case slices.Contains([]string{"sev", "src", "env", "id"}, name):
			return nil, nil, fault.Field(fault.InvalidField, "query", "%s: cannot be searched for; use host:, fate:, rule:, team:, corr:, handling: or text", name)
		default: // a colon is common in messages: %LINK-3-UPDOWN: Interface
			text = append(text, word)
		}
	}
	if len(text) > 0 {
		api.Set("q", strings.Join(text, " "))
		chips = append(chips, strings.Join(text, " "))
	}
	return api, chips, nil
}

// listState is the state of the list, which is its URL.
type listState struct {
	q, rng, from, to, cursor, peek, live string
}

func (s listState) href() string {
	v := url.Values{}
	for name, value := range map[string]string{"q": s.q, "range": s.rng, "from": s.from, "to": s.to, "cursor": s.cursor, "e": s.peek, "live": s.live} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if len(v) == 0 {
		return "/events"
	}
	return "/events?" + v.Encode()
}

func (p *Pages) events(c echo.Context) error {
	now := p.Now().UTC()
	s := listState{q: c.QueryParam("q"), rng: c.QueryParam("range"), from: c.QueryParam("from"), to: c.QueryParam("to"), cursor: c.QueryParam("cursor"), peek: c.QueryParam("e"), live: liveParam(c.QueryParam("live"))}
	var v eventsView
	span := time.Hour
	if s.from == "" && s.to == "" {
		if chosen := slices.IndexFunc(ranges(), func(d time.Duration) bool { return rangeName(d) == s.rng }); chosen >= 0 {
			span = ranges()[chosen]
		}
		s.rng = rangeName(span)
	} else {
		s.rng = ""
	}
	v.ranges, v.kept = rangeLinks(s), []pair{{name: "range", value: s.rng}}
	if s.rng == "" {
		v.kept = []pair{{name: "from", value: visible(s.from)}, {name: "to", value: visible(s.to)}}
	}
	if s.live != "" {
		v.kept = append(v.kept, pair{name: "live", value: s.live})
	}
	query, chips, err := parseQuery(s.q)
	if v.query = visible(s.q); v.query != s.q {
		err = fault.Field(fault.InvalidField, "query", "control characters cannot be searched for")
	}
	for i, chip := range chips {
		without := s
		without.q, without.cursor, without.peek = strings.Join(slices.Delete(slices.Clone(chips), i, i+1), " "), "", ""
		v.conditions = append(v.conditions, condition{visible(chip), without.href()})
	}
	if err != nil {
		v.badQuery = problemOf(c, err).Message
		return p.show(c, http.StatusBadRequest, eventsPage(p.frame(c, "events", "Events"), &v))
	}
	query.Set("limit", strconv.Itoa(pageRows))
	within := "in the last " + rangeWords(span)
	if s.rng != "" {
		fixed := s
		fixed.rng, fixed.live, fixed.from, fixed.to, fixed.cursor = "", "", now.Add(-span).Format(time.RFC3339), now.Format(time.RFC3339), ""
		v.fixed = fixed.href()
		query.Set("start_date", now.Add(-span).Format(time.RFC3339))
	} else {
		within = "in the chosen time"
		for name, value := range map[string]string{"start_date": s.from, "end_date": s.to} {
			if value != "" {
				query.Set(name, value)
			}
		}
	}
	if s.cursor != "" {
		query.Set("cursor", s.cursor)
		newest := s
		newest.cursor, newest.peek = "", ""
		v.newest = newest.href()
	}
	var found apiclient.AuditLogs
	err = p.read(c, "/audit-logs", query, &found)
	status := http.StatusOK
	if v.failed = problemOf(c, err); err != nil {
		status = fault.Describe(fault.Code(v.failed.Code)).Status
	}
	for i := range found.Logs {
		row := rowOf(&found.Logs[i], now)
		open := s
		open.peek = row.id
		row.href, row.selected = open.href(), row.id == s.peek
		v.rows = append(v.rows, row)
		if row.selected {
			v.peek = &v.rows[len(v.rows)-1]
		}
	}
	closed := s
	closed.peek = ""
	v.closePeek = closed.href()
	if found.Pagination.NextCursor != "" {
		older := s
		older.cursor, older.peek = found.Pagination.NextCursor, ""
		v.older = older.href()
	}
	v.partial = found.Pagination.Partial
	v.sentence = sentence(&found.Pagination, chips, within)
	v.looser = looserThan(s, chips)
	p.liveMode(c, s, &v)
	return p.show(c, status, eventsPage(p.eventsFrame(c), &v))
}

// sentence says what the list is of.
func sentence(p *apiclient.Pagination, chips []string, within string) string {
	about, fitting := "", ""
	if p.Total == 0 && len(chips) > 0 {
		return "No event matches " + within
	}
	if p.Total == 0 {
		return "No event came " + within
	}
	if p.TotalIsEstimate {
		about = "about "
	}
	if len(chips) > 0 {
		fitting = " match"
		if p.Total == 1 {
			fitting = " matches"
		}
	}
	return about + counted(p.Total, "event", "events") + fitting + " " + within + ", newest first"
}

// looserThan offers queries that find more than s.
func looserThan(s listState, chips []string) (out []looser) {
	s.cursor, s.peek = "", ""
	if s.rng != "" && s.rng != rangeName(7*24*time.Hour) {
		wide := s
		wide.rng = rangeName(24 * time.Hour)
		if s.rng == wide.rng {
			wide.rng = rangeName(7 * 24 * time.Hour)
		}
		out = append(out, looser{"Look at " + rangeLabel(wide.rng), wide.href()})
	}
	if len(chips) > 0 {
		every := s
		every.q = ""
		out = append(out, looser{"Any event", every.href()})
	}
	return out
}

// ranges are the lengths of time that a list of events can be of.
func ranges() []time.Duration {
	return []time.Duration{15 * time.Minute, time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}
}

func rangeName(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d >= time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dm", d/time.Minute)
}

// rangeLabel is the name of a range for people.
func rangeLabel(name string) string {
	return map[string]string{"15m": "15 min", "1h": "1 h", "24h": "24 h", "7d": "7 d"}[name]
}

func rangeWords(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return counted(int64(d/(24*time.Hour)), "day", "days")
	case d > time.Hour:
		return counted(int64(d/time.Hour), "hour", "hours")
	case d == time.Hour:
		return "hour"
	}
	return counted(int64(d/time.Minute), "minute", "minutes")
}

// rangeLinks are the ranges to choose from; [ and ] step through them.
func rangeLinks(s listState) (out []rangeLink) {
	s.cursor, s.peek, s.from, s.to = "", "", "", ""
	at := -1
	for i, d := range ranges() {
		link, name := s, rangeName(d)
		link.rng = name
		if name == s.rng {
			at = i
		}
		out = append(out, rangeLink{label: rangeLabel(name), href: link.href(), current: name == s.rng})
	}
	if at > 0 {
		out[at-1].key = "["
	}
	if at >= 0 && at+1 < len(out) {
		out[at+1].key = "]"
	}
	return out
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
	row := eventRow{
		id: l.ID, time: clock(l.ReceivedAt, now), exact: exact(l.ReceivedAt), received: exact(l.ReceivedAt), device: exact(l.EventTimestamp),
		severity: -1, sent: l.Severity, host: visible(l.Hostname), source: sourceWord(raw.Source), ip: visible(raw.IP), message: visible(raw.Message),
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
