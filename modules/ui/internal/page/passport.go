package page

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/rule"
)

// What the page shows of one event at most; the API has the rest.
const (
	maxShown   = 2000  // bytes of one value
	maxWhole   = 8000  // bytes of the event as JSON
	maxEntries = 100   // fields
	maxAll     = 16000 // bytes of all fields as they are shown
)

// aroundSpan is how far before and after an event the page looks for others of its host.
const aroundSpan = 5 * time.Minute

// passportView is what an event's page shows.
type passportView struct {
	eventRow
	verdict, why         string
	short                text // the message
	received             string
	device               deviceClock
	receipt, from        string
	hostLink, ruleLink   string
	judged               judged
	published            string // what was sent; "" when nothing was
	parked               string // where it waits when judging or publishing it stopped
	final                string // what can still happen to it
	entries              []entry
	moreEntries          int
	whole                text
	raw                  string // the API's address of the whole event
	around               around
	related              []related
	newRule, mayNotWrite string
}

// text is what was written by a device or a person, as far as the page shows it.
type text struct {
	shown string
	bytes int // length of the whole text; 0 when all of it is shown
}

// entry is one field of an event.
type entry struct {
	name  string
	value text
}

// related is a search for other events.
type related struct{ label, href string }

// deviceClock compares the time that the device wrote with the time of receipt.
type deviceClock struct {
	time, distance, words string
	unknown               bool
}

// judged is how the rules of then judged an event.
type judged struct {
	ruleset, unknown string
	rules            int
	tried            []tried
	failed           *problem
	again            again
}

// tried is a rule that came near, with what it lacked, or the rule that won.
type tried struct {
	id             int64
	rank           int
	priority, name string
	lacked         string
	won            bool
}

// again is the judging by today's rules, which runs when it is asked for.
type again struct {
	id, ruleset string
	asked, same bool
	lines       []diffLine
	failed      *problem
}

// around is how many events of the same host came near this one.
type around struct {
	bars        []bar
	sentence    string
	first, last string
	failed      *problem
}

// bar is a count of events in a stretch of time.
type bar struct {
	height float64
	here   bool
}

// passport shows one event: what became of it, why, and what it said.
func (p *Pages) passport(c echo.Context) error {
	id := c.Param("id")
	if unescaped, err := url.PathUnescape(id); err == nil {
		id = unescaped
	}
	if !isEventID(id) {
		return p.show(c, http.StatusNotFound, unknownEvent(p.frame(c, "events", "Not known"), unknownView{id: visible(cut(id, 200))}))
	}
	asked := c.QueryParam("now") != ""
	if asked && c.Request().Header.Get("HX-Request") != "" {
		return p.show(c, http.StatusOK, judgedAgain(p.again(c, id)))
	}
	var row apiclient.AuditLog
	_, err := p.call(c, http.MethodGet, "/audit-logs/:id", httpserver.Call{Params: map[string]string{"id": id}}, &row)
	if fault.Is(err, fault.NotFound) {
		return p.show(c, http.StatusNotFound, unknownEvent(p.frame(c, "events", "Not known"), p.unknown(c, id)))
	}
	if err != nil {
		return err
	}
	now := p.Now().UTC()
	v := passportView{eventRow: rowOf(&row, now), raw: Prefix + "/audit-logs/" + row.ID}
	v.received = row.ReceivedAt.UTC().Format("Mon 2 Jan, 15:04:05.000")
	if row.ReceivedAt.UTC().Year() != now.Year() {
		v.received = row.ReceivedAt.UTC().Format("Mon 2 Jan 2006, 15:04:05.000")
	}
	fields := fieldsOf(row.RawMessage)
	room := maxAll
	for _, f := range fields[:min(len(fields), maxEntries)] {
		e := entry{visible(cut(f.name, 100)), shorten(f.value, maxShown)}
		if room -= len(e.name) + len(e.value.shown); room < 0 {
			break
		}
		v.entries = append(v.entries, e)
	}
	v.moreEntries = len(fields) - len(v.entries)
	v.short = shorten(valueOf(fields, "message"), maxShown)
	var pretty bytes.Buffer
	if json.Indent(&pretty, row.RawMessage, "", "  ") != nil {
		pretty.Write(row.RawMessage)
	}
	v.whole = shortenLines(pretty.String(), maxWhole)
	v.device = deviceClockOf(&row, valueOf(fields, "fields.original_timestamp"))
	v.receipt, v.from = receiptOf(valueOf(fields, "source")), visible(valueOf(fields, "source_ip"))
	v.hostLink = searchLink("host", row.Hostname, row.ReceivedAt, aroundSpan)
	if row.MatchedRuleID != nil {
		id := strconv.FormatInt(*row.MatchedRuleID, 10)
		if _, err := p.call(c, http.MethodGet, "/rules/:id", httpserver.Call{Params: map[string]string{"id": id}}, nil); err == nil { // it may be deleted
			v.ruleLink = "/rules/" + id
		}
		v.related = append(v.related, related{"The same rule, an hour before and after", searchLink("rule", id, row.ReceivedAt, time.Hour)})
	}
	if link := searchLink("corr", row.CorrelationID, row.ReceivedAt, time.Hour); link != "" {
		v.related = append(v.related, related{"The same correlation ID, an hour before and after", link})
	}
	v.judged = p.judged(c, &row)
	if v.judged.again = (again{id: row.ID}); asked {
		v.judged.again = p.again(c, row.ID)
	}
	v.around = p.around(c, &row)
	v.say(&row)
	if kept := p.keptUntil(c, row.ReceivedAt); kept != "" {
		v.final += " By the retention in force its row is kept until " + kept + "."
	}
	if httpserver.Identity(c).Role.Allows(authn.Operator) {
		v.newRule = "/rules/new?" + url.Values{"from": {row.ID}}.Encode()
	} else {
		v.mayNotWrite = "Creating a rule from it needs the role operator."
	}
	return p.show(c, http.StatusOK, passportPage(p.frame(c, "events", v.host+" "+v.time), &v))
}

