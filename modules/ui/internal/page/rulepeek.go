package page

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/rule"
)

// rulePeek is one rule beside the list.
type rulePeek struct {
	row         ruleRow
	closed      string
	description string
	words       []pair // the definition in words
	raw         string // and as a rules file has it
	hours       []int64
	hoursFrom   string
	hits        string
	last        string // time of the last match
	lastHref    string // its event; "" where that is not kept any more
	lastWhat    string // and its message
	events      string // link to what it won in 24 hours
	shadowHref  string
	examples    []ruleExample
	history     []change
	failed      *problem // of the history
	open        string   // the rule's page
	mayWrite    bool
	moves       moves
	turn        string // what the review is sent to switch the rule off or on
	remove      string // and to delete it
}

// ruleExample is a message that belongs to a rule, with what must become of it.
type ruleExample struct{ what, message string }

// rulePeek shows the i-th rule.
func (p *Pages) rulePeek(c echo.Context, s ruleListState, all []judgedRule, i int) *rulePeek {
	r, now := &all[i], all[i].now
	id := strconv.FormatInt(r.ID, 10)
	v := &rulePeek{row: ruleRowOf(r, now), description: visible(r.Description), words: definition(r), examples: examplesOf(r.Rule)}
	v.open, v.moves, v.remove = ruleHref(r.ID), movesOf(all, i), r.change("delete")
	v.turn = r.change("save", "is_active", strconv.FormatBool(!r.IsActive))
	closed := s
	closed.peek = ""
	v.closed = closed.href()
	v.events = listState{q: "rule:" + id, rng: "24h"}.href()
	if file, err := rule.WriteFile([]rule.Rule{*r.Rule}); err == nil {
		v.raw = visibleLines(string(file))
	}
	if r.stat != nil {
		v.hours, v.hits = r.stat.Hours, counted(r.stat.Hits, "event", "events")
		v.hoursFrom = moment(now.Truncate(time.Hour).Add(-time.Duration(len(v.hours)-1)*time.Hour), now)
		if r.stat.LastMatch != nil {
			v.last = moment(*r.stat.LastMatch, now)
		}
		if by := r.stat.ShadowedBy; by != nil {
			v.shadowHref = ruleListState{q: s.q, show: s.show, after: s.after, peek: strconv.FormatInt(by.ID, 10)}.href()
		}
	}
	var won apiclient.AuditLogs
	if err := p.read(c, "/audit-logs", url.Values{"rule_id": {id}, "limit": {"1"}}, &won); err == nil && len(won.Logs) > 0 {
		row := rowOf(&won.Logs[0], now)
		v.lastWhat = row.host + ": " + row.message
		v.lastHref = "/events/" + url.PathEscape(row.id)
	}
	var changes apiclient.Changes
	v.failed = problemOf(c, p.read(c, "/audit", url.Values{"table_name": {"alert_rules"}, "record_id": {id}, "limit": {"4"}}, &changes))
	for k := range changes.Logs {
		l := &changes.Logs[k]
		verb := map[string]string{"CREATE": "created", "UPDATE": "changed", "DELETE": "deleted"}[l.Operation]
		if l.Reason != "" {
			verb += ": " + visible(l.Reason)
		}
		v.history = append(v.history, change{when: moment(l.ChangedAt, now), exact: exact(l.ChangedAt), by: visible(l.ChangedBy), what: verb})
	}
	return v
}

// definition says what a rule does, in words.
func definition(r *judgedRule) []pair {
	matches := map[rule.MatchType]string{rule.Contains: "Message contains", rule.Regex: "Message matches", rule.Equals: "Message is", rule.Glob: "Message is like"}
	var out []pair
	if r.TrapOID != "" {
		out = append(out, pair{"Trap at or under", visible(r.TrapOID), true})
	}
	if r.MatchString != "" {
		out = append(out, pair{matches[r.MatchType], visible(r.MatchString), true})
	}
	severity := ""
	if r.SeverityOverride != nil {
		severity = [...]string{"clear", "indeterminate", "warning", "minor", "major", "critical"}[min(max(*r.SeverityOverride, 0), 5)]
	}
	until := ""
	switch {
	case !r.from.IsZero() && !r.until.IsZero():
		until = "from " + moment(r.from, r.now) + " until " + moment(r.until, r.now)
	case !r.from.IsZero():
		until = "from " + moment(r.from, r.now)
	case !r.until.IsZero():
		until = "until " + moment(r.until, r.now)
	}
	return append(out,
		pair{"Only hosts", visible(r.HostPattern), true},
		pair{"Only from", sourceWord(r.Source), false},
		pair{"Only severity", severityWords(r.Rule), false},
		pair{"In force", until, false},
		pair{"Severity sent", severity, false},
		pair{"Signature", visible(r.Signature), true})
}

func examplesOf(r *rule.Rule) (out []ruleExample) {
	if r.Examples == nil {
		return nil
	}
	for _, m := range r.Examples.Matches {
		out = append(out, ruleExample{"matches", visible(m)})
	}
	for _, m := range r.Examples.NotMatches {
		out = append(out, ruleExample{"does not match", visible(m)})
	}
	for m, name := range r.Examples.Expect {
		out = append(out, ruleExample{"won by " + visible(name), visible(m)})
	}
	slices.SortStableFunc(out, func(a, b ruleExample) int { return strings.Compare(a.what, b.what) })
	return out
}

// visibleLines is visible for a text of several lines.
func visibleLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = visible(lines[i])
	}
	return strings.Join(lines, "\n")
}
