package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

func TestRuleLifeCycle(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.createRule(sampleRule)
	path := fmt.Sprintf("/rules/%d", id)
	got := b.expect(200, request{method: "GET", path: path})
	if got["prod_handling"] != "Page_and_ticket" || got["priority"] != 100.0 || got["is_active"] != true || got["match_type"] != "contains" {
		t.Fatalf("defaults and spelling: %v", got)
	}
	b.expect(200, request{method: "PUT", path: path, body: `{"priority":5,"reason":"first"}`})
	b.expect(200, request{method: "PATCH", path: path, body: `{"min_severity":2}`})
	got = b.expect(200, request{method: "GET", path: path})
	if got["priority"] != 5.0 || got["min_severity"] != 2.0 || got["match_string"] != "link down" {
		t.Fatalf("fields that were not sent stay: %v", got)
	}
	// What was read can be sent back, and changes nothing.
	before := b.audited()
	text, err := json.Marshal(got)
	b.must(err)
	b.expect(200, request{method: "PUT", path: path, body: string(text)})
	if b.audited() != before {
		t.Fatal("no change, no audit row")
	}
	b.expect(200, request{method: "PATCH", path: path, body: `{"min_severity":null}`})
	if got := b.expect(200, request{method: "GET", path: path}); got["min_severity"] != nil {
		t.Fatal("null clears")
	}
	b.expect(200, request{method: "DELETE", path: path, header: []string{"X-Reason", "gone"}})
	b.refuse(404, "", "no rule", request{method: "GET", path: path})
	b.refuse(404, "", "no rule", request{method: "PUT", path: path, body: `{"priority":1}`})
	b.refuse(404, "", "no rule", request{method: "DELETE", path: path})
	if n := b.applied.Load(); n != 6 {
		t.Fatalf("each change is in force before the answer: %d", n)
	}
	logs := b.expect(200, request{method: "GET", path: "/audit?table_name=alert_rules"})["logs"].([]any)
	newest := logs[0].(map[string]any)
	if len(logs) != 5 || newest["operation"] != "DELETE" || newest["reason"] != "gone" || newest["changed_by"] != "key:admin" ||
		newest["correlation_id"] != "test-correlation" {
		t.Fatalf("audit: %v", logs)
	}
}

func TestRuleRefusals(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.createRule(sampleRule)
	post := func(body string) request { return request{method: "POST", path: "/rules", body: body} }
	with := func(field, value string) request {
		return post(strings.Replace(strings.Replace(sampleRule, "link down", "other", 1), `{`, `{"`+field+`":`+value+`,`, 1))
	}
	b.refuse(409, "name", "already", post(sampleRule))
	b.refuse(422, "match_string", "required", post(`{"prod_handling":"Ignore","dev_handling":"Ignore","team_assignment":"x"}`))
	b.refuse(422, "nam", "did you mean", with("nam", `"x"`))
	b.refuse(422, "match_type", "regexp", with("match_type", `"regexp"`))
	b.refuse(422, "priority", "whole number", with("priority", `"high"`))
	b.refuse(422, "trap_oid", "", with("trap_oid", `"1.x"`))
	b.refuse(422, "syslog_severity", "", with("syslog_severity", `9`))
	b.refuse(422, "examples", "should match", with("examples", `{"matches":["all well"]}`))
	b.expect(200, request{method: "PUT", path: fmt.Sprintf("/rules/%d", id), body: `{"examples":{"expect":{"all well":"another"}}}`}) // what others do is not asked here
	b.refuse(422, "match_string", "", post(`{"name":"r","match_type":"regex","match_string":"a(","prod_handling":"Ignore","dev_handling":"Ignore","team_assignment":"x"}`))
	b.refuse(400, "", "empty", request{method: "POST", path: "/rules", header: []string{"Content-Type", "application/json"}})
	b.refuse(400, "", "JSON", post(`{"name":`))
	b.refuse(422, "body", "", post(`[]`))
	b.refuse(422, "reason", "text", post(strings.Replace(sampleRule, `{`, `{"reason":7,`, 1)))
	b.refuse(400, "name", "twice", post(strings.Replace(sampleRule, `{`, `{"name":"x",`, 1)))
	for _, bad := range []string{"0", "-1", "abc", "99999999999999999999", "1.5", "%2e%2e"} {
		b.refuse(400, "id", "rule id", request{method: "GET", path: "/rules/" + bad})
	}
	b.refuse(422, "id", "", request{method: "PUT", path: fmt.Sprintf("/rules/%d", id), body: `{"id":77}`})
	b.refuse(400, "reason", "bytes", request{method: "PUT", path: fmt.Sprintf("/rules/%d", id), body: `{"reason":"` + strings.Repeat("x", 1001) + `"}`})
	if b.audited() != 2 || b.applied.Load() != 2 {
		t.Fatal("a refused write leaves no trace")
	}
}

