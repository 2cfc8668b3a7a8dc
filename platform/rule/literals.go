package rule

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/muttproject/mutt/platform/fault"
)

// Bounds on one expression and on what is extracted from it.
const (
	maxExpression = 4096  // bytes
	maxProgram    = 10000 // instructions
	maxChoices    = 16    // literals in one clause
	maxClass      = 4     // letters of a character class that are told apart: \d would make ten literals of one
	maxCommon     = 64    // literals in the clause of an alternation
	maxClauses    = 8
)

// parseRegex compiles an expression that ignores case and finds its required literals.
func parseRegex(expr string) (regexText, error) {
	if len(expr) > maxExpression {
		return regexText{}, fault.Field(fault.Unprocessable, "match_string",
			"the expression has %d bytes, at most %d are allowed", len(expr), maxExpression)
	}
	// The flag stands before the expression, without a group around it: a group would accept "a)(b".
	tree, err := syntax.Parse("(?i)"+expr, syntax.Perl)
	if err != nil {
		return regexText{}, fault.Field(fault.Unprocessable, "match_string", "the expression is not valid RE2: %s",
			strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	large := fault.Field(fault.Unprocessable, "match_string", "the expression is too large: it compiles to more than %d steps; repeat less", maxProgram)
	if programSize(tree) > 2*maxProgram { // which is seen before it costs anything
		return regexText{}, large
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil || len(prog.Inst) > maxProgram {
		return regexText{}, large
	}
	re, err := regexp.Compile("(?i)" + expr)
	if err != nil {
		return regexText{}, fault.Field(fault.Unprocessable, "match_string", "the expression is not valid RE2: %s", err)
	}
	return regexText{re: re, steps: len(prog.Inst), clauses: requiredLiterals(tree)}, nil
}

// needs is what is known about the texts that an expression matches.
type needs struct {
	exact   []string   // every text it can match, folded; nil when they are not few
	clauses [][]string // of each clause one must occur in the text, beside what exact says
}

// requiredLiterals gives, for a parsed expression, the clauses that every matching text fulfils once folded.
// Position and word conditions are dropped and case is folded, so the clauses are necessary, never sufficient.
func requiredLiterals(tree *syntax.Regexp) [][]string {
	n := analyse(tree)
	clauses := n.all()
	slices.SortStableFunc(clauses, func(a, b []string) int { return shortest(b) - shortest(a) })
	if len(clauses) > maxClauses {
		clauses = clauses[:maxClauses]
	}
	return clauses
}

// all gives the clauses with exact as one of them, when it says anything.
func (n needs) all() [][]string {
	if shortest(n.exact) > 0 {
		return append(n.clauses[:len(n.clauses):len(n.clauses)], n.exact)
	}
	return n.clauses
}

// shortest gives the length of the shortest text, 0 for none.
func shortest(texts []string) int {
	if len(texts) == 0 {
		return 0
	}
	n := len(texts[0])
	for _, t := range texts {
		n = min(n, len(t))
	}
	return n
}

func analyse(re *syntax.Regexp) needs {
	switch re.Op {
	case syntax.OpLiteral:
		return needs{exact: []string{fold(string(re.Rune))}}
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return needs{exact: []string{""}}
	case syntax.OpCharClass:
		return needs{exact: classTexts(re.Rune)}
	case syntax.OpCapture:
		return analyse(re.Sub[0])
	case syntax.OpConcat:
		return analyseConcat(re.Sub)
	case syntax.OpAlternate:
		return analyseAlternate(re.Sub)
	case syntax.OpQuest:
		if sub := analyse(re.Sub[0]); sub.exact != nil && len(sub.exact) < maxChoices {
			return needs{exact: distinct(append(sub.exact[:len(sub.exact):len(sub.exact)], ""))}
		}
		return needs{}
	case syntax.OpPlus:
		return needs{clauses: analyse(re.Sub[0]).all()}
	case syntax.OpRepeat:
		if re.Min > 0 {
			return needs{clauses: analyse(re.Sub[0]).all()}
		}
		return needs{}
	default: // any character, star, no match: nothing is required
		return needs{}
	}
}

// classTexts lists a small character class, folded; nil for a large one.
func classTexts(ranges []rune) []string {
	var texts []string
	for i := 0; i < len(ranges); i += 2 {
		if ranges[i+1]-ranges[i] > 4*maxClass {
			return nil
		}
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			texts = append(texts, string(foldRune(r)))
		}
	}
	if texts = distinct(texts); len(texts) > maxClass {
		return nil
	}
	return texts
}

// analyseConcat joins neighbours that are exact into longer literals as long as they stay few.
func analyseConcat(subs []*syntax.Regexp) needs {
	var out needs
	run, whole := []string{""}, true // run: the texts since the last part that is not exact
	flush := func() {
		if shortest(run) > 0 {
			out.clauses = append(out.clauses, run)
		}
		run, whole = []string{""}, false
	}
	for _, s := range subs {
		n := analyse(s)
		out.clauses = append(out.clauses, n.clauses...)
		if n.exact == nil {
			flush()
			continue
		}
		if len(run)*len(n.exact) > maxChoices {
			flush()
		}
		run = product(run, n.exact)
	}
	if whole {
		out.exact = run
		return out
	}
	flush()
	return out
}

func product(heads, tails []string) []string {
	texts := make([]string, 0, len(heads)*len(tails))
	for _, h := range heads {
		for _, t := range tails {
			texts = append(texts, h+t)
		}
	}
	return distinct(texts)
}

// analyseAlternate is exact when all branches are; else each branch gives its best clause to a common one.
func analyseAlternate(subs []*syntax.Regexp) needs {
	var exact, common []string
	allExact, allPicked := true, true
	for _, s := range subs {
		n := analyse(s)
		allExact = allExact && n.exact != nil
		exact = append(exact, n.exact...)
		var pick []string
		for _, c := range n.all() {
			if shortest(c) > shortest(pick) {
				pick = c
			}
		}
		allPicked = allPicked && pick != nil
		common = append(common, pick...)
	}
	if exact = distinct(exact); allExact && len(exact) <= maxChoices {
		return needs{exact: exact}
	}
	if common = distinct(common); allPicked && len(common) <= maxCommon {
		return needs{clauses: [][]string{common}}
	}
	return needs{}
}

// distinct sorts and drops repeats.
func distinct(texts []string) []string {
	slices.Sort(texts)
	return slices.Compact(texts)
}
