package trouble

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestProblemsOfABoard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, _ := board(t)
		s := b.State(full)
		open := b.State(Kind{Name: "open", Begins: "the breaker is open", Ends: "the breaker is closed", Bad: true,
			Title: "Alerts are not reaching the destination", Advice: Advice{Consequence: "alerts wait", Remedy: "wait", Runbook: "destination"}})
		if p := b.Problems(); len(p) > 0 {
			t.Errorf("a board without trouble has %+v", p)
		}
		began := time.Now()
		s.Add(3)
		open.Describe("HTTP 503")
		open.Set(true)
		time.Sleep(2500 * time.Millisecond)
		s.Add(4)
		want := []Problem{
			{Code: "queue_full", Severity: Warn, Since: began, Fact: "the queue is full", Count: 7, Unit: "events", Advice: full.Advice},
			{Code: "open", Severity: Bad, Since: began, Title: "Alerts are not reaching the destination", Fact: "the breaker is open: HTTP 503",
				Advice: Advice{Consequence: "alerts wait", Remedy: "wait", Runbook: "destination"}},
		}
		if d := cmp.Diff(want, b.Problems()); d != "" {
			t.Error(d)
		}
		open.Set(false)
		time.Sleep(3 * time.Minute)
		if p := b.Problems(); len(p) > 0 {
			t.Errorf("after the end: %+v", p)
		}
	})
}

func TestBoundedKeepsTheWorstAndCutsAtARune(t *testing.T) {
	t.Parallel()
	at := time.Unix(1000, 0)
	var all []Problem
	for i := range 40 {
		p := Problem{Code: fmt.Sprint("code", i), Severity: Note, Since: at.Add(time.Duration(i) * time.Second), Fact: strings.Repeat("ä", 300)}
		if i == 39 {
			p.Severity = Bad
		}
		all = append(all, p)
	}
	before := slices.Clone(all)
	got, left := Bounded(all)
	if len(got) != publishedMost || left != 40-publishedMost || got[0].Code != "code39" || got[1].Code != "code0" {
		t.Errorf("%d published, %d left out, first %s, %s", len(got), left, got[0].Code, got[1].Code)
	}
	for _, p := range got {
		if len(p.Fact) > publishedText+len("…") || !utf8.ValidString(p.Fact) {
			t.Errorf("a text of %d bytes, valid %v", len(p.Fact), utf8.ValidString(p.Fact))
		}
	}
	if d := cmp.Diff(before, all); d != "" {
		t.Errorf("the given list was changed: %s", d)
	}
}

func TestMergedCountsAProblemOfSeveralProcessesOnce(t *testing.T) {
	t.Parallel()
	at := time.Unix(1000, 0)
	p := func(code, fact string, s Severity, since, n int) Problem {
		return Problem{Code: code, Fact: fact, Severity: s, Since: at.Add(time.Duration(since) * time.Second), Count: int64(n)}
	}
	got, in := Merged(map[string][]Problem{
		"b": {p("full", "the queue is full", Warn, 3, 2), p("open", "503", Bad, 9, 0)},
		"a": {p("full", "the queue is full", Warn, 5, 1), p("open", "502", Bad, 8, 0)},
		"c": nil,
	})
	want := []Problem{p("open", "502", Bad, 8, 0), p("open", "503", Bad, 9, 0), p("full", "the queue is full", Warn, 3, 3)}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([][]string{{"a"}, {"b"}, {"a", "b"}}, in); d != "" {
		t.Error(d)
	}
}
