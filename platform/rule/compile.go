package rule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/muttproject/mutt/platform/event"
)

// Set is a compiled ruleset with its lookup tables. It is immutable and safe for concurrent use; each worker
// brings its own Scratch.
//
// A rule's rank is its place in the order of (priority, id): the lowest rank that matches wins, so the search
// keeps the best rank so far and skips what cannot beat it.
type Set struct {
	rules    []compiled // by rank
	oids     oidIndex   // rules with a trap_oid
	equals   map[string][]int32
	auto     *automaton
	literals []literal // by the automaton's numbering
	always   []int32   // rules without a literal to look for
	hosts    hostTables
	version  int64
}

// compiled is one active rule.
type compiled struct {
	rule        *Rule
	severities  uint16       // bit per severity 0..7, bit 8 for an absent one
	source      event.Source // SourceUnknown for any
	host        hostPattern
	from, until int64       // Unix µs, until is exclusive
	text        textMatcher // nil when only the OID counts
	clauses     [][]int32   // literals of which one of each must have been seen, beside the clause that led here
	prod, dev   event.Handling
	override    int8 // or -1
	signature   *signature
}

// literal is what the automaton looks for.
type literal struct {
	direct []int32 // ranks of rules that match by it alone, ascending
	leads  []int32 // ranks of rules that are worth a closer look, ascending
}

// anySeverity lets every severity and none pass.
const anySeverity = 1<<9 - 1

// Compile builds the index of the active rules. It fails with every fault of every rule, each naming its rule.
func Compile(rules []Rule, t Tables) (*Set, error) {
	return CompileWithin(context.Background(), rules, t)
}

// CompileWithin is Compile for rules of which nobody knows what they cost: it ends when ctx does, with its cause.
func CompileWithin(ctx context.Context, rules []Rule, t Tables) (*Set, error) {
	s := &Set{version: t.Version, oids: oidIndex{}, equals: map[string][]int32{}}
	var errs []error
	for i := range rules {
		if !rules[i].IsActive {
			continue
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		r := rules[i]
		r.Normalize()
		c, err := compileRule(&r)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", r.label(), err))
			continue
		}
		s.rules = append(s.rules, c)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	s.hosts = newHostTables(t)
	slices.SortStableFunc(s.rules, func(a, b compiled) int {
		return cmp.Or(cmp.Compare(a.rule.Priority, b.rule.Priority), cmp.Compare(a.rule.ID, b.rule.ID))
	})
	s.index()
	return s, nil
}

// Len gives the number of active rules.
func (s *Set) Len() int { return len(s.rules) }

// Version gives the ruleset version that the set was compiled from.
func (s *Set) Version() int64 { return s.version }

// label names a rule in an error.
func (r *Rule) label() string { return fmt.Sprintf("rule %q (id %d)", r.Name, r.ID) }

// compileRule checks a normalised rule and prepares its parts. The error joins one *fault.Error per fault.
func compileRule(r *Rule) (compiled, error) {
	var errs faults
	c := compiled{rule: r, severities: anySeverity, until: math.MaxInt64, from: math.MinInt64, override: -1}
	errs.texts(r)
	c.text = errs.match(r)
	c.severities = errs.severities(r)
	c.source = errs.source(r)
	c.host = errs.host(r)
	c.from, c.until = errs.window(r)
	c.prod = errs.handling("prod_handling", r.ProdHandling)
	c.dev = errs.handling("dev_handling", r.DevHandling)
	c.override = errs.override(r)
	expr, _ := c.text.(regexText)
	sig, err := parseSignature(r.Signature, expr.re)
	errs.add(err)
	if sig != nil {
		sig.steps = expr.steps
	}
	c.signature = sig
	return c, errors.Join(errs...)
}

// index enters every rule in exactly one of the ways in: its OID, the whole message, a literal, or always.
func (s *Set) index() {
	drafts := make([]draft, 0, len(s.rules))
	uses := map[string]int{} // rules that look for a literal: the rarest clause leads to a rule
	for rank := range s.rules {
		c, rank := &s.rules[rank], int32(rank)
		if c.rule.TrapOID != "" {
			s.oids[c.rule.TrapOID] = append(s.oids[c.rule.TrapOID], rank)
			continue
		}
		if eq, ok := c.text.(equalsText); ok {
			s.equals[eq.folded] = append(s.equals[eq.folded], rank)
			continue
		}
		clauses := chooseClauses(c.text.literals())
		if len(clauses) == 0 {
			s.always = append(s.always, rank)
			continue
		}
		for _, clause := range clauses {
			for _, l := range clause {
				uses[l]++
			}
		}
		drafts = append(drafts, draft{rank, clauses})
	}
	s.buildAutomaton(drafts, uses)
}

// draft is a rule on its way into the automaton.
type draft struct {
	rank    int32
	clauses [][]string
}

// minLiteral is the length from which a literal says enough to be worth looking for beside others.
const minLiteral = 3

// chooseClauses drops clauses with short literals when there are better ones, and cuts long literals.
func chooseClauses(clauses [][]string) [][]string {
	var chosen [][]string
	for _, c := range clauses {
		if shortest(c) >= minLiteral || len(clauses) == 1 {
			cut := make([]string, len(c))
			for i, l := range c {
				cut[i] = l[:min(len(l), indexedLen)]
			}
			chosen = append(chosen, distinct(cut))
		}
	}
	if chosen == nil && len(clauses) > 0 {
		best := slices.MaxFunc(clauses, func(a, b []string) int { return shortest(a) - shortest(b) })
		return [][]string{best}
	}
	return chosen
}

func (s *Set) buildAutomaton(drafts []draft, uses map[string]int) {
	texts := make([]string, 0, len(uses))
	for l := range uses {
		texts = append(texts, l)
	}
	slices.Sort(texts)
	number := make(map[string]int32, len(texts))
	ranks := make([]int32, len(texts)) // lowest rank that needs the literal, in whatever clause
	for i, l := range texts {
		number[l], ranks[i] = int32(i), noRank
	}
	s.literals = make([]literal, len(texts))
	for _, d := range drafts {
		c := &s.rules[d.rank]
		lead := rarest(d.clauses, uses)
		for i, clause := range d.clauses {
			ids := make([]int32, len(clause))
			for j, l := range clause {
				ids[j] = number[l]
				ranks[ids[j]] = min(ranks[ids[j]], d.rank)
				if i == lead {
					s.literals[ids[j]].enter(d.rank, c.text.alone())
				}
			}
			if i != lead {
				c.clauses = append(c.clauses, ids)
			}
		}
	}
	s.auto = newAutomaton(texts, ranks, denseBytes)
}

func (l *literal) enter(rank int32, direct bool) {
	if direct {
		l.direct = append(l.direct, rank)
	} else {
		l.leads = append(l.leads, rank)
	}
}

// rarest picks the clause whose literals the fewest rules share.
func rarest(clauses [][]string, uses map[string]int) int {
	at, least := 0, math.MaxInt
	for i, c := range clauses {
		n := 0
		for _, l := range c {
			n += uses[l]
		}
		if n < least {
			at, least = i, n
		}
	}
	return at
}

// parseTime reads RFC 3339 as Unix µs.
func parseTime(s string) (int64, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	return t.UnixMicro(), err
}