// receivedAt is the time of receipt on its day.
func (v *passportView) receivedAt() string { return v.received[len(v.received)-len("15:04:05.000"):] }

// say writes the verdict in words, by the fate of the event.
func (v *passportView) say(row *apiclient.AuditLog) {
	if row.RuleName != "" && row.Environment == "dev" {
		v.why = "The host is a development host. "
	}
	v.verdict = verdictSentence(&v.eventRow)
	v.final = "This is final: nothing more happens to it."
	switch row.Fate {
	case event.FateForwarded.String():
		v.why += "Whether the destination has taken it is not recorded for a single event."
		v.published = "The destination finds it by external_id, which is the event's ID."
		v.final = "MUTT delivers what is published, and does not record that for a single event. Overview shows what waits, and why."
	case event.FateRecorded.String():
		v.why += "The handling is to log only."
	case event.FateIgnored.String():
		v.why += "The handling is to ignore."
	case event.FateSilenced.String():
		v.why += "Without the silence it would have been published."
	case event.FateUnhandled.String():
		v.why = "It counts towards the unhandled events of its host and kind; many of a kind make one alert for a team."
	case event.FateShed.String():
		v.why = "The alert queue was over its bound, so the alert was parked."
		v.parked, v.final = "Parked in the dead letters of the alert queue", "It goes out when it is replayed from the dead letters."
	case event.FatePoison.String():
		v.why = "Judging it failed again and again, so it was parked."
		v.parked, v.final = "Parked in the dead letters of the ingest queue", "It is judged again when it is replayed from the dead letters."
	}
}

// judged asks how the rules of then judge the event. The row is shown whether or not that is known.
func (p *Pages) judged(c echo.Context, row *apiclient.AuditLog) judged {
	out := judged{ruleset: count(row.RulesetVersion)}
	got, err := p.explained(c, row.ID, "then")
	switch {
	case err != nil:
		out.failed = problemOf(c, err)
	case got.Then == nil:
		out.unknown = visible(got.ThenUnknown)
	default:
		out.rules = got.Then.Rules
		for _, l := range got.Then.Losers {
			out.tried = append(out.tried, tried{id: l.RuleID, rank: l.Priority, priority: strconv.Itoa(l.Priority), name: visible(l.Name), lacked: lacked(l)})
		}
		if row.MatchedRuleID != nil {
			won := tried{id: *row.MatchedRuleID, rank: math.MaxInt, name: visible(row.RuleName), won: true}
			if got.Then.Priority != nil && got.Then.AsRecorded {
				won.rank, won.priority = *got.Then.Priority, strconv.Itoa(*got.Then.Priority)
			}
			out.tried = append(out.tried, won)
		}
		slices.SortFunc(out.tried, func(a, b tried) int { return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.id, b.id)) })
	}
	return out
}

func lacked(l rule.Loser) string {
	if len(l.Misses) == 0 {
		return "matches too, but is tried later"
	}
	var reasons []string
	for _, m := range l.Misses {
		reasons = append(reasons, visible(m.Reason))
	}
	return strings.Join(reasons, "; ")
}

// again asks how today's rules judge the event.
func (p *Pages) again(c echo.Context, id string) again {
	out := again{id: id, asked: true}
	got, err := p.explained(c, id, "now")
	if err != nil {
		out.failed = problemOf(c, err)
		return out
	}
	now, then := got.Now, &got.Event
	out.ruleset, out.same = count(now.RulesetVersion), now.AsRecorded
	for _, d := range [...]struct{ name, then, now string }{
		{"rule", then.RuleName, now.RuleName}, {"handling", then.Handling, now.Handling}, {"team", then.Team, now.Team},
		{"environment", then.Environment, now.Environment},
	} {
		if d.then != d.now {
			out.lines = append(out.lines, diffLine{"−", d.name + ": ", cmp.Or(visible(d.then), "none"), ""}, diffLine{"+", d.name + ": ", cmp.Or(visible(d.now), "none"), ""})
		}
	}
	return out
}

