package rule

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/muttproject/mutt/platform/fault"
)

// jsonNames lists the JSON names of a struct's fields.
func jsonNames(v any) []string {
	var names []string
	for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

const goodFile = `version: 1
rules:
  - name: link down
    match_string: link down
    prod_handling: page_and_ticket
    dev_handling: Ignore
    team_assignment: NET
    examples:
      matches: ["Link DOWN on Gi0/1"]
      not_matches: ["link up"]
      expect: {"bgp: link down": bgp, "something else": unhandled}
  - name: bgp
    match_type: regex
    match_string: ^bgp
    trap_oid:
    priority: 5
    syslog_severity: error
    prod_handling: Page_only
    dev_handling: Ignore
    team_assignment: NET
`

func TestParseFile(t *testing.T) {
	t.Parallel()
	rules, err := ParseFile("rules.yaml", []byte(goodFile))
	if err != nil {
		t.Fatal(err)
	}
	if len(rules) != 2 || rules[0].Priority != 100 || !rules[0].IsActive || rules[0].ProdHandling != "Page_and_ticket" ||
		rules[1].Priority != 5 || *rules[1].SyslogSeverity != 3 {
		t.Errorf("read %+v", rules)
	}
	asJSON := `{"version":1,"rules":[{"name":"a","match_string":"x","prod_handling":"Ignore","dev_handling":"Ignore","team_assignment":"T"}]}`
	if rules, err = ParseFile("rules.json", []byte(asJSON)); err != nil || len(rules) != 1 {
		t.Errorf("JSON: %v %v", rules, err)
	}
	if rules, err = ParseFile("r", []byte("version: 1\nrules: []\n")); err != nil || len(rules) != 0 {
		t.Errorf("no rules: %v %v", rules, err)
	}
}

func TestParseFileFaults(t *testing.T) {
	t.Parallel()
	rest := "\n    match_string: x\n    prod_handling: Ignore\n    dev_handling: Ignore\n    team_assignment: T\n"
	for name, c := range map[string]struct{ file, says string }{
		"empty":           {"", "r.yaml:1: the file is empty"},
		"comment only":    {"# nothing\n", "r.yaml:1: "},
		"not YAML":        {"version: [", "r.yaml: "},
		"a list":          {"- a", "r.yaml:1: want"},
		"no version":      {"rules: []", "version is missing"},
		"version 2":       {"version: 2\nrules: []", "r.yaml:1: version \"2\" is not known"},
		"no rules":        {"version: 1", "rules is missing"},
		"rules no list":   {"version: 1\nrules: 5", "r.yaml:2: rules wants a list"},
		"unknown top key": {"version: 1\nruls: []\nrules: []", "r.yaml:2: unknown key \"ruls\" (did you mean rules?)"},
		"two documents":   {"version: 1\nrules: []\n---\nversion: 1\n", "second document"},
		"rule no mapping": {"version: 1\nrules:\n  - x\n", "r.yaml:3: a rule is a mapping"},
		"unknown key":     {"version: 1\nrules:\n  - name: a\n    prioirty: 5" + rest, "r.yaml:4: unknown key \"prioirty\" (did you mean priority?)"},
		"key twice":       {"version: 1\nrules:\n  - name: a\n    name: b" + rest, "given twice, first in line 3"},
		"no name":         {"version: 1\nrules:\n  - description: a" + rest, "r.yaml:3: a rule in a file needs a name"},
		"name twice":      {"version: 1\nrules:\n  - name: a" + rest + "  - name: a" + rest, "r.yaml:8: the name \"a\" is taken by the rule in line 3"},
		"wrong type":      {"version: 1\nrules:\n  - name: a\n    priority: high" + rest, "r.yaml:4: priority: wants a whole number"},
		"nested text":     {"version: 1\nrules:\n  - name: a\n    description: [x]" + rest, "r.yaml:4: description: wants a text"},
		"bad value":       {"version: 1\nrules:\n  - name: a\n    trap_oid: 1.x" + rest, "r.yaml:4: trap_oid: \"1.x\" is not an OID"},
		"missing team":    {"version: 1\nrules:\n  - name: a\n    match_string: x\n    prod_handling: Ignore\n    dev_handling: Ignore\n", "r.yaml:3: team_assignment: is required"},
		"example key":     {"version: 1\nrules:\n  - name: a\n    examples: {match: [x]}" + rest, "r.yaml:4: examples"},
	} {
		rules, err := ParseFile("r.yaml", []byte(c.file))
		if err == nil || !strings.Contains(err.Error(), c.says) || rules != nil {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
		if fault.CodeOf(err) != fault.Unprocessable {
			t.Errorf("%s: code %s", name, fault.CodeOf(err))
		}
	}
	_, err := ParseFile("r.yaml", []byte("version: 1\nrules:\n  - name: a\n    x: 1\n    priority: high"+rest+"  - name: b\n    y: 2"+rest))
	if n := len(Faults(err)); n != 3 {
		t.Errorf("%d faults, want all 3: %v", n, err)
	}
}

// TestFileRoundTrip holds that what WriteFile writes is read back equal, whatever the texts are.
func TestFileRoundTrip(t *testing.T) {
	t.Parallel()
	text := rapid.OneOf(rapid.StringN(1, 30, 200), rapid.SampledFrom([]string{"null", "~", "yes", "1.10", "0x1f", "- a", "a: b", "#", " lead", "x\u0085y",
		"\ufeff", "multi\nline\n", "tab\tend ", "2026-01-01", "\u2028", "!!int", "&a", "*a", "'", "\"", "%", "@", "`", "\x7f", "\x1b", "\U0010ffff"}))
	rapid.Check(t, func(t *rapid.T) {
		var rules []Rule
		for i := range rapid.IntRange(0, 4).Draw(t, "rules") {
			r := genRule(int64(i)).Draw(t, "rule")
			r.Description = text.Draw(t, "description")
			if r.TrapOID == "" {
				r.MatchType, r.MatchString = Contains, text.Draw(t, "match")
			}
			if rapid.Bool().Draw(t, "examples") {
				r.Examples = &Examples{Matches: []string{text.Draw(t, "m")}, Expect: map[string]string{text.Draw(t, "k"): "r1"}}
			}
			r.Normalize()
			if r.Validate() == nil {
				rules = append(rules, r)
			}
		}
		data, err := WriteFile(rules)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseFile("f", data)
		if err != nil {
			t.Fatalf("%v\n%s", err, data)
		}
		for i := range rules {
			rules[i].ID = 0
		}
		if diff := cmp.Diff(rules, back); diff != "" && len(rules) > 0 {
			t.Fatalf("%s\n%s", diff, data)
		}
		if changes := Diff(rules, back); len(changes) > 0 {
			t.Fatalf("diff of a round trip: %+v", changes)
		}
	})
}

func TestWriteFileWantsUniqueNames(t *testing.T) {
	t.Parallel()
	_, err := WriteFile([]Rule{{ID: 1, Name: "a"}, {ID: 2, Name: "a"}})
	if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "rules 1 and 2") {
		t.Error(err)
	}
}

func FuzzParseFile(f *testing.F) {
	f.Add([]byte(goodFile))
	for _, s := range []string{"", "# c", "a: &a [*a]", "version: 1\nrules: &r [*r]", "version: 1\nrules: [{name: &n x, <<: *n}]", "version: 1\nrules: [{? [a] : b}]",
		"version: 1\nrules: [{name: a, examples: &e {expect: *e}}]", "\xff", "--- !!binary x", "version: 1\nrules: [{priority: .nan, syslog_severity: !!binary aa}]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rules, err := ParseFile("f", data)
		if err != nil {
			return
		}
		if _, err := Compile(rules, Tables{}); err != nil {
			t.Fatalf("a parsed file does not compile: %v", err)
		}
		out, err := WriteFile(rules)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ParseFile("f", out); err != nil || len(Diff(rules, back)) > 0 {
			t.Fatalf("round trip: %v\n%s", err, out)
		}
	})
}

