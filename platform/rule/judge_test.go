package rule

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/event"
)

func eventOf(message string) event.Event {
	return event.Event{Message: message, Hostname: "core-1", Severity: event.Absent, Facility: event.Absent, Source: event.SourceSyslog}
}

// complete fills what a test does not care about.
func complete(r Rule) Rule {
	if r.MatchType == "" {
		r.MatchType = Contains
	}
	if r.ProdHandling == "" {
		r.ProdHandling, r.DevHandling = "Page_and_ticket", "Ignore"
	}
	if r.TeamAssignment == "" {
		r.TeamAssignment = "NET"
	}
	r.IsActive = true
	return r
}

func mustCompile(t testing.TB, rules ...Rule) *Set {
	t.Helper()
	for i := range rules {
		rules[i] = complete(rules[i])
	}
	set, err := Compile(rules, Tables{
		DevHosts: []string{"LAB-1", "test-*", "10.9.0.0/16", "192.0.2.7"},
		Teams:    map[string]string{"Edge-7": "EDGE"},
		Version:  42,
	})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestJudge(t *testing.T) {
	t.Parallel()
	three := 3
	set := mustCompile(t,
		Rule{ID: 1, Name: "link", MatchString: "link down", Priority: 10},
		Rule{ID: 2, Name: "flap", MatchType: Regex, MatchString: `interface (?P<iface>\S+) flap`, Priority: 20,
			Signature: "{{hostname}}/{{ iface }}/{{varbind.1.3.6.1.2.1.2.2.1.1}}", SeverityOverride: &three, ProdHandling: "log_only", DevHandling: "ticket_only"},
	)
	sc := set.NewScratch()
	for name, c := range map[string]struct {
		change func(*event.Event)
		want   event.Decision
	}{
		"prod": {func(e *event.Event) { e.Message, e.Severity = "LINK DOWN", 2 }, event.Decision{
			Fate: event.FateForwarded, Handling: event.PageAndTicket, Severity: 5, RuleID: 1, RuleName: "link", Team: "NET",
			Signature: "core-1::link", RulesetVersion: 42}},
		"dev by name in any case": {func(e *event.Event) { e.Message, e.Hostname = "link down", "lab-1" }, event.Decision{
			Fate: event.FateIgnored, Handling: event.Ignore, Dev: true, Severity: 1, RuleID: 1, RuleName: "link", Team: "NET",
			Signature: "lab-1::link", RulesetVersion: 42}},
		"override, template and recorded": {func(e *event.Event) {
			e.Message, e.Severity = "Interface Gi0/1 FLAP", 0
			e.Variables = []event.Variable{{OID: "1.3.6.1.2.1.2.2.1.10", Value: "no"}, {OID: "1.3.6.1.2.1.2.2.1.1.7", Value: "7"}}
		}, event.Decision{Fate: event.FateRecorded, Handling: event.LogOnly, Severity: 3, RuleID: 2, RuleName: "flap", Team: "NET",
			Signature: "core-1/Gi0/1/7", RulesetVersion: 42}},
		"dev by address": {func(e *event.Event) { e.Message, e.SourceIP = "interface x flap", "10.9.1.1" }, event.Decision{
			Fate: event.FateForwarded, Handling: event.TicketOnly, Dev: true, Severity: 3, RuleID: 2, RuleName: "flap", Team: "NET",
			Signature: "core-1/x/", RulesetVersion: 42}},
		"an address in the list is that of the sender": {func(e *event.Event) { e.SourceIP = "192.0.2.7" }, event.Decision{
			Fate: event.FateUnhandled, Dev: true, Severity: 1, RulesetVersion: 42}},
		"unhandled with a team": {func(e *event.Event) { e.Hostname, e.Severity = "EDGE-7", 4 }, event.Decision{
			Fate: event.FateUnhandled, Severity: 3, Team: "EDGE", RulesetVersion: 42}},
		"unhandled dev by glob": {func(e *event.Event) { e.Hostname, e.Severity = "TEST-9", 5 }, event.Decision{
			Fate: event.FateUnhandled, Severity: 2, Dev: true, RulesetVersion: 42}},
	} {
		e := eventOf("nothing special")
		c.change(&e)
		got := event.Decision{Signature: "stale", Team: "stale", RuleID: 99}
		set.Judge(&e, 0, sc, &got)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestBestCandidateWins holds that expressions are tried by rank, not in the order in which the message shows
// their literals, and together with rules that have none.
func TestBestCandidateWins(t *testing.T) {
	t.Parallel()
	set := mustCompile(t,
		Rule{ID: 1, Name: "last", MatchType: Regex, MatchString: `zulu\d`, Priority: 1}, Rule{ID: 2, Name: "first", MatchType: Regex, MatchString: `alpha\d`, Priority: 2},
		Rule{ID: 3, Name: "plain", MatchString: "mike", Priority: 3}, Rule{ID: 4, Name: "always", MatchType: Regex, MatchString: `^.$`, Priority: 4},
		Rule{ID: 5, Name: "trap", TrapOID: "1.3.6", MatchType: Glob, MatchString: "*mike*", Priority: 0})
	sc := set.NewScratch()
	for message, want := range map[string]string{"alpha1 mike zulu1": "last", "alpha1 mike zulu": "first", "alpha mike zulu": "plain", "?": "always", "??": ""} {
		e, name := eventOf(message), ""
		if r, ok := set.Match(&e, 0, sc); ok {
			name = r.Name
		}
		if name != want {
			t.Errorf("%q goes to %q, want %q", message, name, want)
		}
	}
	e := eventOf("alpha1 MIKE zulu1")
	e.TrapOID = ".1.3.6.1"
	if r, ok := set.Match(&e, 0, sc); !ok || r.Name != "trap" {
		t.Errorf("the trap goes to %v", r)
	}
}

// TestSharedLiteral holds that a literal is worth as much as the best of the rules that look for it.
func TestSharedLiteral(t *testing.T) {
	t.Parallel()
	set := mustCompile(t, Rule{ID: 1, Name: "a", MatchString: "shared", Priority: 1}, Rule{ID: 2, Name: "b", MatchString: "other", Priority: 2},
		Rule{ID: 3, Name: "c", MatchString: "SHARED", Priority: 3}, Rule{ID: 4, Name: "d", MatchType: Regex, MatchString: "red .*shared", Priority: 0})
	sc := set.NewScratch()
	for message, want := range map[string]string{"other shared": "a", "shared other": "a", "other": "b", "other shared shared": "d"} {
		e := eventOf(message)
		if r, ok := set.Match(&e, 0, sc); !ok || r.Name != want {
			t.Errorf("%q goes to %v, want %s", message, r, want)
		}
	}
}

func TestGlob(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"link ?p", "LINK UP", true}, {"link ?p", "link uup", false}, {"?", "é", true}, {"?", "日", true}, {"??", "é", false}, {"?x", "日X", true},
		{"*é", "ÉÉÉ", true}, {"*", "", true}, {"?", "", false}, {"", "", true}, {"a*b*c", "aXbYbc", true}, {"a*b*c", "acb", false},
		{"a*", "b\na", false}, {"*a", "b\na", true}, {`a\*`, `a\b`, true}, {"*ab", "aab", true}, {"日?*日", "日本の日", true},
	} {
		if got := globMatch(fold(c.pattern), fold(c.text)); got != c.want {
			t.Errorf("%q on %q: %v", c.pattern, c.text, got)
		}
	}
}

func TestMapSeverity(t *testing.T) {
	t.Parallel()
	for syslog, want := range map[int8]int8{event.Absent: 1, 0: 5, 1: 5, 2: 5, 3: 4, 4: 3, 5: 2, 6: 1, 7: 1} {
		if got := MapSeverity(syslog); got != want {
			t.Errorf("syslog severity %d maps to %d, want %d", syslog, got, want)
		}
	}
}

// TestSignaturesStay holds that a signature is never overwritten by later ones, and is bounded.
func TestSignaturesStay(t *testing.T) {
	t.Parallel()
	set := mustCompile(t, Rule{Name: "r", MatchType: Regex, MatchString: "(?P<all>x.*)", Signature: "{{hostname}}:{{all}}"})
	sc := set.NewScratch()
	var got, want []string
	for i := range 3000 {
		e := eventOf("x" + strings.Repeat("é", i%30))
		e.Hostname = fmt.Sprint("host", i)
		var d event.Decision
		set.Judge(&e, 0, sc, &d)
		got, want = append(got, d.Signature), append(want, e.Hostname+":"+e.Message)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	e := eventOf("x" + strings.Repeat("é", 2000))
	var d event.Decision
	set.Judge(&e, 0, sc, &d)
	if n := len(d.Signature); n != 1024 && n != 1023 || !strings.HasSuffix(d.Signature, "é") {
		t.Errorf("a long signature has %d bytes and ends in %q", n, d.Signature[n-2:])
	}
}

// TestNoAllocation leaves expressions out: package regexp keeps its memory in a pool, which the race detector
// empties at random.
func TestNoAllocation(t *testing.T) {
	rules := append(benchRules(1000, false),
		Rule{ID: 5000, Name: "oid", TrapOID: "1.3.6.1.4.1.9"}, Rule{ID: 5001, Name: "glob", MatchType: Glob, MatchString: "*never*é?"},
		Rule{ID: 5002, Name: "equals", MatchType: Equals, MatchString: "never"}, Rule{ID: 5003, Name: "host", MatchString: "Interface", HostPattern: "192.0.2.0/24"},
		Rule{ID: 5004, Name: "always", MatchType: Glob, MatchString: "?", HostPattern: "lab-*"})
	set := mustCompile(t, rules...)
	events := benchEvents(rules)
	events[1].Message += " ünïcode"
	events[3].TrapOID, events[3].Message = "1.3.6.1.4.1.9.1", "x"
	events[5].Hostname, events[5].SourceIP = "00:11:22:33:44:55", "fe80::1%eth0"
	sc := set.NewScratch()
	var d event.Decision
	all := func() {
		for i := range events {
			set.Match(&events[i], 0, sc)
		}
	}
	all() // the scratch grows to its size
	if n := testing.AllocsPerRun(20, all); n != 0 {
		t.Errorf("matching %d events allocates %v times", len(events), n)
	}
	judge := func() {
		for i := range events {
			set.Judge(&events[i], 0, sc, &d)
		}
	}
	if n := testing.AllocsPerRun(20, judge) / float64(len(events)); n >= 0.01 {
		t.Errorf("judging allocates %v times per event", n)
	}
}

// TestSetIsShared runs workers on one set, and each scratch also on a larger set, as after a reload.
func TestSetIsShared(t *testing.T) {
	t.Parallel()
	small, large := mustCompile(t, benchRules(10, false)...), mustCompile(t, benchRules(500, true)...)
	events := benchEvents(benchRules(500, false))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			sc := small.NewScratch()
			for i := range events {
				for _, s := range []*Set{small, large} {
					got, ok := s.Match(&events[i], 0, sc)
					want, wantOK := s.Match(&events[i], 0, s.NewScratch())
					if ok != wantOK || got != want {
						t.Errorf("event %d: %v and %v", i, got, want)
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestCompileNamesEveryFault(t *testing.T) {
	t.Parallel()
	bad := func(r Rule) Rule { return complete(r) }
	inactive := bad(Rule{ID: 3, Name: "off", MatchType: Regex, MatchString: "("})
	inactive.IsActive = false
	_, err := Compile([]Rule{
		bad(Rule{ID: 1, Name: "first", MatchType: Regex, MatchString: "a("}), bad(Rule{ID: 2, Name: "second"}), inactive,
	}, Tables{})
	if err == nil {
		t.Fatal("compiled")
	}
	for _, part := range []string{`rule "first" (id 1)`, "missing closing )", `rule "second" (id 2)`, "match_string"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error does not say %q: %v", part, err)
		}
	}
	if strings.Contains(err.Error(), "off") {
		t.Errorf("an inactive rule is checked: %v", err)
	}
	if n := len(Faults(err)); n != 2 {
		t.Errorf("%d faults, want 2: %v", n, err)
	}
}

func TestExplainSaysWhy(t *testing.T) {
	t.Parallel()
	two, four, six := 2, 4, 6
	set := mustCompile(t,
		Rule{ID: 1, Name: "text", MatchString: "absent"}, Rule{ID: 2, Name: "oid", TrapOID: "1.3.6"},
		Rule{ID: 3, Name: "sev", MatchString: "link", SyslogSeverity: &two}, Rule{ID: 4, Name: "min", MatchString: "link", MinSeverity: &six},
		Rule{ID: 5, Name: "max", MatchString: "link", MaxSeverity: &two}, Rule{ID: 6, Name: "host", MatchString: "link", HostPattern: "edge-*"},
		Rule{ID: 7, Name: "src", MatchString: "link", Source: "http"}, Rule{ID: 8, Name: "from", MatchString: "link", ValidFrom: "2030-01-01T00:00:00Z"},
		Rule{ID: 9, Name: "until", MatchString: "link", ValidUntil: "1960-01-01T00:00:00Z"},
		Rule{ID: 10, Name: "won", MatchString: "link", SyslogSeverity: &four}, Rule{ID: 11, Name: "later", MatchString: "link"})
	e := eventOf("link down")
	e.Severity = 4
	var got []string
	for _, s := range explain(set, &e, 0) {
		got = append(got, fmt.Sprint(s.Name, " ", s.Field, " ", s.Matched))
		if (s.Reason == "") != s.Matched {
			t.Errorf("%s: reason %q", s.Name, s.Reason)
		}
	}
	want := []string{"text match_string false", "oid trap_oid false", "sev syslog_severity false", "min min_severity false", "max max_severity false",
		"host host_pattern false", "src source false", "from valid_from false", "until valid_until false", "won  true"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	e.Severity = event.Absent
	if r := explain(set, &e, 0)[2].Reason; r != "the event has no severity" {
		t.Errorf("absent severity: %q", r)
	}
}
