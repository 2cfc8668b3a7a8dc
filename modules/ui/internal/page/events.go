package page

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
)

const (
	// pageRows is how many events a page of the list has.
	pageRows = 50
	// looserPatience bounds the counts of looser queries. What is not counted by then is offered without a count.
	looserPatience = 400 * time.Millisecond
	maxLooser      = 5
)

// eventsView is what the Events page shows.
type eventsView struct {
	kept       []pair // fields that a new condition keeps: the query and the range
	query      string // the query, for the fields of the range
	added      string // what stands in the field
	badQuery   string
	conditions []chip
	ranges     []rangeLink
	from, to   string // of the chosen range
	badRange   string
	fixed      string // link that turns the live range into a fixed one; "" where it is fixed
	export     string
	total      string // the number of events, in words
	sentence   string // what follows it
	sampled    string // that not all unhandled events are recorded
	bars       *barsView
	barsFailed *problem
	rows       []eventRow
	peek       *peekView
	newest     string // links of the paging; "" where there is none
	newer      string
	older      string
	position   string // which rows these are
	looked     string // how much of the time was looked at; "" for all of it
	looser     []looser
	failed     *problem
	live       bool
	switchTo   string // link to the other mode
	script     string // of the live list
}

// chip is a condition, with the query without it.
type chip struct{ text, without string }

// looser is a query that finds more, with how many.
type looser struct{ label, count, href string }

func (p *Pages) events(c echo.Context) error {
	now, s := p.Now().UTC(), stateOf(c)
	if add := strings.TrimSpace(c.QueryParam("add")); add != "" {
		return p.addCondition(c, s, add, now)
	}
	conds, err := parseConditions(s.q)
	if err != nil {
		v := p.eventsHead(s, nil, now)
		v.added, v.badQuery = visible(s.q), problemOf(c, err).said()
		return p.showEvents(c, http.StatusBadRequest, v)
	}
	when, wrong := periodOf(&s, conds, now)
	if part := c.Request().Header; part.Get("HX-Target") == "peek" && part.Get("HX-History-Restore-Request") == "" {
		return p.show(c, http.StatusOK, peek(p.peekAt(c, s, nil, now)))
	}
	v := p.eventsHead(s, conds, now)
	if wrong != "" {
		v.badRange = wrong
		return p.showEvents(c, http.StatusBadRequest, v)
	}
	query := apiQuery(conds)
	when.set(query)
	export := url.Values{}
	for name, values := range query {
		export[name] = values
	}
	v.export = Prefix + "/audit-logs/export?" + export.Encode()
	query.Set("limit", strconv.Itoa(pageRows))
	if s.cursor != "" {
		query.Set("cursor", s.cursor)
	}
	var found apiclient.AuditLogs
	status := http.StatusOK
	if err := p.read(c, "/audit-logs", query, &found); err != nil {
		v.failed = problemOf(c, err)
		status = fault.Describe(fault.Code(v.failed.Code)).Status
		if bad := wrongCondition(conds, err); bad != "" {
			v.failed, v.badQuery = nil, bad
		}
		return p.showEvents(c, status, v)
	}
	v.sampled = p.sampled(c)
	p.list(v, &found, s, conds, when, now)
	if when.span() > 0 {
		p.histogram(c, v, s, conds, when)
	}
	if len(v.rows) == 0 && v.older == "" {
		v.looser = p.looserThan(c, s, conds, when)
	}
	if s.peek != "" {
		v.peek = p.peekAt(c, s, found.Logs, now)
	}
	p.liveMode(s, v)
	return p.showEvents(c, status, v)
}

func (p *Pages) showEvents(c echo.Context, status int, v *eventsView) error {
	return p.show(c, status, eventsPage(p.eventsFrame(c), v))
}

// addCondition goes to the list with what was typed added to its query. A condition replaces the one of the same key.
func (p *Pages) addCondition(c echo.Context, s listState, add string, now time.Time) error {
	conds, err := parseConditions(s.q)
	if err != nil {
		conds, s.q = nil, ""
	}
	more, err := parseConditions(add)
	to := s.first()
	if to.q = writeQuery(with(conds, more)); err == nil && len(to.q) > maxQuery {
		err = fault.Field(fault.InvalidField, "query", "must have at most %d bytes", maxQuery)
	}
	if err != nil {
		v := p.eventsHead(s, conds, now)
		v.added, v.badQuery = visible(add), problemOf(c, err).said()
		return p.showEvents(c, http.StatusBadRequest, v)
	}
	return c.Redirect(http.StatusSeeOther, to.href())
}

