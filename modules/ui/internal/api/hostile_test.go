package api

import (
	"net/url"
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/queue"
)

// hostile is what no caller sends in good faith.
func hostile() []string {
	return []string{
		`' OR '1'='1`, `1; DROP TABLE alert_rules; --`, `" UNION SELECT hash FROM api_keys --`, `%`, `_`, `\`,
		"a\r\nX-Injected: yes", "a\x00b", "\xff\xfe", "../../../etc/passwd", "..%2f..%2fetc%2fpasswd", `..\..\windows`,
		`<script>alert(1)</script>`, `{{.}}`, `${jndi:ldap://x}`, strings.Repeat("A", 900), strings.Repeat("A", 5000),
		"9223372036854775808", "-9223372036854775809", "1e309", "NaN", "null", "true", "[]", "{}", "\u202e", "𝕏", "AAAA", ".", "..", "~", "*",
	}
}

// Whatever stands in a path, a query, a header or a body: never a 5xx, never an injected header.
func TestHostileInputIsTheCallersFault(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.createRule(sampleRule)
	b.kill(queue.Alert, 1)
	check := func(r request) {
		t.Helper()
		rec := b.do(r)
		if rec.Code >= 500 || rec.Header().Get("X-Injected") != "" {
			t.Errorf("%s %.200s %.200q: got %d %s", r.method, r.path, r.body, rec.Code, rec.Body)
		}
	}
	for _, e := range b.api.endpoints() {
		for _, evil := range hostile() {
			path := e.path
			for _, param := range []string{":id", ":hostname", ":key", ":queue"} {
				path = strings.ReplaceAll(path, param, url.PathEscape(evil))
			}
			check(request{method: e.method, path: path, body: evil})
			quoted := strings.NewReplacer("\\", "\\\\", `"`, `\"`, "\r", "\\r", "\n", "\\n", "\x00", "\\u0000").Replace(evil)
			check(request{method: e.method, path: strings.ReplaceAll(path, url.PathEscape(evil), "1"),
				body:   `{"name":"` + quoted + `","hostname":"` + quoted + `","value":"` + quoted + `","reason":"` + quoted + `"}`,
				header: []string{"If-Match", evil, "If-None-Match", evil, "X-Reason", evil, "Accept", evil}})
		}
	}
	for _, evil := range hostile() {
		check(request{method: "POST", path: "/rules", body: "{}", header: []string{"Content-Type", evil, "Content-Encoding", evil}})
		check(request{method: "POST", path: "/rules/import?mode=" + url.QueryEscape(evil) + "&dry_run=" + url.QueryEscape(evil), body: evil,
			header: []string{"Content-Type", "application/yaml"}})
		check(csvCall("/teams", evil+","+evil))
	}
	for path, names := range map[string][]string{
		"/audit-logs": {"page", "limit", "cursor", "hostname", "rule_id", "team", "handling", "fate", "correlation_id", "q", "start_date", "end_date", "severity", "source", "env", "id"},
		"/audit":      {"changed_by", "operation", "table_name", "record_id"}, "/config/history": {"key"}, "/audit/verify": {"after", "expect", "limit"}, "/audit/verify/records": {"after", "limit"}, "/dlq/alert": {"cursor", "limit"},
		"/rules/export": {"format"},
	} {
		for _, evil := range hostile() {
			for _, name := range names {
				check(request{method: "GET", path: path + "?" + name + "=" + url.QueryEscape(evil)})
			}
		}
		check(request{method: "GET", path: path + "?a=%zz;b"})
	}
	if _, _, err := b.store.VerifyChain(t.Context()); err != nil {
		t.Fatalf("the change audit: %v", err)
	}
	b.createRule(strings.Replace(sampleRule, "link down", "still there", 1))
}

func TestBounds(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	big := strings.Repeat(" ", maxBody)
	writes := 0
	for _, e := range b.api.endpoints() {
		if e.method != "POST" && e.method != "PUT" && e.method != "PATCH" || e.path == "/rules/import" {
			continue
		}
		writes++
		path := strings.NewReplacer(":id", "1", ":hostname", "sw1", ":key", "log_level", ":queue", "alert").Replace(e.path)
		b.refuse(413, "", "longer than", request{method: e.method, path: path, body: `{"x":1` + big + `}`})
		b.refuse(415, "", "Content-Type", request{method: e.method, path: path, body: `{}`, header: []string{"Content-Type", "application/x-www-form-urlencoded"}})
		b.refuse(415, "", "Content-Encoding", request{method: e.method, path: path, body: `{}`, header: []string{"Content-Encoding", "gzip"}})
		b.refuse(422, "body", "object", request{method: e.method, path: path, body: strings.Repeat("[", 100_000), header: []string{"Content-Type", "application/json"}})
	}
	if writes != 18 {
		t.Fatalf("walked over %d writes", writes)
	}
	b.refuse(413, "", "longer than", importCall("", "application/yaml", twoRules+strings.Repeat("#\n", maxImport/2)))
	b.refuse(413, "", "longer than", csvCall("/teams", strings.Repeat("\n", maxImport+1)))
	b.refuse(400, "", "longer than", request{method: "GET", path: "/rules?" + strings.Repeat("a=b&", maxURL/4)})
}
