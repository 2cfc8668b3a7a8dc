package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/store"
)

func (b *bundle) try(path, body string, out any) {
	b.Helper()
	rec := b.do(request{method: "POST", path: path, body: body, key: "viewer"})
	if rec.Code != 200 {
		b.Fatalf("%s %s: got %d %s", path, body, rec.Code, rec.Body)
	}
	b.must(json.Unmarshal(rec.Body.Bytes(), out))
}

func TestRuleTestTellsWhoWinsAndWhy(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.createRule(strings.Replace(sampleRule, `{`, `{"priority":50,`, 1))
	b.createRule(`{"name":"errors","match_string":"down","max_severity":3,"priority":40,"prod_handling":"Page_only","dev_handling":"Ignore","team_assignment":"NOC"}`)
	b.expect(201, request{method: "POST", path: "/dev-hosts", body: `{"hostname":"lab-*"}`})
	applied := b.applied.Load()

	var got apiclient.RuleTest
	b.try("/rules/test", `{"event":{"hostname":"lab-1","message":"Link down on Gi0/1","syslog_severity":5}}`, &got)
	if got.RuleName != "link down" || *got.RuleID != 1 || got.Handling != "Log_only" || got.Fate != "recorded" || got.Environment != "dev" || got.Severity != 2 ||
		len(got.Steps) != 2 || got.Steps[0].Field != "max_severity" || got.Steps[0].Name != "errors" || !got.Steps[1].Matched {
		t.Errorf("got %+v", got)
	}
	got = apiclient.RuleTest{}
	b.try("/rules/test", `{"event":{"hostname":"sw1","message":"all well"}}`, &got)
	if got.Fate != "unhandled" || got.RuleID != nil || len(got.Steps) != 2 || got.Steps[1].Field != "match_string" {
		t.Errorf("got %+v", got)
	}
	// A draft takes the place of the rule of its name, or joins with the next id.
	got = apiclient.RuleTest{}
	b.try("/rules/test", `{"event":{"hostname":"sw1","message":"all well"},"rule":{"match_string":"well","prod_handling":"Ignore","dev_handling":"Ignore","team_assignment":"T"}}`, &got)
	if got.RuleName != "contains well" || *got.RuleID != 3 || got.Fate != "ignored" {
		t.Errorf("a new draft: got %+v", got)
	}
	got = apiclient.RuleTest{}
	b.try("/rules/test", `{"event":{"hostname":"sw1","message":"link down"},"rule":{"name":"link down","match_string":"other","prod_handling":"Ignore","dev_handling":"Ignore","team_assignment":"T"}}`, &got)
	if got.Fate != "unhandled" || len(got.Steps) != 2 {
		t.Errorf("a changed draft: got %+v", got)
	}
	for field, body := range map[string]string{
		"event": `{}`, "hostname": `{"event":{"hostname":"a b"}}`, "event.syslog_severity": `{"event":{"hostname":"h","syslog_severity":8}}`,
		"event.source": `{"event":{"hostname":"h","source":"pigeon"}}`, "rule.team_assignment": `{"event":{"hostname":"h"},"rule":{"match_string":"x","prod_handling":"Ignore","dev_handling":"Ignore"}}`,
	} {
		b.refuse(422, field, "", request{method: "POST", path: "/rules/test", body: body})
	}
	if b.audited() != 3 || b.applied.Load() != applied {
		t.Error("a trial changed something")
	}
}

// A preview says of the audited events what would become of them; against judging each by hand.
func TestRulePreviewCountsWhatWouldChange(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.createRule(sampleRule)
	var rows []store.AuditRow
	for i := range 30 {
		r := auditRow(i+1, "sw1", event.FateUnhandled, event.HandlingNone, 0)
		r.Event.Message = fmt.Sprintf("fan %d failed", i)
		if i%3 == 0 {
			r.Event.Message = "link down"
		}
		rows = append(rows, r)
	}
	b.judge(rows...)
	const draft = `{"name":"fans","match_string":"fan","prod_handling":"Ticket_only","dev_handling":"Ignore","team_assignment":"DC"}`

	var got apiclient.RulePreview
	b.try("/rules/preview", `{"rules":[`+draft+`]}`, &got)
	if got.Events != 30 || got.Changed != 20 || len(got.Changes) != 1 || got.Changes[0] != (apiclient.PreviewChange{From: "unhandled", To: "Ticket_only", ToTeam: "DC", Environment: "prod", Events: 20}) ||
		len(got.Samples) != 20 || got.Samples[0].Before.Fate != "unhandled" || got.Samples[0].After.Team != "DC" || !strings.HasPrefix(got.Samples[0].Message, "fan") {
		t.Errorf("merge: got %+v", got)
	}
	got = apiclient.RulePreview{}
	b.try("/rules/preview", `{"rules":[`+draft+`],"mode":"replace","events":9}`, &got)
	if got.Events != 9 || got.Changed != 9 || len(got.Changes) != 2 || got.Changes[1] != (apiclient.PreviewChange{From: "Page_and_ticket", FromTeam: "NETOPS", To: "unhandled", Environment: "prod", Events: 3}) {
		t.Errorf("replace, the newest 9: got %+v", got)
	}
	got = apiclient.RulePreview{}
	b.try("/rules/preview", `{"rules":[`+sampleRule+`]}`, &got)
	if got.Events != 30 || got.Changed != 0 || len(got.Samples) != 0 {
		t.Errorf("what is stored already: got %+v", got)
	}
	for field, body := range map[string]string{"rules": `{}`, "mode": `{"rules":[],"mode":"x"}`, "events": `{"rules":[],"events":10001}`,
		"rules[1].match_string": `{"rules":[` + draft + `,{"prod_handling":"Ignore","dev_handling":"Ignore","team_assignment":"x"}]}`} {
		b.refuse(422, field, "", request{method: "POST", path: "/rules/preview", body: body})
	}
}