// eventsHead fills what stands above the list.
func (p *Pages) eventsHead(s listState, conds []condition, now time.Time) *eventsView {
	when, _ := periodOf(&s, conds, now)
	v := &eventsView{query: writeQuery(conds), ranges: rangeLinks(s), from: fieldTime(when.start), to: fieldTime(when.end)}
	v.kept = []pair{{name: "q", value: v.query}}
	if s.rng != "" {
		v.kept = append(v.kept, pair{name: "range", value: s.rng})
	} else {
		v.kept = append(v.kept, pair{name: "from", value: visible(s.from)}, pair{name: "to", value: visible(s.to)})
		if s.from != "" || s.to != "" {
			v.from, v.to = visible(s.from), visible(s.to)
			if from, ok := readTime(s.from); ok {
				v.from = fieldTime(from)
			}
			if to, ok := readTime(s.to); ok {
				v.to = fieldTime(to)
			}
		}
	}
	if s.live != "" {
		v.kept = append(v.kept, pair{name: "live", value: s.live})
	}
	for i, cond := range conds {
		without := s.first()
		without.q = writeQuery(slices.Delete(slices.Clone(conds), i, i+1))
		v.conditions = append(v.conditions, chip{visible(cond.String()), without.href()})
	}
	if when.live && when.span() > 0 {
		fixed := s.first()
		fixed.rng, fixed.live, fixed.from, fixed.to = "", "", when.start.Format(time.RFC3339), when.end.Add(time.Second-1).Truncate(time.Second).Format(time.RFC3339)
		v.fixed = fixed.href()
	}
	return v
}

// list fills the rows, the paging and the sentence above them.
func (p *Pages) list(v *eventsView, found *apiclient.AuditLogs, s listState, conds []condition, when period, now time.Time) {
	for i := range found.Logs {
		row, open := rowOf(&found.Logs[i], now), s
		open.peek = row.id
		row.href, row.selected = open.href(), row.id == s.peek
		v.rows = append(v.rows, row)
	}
	page := &found.Pagination
	if page.NextCursor != "" {
		v.older = s.older(page.NextCursor, len(v.rows)).href()
	}
	if s.cursor != "" {
		v.newest = s.first().href()
		if newer, known := s.newer(); known {
			v.newer = newer.href()
		}
	}
	v.total, v.sentence = sentence(page, conds, when.words)
	if len(v.rows) > 0 {
		v.position = "rows " + count(int64(s.at+1)) + " to " + count(int64(s.at+len(v.rows)))
		if !page.TotalIsEstimate && s.cursor == "" {
			v.position += " of " + count(page.Total)
		}
	}
	if page.LookedFrom != nil && when.span() > 0 {
		v.looked = "Looked at " + part(max(0, when.end.Sub(*page.LookedFrom))) + " of " + part(when.span())
	} else if page.Partial {
		v.looked = "Looked at a part of the time"
	}
}

func (p *Pages) histogram(c echo.Context, v *eventsView, s listState, conds []condition, when period) {
	query := apiQuery(conds)
	when.live = false // whole steps up to now
	when.set(query)
	var counted apiclient.Histogram
	if err := p.read(c, "/events/histogram", query, &counted); err != nil {
		v.barsFailed = problemOf(c, err)
		return
	}
	v.bars = barsOf(&counted, when, s, conds)
}

// peekAt returns the event that the state shows beside the list; rows are those of the list, of which it may be one.
func (p *Pages) peekAt(c echo.Context, s listState, rows []apiclient.AuditLog, now time.Time) *peekView {
	closed := s
	closed.peek = ""
	at := slices.IndexFunc(rows, func(l apiclient.AuditLog) bool { return l.ID == s.peek })
	var l apiclient.AuditLog
	if at >= 0 {
		l = rows[at]
	} else if _, err := p.call(c, http.MethodGet, "/audit-logs/:id", httpserver.Call{Params: map[string]string{"id": s.peek}}, &l); err != nil {
		return &peekView{failed: problemOf(c, err), closed: closed.href()}
	}
	v := peekOf(&l, now, s)
	v.closed = closed.href()
	return v
}

