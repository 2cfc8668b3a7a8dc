package page

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
)

const (
	reviewHours = 24
	leastReason = 5 // characters

	shownSamples = 5
)

// confirmation is a dialog that asks why before it does something. Its consequence is its content.
type confirmation struct {
	title, verb, close string
	action             string // where its form goes
	kept               []pair // that the form carries
	reason, badReason  string
	who, may           string // the reader; and which role may, for a reader who may not
	drawer, red        bool
	foot               string
}

// reviewView is what the review of a change says.
type reviewView struct {
	confirmation
	apiclient.RulePreview
	looked    string // how far the review looked
	selfCheck string
	differs   bool // today's rules do not reproduce what was recorded
	partial   bool
	cards     []reviewCard
	changes   []changeRow
	bars      []hourBar
	top       int
	firstHour string
	checks    []check
	samples   []sampleRow
	losers    []loserRow
	broken    []string
	mayForce  bool
	unchanged bool
}

type reviewCard struct{ figure, beside, label string }

type changeRow struct{ from, fromTeam, to, toTeam, environment, events string }

// hourBar is one hour of the chart of pages.
type hourBar struct {
	x, y, height int
	high         bool
}

// check is one line of what was looked at.
type check struct{ tone, sign, text string }

type sampleRow struct{ href, time, exact, host, message, before, after string }

type loserRow struct{ priority, name, share, change string }

// reviewRule answers the dialog that shows what a change of a rule would have done, and asks why.
func (p *Pages) reviewRule(c echo.Context) error {
	in, form, err := p.proposalOf(c)
	if err != nil {
		return p.refusedForm(c, err)
	}
	if in.id > 0 && in.revision != "" && in.revision != in.now {
		return p.showConflict(c, in)
	}
	v, err := p.reviewOf(c, in)
	if fields := fieldErrors(err); len(fields) > 0 && in.editor {
		return p.show(c, http.StatusUnprocessableEntity, wrongFields(fields))
	}
	if err != nil {
		return p.refusedForm(c, err)
	}
	v.reason = form.Get("reason")
	return p.show(c, http.StatusOK, reviewDialog(v))
}

func (p *Pages) reviewOf(c echo.Context, in *proposal) (*reviewView, error) {
	request := map[string]any{"window_hours": reviewHours, "rules": []any{}}
	switch {
	case in.delete:
		request["without"] = []int64{in.id}
	default:
		request["rules"], request["replaces"] = []any{in.draft}, []int64{in.id}
	}
	v := &reviewView{}
	began := p.Now()
	if _, err := p.call(c, http.MethodPost, "/rules/preview", httpserver.Call{Body: body(request)}, &v.RulePreview); err != nil {
		return nil, err
	}
	if v.Review == nil {
		return nil, fmt.Errorf("the API answered without a review")
	}
	reader := httpserver.Identity(c)
	v.fill(p.Now().UTC(), p.Now().Sub(began))
	v.drawer, v.action, v.close, v.who = true, "/rules/save", "Back", visible(reader.Name)
	name := visible(in.draft.text("name"))
	switch {
	case in.delete:
		v.title, v.verb, v.red = "Delete the rule "+name, "Delete rule", true
	case in.id == 0:
		v.title, v.verb, v.close = "What this rule would have changed", "Save rule", "Back to editing"
	case in.stored.text("is_active") != "false" && in.draft.text("is_active") == "false":
		v.title, v.verb = "Switch off the rule "+name, "Switch off"
	default:
		v.title, v.verb = "What this change of "+name+" would have done", "Save rule"
	}
	if in.editor && !in.delete {
		v.close = "Back to editing"
	}
	v.kept = append(in.kept(), pair{name: "seen", value: v.looked}, pair{name: "seal", value: p.sealOf(c, in, v.looked)})
	v.foot = "In force in this process at once, in the others within a second. The message after it has Undo."
	v.mayForce = reader.Role.Allows(authn.Admin)
	if !reader.Role.Allows(authn.Operator) {
		v.may = "Saving needs the role operator."
	}
	return v, nil
}

