package rule

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/yamltext/yamltexttest"
)

// TestScalarsAreTexts holds that a file's scalars are what they look like, in a rule file, in the fields of one rule and
// given as a text; a field of another type reads decimal numbers, true and false.
func TestScalarsAreTexts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		field, scalar string // as in the file
		want          any    // of encoding/json; nil for a fault that names the field
	}{
		{"priority", "0100", 100.0}, {"priority", "08", 8.0}, {"priority", "'0100'", 100.0}, {"priority", "+5", 5.0},
		{"priority", "0x1F", nil}, {"priority", "1_000", nil}, {"priority", "0o17", nil}, {"priority", "1e3", nil}, {"priority", "1:30", nil},
		{"priority", "100.0", nil}, {"priority", "yes", nil}, {"priority", "''", nil}, {"priority", "2026-11-30", nil},
		{"min_severity", "03", 3.0}, {"min_severity", "error", 3.0}, {"min_severity", "0x3", nil}, {"min_severity", "1:3", nil}, {"severity_override", "critical", 5.0},
		{"is_active", "false", false}, {"is_active", "'False'", false}, {"is_active", "0", false}, {"is_active", "no", nil}, {"is_active", "07", nil},
		{"match_string", "2026-11-30", "2026-11-30"}, {"match_string", "2026-11-30T00:00:00Z", "2026-11-30T00:00:00Z"}, {"match_string", "007", "007"},
		{"match_string", "1_000", "1_000"}, {"match_string", "0x1F", "0x1F"}, {"match_string", "1.30", "1.30"}, {"match_string", "1e3", "1e3"}, {"match_string", "190:20:30", "190:20:30"},
		{"match_string", "no", "no"}, {"match_string", "True", "True"}, {"match_string", "=", "="}, {"match_string", "<<", "<<"}, {"match_string", ".inf", ".inf"},
		{"match_string", "18446744073709551616", "18446744073709551616"}, {"match_string", "null", nil}, {"match_string", "NULL", nil}, {"match_string", "'null'", "null"},
		{"host_pattern", "'  '", nil}, {"host_pattern", `"sw\u200b1"`, nil}, {"host_pattern", `"sw\u00a01"`, nil}, {"host_pattern", "köln-*", "köln-*"}, {"team_assignment", "' '", nil}, {"signature", "' '", nil}, {"match_string", "'  '", "  "},
		{"trap_oid", "1.30", "1.30"}, {"team_assignment", "007", "007"}, {"name", "no", "no"}, {"name", "1:30", "1:30"}, {"description", "~", ""}, {"description", "", ""},
	} {
		entries := map[string]string{"name": "a", "match_string": "x", "prod_handling": "Ignore", "dev_handling": "Ignore", "team_assignment": "T"}
		entries[c.field] = c.scalar
		file := "version: 1\nrules:\n  -"
		var alone string
		for name, scalar := range entries {
			file += fmt.Sprintf(" %s: %s\n   ", name, scalar)
			alone += fmt.Sprintf("%s: %s\n", name, scalar)
		}
		rules, err := ParseFile("r.yaml", []byte(strings.TrimRight(file, " ")))
		if c.want == nil {
			if err == nil || !strings.Contains(err.Error(), c.field+":") {
				t.Errorf("%s: %s in a file: %v, %v", c.field, c.scalar, rules, err)
			}
			if got, err := ParseFields("f", []byte(alone)); err == nil || !strings.Contains(err.Error(), c.field+":") {
				r := blank() // a name of a severity, for example, is refused when it is set
				if f, _ := findField(ruleFields(), c.field); f.input(&r, got[c.field]) == nil {
					t.Errorf("%s: %s of one rule: %s, %v", c.field, c.scalar, got[c.field], err)
				}
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %s in a file: %v", c.field, c.scalar, err)
			continue
		}
		if diff := cmp.Diff(c.want, valueOf(t, &rules[0], c.field)); diff != "" {
			t.Errorf("%s: %s in a file: %s", c.field, c.scalar, diff)
		}
		got, err := ParseFields("f", []byte(alone))
		if err != nil {
			t.Errorf("%s: %s of one rule: %v", c.field, c.scalar, err)
			continue
		}
		body, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Decode(body)
		if diff := cmp.Diff(c.want, valueOf(t, &r, c.field)); err != nil || diff != "" {
			t.Errorf("%s: %s of one rule: %v %s", c.field, c.scalar, err, diff)
		}
	}
}

