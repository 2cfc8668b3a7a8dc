package rule

import (
	"regexp/syntax"
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/fault"
)

// TestProgramSize holds that an expression never compiles to more steps than are reckoned without compiling it, and not to far fewer.
func TestProgramSize(t *testing.T) {
	t.Parallel()
	for _, expr := range []string{"", "a", "abc", "link (up|down)", "a*", "(a*)*", "(?:a|b)+", "a?", "[a-z]{3}", "(a?.?b?){990}\\d$", "(ab){2,5}", "(ab){2,}", "a{0,3}", "a{0,}",
		`^%(\w+)-(\d)-(\S+): (?P<what>.*)$`, "x{0}", "(?:^){7}", "(a|b|cd|ef)+?", `\bup\b`, "(.*x){300}y", "((a{10}){10}){10}", "a{1000}b{1000}", "(?:){9}"} {
		tree, err := syntax.Parse("(?i)"+expr, syntax.Perl)
		if err != nil {
			t.Fatal(expr, err)
		}
		reckoned := programSize(tree)
		prog, err := syntax.Compile(tree.Simplify())
		if err != nil {
			t.Fatal(expr, err)
		}
		const frame = 2 // every program begins with a failure and ends with a match
		if n := len(prog.Inst); n > reckoned+frame || reckoned > 2*n+10 {
			t.Errorf("%s: %d steps, reckoned %d", expr, n, reckoned)
		}
	}
}

func TestExpressionsAreBoundedTogether(t *testing.T) { // not parallel: it counts allocations
	large := Rule{Name: "large", MatchType: Regex, MatchString: `(a?.?b?){990}\d$`}
	many := make([]Rule, 500)
	for i := range many {
		many[i] = large
	}
	if err := CheckSteps(many[:50]); err != nil {
		t.Errorf("50 large expressions: %v", err)
	}
	if err := CheckSteps(many); !fault.Is(err, fault.Unprocessable) || !strings.Contains(err.Error(), "1,000,000 steps") {
		t.Errorf("500 large expressions: %v", err)
	}
	// An expression that is refused alone costs no more than its text, however much it repeats.
	for i := range many {
		many[i].MatchString = strings.Repeat("a{1000}", 500)
	}
	if err := CheckSteps(many[:50]); err != nil {
		t.Errorf("50 expressions that are too large alone: %v", err)
	}
	if _, err := parseRegex(many[0].MatchString); !fault.Is(err, fault.Unprocessable) || !strings.Contains(err.Error(), "too large") {
		t.Errorf("too large alone: %v", err)
	}
	if n := testing.AllocsPerRun(1, func() { _, _ = parseRegex(many[0].MatchString) }); n > 20_000 {
		t.Errorf("an expression that is refused cost %v allocations", n)
	}
	if err := CheckSteps([]Rule{{MatchType: Regex, MatchString: "("}, {MatchType: Contains, MatchString: "((((("}}); err != nil {
		t.Errorf("what does not compile: %v", err)
	}
}
