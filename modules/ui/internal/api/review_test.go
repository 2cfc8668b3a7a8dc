package api

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/store"
)

// reviewRules are judged by hand in the tests: the first text that a message has decides.
const (
	fanRule  = `{"name":"fan","match_string":"fan","priority":10,"prod_handling":"Page_only","dev_handling":"Ignore","team_assignment":"DC"}`
	linkRule = `{"name":"link","match_string":"link","priority":20,"prod_handling":"Ticket_only","dev_handling":"Ignore","team_assignment":"NETO"}`
)

func TestReviewAgreesWithJudgingByHand(t *testing.T) {
	t.Parallel()
	b, random := newBundle(t), rand.New(rand.NewPCG(11, 12))
	b.createRule(fanRule)
	b.createRule(linkRule)
	b.expect(200, request{method: "PATCH", path: "/rules/2", body: `{"examples":{"matches":["link down"],"expect":{"link down":"link"}}}`})
	type counts struct{ link, fan, other, notRecorded int }
	var c counts
	var rows []store.AuditRow
	for i := range 2500 { // more than one page of the walk
		r := auditRow(i-3000, "sw1", event.FateUnhandled, event.HandlingNone, 0)
		d := r.Decision
		d.Team, d.RuleName = "", ""
		switch random.IntN(4) {
		case 0:
			r.Event.Message = "link down"
			d.RuleID, d.RuleName, d.Handling, d.Fate, d.Team = 2, "link", event.TicketOnly, event.FateForwarded, "NETO"
			c.link++
		case 1:
			r.Event.Message = "fan failed"
			d.RuleID, d.RuleName, d.Handling, d.Fate, d.Team = 1, "fan", event.PageOnly, event.FateForwarded, "DC"
			c.fan++
		default:
			r.Event.Message = "down with it"
			c.other++
		}
		if random.IntN(20) == 0 {
			d.Team = "another"
			c.notRecorded++
		}
		rows = append(rows, r)
	}
	older := auditRow(1, "sw1", event.FateUnhandled, event.HandlingNone, 0)
	*older.Event = testEvent(-2*3600*1000, "sw1", "link of two hours ago")
	b.judge(append(rows, older)...)

	var got apiclient.RulePreview
	b.try("/rules/preview", `{"window_hours":1,"rules":[{"name":"down","match_string":"down","priority":1,"prod_handling":"Page_and_ticket","dev_handling":"Ignore","team_assignment":"X"},
		{"name":"downs","match_string":"link downs","priority":30,"prod_handling":"Ignore","dev_handling":"Ignore","team_assignment":"X"}],"without":[1]}`, &got)
	r := got.Review
	if r == nil || got.Partial || !r.Whole || got.Events != 2500 || r.NotAsRecorded != c.notRecorded || r.WindowHours != 1 ||
		!r.LookedFrom.Equal(noon.Add(-3*time.Second)) || !r.LookedTo.Equal(noon) {
		t.Fatalf("events %d, partial %v, review %+v", got.Events, got.Partial, r)
	}
	down, link, fan := &apiclient.RuleRef{ID: 3, Name: "down"}, &apiclient.RuleRef{ID: 2, Name: "link"}, &apiclient.RuleRef{ID: 1, Name: "fan"}
	want := map[string]int{fmt.Sprint(nil, down): c.other, fmt.Sprint(link, down): c.link, fmt.Sprint(fan, nil): c.fan}
	moved := map[string]int{}
	for i, m := range r.Moves {
		name := func(ref *apiclient.RuleRef) any {
			if ref == nil {
				return nil
			}
			return ref
		}
		moved[fmt.Sprint(name(m.From), name(m.To))] = m.Events
		if i > 0 && r.Moves[i-1].Events < m.Events {
			t.Errorf("moves are not sorted: %+v", r.Moves)
		}
	}
	if d := cmp.Diff(want, moved); d != "" {
		t.Errorf("moves (-want +got):\n%s", d)
	}
	if r.PagesBefore != float64(c.fan) || r.PagesAfter != float64(c.other+c.link) {
		t.Errorf("pages per hour %v and %v, want %d and %d", r.PagesBefore, r.PagesAfter, c.fan, c.other+c.link)
	}
	if len(r.Unreachable) != 1 || r.Unreachable[0].Name != "downs" || len(r.BrokenExamples) == 0 {
		t.Errorf("unreachable %+v, broken examples %+v", r.Unreachable, r.BrokenExamples)
	}
	for field, body := range map[string]string{
		"window_hours": `{"rules":[],"window_hours":25}`, "events": `{"rules":[],"window_hours":1,"events":5}`,
	} {
		b.refuse(422, field, "", request{method: "POST", path: "/rules/preview", body: body, loose: true})
	}
}

