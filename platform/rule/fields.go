package rule

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/muttproject/mutt/platform/fault"
)

// field is one field of a rule under its JSON and YAML name.
type field struct {
	name string
	at   func(*Rule) any // pointer to it
}

// identityFields are accepted in input, so that what was read can be sent back, and never taken from it.
func identityFields() []string { return []string{"id", "revision"} }

// ruleFields lists what a client or a file can set, in the order of the reference page.
func ruleFields() []field {
	return []field{
		{"name", func(r *Rule) any { return &r.Name }},
		{"description", func(r *Rule) any { return &r.Description }},
		{"match_type", func(r *Rule) any { return (*string)(&r.MatchType) }},
		{"match_string", func(r *Rule) any { return &r.MatchString }},
		{"trap_oid", func(r *Rule) any { return &r.TrapOID }},
		{"syslog_severity", func(r *Rule) any { return &r.SyslogSeverity }},
		{"min_severity", func(r *Rule) any { return &r.MinSeverity }},
		{"max_severity", func(r *Rule) any { return &r.MaxSeverity }},
		{"host_pattern", func(r *Rule) any { return &r.HostPattern }},
		{"source", func(r *Rule) any { return &r.Source }},
		{"priority", func(r *Rule) any { return &r.Priority }},
		{"prod_handling", func(r *Rule) any { return &r.ProdHandling }},
		{"dev_handling", func(r *Rule) any { return &r.DevHandling }},
		{"team_assignment", func(r *Rule) any { return &r.TeamAssignment }},
		{"severity_override", func(r *Rule) any { return &r.SeverityOverride }},
		{"signature", func(r *Rule) any { return &r.Signature }},
		{"examples", func(r *Rule) any { return &r.Examples }},
		{"is_active", func(r *Rule) any { return &r.IsActive }},
		{"valid_from", func(r *Rule) any { return &r.ValidFrom }},
		{"valid_until", func(r *Rule) any { return &r.ValidUntil }},
	}
}

// storedFields are ruleFields and what the server sets.
func storedFields() []field {
	return append(ruleFields(), field{"id", func(r *Rule) any { return &r.ID }}, field{"revision", func(r *Rule) any { return &r.Revision }})
}

func fieldNames(fields []field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return names
}

func findField(fields []field, name string) (field, bool) {
	for _, f := range fields {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

// wants says which values the field takes.
func (f field) wants() string {
	switch f.at(&Rule{}).(type) {
	case *string:
		return "a text"
	case *bool:
		return "true or false"
	case **int:
		if f.name == "severity_override" {
			return "0 to 5, or clear, indeterminate, warning, minor, major, critical"
		}
		return "0 to 7, or a name such as error or warning"
	case **Examples:
		return "matches and not_matches (lists of texts) and expect (message: rule name)"
	default:
		return "a whole number"
	}
}

// input is set for a value that a client or a file gives. A text of nothing but blanks is refused where blanks are
// trimmed: a host_pattern of that kind would hold for every host. One with a zero-width or no-break space would hold for none;
// stored rules may have such a pattern, so that it is not a fault of Validate.
func (f field) input(r *Rule, raw []byte) error {
	if err := f.set(r, raw); err != nil {
		return err
	}
	text, isText := f.at(r).(*string)
	if isText && f.name != "match_string" && f.name != "description" && *text != "" && strings.TrimSpace(*text) == "" {
		return fault.Field(fault.Unprocessable, f.name, "has nothing but blanks: give it a text, or leave it out")
	}
	if isText && f.name == "host_pattern" && strings.ContainsFunc(strings.TrimSpace(*text), func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }) {
		return fault.Field(fault.Unprocessable, f.name, "%+q has spaces or characters that do not print", cut(*text, 80))
	}
	return nil
}

// set takes a JSON value; null puts back the default.
func (f field) set(r *Rule, raw []byte) error {
	null := string(raw) == "null"
	switch p := f.at(r).(type) {
	case *string:
		*p = ""
		return f.decode(raw, p)
	case *bool:
		*p = true // the only one is is_active
		return f.decode(raw, p)
	case *int:
		*p = DefaultPriority
		return f.decode(raw, p)
	case **int:
		*p = nil
		if null {
			return nil
		}
		return f.setSeverity(p, raw)
	case **Examples:
		*p = nil
		return f.setExamples(p, raw)
	default:
		return fault.Field(fault.Internal, f.name, "has no decoder")
	}
}

func (f field) decode(raw []byte, into any) error {
	if err := json.Unmarshal(raw, into); err != nil {
		return fault.Field(fault.Unprocessable, f.name, "wants %s, got %s", f.wants(), cut(string(raw), 60))
	}
	return nil
}

// setSeverity takes a number, a number in quotes, or a name.
func (f field) setSeverity(p **int, raw []byte) error {
	names := syslogNames()
	if f.name == "severity_override" {
		names = overrideNames()
	}
	var n int
	if json.Unmarshal(raw, &n) == nil {
		*p = &n
		return nil
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		s = strings.ToLower(strings.TrimSpace(s))
		if s == "" {
			return nil // what a form sends for an empty field
		}
		n, err := strconv.Atoi(s)
		if err == nil {
			*p = &n
			return nil
		}
		if n, ok := names[s]; ok {
			*p = &n
			return nil
		}
	}
	return fault.Field(fault.Unprocessable, f.name, "wants %s, got %s", f.wants(), cut(string(raw), 60))
}

func (f field) setExamples(p **Examples, raw []byte) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		return fault.Field(fault.Unprocessable, f.name, "wants %s: %s", f.wants(), strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// syslogNames gives the names of RFC 5424 section 6.2.1 and the usual synonyms.
func syslogNames() map[string]int {
	return map[string]int{
		"emerg": 0, "emergency": 0, "panic": 0, "alert": 1, "crit": 2, "critical": 2, "err": 3, "error": 3, "major": 3,
		"warn": 4, "warning": 4, "minor": 4, "notice": 5, "info": 6, "informational": 6, "debug": 7,
	}
}

// overrideNames gives the names of the destination's scale.
func overrideNames() map[string]int {
	return map[string]int{"clear": 0, "indeterminate": 1, "warning": 2, "minor": 3, "major": 4, "critical": 5}
}

// member is one member of a JSON object.
type member struct {
	name  string
	value json.RawMessage
}

// members reads one JSON object without repeated names, and nothing after it.
func members(data []byte) ([]member, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, fault.New(fault.BadRequest, "want a JSON object with the fields of a rule%s", syntaxOf(err))
	}
	var list []member
	seen := map[string]bool{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, fault.New(fault.BadRequest, "the rule is not valid JSON%s", syntaxOf(err))
		}
		m := member{name: key.(string)} // inside an object the decoder gives nothing else
		if err := d.Decode(&m.value); err != nil {
			return nil, fault.New(fault.BadRequest, "the rule is not valid JSON after %q%s", cut(m.name, 40), syntaxOf(err))
		}
		if seen[m.name] {
			return nil, fault.Field(fault.BadRequest, cut(m.name, 40), "is given twice")
		}
		seen[m.name] = true
		list = append(list, m)
	}
	if _, err := d.Token(); err != nil {
		return nil, fault.New(fault.BadRequest, "the rule is not valid JSON%s", syntaxOf(err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fault.New(fault.BadRequest, "something follows the JSON object of the rule")
	}
	return list, nil
}

func syntaxOf(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ": it ends too early"
	default:
		return ": " + strings.TrimPrefix(err.Error(), "json: ")
	}
}
