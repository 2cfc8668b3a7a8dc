package page

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseQuery(t *testing.T) {
	t.Parallel()
	for q, want := range map[string]string{
		"":                                 "",
		"  \t ":                            "",
		"host:edge-fra-1":                  "hostname=edge-fra-1",
		"host:a fate:unhandled  team:N":    "fate=unhandled&hostname=a&team=N",
		"link down rule:7 again":           "q=link+down+again&rule_id=7",
		"%LINK-3-UPDOWN: Interface":        "q=%25LINK-3-UPDOWN%3A+Interface",
		"text:host:x":                      "q=host%3Ax",
		`"host:x  y"`:                      "q=host%3Ax++y",
		`text:"a b" env:dev`:               "env=dev&q=a+b",
		`host:"two words"`:                 "hostname=two+words",
		`host:"a \"b\" \\ \n"`:             `hostname=a+%22b%22+%5C+%5Cn`,
		`said "hi`:                         "error",
		`said"hi" there`:                   "q=said%22hi%22+there",
		"sev:err src:trap id:x corr:c":     "correlation_id=c&id=x&severity=err&source=snmptrap",
		"sev:<=3":                          "severity=3",
		"sev:err..warning handling:Ignore": "handling=Ignore&severity=err..warning",
		"Host:a":                           "q=Host%3Aa",
		"host: a":                          "error",
		`host:""`:                          "error",
		`""`:                               "error",
		"host:a host:b":                    "error",
		`"a" b`:                            "error",
		`a "b"`:                            "error",
		`host:"a"b`:                        "error",
		`host:"a`:                          "error",
		"a\x1b[31mb":                       "error",
		"host:\u202eb":                     "error",
		"\xff":                             "error",
		strings.Repeat("a", maxQuery+1):    "error",
	} {
		api, _, err := parseQuery(q)
		got := api.Encode()
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: got %q, want %q (%v)", q, got, want, err)
		}
	}
	for q, want := range map[string]string{
		"fate:shed host:":      `host: needs a value`,
		"host:a fate:x host:b": `host:b gives host: a second time`,
		`x host:"a b`:          `host:"a b lacks the closing quote`,
		"host:a\x07b":          "host:a‹U+0007›b has control characters",
	} {
		if _, err := parseConditions(q); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v does not name the word: want %q", q, err, want)
		}
	}
}

func TestWith(t *testing.T) {
	t.Parallel()
	conds, err := parseConditions(`host:a "link down" fate:shed`)
	if err != nil {
		t.Fatal(err)
	}
	if got := writeQuery(with(conds, []condition{{"host", "b c"}, {"text", "host:x"}})); got != `fate:shed host:"b c" "host:x"` {
		t.Errorf("got %s", got)
	}
}

// FuzzQuery: what is read is written as a query that reads the same, and every value is the reader's own text.
func FuzzQuery(f *testing.F) {
	for _, q := range []string{"", "host:a b", `host:"a \" b" c`, `text:host:x`, "sev:<=3 \x00", `"`, `"\"`, "a\u00a0b", "text:text:", `a" "b`} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, q string) {
		conds, err := parseConditions(q)
		if err != nil {
			return
		}
		again, err := parseConditions(writeQuery(conds))
		if len(writeQuery(conds)) <= maxQuery && (err != nil || cmp.Diff(conds, again, cmp.AllowUnexported(condition{})) != "") {
			t.Fatalf("%q is written as %q, which reads %v, %v; want %v", q, writeQuery(conds), again, err, conds)
		}
		keys := map[string]bool{}
		for _, c := range conds {
			if keys[c.key] || c.value == "" || slices.ContainsFunc([]rune(c.value), odd) {
				t.Fatalf("%q gives %+v", q, conds)
			}
			keys[c.key] = true
		}
	})
}