// sealOf returns what proves that this process answered the reader with a review of the proposal that looked so far: the change audit says how
// far, and a browser may send anything.
func (p *Pages) sealOf(c echo.Context, in *proposal, looked string) string {
	mac := hmac.New(sha256.New, p.sealKey)
	_, _ = fmt.Fprintf(mac, "%q %d %q %v %q", httpserver.Identity(c).Name, in.id, in.now, in.delete, looked) // a hash takes everything
	for _, name := range ruleFields() {
		if name != "examples" { // which has its fields in another order after it was a form
			_, _ = fmt.Fprintf(mac, " %q", body(in.draft[name]))
		}
	}
	_, _ = fmt.Fprintf(mac, " %q", body(in.draft.examples()))
	return hex.EncodeToString(mac.Sum(nil))
}

// kept returns the proposal as the fields of a form.
func (in *proposal) kept() []pair {
	out := []pair{{name: "id", value: strconv.FormatInt(in.id, 10)}, {name: "revision", value: in.revision}, {name: "rule", value: string(body(in.draft))}}
	if in.base != nil {
		out = append(out, pair{name: "base", value: string(body(in.base))})
	}
	if in.delete {
		out = append(out, pair{name: "op", value: "delete"})
	}
	if in.editor {
		out = append(out, pair{name: "editor", value: "1"})
	}
	return out
}

// fill renders the numbers of a review.
func (v *reviewView) fill(now time.Time, took time.Duration) {
	r := v.Review
	v.looked = counted(int64(v.Events), "event", "events") + " of 24 h"
	if !r.Whole {
		hours := r.LookedTo.Sub(r.LookedFrom)
		v.looked, v.partial = counted(int64(v.Events), "event", "events")+", "+span(hours)+" of 24 h", true
	}
	v.looked += ", judged again in " + span(took)
	v.selfCheck = "Today's rules alone: " + counted(int64(r.NotAsRecorded), "difference", "differences") + " from what was recorded."
	v.differs = r.NotAsRecorded > 0
	v.unchanged = v.Changed == 0 && r.SentOtherwise == 0
	share := ""
	if v.Events > 0 {
		share = "of " + count(int64(v.Events))
	}
	v.cards = []reviewCard{{count(int64(v.Changed)), share, "handled differently"}, changeCard(r.Before.Pages, r.After.Pages, "pages"),
		changeCard(r.Before.Alerts, r.After.Alerts, "alerts to the destination"), changeCard(r.Before.Unhandled, r.After.Unhandled, "unhandled")}
	for _, c := range v.Changes {
		v.changes = append(v.changes, changeRow{c.From, visible(c.FromTeam), c.To, visible(c.ToTeam), c.Environment, count(int64(c.Events))})
	}
	v.chart(now)
	for _, s := range v.Samples {
		v.samples = append(v.samples, sampleRow{"/events/" + s.ID, moment(s.ReceivedAt, now), exact(s.ReceivedAt), visible(s.Hostname), visible(s.Message), outcomeOf(&s.Before), outcomeOf(&s.After)})
	}
	for _, s := range r.Rules {
		row := loserRow{priority: "∞", name: "unhandled", share: count(int64(s.Before)) + " → " + count(int64(s.After)), change: signed(s.After - s.Before)}
		if s.Rule != nil {
			row.name = visible(s.Rule.Name)
		}
		if s.Priority != nil {
			row.priority = strconv.Itoa(*s.Priority)
		}
		v.losers = append(v.losers, row)
	}
	for _, b := range r.BrokenExamples {
		v.broken = append(v.broken, visible(b.Message))
	}
	v.checks = checksOf(&v.RulePreview)
}

func outcomeOf(d *apiclient.Verdict) string {
	if d.Handling != "" {
		return d.Handling
	}
	return d.Fate
}

func changeCard(before, after int, label string) reviewCard {
	return reviewCard{signed(after - before), count(int64(before)) + " now", label}
}

// signed renders a difference with its sign.
func signed(n int) string {
	switch {
	case n > 0:
		return "+" + count(int64(n))
	case n == 0:
		return "±0"
	}
	return count(int64(n))
}

