package page

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/rule"
)

// editorView is what the editor of a rule shows.
type editorView struct {
	id             int64 // 0 for a new rule
	revision, base string
	rule           ruleRecord
	examples       rule.Examples
	from           string // id of the event that a new rule begins with
	mayWrite       bool
	who            string // the reader
}

func (v *editorView) title() string {
	if name := v.rule.text("name"); name != "" {
		return visible(name)
	}
	return "New rule"
}

// option is one of the values of a field.
type option struct{ value, label string }

func matchTypes() []option {
	return []option{{"contains", "contains"}, {"regex", "regex"}, {"equals", "equals"}, {"glob", "glob"}, {"oid_prefix", "trap OID"}}
}

func handlings() []option {
	return []option{{"Page_and_ticket", "page + ticket"}, {"Page_only", "page"}, {"Ticket_only", "ticket"}, {"Log_only", "log only"}, {"Ignore", "ignore"}}
}

func sources() []option {
	return []option{{"", "any"}, {"syslog", "syslog"}, {"snmptrap", "trap"}, {"http", "HTTP"}}
}

func syslogWords() []string {
	return []string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}
}

// atLeast offers the severities that are as bad as one, or worse.
func atLeast() []option {
	out := []option{{"", "any"}, {"0", "emerg"}}
	for i, word := range syslogWords()[1:] {
		out = append(out, option{strconv.Itoa(i + 1), word + " and worse"})
	}
	return out
}

// exactly offers the severities, each with its number.
func exactly() []option {
	out := []option{{"", "any"}}
	for i, word := range syslogWords() {
		out = append(out, option{strconv.Itoa(i), fmt.Sprintf("%d %s", i, word)})
	}
	return out
}

func sentWords() []option {
	return []option{{"", "as the device says"}, {"5", "critical"}, {"4", "major"}, {"3", "minor"}, {"2", "warning"}, {"1", "indeterminate"}, {"0", "clear"}}
}

// newRule serves the editor of a rule that is not stored yet, begun from an event where one is named.
func (p *Pages) newRule(c echo.Context) error {
	v := editorView{from: c.QueryParam("from"), rule: ruleRecord{"match_type": "contains", "priority": rule.DefaultPriority, "prod_handling": "Ticket_only", "dev_handling": "Log_only", "is_active": true}}
	if v.from != "" {
		var draft apiclient.RuleDraft
		if _, err := p.call(c, http.MethodGet, "/events/:id/draft", httpserver.Call{Params: map[string]string{"id": v.from}}, &draft); err != nil {
			return err
		}
		text, err := json.Marshal(draft.Rule)
		if err != nil {
			return fmt.Errorf("render the draft: %w", err)
		}
		v.rule = ruleRecord{}
		if err := json.Unmarshal(text, &v.rule); err != nil {
			return fmt.Errorf("read the draft: %w", err)
		}
		delete(v.rule, "id")
	}
	return p.showEditor(c, &v)
}

// editRule serves the editor of a stored rule.
func (p *Pages) editRule(c echo.Context) error {
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil || id < 1 {
		return fault.Field(fault.NotFound, "id", "%q is not the id of a rule, which is a whole number", visible(c.Param("id")))
	}
	v := editorView{id: id}
	if v.rule, v.revision, err = p.storedRule(c, id); err != nil {
		return err
	}
	return p.showEditor(c, &v)
}

func (p *Pages) showEditor(c echo.Context, v *editorView) error {
	base, err := json.Marshal(v.rule)
	if err != nil {
		return fmt.Errorf("render the rule: %w", err)
	}
	reader := httpserver.Identity(c)
	v.base, v.examples, v.mayWrite, v.who = string(base), v.rule.examples(), reader.Role.Allows(authn.Operator), visible(reader.Name)
	return p.show(c, http.StatusOK, editorPage(p.frame(c, "rules", v.title()), v))
}

