package rule

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRequiredLiterals(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string][][]string{
		`link down`:                {{"LINK DOWN"}},
		`%LINK-\d-UPDOWN`:          {{"-UPDOWN"}, {"%LINK-"}},
		`interface (\S+) (up|dn)`:  {{"INTERFACE "}, {" DN", " UP"}},
		`(link|bgp) down`:          {{"BGP DOWN", "LINK DOWN"}},
		`a.*b|c.*d`:                {{"A", "C"}},
		`a.*|.*`:                   nil,
		`colou?r`:                  {{"COLOR", "COLOUR"}},
		`^\bfoo\b$`:                {{"FOO"}},
		`(abc)+x`:                  {{"ABC"}, {"X"}},
		`(abc){2,}`:                {{"ABC"}},
		`(abc){0,3}`:               nil,
		`(abc)*`:                   nil,
		`.*`:                       nil,
		`[a-z]+`:                   nil,
		`[kK]elvin`:                {{"KELVIN"}},
		`(?-i:Case)`:               {{"CASE"}},
		`[ab][ab][ab][ab][ab]tail`: {{"ATAIL", "BTAIL"}, {"AAAA", "AAAB", "AABA", "AABB", "ABAA", "ABAB", "ABBA", "ABBB", "BAAA", "BAAB", "BABA", "BABB", "BBAA", "BBAB", "BBBA", "BBBB"}},
		`straße`:                   {{"STRA\u00dfE"}},
	} {
		got, err := parseRegex(expr)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got.clauses); diff != "" {
			t.Errorf("%s: %s", expr, diff)
		}
	}
}

// fulfils reports whether a folded text has one literal of every clause.
func fulfils(text string, clauses [][]string) bool {
	for _, clause := range clauses {
		found := false
		for _, l := range clause {
			found = found || strings.Contains(text, l)
		}
		if !found {
			return false
		}
	}
	return true
}

// FuzzLiterals holds that the literals never cause a miss: whatever the expression matches has them, and the
// index with its prefilter answers as package regexp does.
func FuzzLiterals(f *testing.F) {
	for _, seed := range [][2]string{
		{`%LINK-\d-UPDOWN: (\S+)`, "%link-3-updown: Gi0/1"}, {`(a|b)?c+[xy]{2}`, "acxy"}, {`k`, "\u212a"}, {`ſ`, "S"}, {`(?-i:K)`, "K"},
		{`\x{FFFD}`, "\xff"}, {`(?s:a.b)`, "a\nb"}, {`(?m:^b$)`, "a\nb\nc"}, {`[^a]b|`, ""}, {`a{0}`, "x"}, {`(?:(?:ab|c)d|e(f|))g`, "EFG"},
		{`\pL\PLx`, "é!X"}, {`(?i)ß`, "ẞ"}, {`[k-s]t`, "ſt"}, {`a)(b`, "ab"}, {`\Qa.b\E`, "A.B"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, expr, message string) {
		if len(expr) > 200 || len(message) > 400 {
			return
		}
		text, err := parseRegex(expr)
		direct, directErr := regexp.Compile("(?i)" + expr)
		if err != nil {
			if _, tooLarge := syntax.Parse("(?i)"+expr, syntax.Perl); directErr == nil && tooLarge != nil {
				t.Fatalf("%q compiles, and was refused: %v", expr, err)
			}
			return
		}
		want := direct.MatchString(message)
		if want && !fulfils(fold(message), text.clauses) {
			t.Fatalf("%q matches %q, whose fold has not %q", expr, message, text.clauses)
		}
		r := complete(Rule{Name: "r", MatchType: Regex, MatchString: expr})
		set, err := Compile([]Rule{r}, Tables{})
		if err != nil {
			return // no text that a rule can have: empty, NUL
		}
		e := eventOf(message)
		if _, got := set.Match(&e, 0, set.NewScratch()); got != want {
			t.Fatalf("%q on %q: index %v, regexp %v", expr, message, got, want)
		}
	})
}
