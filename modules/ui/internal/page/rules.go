package page

import (
	"cmp"
	"fmt"
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
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/rule"
)

const (
	// rulesRows is how many rules a page of the list has.
	rulesRows = 100
	// quietFor is how long a rule has not matched when people should look at it, and endsWithin how soon one ends.
	quietFor   = 30 * 24 * time.Hour
	endsWithin = 7 * 24 * time.Hour
)

// rulesView is what the Rules page shows.
type rulesView struct {
	query, show string
	sentence    string
	changed     string
	changedAt   string
	filters     []ruleFilter
	rows        []ruleRow
	peek        *rulePeek
	total       int
	every       string // link of the list without conditions
	top, next   string // links of the paging; "" where there is none
	part        string // which rows these are
	unhandled   string
	hours       []int64 // of unhandled events
	since       string
	mayWrite    bool
	unknown     bool // which rules are shadowed was not found out
	failed      *problem
	statsFailed *problem
}

// ruleFilter is one choice of rules, with how many there are.
type ruleFilter struct {
	id, label, sign, href string
	count                 int
	current               bool
}

// ruleRow is one rule in the list.
type ruleRow struct {
	id                    int64
	priority, name, href  string
	match                 []pair // kind and text
	only                  string
	prod, dev, team       string
	teamHref              string
	hours                 []int64
	hits, last, lastExact string
	state                 ruleState
	shadow                *apiclient.RuleRef
	pages, off, selected  bool
	active                bool
	moves                 moves
}

// moves are the changes of a rule that move it by one, as the review takes them; "" where it cannot move.
type moves struct{ up, down string }

// ruleState is what a person should know of a rule.
type ruleState struct{ tone, sign, word, title string }

// ruleListState is the state of the list, which is its URL.
type ruleListState struct{ q, show, after, peek string }

func (s ruleListState) href() string {
	v := url.Values{}
	for name, value := range map[string]string{"q": s.q, "show": s.show, "after": s.after, "rule": s.peek} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if len(v) == 0 {
		return "/rules"
	}
	return "/rules?" + v.Encode()
}

// judgedRule is a rule with what is known about its use.
type judgedRule struct {
	*rule.Rule
	stat  *apiclient.RuleStat // nil where that cannot be read
	now   time.Time
	until time.Time // zero without an end
	from  time.Time // zero without a beginning
	at    int       // place among all rules
}

func (r *judgedRule) ended() bool { return !r.until.IsZero() && !r.until.After(r.now) }

// works reports whether the rule can match an event of now.
func (r *judgedRule) works() bool { return r.IsActive && !r.ended() && !r.from.After(r.now) }

func (r *judgedRule) pages() bool { return r.works() && strings.HasPrefix(r.ProdHandling, "Page_") }

func (r *judgedRule) ending() bool {
	return r.IsActive && !r.ended() && !r.until.IsZero() && r.until.Sub(r.now) <= endsWithin
}

func (r *judgedRule) shadowed() bool { return r.works() && r.stat != nil && r.stat.ShadowedBy != nil }

func (r *judgedRule) quiet() bool {
	return r.works() && r.stat != nil && (r.stat.LastMatch == nil || r.now.Sub(*r.stat.LastMatch) > quietFor)
}

func (r *judgedRule) off() bool { return !r.IsActive || r.ended() }

// fits reports whether a rule has the text in its name, its description, what it looks for, its hosts or its team.
func (r *judgedRule) fits(folded string) bool {
	if folded == "" {
		return true
	}
	for _, text := range []string{r.Name, r.Description, r.MatchString, r.TrapOID, r.HostPattern, r.TeamAssignment} {
		if strings.Contains(strings.ToLower(text), folded) {
			return true
		}
	}
	return false
}

// chosen reports whether a rule is of a choice.
func (r *judgedRule) chosen(show string) bool {
	switch show {
	case "pages":
		return r.pages()
	case "shadowed":
		return r.shadowed()
	case "never":
		return r.quiet()
	case "ending":
		return r.ending()
	case "off":
		return r.off()
	}
	team, byTeam := strings.CutPrefix(show, "team:")
	return !byTeam || strings.EqualFold(r.TeamAssignment, team)
}