// chart draws the events that page in each hour of the window.
func (v *reviewView) chart(now time.Time) {
	pages := make([]int, reviewHours+1)
	end := now.Truncate(time.Hour)
	for _, h := range v.Review.Hours {
		if at := reviewHours - int(end.Sub(h.From)/time.Hour); at >= 0 && at <= reviewHours {
			pages[at] = h.After
			v.top = max(v.top, h.After, h.Before)
		}
	}
	v.firstHour = end.Add(-reviewHours * time.Hour).Format("Mon 15:04")
	for i, n := range pages {
		height := 0
		if n > 0 {
			height = max(2, int(math.Round(float64(n)*100/float64(v.top))))
		}
		was := 0
		for _, h := range v.Review.Hours {
			if reviewHours-int(end.Sub(h.From)/time.Hour) == i {
				was = h.Before
			}
		}
		v.bars = append(v.bars, hourBar{x: i * 4, y: 100 - height, height: height, high: n >= 20 && n > 3*was})
	}
}

// checksOf says what was looked at besides the events.
func checksOf(p *apiclient.RulePreview) (out []check) {
	r := p.Review
	if n := len(r.BrokenExamples); n > 0 {
		out = append(out, check{"bad", "poison", fmt.Sprintf("%d of %s would not hold", n, counted(int64(r.Examples), "example", "examples"))})
	} else {
		out = append(out, check{"", "ok", fmt.Sprintf("%s of all rules checked: none breaks", counted(int64(r.Examples), "example", "examples"))})
	}
	if len(r.Unreachable) == 0 {
		out = append(out, check{"", "ok", "No rule becomes unreachable"})
	}
	for i, u := range r.Unreachable {
		if i == 5 {
			out = append(out, check{"warn", "warn", fmt.Sprintf("and %d more", len(r.Unreachable)-i)})
			break
		}
		out = append(out, check{"warn", "warn", "“" + visible(u.Name) + "” would never win: another rule takes everything from it"})
	}
	if r.SentOtherwise > 0 {
		out = append(out, check{"", "info", counted(int64(r.SentOtherwise), "alert", "alerts") + " would go out as before, with another severity, signature or rule"})
	}
	most := 0
	for _, h := range r.Hours {
		most = max(most, h.After-h.Before)
	}
	if most >= 20 {
		out = append(out, check{"warn", "warn", counted(int64(most), "page", "pages") + " more in one hour; the destination folds those of one signature"})
	}
	if dev := developed(p); dev > 0 {
		out = append(out, check{"", "info", counted(int64(dev), "event", "events") + " of development hosts"})
	}
	if p.Unreadable > 0 {
		out = append(out, check{"warn", "warn", counted(int64(p.Unreadable), "event", "events") + " could not be read, and were left out"})
	}
	return out
}

func developed(p *apiclient.RulePreview) (n int) {
	for _, c := range p.Changes {
		if c.Environment == "dev" {
			n += c.Events
		}
	}
	return n
}

