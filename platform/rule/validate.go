package rule

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
)

// Bounds on the texts of a rule, in bytes.
const (
	maxName        = 200
	maxDescription = 4096
	maxMatch       = 4096
)

// Normalize brings a rule into the form in which it is stored: names in the contract's spelling, OIDs without
// leading dot and trailing ".*", times in UTC, a name made from the match when there is none. What is wrong is
// left as it is, for Validate to report.
func (r *Rule) Normalize() {
	for _, p := range [...]*string{&r.Name, &r.HostPattern, &r.Source, &r.ProdHandling, &r.DevHandling,
		&r.TeamAssignment, &r.ValidFrom, &r.ValidUntil} {
		*p = strings.TrimSpace(*p)
	}
	r.MatchType = MatchType(strings.ToLower(strings.TrimSpace(string(r.MatchType))))
	if r.MatchType == "" {
		r.MatchType = Contains
	}
	r.Source = strings.ToLower(r.Source)
	r.TrapOID = cleanOID(r.TrapOID)
	for _, p := range [...]*string{&r.ProdHandling, &r.DevHandling} {
		if h, ok := event.ParseHandling(*p); ok {
			*p = h.String()
		}
	}
	for _, p := range [...]*string{&r.ValidFrom, &r.ValidUntil} {
		if t, err := time.Parse(time.RFC3339Nano, *p); err == nil {
			*p = t.UTC().Format(time.RFC3339Nano)
		}
	}
	if x := r.Examples; x != nil && len(x.Matches)+len(x.NotMatches)+len(x.Expect) == 0 {
		r.Examples = nil
	}
	if r.Name == "" {
		r.Name = r.madeName()
	}
}

// madeName says what a rule matches, in one short line.
func (r *Rule) madeName() string {
	var parts []string
	if r.MatchString != "" {
		text := strings.Map(func(c rune) rune {
			if unicode.IsControl(c) {
				return ' '
			}
			return c
		}, r.MatchString)
		parts = append(parts, string(r.MatchType)+" "+cut(text, 80))
	}
	if r.TrapOID != "" {
		parts = append(parts, "trap "+cut(r.TrapOID, 80))
	}
	return strings.Join(parts, " and ")
}

// cut shortens s to at most n bytes, between characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// Validate reports every fault of a normalised rule, joined; each is a *fault.Error that names its field.
func (r *Rule) Validate() error {
	_, err := compileRule(r)
	return err
}

// faults gathers what is wrong with one rule. Its methods check a field and give its compiled form.
type faults []error

func (f *faults) add(err error) {
	if err != nil {
		*f = append(*f, err)
	}
}

func (f *faults) field(name, format string, args ...any) {
	*f = append(*f, fault.Field(fault.Unprocessable, name, format, args...))
}

// texts checks what every text must be: storable, and within its bound.
func (f *faults) texts(r *Rule) {
	for _, c := range [...]struct {
		field, text string
		max         int
		line        bool
	}{
		{"name", r.Name, maxName, true},
		{"description", r.Description, maxDescription, false},
		{"match_string", r.MatchString, maxMatch, false},
		{"host_pattern", r.HostPattern, maxName, true},
		{"team_assignment", r.TeamAssignment, maxName, true},
		{"signature", r.Signature, maxSignature, true},
	} {
		switch {
		case len(c.text) > c.max:
			f.field(c.field, "has %d bytes, at most %d are allowed", len(c.text), c.max)
		case !utf8.ValidString(c.text):
			f.field(c.field, "is not valid UTF-8")
		case strings.ContainsRune(c.text, 0):
			f.field(c.field, "contains a NUL character")
		case c.line && strings.ContainsFunc(c.text, unicode.IsControl):
			f.field(c.field, "contains a control character: it must be one line of text")
		}
	}
	if r.TeamAssignment == "" {
		f.field("team_assignment", "is required: the team that the alerts of this rule go to")
	}
	if r.Priority < math.MinInt32 || r.Priority > math.MaxInt32 {
		f.field("priority", "%d is out of bounds: want %d to %d, the lowest number wins", r.Priority, math.MinInt32, math.MaxInt32)
	}
}

// match checks what the rule looks for.
func (f *faults) match(r *Rule) textMatcher {
	if r.MatchString == "" && r.TrapOID == "" {
		f.field("match_string", "is required, unless trap_oid is given")
	}
	if r.TrapOID != "" {
		if err := checkOID(r.TrapOID); err != nil {
			f.field("trap_oid", "%q %s", cut(r.TrapOID, 80), err)
		}
	}
	if r.MatchString == "" && r.MatchType != OIDPrefix && knownMatchType(r.MatchType) {
		return nil
	}
	if len(r.MatchString) > maxMatch || !utf8.ValidString(r.MatchString) {
		return nil // reported with the other texts
	}
	folded, shown := fold(r.MatchString), fmt.Sprintf("%q", cut(r.MatchString, 80))
	switch r.MatchType {
	case Contains:
		return containsText{folded, shown}
	case Equals:
		return equalsText{folded, shown}
	case Glob:
		return globText{folded, shown}
	case Regex:
		t, err := parseRegex(r.MatchString)
		f.add(err)
		t.shown = shown
		return t
	case OIDPrefix:
		if r.TrapOID == "" {
			f.field("trap_oid", "is required by match_type oid_prefix")
		}
		if r.MatchString != "" {
			f.field("match_string", "says nothing with match_type oid_prefix: leave it out, or use match_type contains, which asks for both trap_oid and text")
		}
		return nil
	default:
		f.field("match_type", "%q is not known%s: want contains, regex, equals, glob or oid_prefix",
			cut(string(r.MatchType), 40), didYouMean(string(r.MatchType), []string{"contains", "regex", "equals", "glob", "oid_prefix"}))
		return nil
	}
}