// rank is the place of a rule in the order of judging, as the alerter has it: the lowest priority, ties by the lowest id.
func (r *judgedRule) rank() string { return fmt.Sprintf("%d.%d", r.Priority, r.ID) }

// behind reports whether the rule comes after the rank; what is not a rank is before every rule.
func (r *judgedRule) behind(rank string) bool {
	a, b, _ := strings.Cut(rank, ".")
	priority, err := strconv.Atoi(a)
	id, err2 := strconv.ParseInt(b, 10, 64)
	return err != nil || err2 != nil || cmp.Or(cmp.Compare(r.Priority, priority), cmp.Compare(r.ID, id)) > 0
}

func (p *Pages) rules(c echo.Context) error {
	now := p.Now().UTC()
	s := ruleListState{q: strings.TrimSpace(c.QueryParam("q")), show: c.QueryParam("show"), after: c.QueryParam("after"),
		peek: cmp.Or(c.QueryParam("rule"), c.QueryParam("saved"))} // the editor comes back with the rule that it saved
	f := p.frame(c, "rules", "Rules")
	v := rulesView{query: visible(s.q), every: "/rules", mayWrite: httpserver.Identity(c).Role.Allows(authn.Operator)}
	if visible(s.show) == s.show {
		v.show = s.show
	}
	var listed apiclient.Rules
	if err := p.read(c, "/rules", nil, &listed); err != nil {
		v.failed = problemOf(c, err)
		return p.show(c, fault.Describe(fault.Code(v.failed.Code)).Status, rulesPage(f, &v))
	}
	var stats apiclient.RuleStats
	v.statsFailed = problemOf(c, p.read(c, "/rules/stats", nil, &stats))
	var changes apiclient.Changes
	if err := p.read(c, "/audit", url.Values{"table_name": {"alert_rules"}, "limit": {"1"}}, &changes); err == nil && len(changes.Logs) > 0 {
		l := &changes.Logs[0]
		v.changed, v.changedAt = "rules last changed by "+visible(l.ChangedBy)+", "+moment(l.ChangedAt, now), exact(l.ChangedAt)
	}
	if v.statsFailed == nil {
		v.unknown, v.unhandled, v.hours, v.since = !stats.ShadowsKnown, count(stats.Unhandled), stats.UnhandledHours, moment(stats.From, now)
		v.changed = strings.TrimSuffix("ruleset "+strconv.FormatInt(stats.RulesetVersion, 10)+", "+v.changed, ", ")
	}
	all := judgedRules(listed.Rules, &stats, now)
	v.total = len(all)
	v.filters = ruleFilters(s, all)
	s.fill(&v, all, now)
	for i := range all {
		if strconv.FormatInt(all[i].ID, 10) == s.peek {
			v.peek = p.rulePeek(c, s, all, i)
			v.peek.mayWrite = v.mayWrite
		}
	}
	return p.show(c, http.StatusOK, rulesPage(f, &v))
}

// judgedRules brings the rules into the order of judging, each with its use.
func judgedRules(rules []rule.Rule, stats *apiclient.RuleStats, now time.Time) []judgedRule {
	uses := make(map[int64]*apiclient.RuleStat, len(stats.Rules))
	for i := range stats.Rules {
		uses[stats.Rules[i].RuleID] = &stats.Rules[i]
	}
	all := make([]judgedRule, len(rules))
	for i := range rules {
		r := judgedRule{Rule: &rules[i], stat: uses[rules[i].ID], now: now}
		r.from, _ = time.Parse(time.RFC3339, r.ValidFrom)   // zero where it is absent: the API stores no other text
		r.until, _ = time.Parse(time.RFC3339, r.ValidUntil) // likewise
		all[i] = r
	}
	slices.SortFunc(all, func(a, b judgedRule) int { return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.ID, b.ID)) })
	for i := range all {
		all[i].at = i
	}
	return all
}