// saveRule saves or deletes what was reviewed.
func (p *Pages) saveRule(c echo.Context) error {
	in, form, err := p.proposalOf(c)
	if err != nil {
		return p.refusedForm(c, err)
	}
	reason := strings.TrimSpace(strings.ReplaceAll(form.Get("reason"), "\r\n", "\n"))
	if utf8.RuneCountInString(reason) < leastReason {
		return p.show(c, http.StatusUnprocessableEntity, wrongFields([]fieldError{{"why", "must have at least 5 characters"}}))
	}
	if seen := form.Get("seen"); hmac.Equal([]byte(form.Get("seal")), []byte(p.sealOf(c, in, seen))) {
		reason += " (reviewed: " + seen + ")"
	}
	call := httpserver.Call{Query: url.Values{"examples": {"all"}}, Header: http.Header{"X-Reason": {reason}}}
	if form.Get("force") != "" {
		call.Query.Set("examples", "none")
	}
	method, path := http.MethodPost, "/rules"
	if in.id > 0 {
		path, call.Params = "/rules/:id", map[string]string{"id": strconv.FormatInt(in.id, 10)}
		if in.revision != "" {
			call.Header.Set("If-Match", in.revision)
		}
	}
	switch {
	case in.delete:
		method = http.MethodDelete
	case in.id > 0:
		method, call.Body = http.MethodPut, body(in.draft.patch())
	default:
		call.Body = body(in.draft)
	}
	var saved apiclient.RuleSaved
	_, err = p.call(c, method, path, call, &saved)
	if fault.Is(err, fault.PreconditionFail) {
		if in.stored, in.now, err = p.storedRule(c, in.id); err == nil {
			return p.showConflict(c, in)
		}
	}
	if err != nil {
		fields := fieldErrors(err)
		if len(fields) == 0 || !in.editor || fields[0].field == "examples" {
			refused := problemOf(c, err)
			fields = []fieldError{{"why", refusal(refused.Message, refused.Remedy)}}
		}
		return p.show(c, http.StatusUnprocessableEntity, wrongFields(fields))
	}
	to := landing(saved.ID, saved.AuditID)
	if in.editor && !in.delete {
		to = ruleHref(saved.ID) + "?" + url.Values{"change": {strconv.FormatInt(saved.AuditID, 10)}}.Encode()
	}
	secure(c.Response().Header())
	c.Response().Header().Set("HX-Redirect", to)
	return c.NoContent(http.StatusOK)
}

// refusal says in one sentence why something was not done.
func refusal(message, remedy string) string {
	out := "not saved: " + message
	if remedy != "" {
		out += "; " + remedy
	}
	return visible(out)
}

// refusedForm answers a form whose content cannot be looked at: in the dialog that sent it, else as a dialog.
func (p *Pages) refusedForm(c echo.Context, err error) error {
	if c.Request().Header.Get("HX-Request") == "" {
		return err
	}
	problem := problemOf(c, err)
	part := refusedPart(c.Request().Header.Get("HX-Target"), problem)
	if part == nil {
		c.Response().Header().Set("HX-Retarget", "#overlay")
		part = refusedDialog(problem)
	}
	return p.show(c, fault.Describe(fault.Code(problem.Code)).Status, part)
}

// conflictView is a rule that somebody else has changed since the form was made.
type conflictView struct {
	id     int64
	rows   []conflictRow
	kept   []pair
	base   bool // the version that both began with is known
	editor bool
}

// conflictRow is a field whose two versions differ.
type conflictRow struct {
	name, base, mine, theirs string
	both                     bool // both changed it
}

// showConflict shows both versions side by side.
func (p *Pages) showConflict(c echo.Context, in *proposal) error {
	v := conflictView{id: in.id, base: in.base != nil, editor: in.editor}
	mine := in.draft
	if in.delete {
		mine = ruleRecord{}
	}
	for _, name := range ruleFields() {
		row := conflictRow{name: strings.ReplaceAll(name, "_", " "), mine: shown(mine[name]), theirs: shown(in.stored[name]), base: shown(in.base[name])}
		if row.mine == row.theirs && !in.delete {
			continue
		}
		row.both = in.base != nil && row.mine != row.base && row.theirs != row.base
		v.rows = append(v.rows, row)
	}
	on := *in
	on.revision, on.base = in.now, in.stored
	if in.base != nil && !in.delete { // what only they changed stays theirs
		on.draft = maps.Clone(in.stored)
		delete(on.draft, "id")
		delete(on.draft, "revision")
		for _, name := range ruleFields() {
			if shown(in.draft[name]) == shown(in.base[name]) {
				continue
			}
			if on.draft[name] = in.draft[name]; in.draft[name] == nil {
				delete(on.draft, name)
			}
		}
	}
	v.kept = on.kept()
	c.Response().Header().Set("HX-Retarget", "#overlay")
	return p.show(c, http.StatusConflict, conflictDialog(&v))
}

// shown renders a field of a rule for reading.
func shown(v any) string {
	if v == nil {
		return ""
	}
	if s, ok := v.(string); ok {
		return visible(s)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return visible(string(text))
}