func TestDiff(t *testing.T) {
	t.Parallel()
	a, b, c := complete(Rule{ID: 1, Name: "a", MatchString: "x"}), complete(Rule{ID: 2, Name: "b", MatchString: "y"}), complete(Rule{Name: "c", MatchString: "z"})
	same := a
	same.ID, same.Revision, same.TrapOID = 0, 8, ""
	b2 := b
	b2.Priority, b2.SeverityOverride = 5, new(int)
	got := Diff([]Rule{a, b, complete(Rule{ID: 3, Name: "old", MatchString: "o"})}, []Rule{c, b2, same})
	want := []Change{{Operation: "create", Name: "c"}, {Operation: "update", Name: "b", ID: 2, Fields: []string{"priority", "severity_override"}},
		{Operation: "delete", Name: "old", ID: 3}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCheckExamples(t *testing.T) {
	t.Parallel()
	rules, err := ParseFile("r", []byte(goodFile))
	if err != nil {
		t.Fatal(err)
	}
	// "bgp" asks for severity error, which a bare message of "link down" has not: link down wins.
	err = CheckExamples(t.Context(), rules)
	if n := len(Faults(err)); n != 1 || !strings.Contains(err.Error(), `rule "link down": example "bgp: link down" should go to "bgp" and goes to "link down"`) {
		t.Errorf("%d faults: %v", n, err)
	}
	rules[1].SyslogSeverity = nil
	if err := CheckExamples(t.Context(), rules); err != nil {
		t.Error(err)
	}
	seven := 7
	narrow := complete(Rule{Name: "narrow", MatchType: Regex, MatchString: "^x", MinSeverity: &seven, HostPattern: "edge-*-?", Source: "http",
		ValidFrom: "2026-01-01T00:00:00Z", Priority: 1, Examples: &Examples{Matches: []string{"xy"}, NotMatches: []string{"yx", "x"}, Expect: map[string]string{"x": "narrow", "y": ""}}})
	oid := complete(Rule{Name: "oid", TrapOID: "1.3.6", HostPattern: "10.0.0.0/8", ValidUntil: "2026-01-01T00:00:00Z",
		Examples: &Examples{Matches: []string{".1.3.6.1"}, NotMatches: []string{"1.3.61"}, Expect: map[string]string{"1.3.6": "oid"}}})
	err = CheckExamples(t.Context(), []Rule{narrow, oid})
	if n := len(Faults(err)); n != 1 || !strings.Contains(err.Error(), `rule "narrow": example "x" should not match and does`) {
		t.Errorf("%d faults: %v", n, err)
	}
}