func knownMatchType(m MatchType) bool {
	return m == Contains || m == Regex || m == Equals || m == Glob || m == OIDPrefix
}

// severities checks the severity conditions and gives them as a set.
func (f *faults) severities(r *Rule) uint16 {
	set := uint16(anySeverity)
	for _, c := range [...]struct {
		field string
		value *int
		low   func(int) int
		high  func(int) int
	}{
		{"syslog_severity", r.SyslogSeverity, func(v int) int { return v }, func(v int) int { return v }},
		{"min_severity", r.MinSeverity, func(v int) int { return v }, func(int) int { return 7 }},
		{"max_severity", r.MaxSeverity, func(int) int { return 0 }, func(v int) int { return v }},
	} {
		if c.value == nil {
			continue
		}
		if *c.value < 0 || *c.value > 7 {
			f.field(c.field, "%d is no syslog severity: want 0 (emergency) to 7 (debug)", *c.value)
			continue
		}
		for sev := range 9 { // 8 is absent: a condition on severity never holds for it
			if sev < c.low(*c.value) || sev > c.high(*c.value) {
				set &^= 1 << sev
			}
		}
	}
	if r.MinSeverity != nil && r.MaxSeverity != nil && *r.MinSeverity > *r.MaxSeverity {
		f.field("max_severity", "%d is below min_severity %d: both are numbers from 0 (emergency) to 7 (debug)", *r.MaxSeverity, *r.MinSeverity)
	} else if set == 0 {
		f.field("syslog_severity", "lies outside min_severity and max_severity: the rule could never match")
	}
	return set
}

func (f *faults) source(r *Rule) event.Source {
	if r.Source == "" {
		return event.SourceUnknown
	}
	s, ok := event.ParseSource(r.Source)
	if !ok || s == event.SourceMeta {
		f.field("source", "%q is not a source%s: want http, syslog or snmptrap", cut(r.Source, 40),
			didYouMean(r.Source, []string{"http", "syslog", "snmptrap"}))
	}
	return s
}

func (f *faults) host(r *Rule) hostPattern {
	h, err := parseHostPattern(r.HostPattern)
	if err != nil {
		f.field("host_pattern", "%s", err)
	}
	return h
}

// window gives valid_from (inclusive) and valid_until (exclusive) in Unix µs.
func (f *faults) window(r *Rule) (from, until int64) {
	from, until = math.MinInt64, math.MaxInt64
	for _, c := range [...]struct {
		field, text string
		at          *int64
	}{{"valid_from", r.ValidFrom, &from}, {"valid_until", r.ValidUntil, &until}} {
		if c.text == "" {
			continue
		}
		t, err := parseTime(c.text)
		if err != nil {
			f.field(c.field, "%q is not RFC 3339: want for example 2026-11-23T08:00:00Z", cut(c.text, 40))
			continue
		}
		*c.at = t
	}
	if until <= from {
		f.field("valid_until", "is not after valid_from: the rule could never match")
	}
	return from, until
}

func (f *faults) handling(field, text string) event.Handling {
	h, ok := event.ParseHandling(text)
	switch {
	case text == "":
		f.field(field, "is required: want %s", handlingList())
	case !ok:
		f.field(field, "%q is not a handling%s: want %s", cut(text, 40), didYouMean(text, handlingNames()), handlingList())
	}
	return h
}

func handlingNames() []string {
	var names []string
	for _, h := range event.Handlings() {
		names = append(names, h.String())
	}
	return names
}

func handlingList() string {
	names := handlingNames()
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

func (f *faults) override(r *Rule) int8 {
	if r.SeverityOverride == nil {
		return -1
	}
	if v := *r.SeverityOverride; v < 0 || v > 5 {
		f.field("severity_override", "%d is out of bounds: want 0 clear, 1 indeterminate, 2 warning, 3 minor, 4 major or 5 critical", v)
		return -1
	}
	return int8(*r.SeverityOverride)
}

// Faults lists the *fault.Error of an error of this package, in their order.
func Faults(err error) []*fault.Error {
	if err == nil {
		return nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var list []*fault.Error
		for _, e := range many.Unwrap() {
			list = append(list, Faults(e)...)
		}
		return list
	}
	var one *fault.Error
	if e, ok := err.(*fault.Error); ok {
		one = e
	} else if inner := errors.Unwrap(err); inner != nil {
		return Faults(inner)
	} else {
		one = fault.New(fault.Unprocessable, "%s", err)
	}
	return []*fault.Error{one}
}
