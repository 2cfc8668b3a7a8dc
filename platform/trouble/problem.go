package trouble

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"
)

// Severity ranks a problem.
type Severity string

// The severities, worst first.
const (
	Bad  Severity = "bad"  // events or alerts do not get through
	Warn Severity = "warn" // a person should look
	Note Severity = "note" // a standing note about the configuration
)

// Severities lists the severities, worst first.
func Severities() []Severity { return []Severity{Bad, Warn, Note} }

// Problem is one thing that is wrong in a process: what /health warns of, with what is known about it. It holds no address or
// credential.
type Problem struct {
	Code     string    `json:"code"` // stable
	Severity Severity  `json:"severity"`
	Since    time.Time `json:"since"`
	Title    string    `json:"title,omitempty"` // in a few words; empty where Fact is short enough
	Fact     string    `json:"fact"`            // a sentence without a full stop and without the count
	Count    int64     `json:"count,omitempty"`
	Unit     string    `json:"unit,omitempty"` // what Count counts
	Advice
}

// Advice is what an operator wants to know of a problem besides the fact. Each text is a sentence without a full stop.
type Advice struct {
	Consequence string `json:"consequence,omitempty"` // what follows for events and alerts
	Remedy      string `json:"remedy,omitempty"`      // what to do
	// Promise is what holds all the same, "nothing is lost". It may be shown only while the books balance.
	Promise string `json:"promise,omitempty"`
	Runbook string `json:"runbook,omitempty"` // name of the document below docs/runbooks
}

// NothingLost is the promise of a state in which events and alerts wait where they are kept.
const NothingLost = "nothing is lost"

// Warning returns the problem in the words of /health.
func (p Problem) Warning(now time.Time) string {
	lasted := max(0, now.Sub(p.Since)).Round(time.Second)
	if p.Unit == "" {
		return fmt.Sprintf("%s (for %s)", p.Fact, lasted)
	}
	return fmt.Sprintf("%s (%d %s in %s)", p.Fact, p.Count, p.Unit, lasted)
}

// Bounds of what a process publishes about its problems.
const (
	publishedMost = 16
	publishedText = 400 // bytes of each text
)

// Bounded returns the worst problems, as many as a process publishes, with their texts cut, and how many were left out.
func Bounded(problems []Problem) (out []Problem, leftOut int) {
	out = Sorted(problems)
	if leftOut = max(0, len(out)-publishedMost); leftOut > 0 {
		out = out[:publishedMost]
	}
	for i := range out {
		for _, text := range []*string{&out[i].Title, &out[i].Fact, &out[i].Consequence, &out[i].Remedy, &out[i].Promise} {
			*text = cut(*text)
		}
	}
	return out, leftOut
}

// Sorted returns the problems in a new list, the worst and the oldest first.
func Sorted(problems []Problem) []Problem {
	out := slices.Clone(problems)
	slices.SortStableFunc(out, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(rank(a.Severity), rank(b.Severity)), a.Since.Compare(b.Since), cmp.Compare(a.Code, b.Code))
	})
	return out
}

// rank orders severities; one of another version of MUTT is last.
func rank(s Severity) int {
	if i := slices.Index(Severities(), s); i >= 0 {
		return i
	}
	return len(Severities())
}

// cut shortens a text at a rune.
func cut(s string) string {
	if len(s) <= publishedText {
		return s
	}
	n := publishedText
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// Merged returns the problems of several processes as one list, the worst first. One that several processes have counts once, since
// the first of them has it, with the counts added; in has the processes of each problem, by its place in the list.
func Merged(processes map[string][]Problem) (problems []Problem, in [][]string) {
	type key struct{ code, fact string }
	at, names := map[key]int{}, map[key][]string{}
	for _, process := range slices.Sorted(maps.Keys(processes)) {
		for _, p := range processes[process] {
			k := key{p.Code, p.Fact}
			names[k] = append(names[k], process)
			i, known := at[k]
			if !known {
				at[k] = len(problems)
				problems = append(problems, p)
				continue
			}
			problems[i].Count += p.Count
			if p.Since.Before(problems[i].Since) {
				problems[i].Since = p.Since
			}
		}
	}
	problems = Sorted(problems)
	for _, p := range problems {
		in = append(in, names[key{p.Code, p.Fact}])
	}
	return problems, in
}
