package rule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
)

// Unhandled is what an example expects when no rule shall win.
const Unhandled = "unhandled"

// CheckExamples checks the examples of valid rules; every failure is a *fault.Error that names rule and message.
//
// An example is a message, for a rule that only has a trap_oid the OID. It is judged as an event that fulfils
// everything else the rule asks for (severity, host, source, validity). matches and not_matches ask the rule
// alone; expect asks the whole set, where the rule that is named must win, or none for "unhandled". The examples
// of an inactive rule are checked for matches and not_matches only.
//
// It ends when ctx does, with its cause.
func CheckExamples(ctx context.Context, rules []Rule) error {
	set, err := CompileWithin(ctx, rules, Tables{})
	if err != nil {
		return err
	}
	var errs faults
	sc := set.NewScratch()
	for i := range rules {
		r := rules[i]
		r.Normalize() // examples that say nothing are none
		if r.Examples == nil {
			continue
		}
		if err := r.examplesFit(); err != nil {
			errs.add(err)
			continue
		}
		errs.alone(ctx, r)
		if r.IsActive {
			errs.among(ctx, set, &r, sc)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return errors.Join(errs...)
}

// MaxExample is the length of an example: longer than the messages of network gear, and short enough for an expensive
// expression to end within a second or two.
const MaxExample = 8 << 10

func (r *Rule) examplesFit() error {
	for message := range r.Examples.all() {
		if len(message) > MaxExample {
			return fault.Field(fault.Unprocessable, "examples", "rule %q: example %q has %d bytes, at most %d are allowed", r.Name, cut(message, 60), len(message), MaxExample)
		}
	}
	return nil
}

// all returns every message of the examples.
func (x *Examples) all() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, list := range [...][]string{x.Matches, x.NotMatches, slices.Collect(maps.Keys(x.Expect))} {
			for _, message := range list {
				if !yield(message) {
					return
				}
			}
		}
	}
}

// alone checks a rule without the others.
func (f *faults) alone(ctx context.Context, r Rule) {
	r.IsActive = true
	set, err := Compile([]Rule{r}, Tables{})
	if err != nil {
		f.add(err)
		return
	}
	sc := set.NewScratch()
	for _, c := range [...]struct {
		messages []string
		want     bool
		fault    string
	}{
		{r.Examples.Matches, true, "should match and does not"},
		{r.Examples.NotMatches, false, "should not match and does"},
	} {
		for _, m := range c.messages {
			e, now := r.fitting(m)
			_, got, err := set.matchWithin(ctx, &e, now, sc)
			if err != nil {
				return
			}
			if got != c.want {
				f.example(&r, m, c.fault)
			}
		}
	}
}

// among checks what a rule expects of the whole set.
func (f *faults) among(ctx context.Context, set *Set, r *Rule, sc *Scratch) {
	for _, m := range slices.Sorted(maps.Keys(r.Examples.Expect)) {
		e, now := r.fitting(m)
		want, got := cmp.Or(r.Examples.Expect[m], Unhandled), Unhandled
		winner, ok, err := set.matchWithin(ctx, &e, now, sc)
		if err != nil {
			return
		}
		if ok {
			got = winner.Name
		}
		if got != want {
			f.example(r, m, fmt.Sprintf("should go to %q and goes to %q", want, got))
		}
	}
}

func (f *faults) example(r *Rule, message, what string) {
	f.field("examples", "rule %q: example %q %s", r.Name, cut(message, 200), what)
}

// fitting makes an event of an example that fulfils the conditions of r beside its match.
func (r *Rule) fitting(example string) (e event.Event, now int64) {
	e = event.Event{Message: example, TrapOID: r.TrapOID, Severity: event.Absent, Facility: event.Absent, Hostname: "host"}
	if r.MatchString == "" {
		e.Message, e.TrapOID = "", strings.TrimPrefix(example, ".")
	}
	e.Source, _ = event.ParseSource(r.Source)
	for _, v := range [...]*int{r.MaxSeverity, r.MinSeverity, r.SyslogSeverity} {
		if v != nil {
			e.Severity = int8(*v)
		}
	}
	switch h, _ := parseHostPattern(r.HostPattern); h.kind {
	case hostNet:
		e.SourceIP = h.net.Addr().String()
	case hostExact, hostGlob:
		e.Hostname = strings.NewReplacer("*", "", "?", "x").Replace(r.HostPattern)
	}
	if from, err := parseTime(r.ValidFrom); err == nil {
		now = from
	} else if until, err := parseTime(r.ValidUntil); err == nil {
		now = until - 1
	}
	return e, now
}