func (p *Pages) explained(c echo.Context, id, ruleset string) (out apiclient.EventExplained, err error) {
	_, err = p.call(c, http.MethodGet, "/events/:id", httpserver.Call{Params: map[string]string{"id": id}, Query: url.Values{"ruleset": {ruleset}}}, &out)
	return out, err
}

// around counts the events of the same host near this one.
func (p *Pages) around(c echo.Context, row *apiclient.AuditLog) around {
	start := row.ReceivedAt.Add(-aroundSpan).UTC().Truncate(time.Second)
	out := around{first: start.Format("15:04:05"), last: start.Add(2 * aroundSpan).Format("15:04:05")}
	var got apiclient.Histogram
	if err := p.read(c, "/events/histogram", url.Values{"hostname": {row.Hostname}, "start_date": {start.Format(time.RFC3339)},
		"end_date": {start.Add(2 * aroundSpan).Format(time.RFC3339)}}, &got); err != nil {
		out.failed = problemOf(c, err)
		return out
	}
	var sums []int64
	for _, counts := range got.Fates {
		for i, n := range counts {
			if i >= len(sums) {
				sums = append(sums, 0)
			}
			sums[i] += n
		}
	}
	here := int(row.ReceivedAt.Sub(got.From).Seconds()) / int(max(got.StepSeconds, 1))
	for i, n := range sums {
		height := 0.0
		if n > 0 {
			height = max(4, 100*float64(n)/float64(slices.Max(sums)))
		}
		out.bars = append(out.bars, bar{height, i == here})
	}
	out.sentence = counted(got.Events, "event", "events")
	if row.Fate == event.FateUnhandled.String() {
		var unhandled int64
		for _, n := range got.Fates[row.Fate] {
			unhandled += n
		}
		out.sentence += ", " + count(unhandled) + " unhandled"
	}
	return out
}

// keptUntil returns the day on which retention removes an event that was received at t; "" where that is not known.
func (p *Pages) keptUntil(c echo.Context, t time.Time) string {
	if on, known := p.setting(c, "retention_enabled").(bool); !known || !on {
		return ""
	}
	days, known := p.setting(c, "retention_event_audit_days").(float64)
	if !known {
		return ""
	}
	return t.UTC().AddDate(0, 0, int(days)+1).Format("2 Jan 2006")
}

// setting returns the value of a dynamic setting in force; nil where the settings cannot be read.
func (p *Pages) setting(c echo.Context, key string) any {
	var item apiclient.ConfigItem
	if _, err := p.call(c, http.MethodGet, "/config/:key", httpserver.Call{Params: map[string]string{"key": key}}, &item); err != nil {
		return nil
	}
	return item.Value
}

// unknownView is what is said of an event that has no row.
type unknownView struct {
	id, days string
	isID     bool
}

func (p *Pages) unknown(c echo.Context, id string) unknownView {
	v := unknownView{id: id, isID: true}
	if days, known := p.setting(c, "retention_event_audit_days").(float64); known {
		v.days = counted(int64(days), "day", "days")
	}
	return v
}

// deviceClockOf says what the device's clock showed. original is the time that it wrote when MUTT could not use it.
func deviceClockOf(row *apiclient.AuditLog, original string) deviceClock {
	skew := row.ReceivedAt.Sub(row.EventTimestamp)
	if original != "" {
		return deviceClock{unknown: true, words: "its time could not be used: " + visible(cut(original, 100))}
	}
	out := deviceClock{time: row.EventTimestamp.UTC().Format("15:04:05.000"), distance: "−" + span(skew), words: "its clock is in step"}
	if row.EventTimestamp.UTC().Format(time.DateOnly) != row.ReceivedAt.UTC().Format(time.DateOnly) {
		out.time = row.EventTimestamp.UTC().Format("2 Jan 2006 15:04:05")
	}
	switch {
	case skew < 0:
		out.distance = "+" + span(-skew)
		if skew < -2*time.Second {
			out.words = "its clock is ahead by " + span(-skew)
		}
	case skew == 0:
		out.distance = "0 ms"
	case skew > 2*time.Second:
		out.words = "its clock is behind by " + span(skew) + ", or the event was that long on its way"
	}
	return out
}

func receiptOf(source string) string {
	switch source {
	case event.SourceHTTP.String():
		return "Received over HTTP"
	case event.SourceSyslog.String():
		return "Received as syslog"
	case event.SourceTrap.String():
		return "Received as an SNMP trap"
	case event.SourceReplay.String():
		return "Put back from the dead letters"
	case event.SourceMeta.String():
		return "Created by MUTT itself"
	}
	return "Received"
}

// searchLink returns the search for a condition around a time; "" where the query cannot hold the value.
func searchLink(name, value string, at time.Time, within time.Duration) string {
	if value == "" || len(value) > 255 || visible(value) != value {
		return ""
	}
	return listState{q: condition{name, value}.String(), from: at.Add(-within).UTC().Format(time.RFC3339), to: at.Add(within).UTC().Format(time.RFC3339)}.href()
}

// isEventID reports whether a text has the form of an event's id.
func isEventID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && !strings.ContainsRune("0123456789abcdefABCDEF", rune(c)) {
			return false
		}
	}
	return true
}
