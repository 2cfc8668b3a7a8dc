package api

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
)

// TestGolden holds the exact answers: names, order, formats. Each has a file in testdata. The calls build on each other,
// and every success that the document names is among them.
func TestGolden(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.received(40)
	b.judge(auditRow(1, "sw1", event.FateForwarded, event.PageOnly, 7), auditRow(2, "sw2", event.FateUnhandled, event.HandlingNone, 0))
	b.kill(queue.Alert, 1)
	b.kill(queue.Ingest, 2)
	for _, c := range []struct {
		name string
		request
	}{
		{"rules_empty", request{method: "GET", path: "/rules"}},
		{"rules_create", request{method: "POST", path: "/rules", body: strings.Replace(sampleRule, "{", `{"reason":"new link",`, 1)}},
		{"rules_create_bad", request{method: "POST", path: "/rules", body: `{"match_type":"regex","match_string":"(","priority":"x"}`}},
		{"rules_list", request{method: "GET", path: "/rules"}},
		{"rules_get", request{method: "GET", path: "/rules/1"}},
		{"rules_get_none", request{method: "GET", path: "/rules/99"}},
		{"rules_put", request{method: "PUT", path: "/rules/1", body: `{"priority":7}`}},
		{"rules_patch", request{method: "PATCH", path: "/rules/1", body: `{"description":"of a trunk","match_type":null}`}},
		{"rules_patch_stale", request{method: "PATCH", path: "/rules/1", body: `{"priority":8}`, header: []string{"If-Match", `"1"`}}},
		{"rules_import_dry", importCall("?dry_run=true", "application/yaml", twoRules)},
		{"rules_import", importCall("", "application/yaml", twoRules)},
		{"rules_export", request{method: "GET", path: "/rules/export"}},
		{"rules_export_json", request{method: "GET", path: "/rules/export?format=json"}},
		{"rules_test", request{method: "POST", path: "/rules/test", body: `{"event":{"hostname":"sw1","message":"link down on Gi0/1","syslog_severity":3}}`, key: "viewer"}},
		{"rules_preview", request{method: "POST", path: "/rules/preview", body: `{"rules":[` + strings.ReplaceAll(sampleRule, "link down", "message") + `]}`, key: "viewer"}},
		{"rules_review", request{method: "POST", path: "/rules/preview", body: `{"window_hours":24,"rules":[` + strings.ReplaceAll(sampleRule, "link down", "message") + `]}`, key: "viewer"}},
		{"rules_matches", request{method: "POST", path: "/rules/matches", body: `{"rule":` + strings.Replace(strings.ReplaceAll(sampleRule, "link down", "message"), "{", `{"host_pattern":"sw1",`, 1) + `}`, key: "viewer"}},
		{"rules_stats", request{method: "GET", path: "/rules/stats"}},
		{"rules_delete", request{method: "DELETE", path: "/rules/1"}},
		{"hosts_empty", request{method: "GET", path: "/dev-hosts"}},
		{"hosts_create", request{method: "POST", path: "/dev-hosts", body: `{"hostname":"lab-*"}`}},
		{"hosts_csv", csvCall("/dev-hosts", "hostname\nlab1\nlab-*\n")},
		{"hosts_csv_bad", csvCall("/dev-hosts", "hostname\nlab1\nlab 2\nlab1\n")},
		{"hosts_list", request{method: "GET", path: "/dev-hosts"}},
		{"hosts_delete", request{method: "DELETE", path: "/dev-hosts/lab1"}},
		{"teams_empty", request{method: "GET", path: "/teams"}},
		{"teams_create", request{method: "POST", path: "/teams", body: `{"hostname":"sw1","team_assignment":"NOC"}`}},
		{"teams_put", request{method: "PUT", path: "/teams/sw1", body: `{"team_assignment":"DC"}`}},
		{"teams_csv", csvCall("/teams", "sw2,NOC\n")},
		{"teams_list", request{method: "GET", path: "/teams"}},
		{"teams_delete", request{method: "DELETE", path: "/teams/sw2"}},
		{"config_put", request{method: "PUT", path: "/config/moog_rate_limit", body: `{"value":75,"reason":"storm"}`}},
		{"config_put_bounds", request{method: "PUT", path: "/config/moog_rate_limit", body: `{"value":0}`}},
		{"config_put_unknown", request{method: "PUT", path: "/config/moog_rate_limt", body: `{"value":1}`}},
		{"config_get", request{method: "GET", path: "/config/moog_rate_limit"}},
		{"config_list_v1", request{method: "GET", path: "/api/v1/config"}},
		{"config_list_v2", request{method: "GET", path: "/config"}},
		{"config_delete", request{method: "DELETE", path: "/config/moog_rate_limit"}},
		{"config_history", request{method: "GET", path: "/config/history?limit=1"}},
		{"config_rollback", request{method: "POST", path: "/config/rollback", body: `{"audit_id":14,"reason":"was right"}`}},
		{"config_rollback_conflict", request{method: "POST", path: "/config/rollback", body: `{"audit_id":14}`}},
		{"rules_rollback", request{method: "POST", path: "/config/rollback", body: `{"audit_id":5}`}},
		{"audit_row", request{method: "GET", path: "/audit/14"}},
		{"audit", request{method: "GET", path: "/audit?limit=3"}},
		{"audit_head", request{method: "GET", path: "/audit/head"}},
		{"audit_verify", request{method: "GET", path: "/audit/verify?limit=3"}},
		{"audit_verify_records", request{method: "GET", path: "/audit/verify/records?limit=3"}},
		{"config_audit_filtered", request{method: "GET", path: "/config-audit?operation=UPDATE&changed_by=key:admin&table_name=device_teams&record_id=sw1"}},
		{"audit_logs", request{method: "GET", path: "/audit-logs"}},
		{"audit_logs_cursor", request{method: "GET", path: "/audit-logs?limit=1"}},
		{"audit_logs_bad", request{method: "GET", path: "/audit-logs?limit=500"}},
		{"audit_logs_export", request{method: "GET", path: "/audit-logs/export?severity=err", key: "viewer"}},
		{"audit_log", request{method: "GET", path: "/audit-logs/" + testID(1).String()}},
		{"audit_log_none", request{method: "GET", path: "/audit-logs/" + testID(9).String()}},
		{"event_draft", request{method: "GET", path: "/events/" + testID(2).String() + "/draft", key: "viewer"}},
		{"event", request{method: "GET", path: "/events/" + testID(2).String(), key: "viewer"}},
		{"queues", request{method: "GET", path: "/queues"}},
		{"dlq_alert", request{method: "GET", path: "/dlq/alert"}},
		{"dlq_item", request{method: "GET", path: "/dlq/alert/" + testID(1).String()}},
		{"dlq_item_none", request{method: "GET", path: "/dlq/alert/" + testID(9).String()}},
		{"dlq_ingest", request{method: "GET", path: "/dlq/ingest"}},
		{"dlq_replay", request{method: "POST", path: "/dlq/ingest/replay", body: `{"all":true,"reason":"fixed"}`}},
		{"dlq_discard", request{method: "DELETE", path: "/dlq/alert/" + testID(1).String(), header: []string{"X-Reason", "noise"}}},
		{"problems", request{method: "GET", path: "/problems"}},
		{"processes", request{method: "GET", path: "/processes"}},
		{"secrets", request{method: "GET", path: "/secrets"}},
		{"metrics", request{method: "GET", path: "/metrics"}},
		{"slo", request{method: "GET", path: "/slo"}},
		{"ledger", request{method: "GET", path: "/ledger"}},
		{"ledger_window", request{method: "GET", path: "/ledger?window=24h"}},
		{"ledger_window_bad", request{method: "GET", path: "/ledger?window=25h"}},
		{"top", request{method: "GET", path: "/top?by=host"}},
		{"stream", request{method: "GET", path: "/events/stream?hostname=sw1", key: "viewer"}},
		{"histogram", request{method: "GET", path: "/events/histogram?hostname=sw1"}},
		{"events_hosts", request{method: "GET", path: "/events/hosts?prefix=S", key: "viewer"}},
		{"pipeline", request{method: "GET", path: "/pipeline"}},
		{"series", request{method: "GET", path: "/series?range=1h"}},
		{"series_day", request{method: "GET", path: "/series?range=24h"}},
		{"rotations_empty", request{method: "GET", path: "/secrets/rotations"}},
		{"rotation_begin", request{method: "PUT", path: "/secrets/rotations/redis", body: `{"id":"one","step":"stage","base":3,"reason":"monthly"}`}},
		{"rotation_next", request{method: "PUT", path: "/secrets/rotations/redis", body: `{"id":"one","step":"wait","base":3,"staged":4}`}},
		{"rotation_step_left_out", request{method: "PUT", path: "/secrets/rotations/redis", body: `{"id":"one","step":"promote","base":3,"staged":4}`}},
		{"rotation_another", request{method: "PUT", path: "/secrets/rotations/redis", body: `{"id":"two","step":"stage","base":3}`}},
		{"rotation_unknown", request{method: "PUT", path: "/secrets/rotations/vault", body: `{"id":"two","step":"stage","base":3}`}},
		{"rotation_hold", request{method: "POST", path: "/secrets/rotations/redis/hold", body: `{"holder":"anna@ops-1/4711"}`}},
		{"rotations", request{method: "GET", path: "/secrets/rotations"}},
		{"version", request{method: "GET", path: "/api/v1/version", key: "-"}},
		{"whoami", request{method: "GET", path: "/whoami", key: "viewer"}},
		{"unauthorized", request{method: "GET", path: "/rules", key: "-"}},
		{"forbidden", request{method: "PUT", path: "/config/log_level", body: `{"value":"debug"}`, key: "operator"}},
	} {
		b.golden(c.name, b.twice(c.request))
	}
	b.goldenAccess()
	b.twice(request{method: "GET", path: "/openapi.json"}) // whose golden files are docs/reference/openapi.json and api.md
	b.twice(request{method: "GET", path: "/docs"})
	if list := b.document.Uncovered(); len(list) > 0 {
		t.Errorf("these answers of the document have no golden one here: %s", strings.Join(list, ", "))
	}
}

// twice does a call, and when the answer has an ETag the same again: what did not change is not sent.
func (b *bundle) twice(r request) *httptest.ResponseRecorder {
	b.Helper()
	rec := b.do(r)
	if tag := rec.Header().Get("ETag"); tag != "" && r.method == "GET" {
		r.header = append(slices.Clone(r.header), "If-None-Match", tag)
		if again := b.do(r); again.Code != 304 || again.Body.Len() > 0 {
			b.Errorf("%s again: got %d %s", r.path, again.Code, again.Body)
		}
	}
	return rec
}
