package rule

import (
	"fmt"
	"regexp/syntax"

	"github.com/muttproject/mutt/platform/fault"
)

// MaxSteps bounds what the expressions of one ruleset may compile to together when they come from outside at once, in a file or as
// drafts: 1,000,000 steps take 50 MB and a
// second to compile. A ruleset of 10,000 expressions of 60 steps has fewer.
const MaxSteps = 1_000_000

const tooManySteps = "the expressions are too large together, up to this rule: they compile to more than 1,000,000 steps; repeat less in them, or send fewer rules at a time"

// CheckSteps refuses rules whose expressions are too large together, before any of them is compiled, by the index of the first that is
// too much. What is not valid counts nothing: Validate reports it.
func CheckSteps(rules []Rule) error {
	all := 0
	for i := range rules {
		if all += rules[i].steps(); all > MaxSteps {
			return fault.Field(fault.Unprocessable, fmt.Sprintf("rules[%d]", i), tooManySteps)
		}
	}
	return nil
}

// steps returns about how many steps a rule's expression compiles to, and at most maxProgram as no larger one is ever compiled.
func (r *Rule) steps() int {
	if r.MatchType != Regex || len(r.MatchString) > maxExpression {
		return 0
	}
	tree, err := syntax.Parse("(?i)"+r.MatchString, syntax.Perl)
	if err != nil {
		return 0
	}
	return min(programSize(tree), maxProgram)
}

// programSize returns at least how many steps an expression compiles to, and not many more, without compiling it. The parser
// bounds repeats of repeats, so that the number stays small enough for an int.
func programSize(re *syntax.Regexp) int {
	n := 0
	for _, sub := range re.Sub {
		n += programSize(sub)
	}
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpConcat:
		return n
	case syntax.OpAlternate:
		return n + len(re.Sub) - 1
	case syntax.OpCapture, syntax.OpStar:
		return n + 2
	case syntax.OpPlus, syntax.OpQuest:
		return n + 1
	case syntax.OpRepeat: // x{2,} is xx+, and x{2,4} is xx(x(x)?)?
		if re.Max < 0 {
			return max(re.Min, 1)*n + 2
		}
		return max(re.Max*n+re.Max-re.Min, 1)
	default:
		return 1
	}
}