// valueOf returns a field as encoding/json reads it back; "" for an absent text.
func valueOf(t *testing.T, r *Rule, name string) any {
	t.Helper()
	f, _ := findField(ruleFields(), name)
	text, err := json.Marshal(f.at(r))
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestExamplesAreTexts holds the same for the lists and the mapping of the examples.
func TestExamplesAreTexts(t *testing.T) {
	t.Parallel()
	const head = "version: 1\nrules:\n  - name: a\n    match_string: x\n    prod_handling: Ignore\n    dev_handling: Ignore\n    team_assignment: T\n"
	rules, err := ParseFile("r.yaml", []byte(head+`    examples:
      matches: [2026-11-30, 007, 1.30, no, 1_000, "null", '', =]
      not_matches:
      expect: {0100: 007, yes: on, <<: unhandled, 1:30: , x: ~}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := &Examples{Matches: []string{"2026-11-30", "007", "1.30", "no", "1_000", "null", "", "="},
		Expect: map[string]string{"0100": "007", "yes": "on", "<<": "unhandled", "1:30": "", "x": ""}}
	if diff := cmp.Diff(want, rules[0].Examples); diff != "" {
		t.Error(diff)
	}
	for examples, says := range map[string]string{
		"{matches: [null]}": "null without quotes", "{matches: [~]}": "an example is empty", "{matches: [[x]]}": "got a list", "{matches: x}": "lists of texts",
		"{match: [x]}": "they have matches", "{expect: [x]}": "mapping of messages", "{expect: {a: b, a: c}}": "given twice", "{expect: {a: {b: c}}}": "got a mapping", "[x]": "got a list", "x": "wants matches",
		"{expect: {a: null}}": "null without quotes",
	} {
		if _, err := ParseFile("r.yaml", []byte(head+"    examples: "+examples+"\n")); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", examples, err, says)
		}
	}
}

// TestJSONKeepsItsTypes holds that a file of JSON is not read as YAML.
func TestJSONKeepsItsTypes(t *testing.T) {
	t.Parallel()
	file := func(member string) []byte {
		return []byte(`{"version":1,"rules":[{"name":"a","prod_handling":"Ignore","dev_handling":"Ignore","team_assignment":"T",` + member + `}]}`)
	}
	for member, says := range map[string]string{
		`"match_string":7`: "match_string: wants a text, got 7", `"match_string":true`: "got true", `"match_string":"x","priority":"5"`: "wants a whole number",
		`"match_string":"x","is_active":"false"`: "wants true or false", `"match_string":"x","examples":{"matches":[7]}`: "wants texts, got 7", `"match_string":null`: "is required",
		`"match_string":"x","priority":1e2`: "wants a whole number",
	} {
		if _, err := ParseFile("r.json", file(member)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", member, err, says)
		}
	}
	rules, err := ParseFile("r.json", file(`"match_string":"no","valid_until":null,"priority":7,"is_active":false,"min_severity":"3","examples":{"expect":{"a":null}}`))
	if err != nil || rules[0].MatchString != "no" || rules[0].ValidUntil != "" || rules[0].Priority != 7 || rules[0].IsActive || *rules[0].MinSeverity != 3 {
		t.Errorf("%+v %v", rules, err)
	}
}

// TestJSONTextsAreKept holds that every text that JSON can carry is read as JSON reads it, however it is escaped.
func TestJSONTextsAreKept(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`r\ud83d\ude00`, `\u0041\uD83D\uDE00b`, `\\ud83d\\ude00`, `\\\ud83d\ude00`, "raw \U0001f600", "a\u2028b \u2029", "next\u0085line", "del\x7f", "mark\ufeffinside",
		`\/ \" \t \b \f`, "\ufffe"} {
		for _, start := range []string{"", "\ufeff"} {
			var want string
			if err := json.Unmarshal([]byte(`"`+text+`"`), &want); err != nil {
				t.Fatal(err)
			}
			got, err := ParseFields("f.json", []byte(start+"{\n\t\"match_string\":\""+text+"\"}"))
			var read string
			if err != nil || json.Unmarshal(got["match_string"], &read) != nil || read != want {
				t.Errorf("%q: %q, want %q, %v", text, read, want, err)
			}
		}
	}
}

// TestTagsAreRefused holds that a tag that asks for more than reading a text is not passed over.
func TestTagsAreRefused(t *testing.T) {
	t.Parallel()
	for _, scalar := range []string{"!!binary aGVsbG8=", "!vault x", "!<tag:example.org,2026:x> x", "! x"} {
		for _, file := range []string{"match_string: " + scalar, "examples: {matches: [" + scalar + "]}"} {
			got, err := ParseFields("f", []byte(file))
			if understood := scalar == "! x"; (err == nil) != understood || err != nil && !strings.Contains(err.Error(), "the tag ") {
				t.Errorf("%s: %s %v", file, got, err)
			}
		}
	}
	if got, err := ParseFields("f", []byte("priority: !!str 0100\ndescription: !!str 7\nname: !!int 7")); err != nil || string(got["priority"]) != "100" || string(got["name"]) != `"7"` {
		t.Errorf("%s %v", got, err)
	}
}

// TestAliasesAreBounded holds that a small file cannot stand for a large ruleset's worth of examples.
func TestAliasesAreBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("version: 1\nrules:\n")
	for i := range 300 {
		fmt.Fprintf(&b, "  - {name: r%d, match_string: x, prod_handling: Ignore, dev_handling: Ignore, team_assignment: T, examples: ", i)
		if i == 0 {
			b.WriteString("&e {matches: [" + strings.Repeat("x,", 1000) + "]}}\n")
		} else {
			b.WriteString("*e}\n")
		}
	}
	if _, err := ParseFile("r.yaml", []byte(b.String())); err == nil || !strings.Contains(err.Error(), "200000 texts") {
		t.Errorf("read: %v", err)
	}
}

func TestParseFieldsFaults(t *testing.T) {
	t.Parallel()
	for file, says := range map[string]string{
		"": "the file is empty", "- x": "want the fields of a rule", "a: [": "f: ", "name: a\nprioirty: 5": "f:2: unknown key \"prioirty\" (did you mean priority?)",
		"name: a\nname: b": "given twice", "id: x": "f:1: id: wants a whole number", "reason: [x]": "reason: wants a text", "name: a\n---\nname: b": "second document",
	} {
		if _, err := ParseFields("f", []byte(file), "reason"); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", file, err, says)
		}
	}
	got, err := ParseFields("f", []byte("id: 07\nrevision: 3\nreason: 2026-11-30\nvalid_until:\n"), "reason")
	if err != nil || string(got["id"]) != "7" || string(got["reason"]) != `"2026-11-30"` || string(got["valid_until"]) != "null" {
		t.Errorf("%s %v", got, err)
	}
}