func TestRulePreconditions(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.createRule(sampleRule)
	path := fmt.Sprintf("/rules/%d", id)
	tag := b.get(path).Header().Get("ETag")
	if tag != `"1"` {
		t.Fatalf("tag %s", tag)
	}
	if rec := b.do(request{method: "GET", path: path, header: []string{"If-None-Match", "W/" + tag}}); rec.Code != http.StatusNotModified || rec.Body.Len() != 0 {
		t.Fatalf("got %d", rec.Code)
	}
	b.expect(200, request{method: "PUT", path: path, body: `{"priority":5}`, header: []string{"If-Match", tag}})
	b.refuse(412, "If-Match", "revision 2", request{method: "PUT", path: path, body: `{"priority":6}`, header: []string{"If-Match", tag}})
	b.refuse(412, "If-Match", "revision 2", request{method: "DELETE", path: path, header: []string{"If-Match", tag}})
	b.refuse(400, "If-Match", "not a revision", request{method: "DELETE", path: path, header: []string{"If-Match", "soon"}})
	list := b.get("/rules").Header().Get("ETag")
	b.createRule(strings.Replace(sampleRule, "link down", "second", 1))
	b.refuse(412, "If-Match", "", request{method: "POST", path: "/rules", body: strings.Replace(sampleRule, "link down", "third", 1), header: []string{"If-Match", list}})
	b.expect(201, request{method: "POST", path: "/rules", body: strings.Replace(sampleRule, "link down", "third", 1), header: []string{"If-Match", b.get("/rules").Header().Get("ETag")}})
	b.expect(200, request{method: "DELETE", path: path, header: []string{"If-Match", "*"}})
	if rec := b.do(request{method: "GET", path: "/rules", header: []string{"If-None-Match", list}}); rec.Code != 200 {
		t.Fatalf("a changed list is sent again, got %d", rec.Code)
	}
}

// A list is kept rendered, and never served once it is old.
func TestListsFollowEveryChange(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	for i := range 5 {
		b.createRule(strings.Replace(sampleRule, "link down", fmt.Sprintf("rule %d", i), 1))
		b.expect(201, request{method: "POST", path: "/dev-hosts", body: fmt.Sprintf(`{"hostname":"lab%d"}`, i)})
		b.expect(201, request{method: "POST", path: "/teams", body: fmt.Sprintf(`{"hostname":"sw%d","team_assignment":"NOC"}`, i)})
		for path, member := range map[string]string{"/rules": "rules", "/dev-hosts": "hosts", "/teams": "teams"} {
			for range 2 {
				if got := b.expect(200, request{method: "GET", path: path})[member].([]any); len(got) != i+1 {
					t.Fatalf("%s: %d entries after %d changes", path, len(got), i+1)
				}
			}
		}
	}
}

const twoRules = `version: 1
rules:
  - name: link down
    match_string: link down
    prod_handling: Ticket_only
    dev_handling: Ignore
    team_assignment: NETOPS
  - name: fan
    match_string: fan failed
    prod_handling: Page_only
    dev_handling: Log_only
    team_assignment: DC
`

func importCall(query, contentType, body string) request {
	return request{method: "POST", path: "/rules/import" + query, body: body, header: []string{"Content-Type", contentType}}
}

func (b *bundle) imported(r request) apiclient.ImportResult {
	b.Helper()
	rec := b.do(r)
	var out apiclient.ImportResult
	if rec.Code != 200 {
		b.Fatalf("%s: got %d %s", r.path, rec.Code, rec.Body)
	}
	b.must(json.Unmarshal(rec.Body.Bytes(), &out))
	return out
}

func TestImportModes(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.createRule(sampleRule)
	b.createRule(strings.Replace(sampleRule, "link down", "third", 1))
	got := b.imported(importCall("?dry_run=true&mode=replace", "application/yaml", twoRules))
	want := []rule.Change{
		{Operation: "update", Name: "link down", ID: id, Fields: []string{"prod_handling", "dev_handling"}},
		{Operation: "create", Name: "fan"},
		{Operation: "delete", Name: "third", ID: id + 1},
	}
	if d := cmp.Diff(want, got.Changes); d != "" || !got.DryRun || b.audited() != 2 {
		t.Fatal("a dry run tells and changes nothing", d)
	}
	got = b.imported(importCall("", "text/yaml", twoRules))
	if got.Created != 1 || got.Updated != 1 || got.Deleted != 0 || got.Unchanged != 1 || got.Mode != "merge" || got.Revision != 3 || b.audited() != 4 {
		t.Fatalf("merge: %+v", got)
	}
	if again := b.imported(importCall("", "text/yaml", twoRules)); again.Unchanged != 3 || again.Revision != 0 || b.audited() != 4 {
		t.Fatalf("a second import changes nothing: %+v", again)
	}
	got = b.imported(importCall("?mode=replace", "application/yaml; charset=UTF-8", twoRules))
	if got.Deleted != 1 || got.Unchanged != 2 {
		t.Fatalf("replace: %+v", got)
	}
	if r := b.expect(200, request{method: "GET", path: fmt.Sprintf("/rules/%d", id)}); r["prod_handling"] != "Ticket_only" {
		t.Fatalf("a rule keeps its id by its name: %v", r)
	}
}