// TestMatchesAgreeWithTryingEveryEvent compares samples that stand for many events with the events themselves, also when more come.
func TestMatchesAgreeWithTryingEveryEvent(t *testing.T) {
	t.Parallel()
	b, random := newBundle(t), rand.New(rand.NewPCG(13, 14))
	all, near := 0, 0
	pairs, n := map[string]bool{}, -2_000_000
	for round := range 3 {
		var rows []store.AuditRow
		for range 400 {
			n++
			host, text := []string{"sw1", "SW1", "rt1"}[random.IntN(3)], []string{"link %d down", "fan %d failed"}[random.IntN(2)]
			r := auditRow(1, host, event.FateUnhandled, event.HandlingNone, 0)
			*r.Event = testEvent(n, host, fmt.Sprintf(text, random.IntN(1000)))
			r.Event.ID[15] = 0
			rows = append(rows, r)
			pairs[strings.ToLower(host)+text] = true
			switch isLink, isSwitch := strings.HasPrefix(text, "link"), host != "rt1"; {
			case isLink && isSwitch:
				all++
			case isLink || isSwitch:
				near++
			}
		}
		b.judge(rows...)
		var got apiclient.RuleMatches
		b.try("/rules/matches", `{"rule":{"match_string":"link","host_pattern":"sw*","prod_handling":"Ignore","dev_handling":"Ignore","team_assignment":"T","is_active":false}}`, &got)
		if got.Looked != 400*(round+1) || got.Samples != len(pairs) || got.Matched != 1 || got.Events != all || len(got.Matches) != 1 || got.Matches[0].Events != all {
			t.Fatalf("round %d: %+v, want %d events", round, got, all)
		}
		sum := 0
		for _, m := range got.Near {
			sum += m.Events
			if m.Missing == nil || m.Missing.Field != map[bool]string{true: "host_pattern", false: "match_string"}[m.Hostname == "rt1"] {
				t.Errorf("near miss %+v misses %+v", m, m.Missing)
			}
		}
		if len(got.Near) != 2 || sum != near {
			t.Errorf("round %d: near misses %+v, want %d events", round, got.Near, near)
		}
	}
	b.refuse(422, "rule", "", request{method: "POST", path: "/rules/matches", body: `{}`})
	b.refuse(422, "rule.match_string", "", request{method: "POST", path: "/rules/matches", body: `{"rule":{"match_string":"(","match_type":"regex","prod_handling":"Ignore","dev_handling":"Ignore","team_assignment":"T"}}`})
}