// ruleFilters are the choices, each with how many rules it has.
func ruleFilters(s ruleListState, all []judgedRule) []ruleFilter {
	out := []ruleFilter{{id: "", label: "all"}, {id: "pages", label: "pages", sign: "bell"}, {id: "shadowed", label: "shadowed", sign: "warn"},
		{id: "never", label: "no match in 30 days", sign: "ignored"}, {id: "ending", label: "ends within 7 days", sign: "clock"}, {id: "off", label: "off", sign: "pause"}}
	if team, byTeam := strings.CutPrefix(s.show, "team:"); byTeam {
		out = append(out, ruleFilter{id: s.show, label: "team " + visible(team), sign: "person"})
	} else if !slices.ContainsFunc(out, func(f ruleFilter) bool { return f.id == s.show }) {
		s.show = ""
	}
	for i := range out {
		o := &out[i]
		o.href, o.current = ruleListState{q: s.q, show: o.id}.href(), o.id == s.show
		for k := range all {
			if all[k].chosen(o.id) {
				o.count++
			}
		}
	}
	return out
}

// fill puts the rules of the list's state into the view, and says which they are.
func (s ruleListState) fill(v *rulesView, all []judgedRule, now time.Time) {
	folded := strings.ToLower(s.q)
	fitting := make([]*judgedRule, 0, len(all))
	for i := range all {
		if all[i].chosen(s.show) && all[i].fits(folded) {
			fitting = append(fitting, &all[i])
		}
	}
	v.sentence = count(int64(len(all))) + ", tried from the top; the first that matches wins"
	if len(fitting) != len(all) {
		v.sentence = count(int64(len(fitting))) + " of " + v.sentence
	}
	first := 0
	if s.after != "" {
		for first < len(fitting) && !fitting[first].behind(s.after) {
			first++
		}
	}
	last := min(len(fitting), first+rulesRows)
	if first > 0 {
		v.top = ruleListState{q: s.q, show: s.show}.href()
	}
	if last < len(fitting) {
		v.next = ruleListState{q: s.q, show: s.show, after: fitting[last-1].rank()}.href()
	}
	if v.top != "" || v.next != "" {
		v.part = fmt.Sprintf("%s to %s of %s", count(int64(min(first+1, last))), count(int64(last)), counted(int64(len(fitting)), "rule", "rules"))
	}
	for _, r := range fitting[first:last] {
		row := ruleRowOf(r, now)
		if v.mayWrite {
			row.moves = movesOf(all, r.at)
		}
		open := s
		open.peek = strconv.FormatInt(r.ID, 10)
		row.href, row.selected = open.href(), open.peek == s.peek
		row.teamHref = ruleListState{q: s.q, show: "team:" + r.TeamAssignment}.href()
		v.rows = append(v.rows, row)
	}
}

func ruleRowOf(r *judgedRule, now time.Time) ruleRow {
	row := ruleRow{id: r.ID, priority: strings.Replace(strconv.Itoa(r.Priority), "-", "−", 1), name: visible(r.Name), match: matchOf(r.Rule), only: visible(onlyOf(r.Rule)), prod: r.ProdHandling, dev: r.DevHandling,
		team: visible(r.TeamAssignment), pages: r.pages(), off: r.off(), active: r.IsActive, state: r.state()}
	if r.stat != nil {
		row.hits, row.last = count(r.stat.Hits), "never"
		if r.stat.Hits > 0 {
			row.hours = r.stat.Hours
		}
		if r.stat.LastMatch != nil {
			row.last, row.lastExact = lately(*r.stat.LastMatch, now), exact(*r.stat.LastMatch)
		}
		row.shadow = r.stat.ShadowedBy
	}
	return row
}

// state says what a person should know: only one thing, the strongest.
func (r *judgedRule) state() ruleState {
	switch {
	case !r.IsActive:
		return ruleState{"", "pause", "off", "Switched off: it never matches"}
	case r.ended():
		return ruleState{"", "clock", "ended", "It has not matched since " + exact(r.until)}
	case r.from.After(r.now):
		return ruleState{"hold", "clock", "from " + shortly(r.from, r.now), "It matches from " + exact(r.from)}
	case r.shadowed():
		return ruleState{"warn", "warn", "shadowed", "It never wins: " + visible(r.stat.ShadowedBy.Name) + " takes every event from it"}
	case r.ending():
		return ruleState{"hold", "clock", "ends " + shortly(r.until, r.now), "It matches until " + exact(r.until)}
	}
	return ruleState{}
}