func TestImportIsAllOrNothing(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	bad := strings.Replace(twoRules, "Page_only", "Page_olny", 1)
	b.refuse(422, "rules[1].prod_handling", "import:10", importCall("", "application/yaml", bad))
	b.refuse(422, "", "", importCall("", "application/yaml", "\tnot: yaml: at all"))
	b.refuse(422, "rules[0].team_assignment", "required", importCall("", "application/json", `{"rules":[{"name":"x","match_string":"y","prod_handling":"Ignore","dev_handling":"Ignore"}]}`))
	b.refuse(422, "rules[1].name", "rules[0]", importCall("", "application/json", `{"rules":[`+sampleRule+`,`+sampleRule+`]}`))
	b.refuse(422, "rules", "missing", importCall("", "application/json", `{}`))
	b.refuse(422, "rulez", "", importCall("", "application/json", `{"rulez":[]}`))
	b.refuse(422, "version", "", importCall("", "application/json", `{"version":2,"rules":[]}`))
	b.refuse(415, "", "content type", importCall("", "application/pdf", twoRules))
	b.refuse(415, "", "application/yaml", importCall("", "application/x-www-form-urlencoded", twoRules))
	b.refuse(400, "mode", "", importCall("?mode=append", "application/yaml", twoRules))
	b.refuse(400, "dry_run", "", importCall("?dry_run=maybe", "application/yaml", twoRules))
	contradiction := twoRules + "    examples:\n      expect: {\"fan failed\": \"link down\"}\n"
	b.refuse(422, "examples", "should go to", importCall("", "application/yaml", contradiction))
	if b.audited() != 0 {
		t.Fatal("something was stored")
	}
	operator := importCall("?check_examples=false", "application/yaml", contradiction)
	operator.key = "operator"
	b.refuse(403, "", "role admin", operator)
	b.refuse(422, "reason", "is required with check_examples=false", importCall("?check_examples=false", "application/yaml", contradiction))
	b.refuse(422, "reason", "is required", importCall("?check_examples=0", "application/json", `{"rules":[`+sampleRule+`]}`))
	if b.audited() != 0 {
		t.Fatal("something was stored")
	}
	operator.path = strings.Replace(operator.path, "?", "?dry_run=true&", 1)
	b.imported(operator) // which stores nothing
	forced := importCall("?check_examples=false", "application/yaml", contradiction)
	forced.header = append(forced.header, "X-Reason", "the examples are behind")
	b.imported(forced)
	inBody := importCall("?check_examples=false", "application/json", `{"reason":"once more","rules":[`+strings.Replace(sampleRule, "Log_only", "Ignore", 1)+`]}`)
	b.imported(inBody)
	changes, err := b.store.Changes(t.Context(), store.ChangeFilter{})
	b.must(err)
	for i, want := range []string{"once more", "the examples are behind"} {
		if at := changes.Items[min(i, len(changes.Items)-1)]; at.Reason != overExamples+want {
			t.Errorf("change %d has the reason %q", at.ID, at.Reason)
		}
	}
}

func TestExportComesBack(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.imported(importCall("", "application/yaml", twoRules))
	for format, contentType := range map[string]string{"yaml": "application/yaml", "json": "application/json"} {
		rec := b.get("/rules/export?format=" + format)
		if rec.Code != 200 || rec.Header().Get("Content-Type") != contentType {
			t.Fatalf("%s: %d %s", format, rec.Code, rec.Header())
		}
		got := b.imported(importCall("?mode=replace&dry_run=true", contentType, rec.Body.String()))
		if len(got.Changes) != 0 || got.Unchanged != 2 {
			t.Fatalf("%s: %+v", format, got)
		}
	}
	if rec := b.do(request{method: "GET", path: "/rules/export", header: []string{"Accept", "application/json"}}); rec.Header().Get("Content-Type") != "application/json" {
		t.Fatal("Accept chooses")
	}
	// The list as it is read can be imported too: ids and revisions are passed over.
	if got := b.imported(importCall("?dry_run=true", "application/json", b.get("/rules").Body.String())); len(got.Changes) != 0 {
		t.Fatalf("got %+v", got)
	}
	b.refuse(400, "format", "", request{method: "GET", path: "/rules/export?format=xml"})
}
