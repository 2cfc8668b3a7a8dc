package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestQueryOfEveryOperation holds for each row of the endpoint table: what it does not declare is refused by name, as is
// a parameter that is given twice or is empty. Nothing of the call is done.
func TestQueryOfEveryOperation(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.createRule(sampleRule)
	before := b.audited()
	for _, r := range b.api.Routes() {
		path := strings.NewReplacer(":id", "1", ":queue", "alert", ":secret", "redis", ":hostname", "sw1", ":key", "log_level").Replace(r.Path)
		call := func(query, field, says string) {
			t.Helper()
			b.refuse(400, field, says, request{method: r.Method, path: path + "?" + query, body: `{}`})
		}
		call("no_such_parameter=1", "no_such_parameter", "not a parameter")
		call("api_version=2.0", "api_version", "path names the version")
		if r.Role.String() != "public" {
			call("api_key=x", "api_key", "X-API-KEY")
		}
	}
	for _, e := range b.api.endpoints() {
		path := strings.NewReplacer(":id", "1", ":queue", "alert", ":secret", "redis", ":hostname", "sw1", ":key", "log_level").Replace(e.path)
		for _, name := range queryNames(e.op) {
			for query, says := range map[string]string{name + "=1&" + name + "=2": "2 times", name + "=": "is empty", name: "is empty", name + "=%20+": "is empty",
				strings.ToUpper(name) + "=1": "did you mean " + name} {
				field, _, _ := strings.Cut(query, "=")
				b.refuse(400, field, says, request{method: e.method, path: path + "?" + query, body: `{}`})
			}
		}
	}
	if b.audited() != before {
		t.Errorf("%d changes were made", b.audited()-before)
	}
}

func TestNearestParameter(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	for query, says := range map[string]string{
		"dryrun=true": "did you mean dry_run?", "dry-run=true": "did you mean dry_run?", "Mode=replace": "did you mean mode?", "check_example=1": "did you mean check_examples?",
		"force=1": "this operation takes mode, dry_run, check_examples",
	} {
		field, _, _ := strings.Cut(query, "=")
		b.refuse(400, field, says, importCall("?mode=replace&"+query, "application/yaml", twoRules))
	}
	b.refuse(400, "limit", "leave it out", request{method: "GET", path: "/whoami?limit=1"})
	b.refuse(400, "query", "not a parameter", request{method: "GET", path: "/rules?=1"})
	b.refuse(401, "api_key", "X-API-KEY", request{method: "GET", path: "/rules?api_key=admin", key: "-"})
}

// TestPlusInATime holds that the remedy names the form that is taken.
func TestPlusInATime(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	for path, says := range map[string]string{
		"/audit-logs?start_date=2026-11-30T00:00:00+02:00": "2026-11-30T00%3A00%3A00%2B02%3A00",
		"/audit?end_date=2026-11-30T00:00:00.5+02:00":      "%2B",
		"/audit?end_date=yesterday":                        "for example",
	} {
		_, field, _ := strings.Cut(path, "?")
		field, _, _ = strings.Cut(field, "=")
		b.refuse(400, field, says, request{method: "GET", path: path})
	}
	b.expect(200, request{method: "GET", path: "/audit-logs?start_date=2026-11-30T00%3A00%3A00%2B02%3A00"})
}

// TestHeadersOfOneValue holds that two contradicting headers are refused, and that If-Match guards or is refused.
func TestHeadersOfOneValue(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	put := func(header ...string) request {
		return request{method: "PUT", path: "/config/moog_rate_limit", body: `{"value":75}`, header: header}
	}
	for _, name := range []string{"X-Reason", "Content-Type"} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/api/v2/config/moog_rate_limit", strings.NewReader(`{"value":75}`))
		req.Header.Set("X-API-KEY", "admin")
		req.Header[name] = []string{"application/json", "application/json"}
		rec := httptest.NewRecorder()
		b.handler.ServeHTTP(rec, req)
		if rec.Code != http.StatusBadRequest || !strings.Contains(rec.Body.String(), "2 times") {
			t.Errorf("two of %s: %d %s", name, rec.Code, rec.Body)
		}
	}
	for _, value := range []string{"", " ", ",", " , ,", `""`, "W/", "x"} {
		b.refuse(400, "If-Match", "", put("If-Match", value))
	}
	if b.audited() != 0 {
		t.Error("something was written")
	}
	b.expect(200, put("If-Match", `"9", "0"`))
}
