package rule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muttproject/mutt/platform/event"
)

// explain is Explain for as long as it takes.
func explain(s *Set, e *event.Event, now int64) []Step {
	steps, err := s.Explain(context.Background(), e, now)
	if err != nil {
		panic(err)
	}
	return steps
}

// TestExpensiveRulesEndWithTheirCaller: whatever is done with an expression that takes 20 s for one message ends within a moment of its
// caller's giving up.
func TestExpensiveRulesEndWithTheirCaller(t *testing.T) {
	t.Parallel()
	expensive := Rule{ID: 1, Name: "expensive", MatchType: Regex, MatchString: `(?P<what>(a?.?b?){990}\d$|x)`, IsActive: true, ProdHandling: "Page_only", DevHandling: "Ignore", TeamAssignment: "NOC"}
	grouped := expensive
	grouped.MatchString, grouped.Signature = `^(?P<what>(a?.?b?){990}c?)`, "{{what}}"
	var many []Rule
	for i := range 100 {
		r := expensive
		r.ID, r.Name, r.MatchString = int64(i+1), fmt.Sprint("large ", i), fmt.Sprint(`(a?.?b?){990}\d$|`, i)
		many = append(many, r)
	}
	e := event.Event{Hostname: "h", Message: strings.Repeat("x", 64<<10)[1:] + "y", Severity: event.Absent}
	long := expensive
	long.MatchString = `(a?.?b?){990}\d$`
	long.Examples = &Examples{NotMatches: []string{strings.Repeat("x", MaxExample)}}
	set, err := Compile([]Rule{long}, Tables{})
	if err != nil {
		t.Fatal(err)
	}
	ofGroup, err := Compile([]Rule{grouped}, Tables{})
	if err != nil {
		t.Fatal(err)
	}
	gone := errors.New("the caller has gone")
	for name, do := range map[string]func(context.Context) error{
		"judge": func(ctx context.Context) error {
			var d event.Decision
			return set.JudgeWithin(ctx, &e, 0, set.NewScratch(), &d)
		},
		"signature": func(ctx context.Context) error {
			var d event.Decision
			return ofGroup.JudgeWithin(ctx, &e, 0, ofGroup.NewScratch(), &d)
		},
		"explain": func(ctx context.Context) error {
			_, err := set.Explain(ctx, &e, 0)
			return err
		},
		"examples": func(ctx context.Context) error { return CheckExamples(ctx, []Rule{long, long}) },
		"compile": func(ctx context.Context) error {
			_, err := CompileWithin(ctx, many, Tables{})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(5*time.Millisecond, func() { cancel(gone) }) // the quickest of these takes about 50 ms
			ended := make(chan error, 1)
			go func() { ended <- do(ctx) }()
			<-ctx.Done()
			select {
			case err := <-ended:
				if !errors.Is(err, gone) {
					t.Errorf("got %v", err)
				}
			case <-time.After(10 * time.Second): // the machine may be busy; without an end it takes minutes
				t.Error("still at it")
			}
		})
	}
}

// TestInterruptibleMatches: what can be interrupted finds the same as what cannot.
func TestInterruptibleMatches(t *testing.T) {
	t.Parallel()
	exprs := []string{"link (?P<a>up|down)", `^a*b?$`, `\b(?P<w>\w+)\b$`, `(?P<x>.)(?P<y>.)?`, `^$`, `(?m)^b$`, "\ufffd", `é|[^a]`, `(a|ab)(c|bcd)`, `x*`}
	rapid.Check(t, func(t *rapid.T) {
		text, err := parseRegex(rapid.SampledFrom(exprs).Draw(t, "expression"))
		if err != nil {
			t.Fatal(err)
		}
		message := rapid.OneOf(rapid.StringMatching(`[ab cdé\n]{0,40}`), rapid.Just("link down"), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Filter(func(s string) bool { return s != "" }).Draw(t, "message")
		sc := &Scratch{ctx: context.Background(), event: &event.Event{Message: message}}
		if got, want := text.re.MatchReader(sc.interruptible(shortSearch*2)), text.re.MatchString(message); got != want {
			t.Fatalf("%s on %q: %v, and %v when it can be interrupted", text.re, message, want, got)
		}
		if got, want := text.re.FindReaderSubmatchIndex(sc.interruptible(shortSearch*2)), text.re.FindStringSubmatchIndex(message); !slices.Equal(got, want) {
			t.Fatalf("%s on %q: %v, and %v when it can be interrupted", text.re, message, want, got)
		}
	})
}
