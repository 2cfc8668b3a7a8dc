package acceptance

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/apiclient"
)

// effectBound is how late a change may take effect here: the promise is 1 s, a loaded machine gets more.
const effectBound = 5 * time.Second

// becomes sends the same event until it is judged as wanted.
func becomes(t *testing.T, m *apptest.MUTT, host, message string, want func(apiclient.AuditLog) bool) {
	t.Helper()
	apptest.EventuallyWithin(t, effectBound, "events of "+host+" are judged anew", func() (bool, any) {
		m.Send(apptest.Event(host, message))
		rows := m.Audit(url.Values{"hostname": {host}, "limit": {"1"}})
		return len(rows) == 1 && want(rows[0]), rows
	})
}

// TestRuleChanges creates, changes and deletes a rule over the API; each takes effect in the running process.
func TestRuleChanges(t *testing.T) { inBothModes(t, ruleChanges) }

func ruleChanges(t *testing.T, in mode) {
	t.Parallel()
	m := in.start(t, nil)
	const message = "fan tray 1 failed"
	m.Send(apptest.Event("fan", message))
	if row := m.ExpectAudit(1, url.Values{"hostname": {"fan"}})[0]; row.Fate != "unhandled" {
		t.Fatalf("before there is a rule: %+v", row)
	}
	id := m.AddRule(map[string]any{"name": "fan", "match_string": "fan tray", "prod_handling": "Ticket_only", "dev_handling": "Ignore", "team_assignment": "DCOPS"})
	becomes(t, m, "fan", message, func(r apiclient.AuditLog) bool { return r.RuleName == "fan" && r.Fate == "forwarded" })
	if a := m.ExpectDescription(message); a.Class != "DCOPS" || a.Signature != "fan::fan" {
		t.Errorf("the alert is %+v", a)
	}
	path := []string{"rules", strconv.FormatInt(id, 10)}
	m.Change(http.MethodPut, map[string]any{"prod_handling": "Log_only"}, nil, path...)
	becomes(t, m, "fan", message, func(r apiclient.AuditLog) bool { return r.Fate == "recorded" })
	m.Change(http.MethodPut, map[string]any{"is_active": false}, nil, path...)
	becomes(t, m, "fan", message, func(r apiclient.AuditLog) bool { return r.Fate == "unhandled" })
	m.Change(http.MethodDelete, nil, nil, path...)
	// Its history stays readable.
	if rows := m.Audit(url.Values{"rule_id": {strconv.FormatInt(id, 10)}}); len(rows) < 2 || rows[0].RuleName != "fan" {
		t.Errorf("the audit of a deleted rule: %+v", rows)
	}
	m.ExpectBalanced()
}

// TestBadRuleChangesNothing refuses a rule whose expression does not compile; the running set stays.
func TestBadRuleChangesNothing(t *testing.T) { inBothModes(t, badRuleChangesNothing) }

func badRuleChangesNothing(t *testing.T, in mode) {
	t.Parallel()
	m := in.start(t, nil)
	a := m.Do(http.MethodPost, m.AdminURL+"/api/v2/rules", []byte(`{"name":"bad","match_type":"regex","match_string":"a(","prod_handling":"Page_only","dev_handling":"Ignore","team_assignment":"X"}`),
		"X-API-KEY", apptest.AdminKey, "Content-Type", "application/json")
	var got struct{ Error, Field string }
	if err := a.JSON(&got); err != nil || a.Status != 422 || got.Field != "match_string" || got.Error == "" {
		t.Errorf("it was answered with %d %s", a.Status, a.Body)
	}
	m.Send(apptest.Event("still", down("Gi0/1")))
	m.ExpectDescription(down("Gi0/1"))
}

// TestDevelopmentHost changes what is done with a host's events, and back.
func TestDevelopmentHost(t *testing.T) { inBothModes(t, developmentHost) }

func developmentHost(t *testing.T, in mode) {
	t.Parallel()
	m := in.start(t, nil)
	const message = "Interface Gi9/9, changed state to down"
	becomes(t, m, "lab-1", message, func(r apiclient.AuditLog) bool { return r.Environment == "prod" && r.Fate == "forwarded" })
	m.Change(http.MethodPost, map[string]any{"hostname": "lab-*"}, nil, "dev-hosts")
	becomes(t, m, "lab-1", message, func(r apiclient.AuditLog) bool { return r.Environment == "dev" && r.Fate == "recorded" })
	m.Change(http.MethodDelete, nil, nil, "dev-hosts", "lab-*")
	becomes(t, m, "lab-1", message, func(r apiclient.AuditLog) bool { return r.Environment == "prod" && r.Fate == "forwarded" })
	m.ExpectBalanced()
}

// TestUnhandled sends what no rule knows: at the threshold one meta-alert tells the host's team, with the count and a
// sample; what differs only in numbers counts together; another host counts for itself.
func TestUnhandled(t *testing.T) { inBothModes(t, unhandled) }

func unhandled(t *testing.T, in mode) {
	t.Parallel()
	m := in.start(t, map[string]string{"UNHANDLED_THRESHOLD": "10"})
	m.Send(apptest.Event("probe", down("x")))
	before := m.ExpectAudit(1, url.Values{"hostname": {"probe"}})[0].RulesetVersion
	m.Change(http.MethodPost, map[string]any{"hostname": "core-1", "team_assignment": "CORE"}, nil, "teams")
	// The team is known once a ruleset with it judges; only the version tells.
	becomes(t, m, "probe", down("x"), func(r apiclient.AuditLog) bool { return r.RulesetVersion > before })
	for i := range 9 {
		m.Send(apptest.Event("core-1", "peer 203.0.113."+strconv.Itoa(i)+" is unhappy"))
		m.Send(apptest.Event("core-2", "peer 203.0.113."+strconv.Itoa(i)+" is unhappy"))
	}
	m.Drain()
	meta := func(a apptest.Alert) bool { return a.Type == "unhandled" }
	for _, a := range m.Destination.Alerts() {
		if meta(a) {
			t.Fatalf("a meta-alert came before the threshold: %+v", a)
		}
	}
	again := func() { m.Send(apptest.Event("core-1", "peer 203.0.113.200 is unhappy")) }
	again() // alone: events that are judged together are counted together
	a := m.ExpectAlert("the meta-alert", meta)
	for range 4 {
		again()
	}
	if a.Source != "core-1" || a.Class != "CORE" || a.Severity != 2 || !strings.Contains(a.Description, "unhappy") || !strings.HasPrefix(a.Description, "10 events") {
		t.Errorf("the meta-alert is %+v", a)
	}
	l := m.ExpectBalanced()
	metas := 0
	for _, a := range m.Destination.Alerts() {
		if meta(a) {
			metas++
		}
	}
	if metas != 1 || l.Judging.ByFate["unhandled"] != 23 || l.Delivery.Forwardable-l.Judging.ByFate["forwarded"] != 1 {
		t.Errorf("%d meta-alerts; the books say %+v", metas, l)
	}
}
