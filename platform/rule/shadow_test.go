package rule

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/muttproject/mutt/platform/event"
)

// TestAShadowedRuleNeverWins draws rules and events: no event is ever won by a rule that is said to be shadowed, and what shadows it
// matches whenever it does.
func TestAShadowedRuleNeverWins(t *testing.T) {
	t.Parallel()
	found := 0
	rapid.Check(t, func(rt *rapid.T) {
		severity := func(name string) *int {
			if rapid.Bool().Draw(rt, name+"?") {
				return nil
			}
			n := rapid.IntRange(2, 5).Draw(rt, name)
			return &n
		}
		var rules []Rule
		for i := range rapid.IntRange(2, 10).Draw(rt, "rules") {
			r := Rule{ID: int64(i + 1), Name: fmt.Sprint(i), Priority: rapid.IntRange(1, 2).Draw(rt, "priority"), ProdHandling: "Page_only", DevHandling: "Ignore",
				TeamAssignment: "NETO", IsActive: true, SyslogSeverity: severity("severity"),
				MatchType:   rapid.SampledFrom([]MatchType{Contains, Contains, Equals, Glob, Regex}).Draw(rt, "type"),
				MatchString: rapid.SampledFrom([]string{"link", "link down", "Link Down", "down", "link*", "*down", "*", "**", "link|down", "(?-i)link", "k", "l.*n", "(up|link) down"}).Draw(rt, "text"),
				HostPattern: rapid.SampledFrom([]string{"", "", "sw1", "SW1", "sw*", "s*1", "*", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3"}).Draw(rt, "host"),
				Source:      rapid.SampledFrom([]string{"", "", "http", "syslog"}).Draw(rt, "source")}
			if rapid.IntRange(0, 4).Draw(rt, "trap?") == 0 {
				r.TrapOID = rapid.SampledFrom([]string{"1.3.6", "1.3.6.1", "1.3.60"}).Draw(rt, "oid")
			}
			if rapid.IntRange(0, 4).Draw(rt, "window?") == 0 {
				r.ValidUntil = rapid.SampledFrom([]string{"2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"}).Draw(rt, "until")
			}
			rules = append(rules, r)
		}
		set, err := Compile(rules, Tables{})
		if err != nil {
			rt.Skip(err)
		}
		shadowed, err := set.ShadowedBy(t.Context())
		if err != nil {
			rt.Fatal(err)
		}
		found += len(shadowed)
		sc := set.NewScratch()
		for range 60 {
			e := event.Event{Hostname: rapid.SampledFrom([]string{"sw1", "Sw1", "sw2", "rt1", "10.1.2.3"}).Draw(rt, "of"),
				SourceIP: rapid.SampledFrom([]string{"", "10.1.2.3", "10.9.9.9", "192.0.2.1"}).Draw(rt, "from"),
				Message:  rapid.SampledFrom([]string{"link", "link down", "LINK DOWN", "down", "the link is down", "up", "up down", "K", "\u212a", "lin\u212a down"}).Draw(rt, "says"),
				Severity: int8(rapid.IntRange(2, 5).Draw(rt, "with")), Facility: event.Absent,
				Source:  rapid.SampledFrom([]event.Source{event.SourceHTTP, event.SourceSyslog}).Draw(rt, "by"),
				TrapOID: rapid.SampledFrom([]string{"", "", "1.3.6.1.4", "1.3.60.1"}).Draw(rt, "trap")}
			now := rapid.SampledFrom([]int64{1, 1_790_000_000_000_000, 1_900_000_000_000_000}).Draw(rt, "at")
			winner, ok := set.Match(&e, now, sc)
			if !ok {
				continue
			}
			if by := shadowed[winner.ID]; by != nil {
				rt.Fatalf("rule %+v won, although it is shadowed by %+v: %+v", winner, by, e)
			}
		}
	})
	if found == 0 {
		t.Error("no rule was shadowed: the test tests nothing")
	}
}

func TestShadowedBy(t *testing.T) {
	t.Parallel()
	base := Rule{MatchString: "link", ProdHandling: "Page_only", DevHandling: "Ignore", TeamAssignment: "NETO", IsActive: true, Priority: 1}
	with := func(id int64, change func(*Rule)) Rule {
		r := base
		r.ID, r.Name = id, fmt.Sprint("rule ", id)
		change(&r)
		return r
	}
	three := 3
	set, err := Compile([]Rule{
		with(1, func(r *Rule) {}),
		with(2, func(r *Rule) { r.MatchString = "link down" }),
		with(3, func(r *Rule) { r.MatchString, r.MatchType = "Link up", Equals }),
		with(4, func(r *Rule) { r.MatchString, r.MatchType = "(?i)link (up|down)", Regex }),
		with(5, func(r *Rule) { r.MatchString = "lin" }),
		with(6, func(r *Rule) { r.HostPattern, r.SyslogSeverity = "sw*", &three }),
		with(7, func(r *Rule) { r.MatchString, r.IsActive = "link x", false }),
	}, Tables{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := set.ShadowedBy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[int64]bool{1: false, 2: true, 3: true, 4: true, 5: false, 6: true, 7: false} {
		if by := got[id]; (by != nil) != want || by != nil && by.ID != 1 {
			t.Errorf("rule %d is shadowed by %v", id, by)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("given up")
	cancel(cause)
	if _, err := set.ShadowedBy(ctx); !errors.Is(err, cause) {
		t.Errorf("after its context: %v", err)
	}
}