// matchesView is the right column of the editor.
type matchesView struct {
	apiclient.RuleMatches
	took   string
	rows   []matchRow
	near   []matchRow
	failed *problem
	fields []fieldError
}

// fieldError is an error of one field of a form.
type fieldError struct{ field, message string }

// matchRow is a sample.
type matchRow struct {
	apiclient.RuleMatch
	time, exact, host, message string
	pinnable                   bool // short enough for an example
}

const shownMessage = 2000 // bytes of the message of a sample

// ruleMatches answers the right column for the draft of a form.
func (p *Pages) ruleMatches(c echo.Context) error {
	var v matchesView
	in, _, err := p.proposalOf(c)
	if err != nil {
		v.failed = problemOf(c, err)
		return p.show(c, fault.Describe(fault.Code(v.failed.Code)).Status, matchesPanel(&v))
	}
	began, now := p.Now(), p.Now().UTC()
	if _, err = p.call(c, http.MethodPost, "/rules/matches", httpserver.Call{Body: body(map[string]any{"rule": in.draft})}, &v.RuleMatches); err != nil {
		if v.fields = fieldErrors(err); len(v.fields) == 0 {
			v.failed = problemOf(c, err)
		}
	}
	v.took = span(p.Now().Sub(began))
	for _, list := range []struct {
		from []apiclient.RuleMatch
		to   *[]matchRow
	}{{v.Matches, &v.rows}, {v.Near, &v.near}} {
		for _, m := range list.from {
			row := matchRow{RuleMatch: m, time: moment(m.ReceivedAt, now), exact: exact(m.ReceivedAt), host: visible(m.Hostname), message: visible(m.Message),
				pinnable: len(m.Message) <= rule.MaxExample}
			if shown := cut(row.message, shownMessage); shown != row.message {
				row.message = shown + " …"
			}
			*list.to = append(*list.to, row)
		}
	}
	return p.show(c, http.StatusOK, matchesPanel(&v))
}

// body renders what a call sends.
func body(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return nil // the API refuses an empty body: what a form sends can always be rendered
	}
	return text
}

// fieldErrors splits the error of a rule by its fields; nil for an error of something else.
func fieldErrors(err error) []fieldError {
	f, ok := fault.As(err)
	if !ok || f.Field == "" {
		return nil
	}
	name := f.Field
	for _, prefix := range []string{"rule.", "rules[0]."} {
		name = strings.TrimPrefix(name, prefix)
	}
	known := ruleFields()
	out := []fieldError{{field: name}}
	rest := f.Message
	for _, part := range strings.Split(rest, "; ") {
		for _, prefix := range []string{"rule.", "rules[0]."} {
			part = strings.TrimPrefix(part, prefix)
		}
		if field, message, found := strings.Cut(part, ": "); found && slices.Contains(known, field) && out[len(out)-1].message != "" {
			out = append(out, fieldError{field, visible(message)})
			continue
		}
		last := &out[len(out)-1]
		if last.message != "" {
			last.message += "; "
		}
		last.message += visible(part)
	}
	if !slices.Contains(known, name) {
		return nil
	}
	return out
}

// ruleHref returns the page of a rule.
func ruleHref(id int64) string {
	if id == 0 {
		return "/rules/new"
	}
	return "/rules/" + strconv.FormatInt(id, 10)
}

// landing returns the list of rules after a change, which names the rule and the change.
func landing(id, change int64) string {
	q := url.Values{"saved": {strconv.FormatInt(id, 10)}}
	if change > 0 {
		q.Set("change", strconv.FormatInt(change, 10))
	}
	return "/rules?" + q.Encode()
}

// noun returns the word of a number.
func noun(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// expectations lists the examples that a rule must win, in a stable order.
func expectations(of map[string]string) (out []pair) {
	for _, message := range slices.Sorted(maps.Keys(of)) {
		out = append(out, pair{name: message, value: of[message]})
	}
	return out
}
