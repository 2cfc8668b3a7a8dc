package ui

import (
	"cmp"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

// sceneRules are rules of the pictures; hits is how many of the events of 24 h each wins.
func sceneRules() []rule.Rule {
	const both, ticket, record, ignore = "Page_and_ticket", "Ticket_only", "Log_only", "Ignore"
	rules := []rule.Rule{
		{Priority: 1, Name: "maintenance edge-ams", MatchType: rule.Glob, MatchString: "*", HostPattern: "edge-ams-*", ProdHandling: ignore, DevHandling: ignore, TeamAssignment: "NETO", ValidUntil: "2026-11-30T06:00:00Z"},
		{Priority: 5, Name: "hardware failure", MatchString: "%ENVMON-", ProdHandling: both, DevHandling: ticket, TeamAssignment: "DCOPS"},
		{Priority: 6, Name: "UPS on battery", MatchType: rule.OIDPrefix, TrapOID: "1.3.6.1.2.1.33.2.0.1", Source: "snmptrap", ProdHandling: both, DevHandling: record, TeamAssignment: "DCOPS"},
		{Priority: 10, Name: "BGP neighbor lost", MatchType: rule.Regex, MatchString: `%BGP-5-ADJCHANGE: neighbor (?P<neighbor>\S+) .*Down`, ProdHandling: both, DevHandling: ticket, TeamAssignment: "NETO",
			Description: "A neighbor is gone; the peer decides who looks first.", Signature: "{{hostname}}::bgp::{{neighbor}}",
			Examples: &rule.Examples{Matches: []string{"%BGP-5-ADJCHANGE: neighbor 203.0.113.10 Down BGP Notification sent"}, NotMatches: []string{"%BGP-5-ADJCHANGE: neighbor 203.0.113.10 Up"}}},
		{Priority: 11, Name: "VPC peer keep-alive", MatchString: "VPC-2-PEER_KEEP_ALIVE_RECV_FAIL", HostPattern: "dc1-*", ProdHandling: both, DevHandling: ticket, TeamAssignment: "DCNET"},
		{Priority: 15, Name: "OSPF neighbor lost", MatchType: rule.Regex, MatchString: `%OSPF-5-ADJCHG: .*Nbr (?P<neighbor>\S+)`, ProdHandling: ticket, DevHandling: record, TeamAssignment: "NETO"},
		{Priority: 20, Name: "interface lost", MatchType: rule.Regex, MatchString: `Interface (?P<interface>\S+), changed state to down`, ProdHandling: both, DevHandling: record, TeamAssignment: "NETO"},
		{Priority: 20, Name: "link down trap", MatchType: rule.OIDPrefix, TrapOID: "1.3.6.1.6.3.1.1.5.3", Source: "snmptrap", ProdHandling: both, DevHandling: record, TeamAssignment: "NETO"},
		{Priority: 34, Name: "stack power", MatchString: "STACKPOWER-3", ProdHandling: ticket, DevHandling: ignore, TeamAssignment: "DCOPS"},
		{Priority: 35, Name: "stack power low", MatchString: "STACKPOWER-3-NO_POWER", ProdHandling: both, DevHandling: ticket, TeamAssignment: "DCOPS"},
		{Priority: 50, Name: "configuration change", MatchString: "%SYS-5-CONFIG_I", ProdHandling: record, DevHandling: ignore, TeamAssignment: "NETO"},
		{Priority: 70, Name: "old wireless controller", MatchString: "%LWAPP-3-RD_ERR", HostPattern: "wlc-old-*", ProdHandling: ticket, DevHandling: ignore, TeamAssignment: "NETO"},
		{Priority: 78, Name: "spanning tree change", MatchType: rule.Regex, MatchString: `%SPANTREE-[25]-(ROOTCHANGE|TOPOTRAP)`, MaxSeverity: new(4), ProdHandling: ticket, DevHandling: record, TeamAssignment: "NETO"},
		{Priority: 80, Name: "temporary audit", MatchString: "%AAA-", ProdHandling: record, DevHandling: record, TeamAssignment: "SECOPS", ValidUntil: "2026-11-03T00:00:00Z"},
		{Priority: 90, Name: "firewall sessions", MatchType: rule.Regex, MatchString: `%ASA-6-30201[3-6]`, HostPattern: "asa-*", ProdHandling: ignore, DevHandling: ignore, TeamAssignment: "SECOPS"},
	}
	for i := range rules {
		r := &rules[i]
		r.IsActive = r.Name != "old wireless controller"
		r.Normalize()
	}
	return rules
}

// addRules stores rules after those that there are, and events of 24 h which they won.
func addRules(t *testing.T, db *store.Store, rules []rule.Rule) (ids map[string]int64) {
	t.Helper()
	ids = map[string]int64{}
	if _, err := db.ChangeMany(t.Context(), store.Actor{Name: "key:tomas"}, "rules of the pictures", func(tx *store.Tx) error {
		for i := range rules {
			id, err := tx.CreateRule(rules[i])
			if err != nil {
				return fmt.Errorf("%s: %w", rules[i].Name, err)
			}
			ids[rules[i].Name] = id
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	entry := store.JudgedEntry{Entry: queue.NewEntryID()}
	for i := range rules {
		if !rules[i].IsActive || i%5 == 4 || rules[i].ValidUntil != "" || rules[i].Name == "stack power low" {
			continue
		}
		for hour := range 24 {
			for k := range (hour*(i+3) + i) % 7 {
				at := sceneTime().Add(-time.Duration(hour)*time.Hour - time.Duration(k*7+i)*time.Second)
				e := event.Event{ID: idAt(at, len(entry.Rows)), ReceivedAt: at.UnixMicro(), Timestamp: at.UnixMicro(), Source: event.SourceSyslog, Severity: 3, Facility: event.Absent, Hostname: "edge-fra-1",
					Message: "%SYS-5-CONFIG_I: Configured from console by vty0"}
				entry.Rows = append(entry.Rows, store.AuditRow{Event: &e, Decision: &event.Decision{Fate: event.FateRecorded, Handling: event.LogOnly, RuleID: ids[rules[i].Name], RuleName: rules[i].Name, Team: "NETO", RulesetVersion: 214}})
			}
		}
	}
	if _, err := db.Judge(t.Context(), "test", []store.JudgedEntry{entry}); err != nil {
		t.Fatal(err)
	}
	if err := db.FoldHits(t.Context()); err != nil {
		t.Fatal(err)
	}
	return ids
}

// ruleNames returns the names of the rows of a page, in their order.
func ruleNames(body string) (names []string) {
	for _, m := range regexp.MustCompile(`<tr id="r-\d+".*?data-row[^>]*>([^<]*)</a>`).FindAllStringSubmatch(body, -1) {
		names = append(names, html.UnescapeString(m[1]))
	}
	return names
}

// TestRulesList: rules stand in the order of judging, every choice and text is an address, and one rule is shown beside them.
func TestRulesList(t *testing.T) {
	t.Parallel()
	c := newEmptyConsole(t, Health{})
	ids := addRules(t, c.store, sceneRules())
	client := c.session("operator")
	var all []string
	for _, r := range sceneRules() {
		all = append(all, r.Name)
	}
	for path, want := range map[string][]string{
		"/rules":                all,
		"/rules?show=nonsense":  all,
		"/rules?after=nonsense": all,
		"/rules?after=78." + fmt.Sprint(ids["spanning tree change"]): {"temporary audit", "firewall sessions"},
		"/rules?show=shadowed":                {"stack power low"},
		"/rules?show=ending":                  {"maintenance edge-ams"},
		"/rules?show=off":                     {"old wireless controller", "temporary audit"},
		"/rules?show=never":                   {"maintenance edge-ams", "VPC peer keep-alive", "stack power low", "firewall sessions"},
		"/rules?show=team%3Adcops":            {"hardware failure", "UPS on battery", "stack power", "stack power low"},
		"/rules?show=team%3ADCOPS&q=STACK":    {"stack power", "stack power low"},
		"/rules?q=neighbor+is+gone":           {"BGP neighbor lost"},
		"/rules?q=1.3.6.1.6":                  {"link down trap"},
		"/rules?q=edge-ams":                   {"maintenance edge-ams"},
		"/rules?q=%20secops%20&show=off":      {"temporary audit"},
		"/rules?q=no+rule+has+this&show=page": nil,
	} {
		if got := ruleNames(c.get(client, path).body); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	page := c.get(client, "/rules").body
	for _, want := range []string{"15, tried from the top; the first that matches wins", "pages <b>7</b>", "Everything else is unhandled", "by key:tomas, 03:12:44", `href="/api/v2/rules/export?format=yaml"`,
		"ends 06:00", "warning or worse", "host edge-ams-*", `class="off"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the list lacks %q", want)
		}
	}
	if strings.Contains(page, "The roles operator and admin") {
		t.Error("an operator is told who else may change rules")
	}
	if n := compressed(c, page); n > 15<<10 {
		t.Errorf("%d bytes", n)
	}
	if got := c.get(client, "/rules?show=shadowed&q=none").body; !strings.Contains(got, "No rule fits") || !strings.Contains(got, "0 of 15") {
		t.Errorf("got %s", got)
	}
	file := c.get(client, "/api/v2/rules/export?format=yaml")
	if file.status != 200 || !strings.Contains(file.body, "name: hardware failure") {
		t.Errorf("the export answers %d", file.status)
	}
}

// TestRulePeek: what a rule looks for, does and did, with links to what it speaks of.
func TestRulePeek(t *testing.T) {
	t.Parallel()
	c := newEmptyConsole(t, Health{})
	ids := addRules(t, c.store, sceneRules())
	client := c.session("viewer")
	path := func(name string) string { return fmt.Sprintf("/rules?q=power&rule=%d", ids[name]) }
	for name, wants := range map[string][]string{
		"BGP neighbor lost":    {"A neighbor is gone", "Message matches", "neighbor (?P&lt;neighbor&gt;", "Signature", "does not match", "203.0.113.10 Up", "created: rules of the pictures", "key:tomas", "examples:", "Won since Sun 03:00", "Show them"},
		"stack power low":      {"It never wins", path("stack power"), "It has not won an event since MUTT began to count hits"},
		"maintenance edge-ams": {"Message is like", "Only hosts", "until 06:00:00", "It matches until 2026-11-30T06:00:00Z"},
		"spanning tree change": {"Only severity", "warning or worse"},
		"link down trap":       {"Trap at or under", "Only from", "trap"},
	} {
		body := html.UnescapeString(c.get(client, path(name)).body)
		for _, want := range wants {
			if !strings.Contains(body, html.UnescapeString(want)) {
				t.Errorf("%s lacks %q", name, want)
			}
		}
	}
	body := c.get(client, path("hardware failure")).body
	link := regexp.MustCompile(`Last at <a href="([^"]*)"`).FindStringSubmatch(body)
	if link == nil {
		t.Fatalf("no link to the last match: %s", body)
	}
	if event := c.get(client, html.UnescapeString(link[1])).body; !strings.Contains(event, "hardware failure") || !strings.Contains(event, "edge-fra-1") {
		t.Errorf("%s does not show the last match", link[1])
	}
	if got := c.get(client, "/rules?rule=99999"); got.status != 200 || strings.Contains(got.body, "peek-title") {
		t.Errorf("a rule that is not there: %d", got.status)
	}
}

// TestManyRules: a walk through the pages sees every rule once, in the order of judging, also while rules come and go; ties stand by id.
func TestManyRules(t *testing.T) {
	t.Parallel()
	c := newEmptyConsole(t, Health{})
	var rules []rule.Rule
	for i := range 1000 {
		rules = append(rules, rule.Rule{Name: fmt.Sprintf("rule %04d", i), MatchString: fmt.Sprintf("%%FAC-%d-MNEMONIC%d", i%8, i), Priority: (i * 7) % 300, ProdHandling: "Page_and_ticket", DevHandling: "Log_only", TeamAssignment: "NETO", IsActive: true})
	}
	ids := addRules(t, c.store, rules)
	client := c.session("viewer")
	slices.SortStableFunc(rules, func(a, b rule.Rule) int { return cmp.Compare(a.Priority, b.Priority) })
	var seen []string
	path, pages := "/rules", 0
	for ; path != ""; pages++ {
		got := c.get(client, path)
		if n := compressed(c, got.body); n > 15<<10 {
			t.Errorf("%s has %d bytes", path, n)
		}
		names := ruleNames(got.body)
		seen = append(seen, names...)
		if path = ""; strings.Contains(got.body, `rel="next"`) {
			path = linkBefore(got.body, `rel="next"`)
		}
		if pages == 2 { // the rule after which the next page begins goes, and nothing is skipped or repeated
			if _, err := c.store.Change(t.Context(), store.Actor{Name: "x"}, "", func(tx *store.Tx) error { return tx.DeleteRule(ids[names[len(names)-1]]) }); err != nil {
				t.Fatal(err)
			}
		}
	}
	if pages != 10 || len(seen) != 1000 {
		t.Fatalf("%d pages with %d rules", pages, len(seen))
	}
	for i := range rules {
		if seen[i] != rules[i].Name {
			t.Fatalf("rule %d is %s, want %s", i, seen[i], rules[i].Name)
		}
	}
	if got := c.get(client, "/rules?show=pages&after=299.99999").body; !strings.Contains(got, "No rule fits") || !strings.Contains(got, "From the top") {
		t.Error("the page after the last rule leads nowhere")
	}
}

// TestRulesOfNobody: without rules the page teaches, without statistics the list stays, and who may change rules is said.
func TestRulesOfNobody(t *testing.T) {
	t.Parallel()
	c := newEmptyConsole(t, Health{})
	if got := c.get(c.session("operator"), "/rules").body; !strings.Contains(got, "There is no rule yet") || !strings.Contains(got, "mutt rules import configs/rules/starter.yaml") {
		t.Errorf("got %s", got)
	}
	viewer := c.session("viewer")
	if got := c.get(viewer, "/rules").body; strings.Contains(got, "mutt rules import") || !strings.Contains(got, "The roles operator and admin change them") {
		t.Errorf("got %s", got)
	}
	broken := error(fault.New(fault.QueueUnavailable, "Redis is unavailable"))
	c.folded.Store(&broken)
	ids := addRules(t, c.store, sceneRules())
	got := c.get(viewer, fmt.Sprintf("/rules?rule=%d", ids["stack power"]))
	if len(ruleNames(got.body)) != 15 || !strings.Contains(got.body, "Redis is unavailable") || !strings.Contains(got.body, "peek-title") || strings.Contains(got.body, ">never<") {
		t.Errorf("without statistics: %d %s", got.status, got.body)
	}
}

// TestHostileRules: whatever a person wrote into a rule is text.
func TestHostileRules(t *testing.T) {
	t.Parallel()
	c := newEmptyConsole(t, Health{})
	n := 2
	ids := addRules(t, c.store, []rule.Rule{{Name: attack, Description: attack + "\n" + attack, MatchString: attack, HostPattern: attack, TeamAssignment: attack, Signature: attack, ProdHandling: "Ignore", DevHandling: "Ignore", SeverityOverride: &n,
		IsActive: true, Examples: &rule.Examples{Matches: []string{attack}, NotMatches: []string{attack}, Expect: map[string]string{attack: attack}}}})
	client := c.session("viewer")
	for _, path := range []string{"/rules", fmt.Sprintf("/rules?rule=%d", ids[attack]), "/rules?q=" + url.QueryEscape(attack), "/rules?show=team%3A" + url.QueryEscape(attack), "/rules?after=" + url.QueryEscape(attack)} {
		got := c.get(client, path)
		if got.status != 200 || strings.Contains(got.body, "<img") || strings.Contains(got.body, "<script>") || strings.ContainsAny(got.body, "\x1b\u202e") {
			t.Errorf("%s: %d, or what a person wrote is not text: %s", path, got.status, got.body)
		}
		if !strings.Contains(path, "q=") && !strings.Contains(got.body, "&lt;img src=x") {
			t.Errorf("%s does not show the rule", path)
		}
	}
}