// TestReviewKnowsARenamedRule: a draft that replaces a rule by its id takes that rule's place, and a name that another one has is refused.
func TestReviewKnowsARenamedRule(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.createRule(fanRule)
	b.createRule(linkRule)
	var rows []store.AuditRow
	for i := range 10 {
		r := auditRow(i-100, "sw1", event.FateForwarded, event.TicketOnly, 2)
		r.Event.Message, r.Decision.RuleName, r.Decision.Team = "link down", "link", "NETO"
		rows = append(rows, r)
	}
	b.judge(rows...)
	renamed := strings.Replace(strings.Replace(linkRule, `"link",`, `"uplink",`, 1), "Ticket_only", "Page_only", 1)
	var got apiclient.RulePreview
	b.try("/rules/preview", `{"window_hours":1,"rules":[`+renamed+`],"replaces":[2]}`, &got)
	r := got.Review
	if len(r.Moves) != 0 || len(r.Rules) != 0 || got.Changed != 10 || r.Before != (apiclient.ReviewCounts{Alerts: 10}) || r.After != (apiclient.ReviewCounts{Pages: 10, Alerts: 10}) ||
		len(r.Hours) == 0 || r.Hours[len(r.Hours)-1].After != 10 || r.Hours[len(r.Hours)-1].Before != 0 || r.NotAsRecorded != 0 {
		t.Errorf("a rule of another name: %+v, review %+v", got, r)
	}
	got = apiclient.RulePreview{}
	b.try("/rules/preview", `{"window_hours":1,"rules":[],"without":[2]}`, &got)
	if rules := got.Review.Rules; len(rules) != 2 || rules[0].Rule == nil || rules[0].Rule.ID != 2 || rules[0].Before != 10 || rules[0].After != 0 || rules[1].Rule != nil || rules[1].After != 10 {
		t.Errorf("a rule that is left out loses to none: %+v", rules)
	}
	for field, body := range map[string]string{"rules[0].name": `{"rules":[` + fanRule + `],"replaces":[2]}`, "replaces": `{"rules":[],"replaces":[2]}`, "replaces[0]": `{"rules":[` + renamed + `],"replaces":[99]}`} {
		rec := b.do(request{method: "POST", path: "/rules/preview", body: body, loose: true})
		if !strings.Contains(rec.Body.String(), `"field":"`+field+`"`) || rec.Code/100 != 4 {
			t.Errorf("%s: %d %s", field, rec.Code, rec.Body)
		}
	}
}

// TestExamplesOfAllRulesStopAChange: with examples=all the examples of other rules count as far as they hold today; an admin with a reason
// may save over them, and the change audit says so.
func TestExamplesOfAllRulesStopAChange(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.createRule(strings.TrimSuffix(linkRule, "}") + `,"examples":{"matches":["link down"],"expect":{"link down":"link","other":"link"}}}`) // the second never held
	const taking = `{"name":"all","match_string":"down","priority":1,"prod_handling":"Ignore","dev_handling":"Ignore","team_assignment":"X"}`
	b.refuse(422, "examples", `should go to "link" and goes to "all"`, request{method: "POST", path: "/rules?examples=all", body: taking})
	b.refuse(403, "", "role admin", request{method: "POST", path: "/rules?examples=none", body: taking, key: "operator"})
	b.refuse(422, "reason", "is required", request{method: "POST", path: "/rules?examples=none", body: taking})
	b.refuse(400, "examples", "own, all or none", request{method: "POST", path: "/rules?examples=some", body: taking, loose: true})
	made := b.expect(201, request{method: "POST", path: "/rules?examples=none", body: taking, header: []string{"X-Reason", "a storm"}})
	row, err := b.store.ChangeByID(t.Context(), int64(made["audit_id"].(float64)))
	if err != nil || row.Reason != "saved without checking examples: a storm" {
		t.Errorf("the change audit says %+v, %v", row, err)
	}
	changed := b.expect(200, request{method: "PATCH", path: "/rules/2?examples=all", body: `{"priority":2}`}) // what is broken already stops nothing
	if changed["audit_id"].(float64) != made["audit_id"].(float64)+1 {
		t.Errorf("changed: %v", changed)
	}
	b.expect(200, request{method: "PATCH", path: "/rules/2?examples=all", body: `{"priority":90}`})
	b.refuse(422, "examples", `goes to "all"`, request{method: "PATCH", path: "/rules/2?examples=all", body: `{"priority":3}`})
}
