package api

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/rule"
)

// TestOneHostWhateverItsCase holds that the API takes the names of a host in any case for one, and shows them as they were
// written; and that letters outside ASCII are compared as they are.
func TestOneHostWhateverItsCase(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.expect(201, request{method: "POST", path: "/dev-hosts", body: `{"hostname":"LAB-1"}`})                      // 1
	b.refuse(409, "hostname", "LAB-1", request{method: "POST", path: "/dev-hosts", body: `{"hostname":"lab-1"}`}) //
	b.expect(201, request{method: "POST", path: "/dev-hosts", body: `{"hostname":"KÖLN"}`})                       // 2
	b.expect(201, request{method: "POST", path: "/dev-hosts", body: `{"hostname":"köln"}`})                       // 3
	b.expect(201, request{method: "POST", path: "/teams", body: `{"hostname":"Core-1","team_assignment":"NOC"}`}) // 4
	b.refuse(409, "hostname", "Core-1", request{method: "POST", path: "/teams", body: `{"hostname":"CORE-1","team_assignment":"X"}`})
	b.expect(200, request{method: "PUT", path: "/teams/core-1", body: `{"hostname":"CORE-1","team_assignment":"DC"}`}) // 5
	b.refuse(422, "line 2", "line 1", csvCall("/teams", "core-1,A\nCORE-1,B\n"))
	b.expect(200, csvCall("/teams", "hostname,team\nCORE-1,OPS\n")) // 6
	teams := decode[apiclient.Teams](b, b.get("/teams")).Teams
	if len(teams) != 1 || teams[0].Hostname != "Core-1" || teams[0].TeamAssignment != "OPS" {
		t.Errorf("teams %+v", teams)
	}
	if got := b.expect(200, request{method: "GET", path: "/audit?record_id=CORE-1"})["logs"].([]any); len(got) != 3 {
		t.Errorf("%d changes of the team, want 3", len(got))
	}

	b.judge(auditRow(1, "Core-1", event.FateUnhandled, event.HandlingNone, 0), auditRow(2, "core-10", event.FateUnhandled, event.HandlingNone, 0),
		auditRow(3, "CORE-1", event.FateForwarded, event.PageOnly, 7), auditRow(4, "core-1", event.FateUnhandled, event.HandlingNone, 0))
	for query, want := range map[string]string{"core-1": "[core-1 CORE-1 Core-1]", "CORE-1": "[core-1 CORE-1 Core-1]", "core-1&rule_id=7": "[CORE-1]", "CORE-10": "[core-10]"} {
		var names []string
		page := b.auditLogs("?hostname=" + query)
		for _, l := range page.Logs {
			names = append(names, l.Hostname)
		}
		if got := fmt.Sprint(names); got != want || page.Pagination.Total != int64(len(names)) {
			t.Errorf("%s: %s of %d, want %s", query, got, page.Pagination.Total, want)
		}
	}

	b.createRule(sampleRule)
	var one, other apiclient.RuleTest
	b.try("/rules/test", `{"event":{"hostname":"LAB-1","message":"link down","syslog_severity":3}}`, &one)
	b.try("/rules/test", `{"event":{"hostname":"lab-1","message":"link down","syslog_severity":3}}`, &other)
	if d := cmp.Diff(one, other, cmp.AllowUnexported(rule.Step{})); d != "" || one.Verdict.Environment != "dev" {
		t.Errorf("%+v and %+v", one, other)
	}
	b.expect(200, request{method: "DELETE", path: "/dev-hosts/lab-1"})
	b.expect(200, request{method: "DELETE", path: "/teams/CORE-1"})
}
