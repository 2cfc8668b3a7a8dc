package acceptance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/apiclient"
)

// The acceptance criteria of the predecessor's configuration phase, one test each, and what an operator does with curl.

// key is a dynamic key whose effect a sender can see.
const key = "ingest_max_rate"

// configOf gives a key's value as the admin API shows it.
func configOf(m *apptest.MUTT, key string) any {
	var item apiclient.ConfigItem
	m.Get(&item, nil, "config", key)
	return item.Value
}

// TestCriterionViewAndUpdateAtRunTimeWithoutRestart changes a value over the API; it is shown and in force in the same process.
func TestCriterionViewAndUpdateAtRunTimeWithoutRestart(t *testing.T) {
	inBothModes(t, viewAndUpdate)
}

func viewAndUpdate(t *testing.T, in mode) {
	t.Parallel()
	m := in.start(t, nil)
	var all apiclient.Config
	m.Get(&all, nil, "config")
	if all.Config[key] != float64(1000) || all.Config["ingest_rate_limit_enabled"] != false {
		t.Fatalf("at the start: %v", all.Config)
	}
	var changed apiclient.ConfigChanged
	m.Change(http.MethodPut, map[string]any{"value": 5, "reason": "a test"}, &changed, "config", key)
	if changed.OldValue != float64(1000) || changed.NewValue != float64(5) || changed.Revision == 0 {
		t.Errorf("the change is answered with %+v", changed)
	}
	m.SetConfig("ingest_rate_limit_enabled", true)
	if got := configOf(m, key); got != float64(5) {
		t.Errorf("it shows %v", got)
	}
	// The limit is in force: a burst beyond it is refused.
	refused := apptest.Answer{}
	apptest.EventuallyWithin(t, effectBound, "the new limit refuses", func() (bool, any) {
		for range 20 {
			if a := m.Post("/api/v2/ingest", apptest.Event("h", "one")); a.Status != http.StatusOK {
				refused = a
				return true, nil
			}
		}
		return false, nil
	})
	if refused.Status != http.StatusTooManyRequests || refused.Header.Get("Retry-After") == "" {
		t.Errorf("over the limit: %d %v", refused.Status, refused.Header)
	}
	m.SetConfig("ingest_rate_limit_enabled", false)
	m.Send(apptest.Event("h", "after"))
}

// TestCriterionEveryChangeIsInConfigAuditLog makes one change of each kind and finds each in the change audit.
func TestCriterionEveryChangeIsInConfigAuditLog(t *testing.T) { inBothModes(t, everyChangeIsAudited) }

func everyChangeIsAudited(t *testing.T, in mode) {
	t.Parallel()
	m := in.start(t, nil)
	m.SetConfig(key, 77)
	m.SetConfig(key, 78)
	m.Change(http.MethodDelete, nil, nil, "config", key)
	id := m.AddRule(map[string]any{"name": "audited", "match_string": "x", "prod_handling": "Ignore", "dev_handling": "Ignore", "team_assignment": "T"})
	m.Change(http.MethodPost, map[string]any{"hostname": "lab-9"}, nil, "dev-hosts")
	m.Change(http.MethodPost, map[string]any{"hostname": "core-9", "team_assignment": "T"}, nil, "teams")
	want := []string{ // newest first
		"CREATE device_teams core-9", "CREATE development_hosts lab-9", fmt.Sprintf("CREATE alert_rules %d", id),
		"DELETE dynamic_config " + key, "UPDATE dynamic_config " + key, "CREATE dynamic_config " + key,
	}
	var got apiclient.Changes
	m.Get(&got, url.Values{"limit": {fmt.Sprint(len(want))}}, "config-audit")
	if len(got.Logs) != len(want) {
		t.Fatalf("%d rows: %+v", len(got.Logs), got.Logs)
	}
	for i, row := range got.Logs {
		if found := row.Operation + " " + row.TableName + " " + row.RecordID; found != want[i] {
			t.Errorf("row %d is %s, want %s", i, found, want[i])
		}
		if row.ChangedBy != "key:bootstrap-admin" || row.Reason != "test" || row.CorrelationID == "" || row.ChangedAt.IsZero() {
			t.Errorf("row %d does not say who, why and when: %+v", i, row)
		}
	}
	if update := got.Logs[4]; !holds(update.OldValue, 77) || !holds(update.NewValue, 78) {
		t.Errorf("the update says %s -> %s", update.OldValue, update.NewValue)
	}
}

// holds reports whether {"value":n} is in a row's object.
func holds(object json.RawMessage, n int) bool {
	var o struct{ Value int }
	return json.Unmarshal(object, &o) == nil && o.Value == n
}

// TestCriterionHistoryIsPaginated walks the history of one key by pages.
func TestCriterionHistoryIsPaginated(t *testing.T) { inBothModes(t, historyIsPaginated) }

func historyIsPaginated(t *testing.T, in mode) {
	t.Parallel()
	m := in.start(t, nil)
	const changes, limit = 7, 3
	for i := range changes {
		m.SetConfig(key, 100+i)
		m.SetConfig("unhandled_threshold", 100+i) // another key, which the filter leaves out
	}
	next := 100 + changes - 1 // newest first
	for page := 1; page <= 3; page++ {
		var got apiclient.History
		m.Get(&got, url.Values{"key": {key}, "limit": {fmt.Sprint(limit)}, "page": {fmt.Sprint(page)}}, "config", "history")
		p := got.Pagination
		if p.Page != int64(page) || p.Limit != limit || p.Total != changes || p.Pages != 3 || len(got.History) != min(limit, changes-limit*(page-1)) {
			t.Errorf("page %d: %d rows, %+v", page, len(got.History), p)
		}
		for _, row := range got.History {
			if string(row.NewValue) != fmt.Sprint(next) || row.RecordID != key {
				t.Errorf("page %d: %s of %s, want %d", page, row.NewValue, row.RecordID, next)
			}
			next--
		}
	}
}