// movesOf proposes priorities that bring a rule before the one that is tried before it, and behind the one that is tried after it.
func movesOf(all []judgedRule, i int) (m moves) {
	r := &all[i]
	if i > 0 {
		before := &all[i-1]
		priority := before.Priority - 1
		switch {
		case i > 1 && before.Priority-all[i-2].Priority >= 2: // between the two: later rules find room as well
			priority = all[i-2].Priority + (before.Priority-all[i-2].Priority)/2
		case r.ID < before.ID: // ties go to the lowest id
			priority = before.Priority
		}
		m.up = r.proposal(priority)
	}
	if i+1 < len(all) {
		after := &all[i+1]
		priority := after.Priority + 1
		switch {
		case i+2 < len(all) && all[i+2].Priority-after.Priority >= 2:
			priority = after.Priority + (all[i+2].Priority-after.Priority)/2
		case r.ID > after.ID:
			priority = after.Priority
		}
		m.down = r.proposal(priority)
	}
	return m
}

// proposal is what the review is sent for another priority, "" for one that no rule can have.
func (r *judgedRule) proposal(priority int) string {
	if priority < math.MinInt32 || priority > math.MaxInt32 {
		return ""
	}
	return r.change("save", "priority", strconv.Itoa(priority))
}

// change is what the review is sent for an operation on a rule with, perhaps, another value of a field.
func (r *judgedRule) change(operation string, field ...string) string {
	values := map[string]string{"id": strconv.FormatInt(r.ID, 10), "revision": strconv.FormatInt(r.Revision, 10), "op": operation}
	if len(field) == 2 {
		values[field[0]] = field[1]
	}
	return string(body(values))
}

// lately renders the time of a last match in the width of a column.
func lately(t, now time.Time) string {
	if age := now.Sub(t); age < time.Minute {
		return "now"
	}
	return shortly(t, now)
}

// shortly renders a time of today by the clock, another by its date.
func shortly(t, now time.Time) string {
	t, now = t.UTC(), now.UTC()
	switch {
	case t.YearDay() == now.YearDay() && t.Year() == now.Year():
		return t.Format("15:04")
	case t.Sub(now).Abs() < 330*24*time.Hour:
		return t.Format("2 Jan")
	}
	return t.Format("Jan 2006")
}

// matchOf says what a rule looks for: kind and text.
func matchOf(r *rule.Rule) (out []pair) {
	if r.TrapOID != "" {
		out = append(out, pair{name: "oid", value: visible(r.TrapOID)})
	}
	if r.MatchString != "" {
		out = append(out, pair{name: string(r.MatchType), value: visible(r.MatchString)})
	}
	return out
}

// onlyOf says which events a rule looks at, "" for all.
func onlyOf(r *rule.Rule) string {
	var parts []string
	if r.HostPattern != "" {
		parts = append(parts, "host "+r.HostPattern)
	}
	if r.Source != "" {
		parts = append(parts, sourceWord(r.Source))
	}
	if words := severityWords(r); words != "" {
		parts = append(parts, words)
	}
	return strings.Join(parts, ", ")
}

// severityWords says which severities a rule takes, in syslog's words, "" for all.
func severityWords(r *rule.Rule) string {
	word := func(n *int) string { return severityWord(*n) }
	switch {
	case r.SyslogSeverity != nil:
		return word(r.SyslogSeverity)
	case r.MinSeverity != nil && r.MaxSeverity != nil:
		return word(r.MinSeverity) + " to " + word(r.MaxSeverity)
	case r.MaxSeverity != nil:
		return word(r.MaxSeverity) + " or worse"
	case r.MinSeverity != nil:
		return word(r.MinSeverity) + " or less severe"
	}
	return ""
}
