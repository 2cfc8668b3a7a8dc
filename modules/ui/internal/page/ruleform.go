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

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/rule"
)

// maxRuleForm bounds the form of a rule, in bytes: a rule may have long examples.
const maxRuleForm = 1 << 20

// ruleRecord is a rule as the API takes and shows it, by the names of its fields.
type ruleRecord map[string]any

// textFields and numberFields are the fields of the form, by their names in the API.
func textFields() []string {
	return []string{"name", "description", "match_type", "match_string", "trap_oid", "host_pattern", "source", "prod_handling", "dev_handling", "team_assignment",
		"signature", "valid_from", "valid_until"}
}

func numberFields() []string {
	return []string{"priority", "syslog_severity", "min_severity", "max_severity", "severity_override"}
}

// ruleFields are all fields of a rule that a form may change.
func ruleFields() []string {
	return slices.Concat(textFields(), numberFields(), []string{"is_active", "examples"})
}

// proposal is what a form asks for: a rule to save or to delete.
type proposal struct {
	id       int64  // 0 for a new rule
	revision string // that the form was made of, "" for a new rule
	delete   bool
	editor   bool       // the form is the editor's, which shows errors at their fields
	draft    ruleRecord // without what is empty
	stored   ruleRecord // as the rule is stored now; nil for a new one
	base     ruleRecord // as the form found it; nil when that is not known
	now      string     // revision of stored
}

// proposalOf reads the form of a rule. What a form does not have stays as it is stored, so that a list may send the one field that it changes.
func (p *Pages) proposalOf(c echo.Context) (*proposal, url.Values, error) {
	form, err := formOf(c, maxRuleForm)
	if err != nil {
		return nil, nil, err
	}
	out := &proposal{revision: form.Get("revision"), delete: form.Get("op") == "delete", editor: form.Get("editor") != ""}
	switch id := form.Get("id"); {
	case id == "" || id == "0":
	default:
		if out.id, err = strconv.ParseInt(id, 10, 64); err != nil || out.id < 1 {
			return nil, nil, fault.Field(fault.InvalidField, "id", "must be a whole number from 1")
		}
		if out.stored, out.now, err = p.storedRule(c, out.id); err != nil {
			return nil, nil, err
		}
	}
	if text := form.Get("base"); text != "" {
		if err := json.Unmarshal([]byte(text), &out.base); err != nil {
			return nil, nil, fault.Field(fault.InvalidField, "base", "must be the rule that the form was made of")
		}
	}
	from := out.stored
	if out.base != nil {
		from = out.base
	}
	if text := form.Get("rule"); text != "" { // as a dialog carries it
		from = nil
		if err := json.Unmarshal([]byte(text), &from); err != nil {
			return nil, nil, fault.Field(fault.InvalidField, "rule", "must be a rule")
		}
	}
	out.draft = filledIn(from, form)
	return out, form, nil
}

func (p *Pages) storedRule(c echo.Context, id int64) (ruleRecord, string, error) {
	var r ruleRecord
	if _, err := p.call(c, http.MethodGet, "/rules/:id", httpserver.Call{Params: map[string]string{"id": strconv.FormatInt(id, 10)}}, &r); err != nil {
		return nil, "", err
	}
	return r, r.text("revision"), nil
}

// filledIn returns a record with the fields of a form. Browsers change line ends and cannot show every character: a text that was not
// edited stays byte for byte what it was.
func filledIn(from ruleRecord, form url.Values) ruleRecord {
	out := maps.Clone(from)
	if out == nil {
		out = ruleRecord{}
	}
	delete(out, "id")
	delete(out, "revision")
	for _, name := range textFields() {
		if form.Has(name) {
			out.set(name, asItWas(form.Get(name), from.text(name)))
		}
	}
	for _, name := range numberFields() {
		if text := strings.TrimSpace(form.Get(name)); form.Has(name) {
			if n, err := strconv.Atoi(text); err == nil {
				out[name] = n
			} else {
				out.set(name, text) // the API says what it wants instead
			}
		}
	}
	if is := form["is_active"]; len(is) > 0 { // the last one: a box that is not ticked sends nothing
		out["is_active"] = is[len(is)-1] == "true"
	}
	// Not "matches": a field of that name would hide the method of its form from scripts.
	if form.Has("example") || form.Has("not_example") || form.Has("expect_message") {
		was, now := from.examples(), rule.Examples{}
		now.Matches, now.NotMatches = keptLines(form["example"], was.Matches), keptLines(form["not_example"], was.NotMatches)
		for i, message := range form["expect_message"] {
			if wins := form["expect_rule"]; i < len(wins) && strings.TrimSpace(message) != "" {
				if now.Expect == nil {
					now.Expect = map[string]string{}
				}
				now.Expect[keptLines([]string{message}, slices.Collect(maps.Keys(was.Expect)))[0]] = strings.TrimSpace(wins[i])
			}
		}
		delete(out, "examples")
		if len(now.Matches)+len(now.NotMatches)+len(now.Expect) > 0 {
			out["examples"] = now
		}
	}
	return out
}

func (r ruleRecord) set(name, value string) {
	if r[name] = value; value == "" {
		delete(r, name)
	}
}

// text returns a field as a form shows it.
func (r ruleRecord) text(name string) string {
	switch v := r[name].(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}

func (r ruleRecord) examples() (x rule.Examples) {
	if text, err := json.Marshal(r["examples"]); err == nil {
		_ = json.Unmarshal(text, &x) // what is not a list of examples is not shown as one
	}
	return x
}

// patch returns the record as a change of another: what it does not have is put back to its default.
func (r ruleRecord) patch() ruleRecord {
	out := ruleRecord{}
	for _, name := range ruleFields() {
		out[name] = nil
	}
	maps.Copy(out, r)
	return out
}

// keptLines returns the texts of a form that are not blank, those that were not edited as they were.
func keptLines(form, was []string) (out []string) {
	for _, text := range form {
		if strings.TrimSpace(text) == "" {
			continue
		}
		if at := slices.IndexFunc(was, func(old string) bool { return inForm(old) == inForm(text) }); at >= 0 {
			text = was[at]
		} else {
			text = strings.ReplaceAll(text, "\r\n", "\n")
		}
		out = append(out, text)
	}
	return out
}

func asItWas(form, was string) string {
	if inForm(form) == inForm(was) {
		return was
	}
	return strings.ReplaceAll(form, "\r\n", "\n")
}

// inForm returns a text as it comes back from a browser's form: with its line ends, without what HTML cannot hold, and without the line
// end that begins a text area.
func inForm(s string) string {
	return strings.TrimPrefix(strings.NewReplacer("\r\n", "\n", "\r", "\n", "\x00", "").Replace(s), "\n")
}