// TestCriterionAdminConfigShowsStaticDynamicAndTheFlag reads GET /admin/config of the ingestor.
func TestCriterionAdminConfigShowsStaticDynamicAndTheFlag(t *testing.T) {
	inBothModes(t, adminConfig)
}

func adminConfig(t *testing.T, in mode) {
	t.Parallel()
	m := in.start(t, map[string]string{"UNHANDLED_THRESHOLD": "55"})
	m.SetConfig(key, 4321)
	path := m.IngestURL + "/admin/config"
	for _, wrong := range []struct {
		key    string
		status int
	}{{"", http.StatusUnauthorized}, {"nobody's", http.StatusUnauthorized}, {apptest.IngestKey, http.StatusForbidden}} {
		if a := m.Do(http.MethodGet, path, nil, "X-API-KEY", wrong.key); a.Status != wrong.status {
			t.Errorf("with the key %q: %d", wrong.key, a.Status)
		}
	}
	var view struct {
		Static  map[string]struct{ Value, Source any }
		Dynamic map[string]any
		Enabled *bool `json:"dynamic_config_enabled"`
	}
	apptest.EventuallyWithin(t, effectBound, "the change is shown", func() (bool, any) {
		a := m.Do(http.MethodGet, path, nil, "X-API-KEY", apptest.AdminKey)
		return a.Status == http.StatusOK && a.JSON(&view) == nil && view.Dynamic[key] == float64(4321), string(a.Body)
	})
	if view.Dynamic["unhandled_threshold"] != float64(55) || view.Enabled == nil || !*view.Enabled {
		t.Errorf("dynamic: %v, enabled %v", view.Dynamic, view.Enabled)
	}
	secret := view.Static["admin.api_key_file"]
	if secret.Value != "[redacted]" || view.Static["listeners.ingest"].Source == nil {
		t.Errorf("static: %+v", view.Static)
	}
}

// TestCriterionEndpointsCanBeSwitchedOff runs with dynamic_config.enabled false: the routes answer 503, variables and defaults apply.
func TestCriterionEndpointsCanBeSwitchedOff(t *testing.T) { inBothModes(t, switchedOff) }

func switchedOff(t *testing.T, in mode) {
	t.Parallel()
	m := in.start(t, map[string]string{"DYNAMIC_CONFIG_ENABLED": "false", "UNHANDLED_THRESHOLD": "55"})
	for _, call := range [][2]string{{http.MethodGet, "/config"}, {http.MethodGet, "/config/" + key}, {http.MethodPut, "/config/" + key},
		{http.MethodDelete, "/config/" + key}, {http.MethodGet, "/config/history"}} {
		for _, prefix := range []string{"/api/v1", "/api/v2"} {
			a := m.Do(call[0], m.AdminURL+prefix+call[1], []byte(`{"value":5}`), "X-API-KEY", apptest.AdminKey, "Content-Type", "application/json")
			var got struct{ Code, Remedy string }
			if err := a.JSON(&got); err != nil || a.Status != http.StatusServiceUnavailable || got.Code != "feature_off" || got.Remedy == "" {
				t.Errorf("%s %s%s: %d %s", call[0], prefix, call[1], a.Status, a.Body)
			}
		}
	}
	var view struct {
		Dynamic map[string]any
		Enabled *bool `json:"dynamic_config_enabled"`
	}
	a := m.Do(http.MethodGet, m.IngestURL+"/admin/config", nil, "X-API-KEY", apptest.AdminKey)
	if err := a.JSON(&view); err != nil || view.Enabled == nil || *view.Enabled || view.Dynamic[key] != float64(1000) || view.Dynamic["unhandled_threshold"] != float64(55) {
		t.Errorf("/admin/config: %d %s", a.Status, a.Body)
	}
	// The rest of the API works.
	m.AddRule(map[string]any{"name": "still", "match_string": "x", "prod_handling": "Ignore", "dev_handling": "Ignore", "team_assignment": "T"})
}

// TestOperatorsScript runs configs/examples/operator.sh as an operator would.
func TestOperatorsScript(t *testing.T) { inBothModes(t, operatorsScript) }

func operatorsScript(t *testing.T, in mode) {
	t.Parallel()
	tool(t, "curl")
	m := in.start(t, nil)
	cmd := exec.CommandContext(t.Context(), filepath.Join("..", "..", "configs", "examples", "operator.sh"))
	cmd.Env = append(os.Environ(), "MUTT_ADMIN="+m.AdminURL, "MUTT_INGEST="+m.IngestURL, "WEBUI_API_KEY="+apptest.AdminKey, "INGEST_API_KEY="+apptest.IngestKey)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
	// It left MUTT as it was, but for the audit.
	if got := configOf(m, key); got != float64(1000) {
		t.Errorf("%s is %v", key, got)
	}
	var rules apiclient.Rules
	m.Get(&rules, nil, "rules")
	for _, r := range rules.Rules {
		if r.TeamAssignment == "FACILITY" {
			t.Errorf("the rule is still there: %+v", r)
		}
	}
	m.ExpectBalanced()
}
