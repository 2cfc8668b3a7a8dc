package api

import (
	"encoding/json"
	"fmt"
	"net/url"
	"testing"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/store"
)

func auditRow(n int, host string, fate event.Fate, handling event.Handling, rule int64) store.AuditRow {
	e := testEvent(n, host, fmt.Sprintf("message %d of %s", n, host))
	return store.AuditRow{Event: &e, Decision: &event.Decision{Fate: fate, Handling: handling, RuleID: rule, RuleName: "r", Team: "NOC-" + host,
		Severity: 4, Signature: host, RulesetVersion: 1}}
}

func (b *bundle) auditLogs(query string) apiclient.AuditLogs {
	b.Helper()
	rec := b.get("/audit-logs" + query)
	var out apiclient.AuditLogs
	if rec.Code != 200 {
		b.Fatalf("%s: got %d %s", query, rec.Code, rec.Body)
	}
	b.must(json.Unmarshal(rec.Body.Bytes(), &out))
	return out
}

func TestAuditLogFilters(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.judge(
		auditRow(1, "sw1", event.FateForwarded, event.PageOnly, 7),
		auditRow(2, "sw2", event.FateIgnored, event.Ignore, 8),
		auditRow(3, "sw1", event.FateUnhandled, event.HandlingNone, 0),
		auditRow(4, "sw3", event.FateShed, event.TicketOnly, 7),
	)
	at := func(n int) string { return url.QueryEscape(noon.Add(1e6 * 1).Format("2006-01-02T15:04:05.000Z07:00")) }
	for query, want := range map[string]string{
		"":                                     "[4 3 2 1]",
		"?limit=2":                             "[4 3]",
		"?limit=2&page=2":                      "[2 1]",
		"?page=9000000000":                     "[]",
		"?hostname=sw1":                        "[3 1]",
		"?rule_id=7":                           "[4 1]",
		"?team=NOC-sw2":                        "[2]",
		"?handling=Page_only":                  "[1]",
		"?fate=unhandled":                      "[3]",
		"?correlation_id=none":                 "[]",
		"?q=message+4":                         "[4]",
		"?q=MESSAGE":                           "[4 3 2 1]",
		"?q=100%25_":                           "[]",
		"?start_date=" + at(1):                 "[4 3 2 1]",
		"?end_date=" + at(1):                   "[]",
		"?end_date=2026-11-23":                 "[4 3 2 1]",
		"?start_date=2026-11-24":               "[]",
		"?severity=warning":                    "[4 3 2 1]",
		"?severity=Crit":                       "[]",
		"?severity=3..3":                       "[4 3 2 1]",
		"?severity=emerg..err":                 "[4 3 2 1]",
		"?severity=debug..warning":             "[]",
		"?source=syslog":                       "[4 3 2 1]",
		"?source=meta":                         "[]",
		"?env=prod":                            "[4 3 2 1]",
		"?env=dev&hostname=sw1":                "[]",
		"?id=" + testID(3).String():            "[3]",
		"?env=prod&source=http&q=3&severity=0": "[]",
		"?hostname=sw1&rule_id=7&handling=Page_only&fate=forwarded": "[1]",
	} {
		var got []byte
		got = append(got, '[')
		for i, l := range b.auditLogs(query).Logs {
			if i > 0 {
				got = append(got, ' ')
			}
			got = append(got, l.ID[len(l.ID)-1])
		}
		if s := string(got) + "]"; s != want {
			t.Errorf("%s: got %s, want %s", query, s, want)
		}
	}
	logs := b.auditLogs("").Logs
	if !logs[0].ForwardedToMoog || logs[2].ForwardedToMoog || logs[1].MatchedRuleID != nil || *logs[3].MatchedRuleID != 7 {
		t.Fatalf("got %+v", logs)
	}
	for query, field := range map[string]string{
		"?page=0": "page", "?page=x": "page", "?page=-1": "page", "?page=99999999999999999999": "page", "?page=9223372036854775807": "page",
		"?limit=0": "limit", "?limit=201": "limit", "?limit=1e2": "limit",
		"?rule_id=x": "rule_id", "?handling=shout": "handling", "?fate=doom": "fate", "?start_date=yesterday": "start_date",
		"?end_date=0001-01-01": "end_date", "?start_date=2026-01-02&end_date=2026-01-01": "end_date",
		"?cursor=AAAA": "cursor", "?severity=bad": "severity", "?severity=8": "severity", "?severity=-1": "severity", "?severity=err..": "severity",
		"?severity=..err": "severity", "?severity=err..err..err": "severity", "?source=trap": "source", "?source=unknown": "source", "?env=test": "env", "?id=1": "id",
		"?id=00000000-0000-0000-0000-000000000000": "id", "?id=urn:uuid:019ab3c8-5b4c-7000-8000-000000000001": "id", "?hostname=a%00b": "hostname", "?q=%ff": "q",
	} {
		b.refuse(400, field, "", request{method: "GET", path: "/audit-logs" + query})
	}
}

// A walk by cursor neither repeats nor skips, also while rows arrive.
func TestAuditLogWalk(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	var rows []store.AuditRow
	for n := 1; n <= 25; n++ {
		rows = append(rows, auditRow(n, "sw1", event.FateUnhandled, event.HandlingNone, 0))
	}
	b.judge(rows...)
	var seen []string
	cursor := ""
	for step := 0; ; step++ {
		query := url.Values{"limit": {"10"}}
		if cursor != "" {
			query.Set("cursor", cursor)
		}
		page := b.auditLogs("?" + query.Encode())
		for _, l := range page.Logs {
			seen = append(seen, l.ID)
		}
		if cursor = page.Pagination.NextCursor; cursor == "" {
			break
		}
		b.judge(auditRow(100+step, "sw1", event.FateUnhandled, event.HandlingNone, 0))
	}
	if len(seen) != 25 {
		t.Fatalf("walked over %d rows", len(seen))
	}
	for i, id := range seen {
		if id != testID(25-i).String() {
			t.Fatalf("row %d is %s", i, id)
		}
	}
	first := b.auditLogs("?limit=1").Pagination.NextCursor
	b.refuse(400, "cursor", "", request{method: "GET", path: "/dlq/alert?cursor=" + first})
	b.refuse(400, "cursor", "page", request{method: "GET", path: "/audit-logs?page=1&cursor=" + first})
}

func FuzzCursor(f *testing.F) {
	f.Add(byte(auditCursor), encodeCursor(auditCursor, testID(1)))
	f.Add(byte(deadCursor), encodeCursor(auditCursor, testID(1)))
	f.Add(byte(auditCursor), "")
	f.Add(byte(auditCursor), "AAAA====")
	f.Fuzz(func(t *testing.T, list byte, text string) {
		id, ok := decodeCursor(list, text)
		if ok && encodeCursor(list, id) != text {
			t.Fatalf("%q is not the cursor of %s", text, id)
		}
		// No single changed byte passes for another cursor.
		if id != (event.ID{}) && ok {
			for i := range len(text) {
				b := []byte(text)
				b[i] ^= 1
				if other, ok := decodeCursor(list, string(b)); ok {
					t.Fatalf("%q was taken for %s", b, other)
				}
			}
		}
	})
}