// TestOtherReadersReadOurFiles holds that PyYAML reads what WriteFile writes as we do, whatever the texts are.
func TestOtherReadersReadOurFiles(t *testing.T) {
	t.Parallel()
	var rules []Rule
	for i, s := range yamltexttest.Nasty() {
		rules = append(rules, Rule{Name: fmt.Sprintf("%s/%d", s, i), MatchType: Contains, MatchString: s, Description: s, TeamAssignment: s, HostPattern: s, Signature: s,
			Priority: i, ProdHandling: "Page_only", DevHandling: "Ignore", Examples: &Examples{Matches: []string{s}, NotMatches: []string{s, "x"}, Expect: map[string]string{s: s}}})
	}
	rules = append(rules, Rule{Name: "=", MatchType: Contains, MatchString: "x"}, Rule{Name: "no", MatchType: Contains, MatchString: "x"})
	text, err := WriteFile(rules)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"version": 1.0}
	var list []any
	for i := range rules {
		rules[i].Normalize()
		entry := map[string]any{}
		for _, f := range ruleFields() {
			if v := valueOf(t, &rules[i], f.name); v != nil && v != "" {
				entry[f.name] = v
			}
		}
		list = append(list, entry)
	}
	want["rules"] = list
	if diff := cmp.Diff(want, yamltexttest.Load(t, text)); diff != "" {
		t.Error(diff)
	}
}
