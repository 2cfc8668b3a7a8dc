package rule

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/muttproject/mutt/platform/event"
)

// TestCaseOfAHostDoesNotMatter holds that two events that differ in the case of the hostname alone have the same decision,
// signature and team included, and the same explanation but for the spelling that it shows.
func TestCaseOfAHostDoesNotMatter(t *testing.T) {
	t.Parallel()
	sc := &Scratch{}
	templates := rapid.SampledFrom([]string{"", "{{hostname}}", "x{{rule}}/{{hostname}}/{{source_ip}}"})
	names := rapid.SampledFrom([]string{"core-1", "Core-22", "edge", "2001:db8::1", "köln-1", "KÖLN-1"})
	rapid.Check(t, func(t *rapid.T) {
		var rules []Rule
		for i := range rapid.IntRange(0, 6).Draw(t, "rules") {
			r := genRule(int64(100-i)).Draw(t, "rule")
			r.Signature = templates.Draw(t, "template")
			rules = append(rules, r)
		}
		tables := Tables{Teams: map[string]string{}, DevHosts: rapid.SliceOf(names).Draw(t, "dev hosts")}
		for _, name := range rapid.SliceOf(names).Draw(t, "hosts with a team") {
			tables.Teams[name] = "team of " + name
		}
		set, err := Compile(rules, tables)
		if err != nil {
			t.Fatal(err)
		}
		one := genEvent().Draw(t, "event")
		two := one
		two.Hostname = strings.Map(func(r rune) rune {
			if isLetter := 'a' <= r|0x20 && r|0x20 <= 'z'; isLetter && rapid.Bool().Draw(t, "other case") {
				return r ^ 0x20
			}
			return r
		}, one.Hostname)
		var a, b event.Decision
		set.Judge(&one, 0, sc, &a)
		set.Judge(&two, 0, sc, &b)
		if d := cmp.Diff(a, b); d != "" {
			t.Fatalf("%q and %q: %s", one.Hostname, two.Hostname, d)
		}
		steps := explain(set, &two, 0)
		for i := range steps {
			steps[i].Reason = strings.ReplaceAll(steps[i].Reason, two.Hostname, one.Hostname)
		}
		if d := cmp.Diff(explain(set, &one, 0), steps); d != "" {
			t.Fatalf("explanations of %q and %q: %s", one.Hostname, two.Hostname, d)
		}
	})
}