// sampled says that a part of the unhandled events only is recorded, and how large it is; "" where all are.
func (p *Pages) sampled(c echo.Context) string {
	var item apiclient.ConfigItem
	call := httpserver.Call{Params: map[string]string{"key": "audit_unhandled_sample_percent"}}
	if _, err := p.call(c, http.MethodGet, "/config/:key", call, &item); err != nil {
		return "" // dynamic settings may be switched off: then all are recorded
	}
	if share, ok := item.Value.(float64); ok && share < 100 {
		return "Of unhandled events " + percent(share/100) + " are recorded (audit_unhandled_sample_percent). The books count all of them."
	}
	return ""
}

// wrongCondition returns what the API says of a condition's value, "" when its error is of something else.
func wrongCondition(conds []condition, err error) string {
	f, ok := fault.As(err)
	if !ok || f.Code != fault.InvalidField {
		return ""
	}
	for _, cond := range conds {
		if param, _ := paramOf(cond.key); param == f.Field {
			said := visible(cond.String()) + ": the value " + f.Message
			if f.Remedy != "" {
				said += "; " + f.Remedy
			}
			return said
		}
	}
	return ""
}

// said is the error of a query as its field shows it: it begins with the word that is wrong, as that was written.
func (p *problem) said() string {
	if rest, whole := strings.CutPrefix(p.Message, "query must"); whole {
		return "The query must" + rest
	}
	return strings.TrimPrefix(p.Message, "query ")
}

// sentence says what the list is of: how many events, and which.
func sentence(page *apiclient.Pagination, conds []condition, within string) (total, rest string) {
	which := ""
	switch {
	case len(conds) == 1 && conds[0].key == "host":
		which = " of " + visible(conds[0].value)
	case len(conds) > 0 && page.Total == 1:
		which = " matches"
	case len(conds) > 0:
		which = " match"
	}
	switch {
	case page.Total == 0 && page.Partial:
		return "", "No event found so far " + within
	case page.Total == 0 && len(conds) > 0:
		return "", "No event matches " + within
	case page.Total == 0:
		return "", "No event arrived " + within
	}
	total = counted(page.Total, "event", "events")
	if page.TotalIsEstimate {
		total = "about " + total
	}
	return total, which + " " + within + ", newest first"
}

// looserThan offers queries that find more than an empty list: without one of its conditions, and of a longer time. They are counted as far as
// that is quick.
func (p *Pages) looserThan(c echo.Context, s listState, conds []condition, when period) (out []looser) {
	ctx, cancel := context.WithTimeout(c.Request().Context(), looserPatience)
	defer cancel()
	request := c.Request()
	c.SetRequest(request.WithContext(ctx))
	defer c.SetRequest(request)
	s = s.first()
	offer := func(label string, to listState, conds []condition, when period) {
		query := apiQuery(conds)
		when.set(query)
		query.Set("limit", "1")
		l := looser{label: label, href: to.href()}
		var found apiclient.AuditLogs
		if p.read(c, "/audit-logs", query, &found) == nil {
			page := &found.Pagination
			switch {
			case page.Total == 0 && !page.Partial:
				return
			case page.Total == 0:
			case page.TotalIsEstimate:
				l.count = "about " + count(page.Total)
			default:
				l.count = count(page.Total)
			}
		}
		out = append(out, l)
	}
	longer := s
	longer.rng, longer.from, longer.to = rangeName(7*24*time.Hour), "", ""
	if when.live && when.span() < 24*time.Hour {
		longer.rng = rangeName(24 * time.Hour)
	}
	if when.span() > 0 && (!when.live || when.span() < 7*24*time.Hour) {
		to, _ := periodOf(&longer, conds, when.end)
		if when.live {
			offer("Look at "+rangeWords(to.span()), longer, conds, to)
		} else {
			offer("Look at the last 7 days", longer, conds, period{start: p.Now().UTC().Add(-7 * 24 * time.Hour), end: p.Now().UTC(), live: true})
		}
	}
	for i, cond := range conds {
		if len(out) == maxLooser {
			break
		}
		left := slices.Delete(slices.Clone(conds), i, i+1)
		without := s
		without.q = writeQuery(left)
		label := "Without " + visible(cond.String())
		if len(left) == 0 {
			label = "Any event"
		}
		offer(label, without, left, when)
	}
	if len(out) == 0 && len(conds) > 1 {
		all := s
		all.q = ""
		offer("Any event", all, nil, when)
	}
	return out
}
