package rule

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/muttproject/mutt/platform/event"
)

// TestLosersAgreeWithANaiveModel compares with a count of the conditions that is made rule by rule, each alone.
func TestLosersAgreeWithANaiveModel(t *testing.T) {
	t.Parallel()
	severity := func(n int) *int { return &n }
	rapid.Check(t, func(rt *rapid.T) {
		var rules []Rule
		for i := range rapid.IntRange(0, 12).Draw(rt, "rules") {
			r := Rule{ID: int64(i + 1), MatchString: rapid.SampledFrom([]string{"link", "down", "up", "link down"}).Draw(rt, "text"), ProdHandling: "Page_only",
				DevHandling: "Ignore", TeamAssignment: "NETO", IsActive: true, Priority: rapid.IntRange(1, 3).Draw(rt, "priority"), Name: string(rune('a' + i))}
			if rapid.Bool().Draw(rt, "host?") {
				r.HostPattern = rapid.SampledFrom([]string{"sw1", "sw*", "rt*"}).Draw(rt, "host")
			}
			if rapid.Bool().Draw(rt, "severity?") {
				r.SyslogSeverity = severity(rapid.IntRange(2, 4).Draw(rt, "severity"))
			}
			rules = append(rules, r)
		}
		e := event.Event{Hostname: rapid.SampledFrom([]string{"sw1", "sw2", "rt9"}).Draw(rt, "of"), Message: rapid.SampledFrom([]string{"link down", "link up", "else"}).Draw(rt, "says"),
			Severity: int8(rapid.IntRange(2, 4).Draw(rt, "with")), Facility: event.Absent, Source: event.SourceHTTP}
		set, err := Compile(rules, Tables{})
		if err != nil {
			rt.Fatal(err)
		}
		fits := func(r Rule) bool {
			alone, err := Compile([]Rule{r}, Tables{})
			if err != nil {
				rt.Fatal(err)
			}
			_, ok := alone.Match(&e, 1, alone.NewScratch())
			return ok
		}
		type near struct {
			id           int64
			misses, fits int
			rule         Rule
		}
		slices.SortStableFunc(rules, func(a, b Rule) int { return cmp.Compare(a.Priority, b.Priority) })
		var want []near
		won := false
		for _, r := range rules {
			n := near{id: r.ID, rule: r}
			text, host, sev := r, r, r // each with one condition of the rule
			text.HostPattern, text.SyslogSeverity = "", nil
			host.MatchString, host.MatchType, host.SyslogSeverity = ".*", Regex, nil
			sev.MatchString, sev.MatchType, sev.HostPattern = ".*", Regex, ""
			for _, c := range []struct {
				there bool
				rule  Rule
			}{{true, text}, {r.HostPattern != "", host}, {r.SyslogSeverity != nil, sev}} {
				switch {
				case !c.there:
				case fits(c.rule):
					n.fits++
				default:
					n.misses++
				}
			}
			if n.misses == 0 && !won {
				won = true
				continue
			}
			want = append(want, n)
		}
		slices.SortStableFunc(want, func(a, b near) int { return cmp.Or(cmp.Compare(a.misses, b.misses), cmp.Compare(b.fits, a.fits)) })
		want = want[:min(3, len(want))]
		got, err := set.Losers(t.Context(), &e, 1, 3)
		if err != nil || len(got) != len(want) {
			rt.Fatalf("%d losers, want %d: %v", len(got), len(want), err)
		}
		for i := range want {
			if got[i].RuleID != want[i].id || len(got[i].Misses) != want[i].misses {
				rt.Fatalf("loser %d is %+v, want %+v", i, got[i], want[i])
			}
		}
	})
}

func TestLosersSayWhatIsMissing(t *testing.T) {
	t.Parallel()
	set, err := Compile([]Rule{
		{ID: 1, Name: "winner", MatchString: "link", Priority: 1, ProdHandling: "Page_only", DevHandling: "Ignore", TeamAssignment: "NETO", IsActive: true},
		{ID: 2, Name: "trap", TrapOID: "1.3.6", HostPattern: "rt*", Priority: 2, ProdHandling: "Page_only", DevHandling: "Ignore", TeamAssignment: "NETO", IsActive: true},
		{ID: 3, Name: "also", MatchString: "down", Priority: 3, ProdHandling: "Page_only", DevHandling: "Ignore", TeamAssignment: "NETO", IsActive: true},
		{ID: 4, Name: "over", MatchString: "down", Priority: 4, ValidUntil: "2020-01-01T00:00:00Z", ProdHandling: "Page_only", DevHandling: "Ignore", TeamAssignment: "NETO", IsActive: true},
	}, Tables{})
	if err != nil {
		t.Fatal(err)
	}
	e := event.Event{Hostname: "sw1", Message: "link down", Severity: event.Absent, Facility: event.Absent, Source: event.SourceHTTP}
	got, err := set.Losers(t.Context(), &e, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro(), 3)
	want := []Loser{{RuleID: 3, Name: "also", Priority: 3, Misses: []Miss{}},
		{RuleID: 4, Name: "over", Priority: 4, Misses: []Miss{{"valid_until", "the rule ended at 2020-01-01T00:00:00Z"}}},
		{RuleID: 2, Name: "trap", Priority: 2, Misses: []Miss{{"trap_oid", "the event has no trap OID"}, {"host_pattern", `neither host "sw1" nor address "" fits "rt*"`}}}}
	if d := gocmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("given up")
	cancel(cause)
	if _, err := set.Losers(ctx, &e, 1, 3); !errors.Is(err, cause) {
		t.Errorf("after its context: %v", err)
	}
}
