package api

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/store"
)

func TestRuleStats(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.createRule(sampleRule)
	b.createRule(`{"name":"never","match_string":"a link down","prod_handling":"Ignore","dev_handling":"Ignore","team_assignment":"T","priority":200,"valid_until":"2027-01-01T01:00:00+01:00"}`)
	b.createRule(`{"name":"first","match_string":"fan","prod_handling":"Ignore","dev_handling":"Ignore","team_assignment":"T","priority":1}`)
	b.createRule(`{"name":"off","match_string":"off","is_active":false,"prod_handling":"Ignore","dev_handling":"Ignore","team_assignment":"T","priority":1}`)
	var rows []store.AuditRow
	for i, ago := range []time.Duration{0, time.Hour, 24 * time.Hour, 25 * time.Hour} { // noon is half past twelve: the hour of 24 hours ago counts
		r := auditRow(i+1, "sw1", event.FateForwarded, event.PageOnly, 1)
		r.Event.ReceivedAt = noon.Add(-ago).UnixMicro()
		rows = append(rows, r)
	}
	old := auditRow(9, "sw1", event.FateForwarded, event.PageOnly, 3)
	old.Event.ReceivedAt = noon.Add(-30 * time.Hour).UnixMicro()
	b.judge(append(rows, old, auditRow(10, "sw1", event.FateUnhandled, event.HandlingNone, 0))...)
	get := func() (out apiclient.RuleStats) {
		t.Helper()
		rec := b.do(request{method: "GET", path: "/rules/stats", key: "viewer"})
		if rec.Code != 200 {
			t.Fatalf("got %d %s", rec.Code, rec.Body)
		}
		b.must(json.Unmarshal(rec.Body.Bytes(), &out))
		return out
	}
	got := get()
	if len(got.Rules) != 4 || got.Unhandled != 1 || !got.From.Equal(noon.Add(-24*time.Hour).Truncate(time.Hour)) {
		t.Fatalf("got %+v", got)
	}
	if n := len(got.UnhandledHours); !got.ShadowsKnown || got.RulesetVersion == 0 || n != statHours || got.UnhandledHours[n-1] != 1 {
		t.Errorf("got %+v", got)
	}
	first, link, never, off := got.Rules[0], got.Rules[1], got.Rules[2], got.Rules[3]
	if first.Name != "first" || first.Hits != 0 || first.LastMatch == nil || !first.LastMatch.Equal(noon.Add(-30*time.Hour)) {
		t.Errorf("first: %+v", first)
	}
	if link.Hits != 3 || !link.LastMatch.Equal(noon) || link.ShadowedBy != nil || link.Expires != nil {
		t.Errorf("link down: %+v", link)
	}
	if h := link.Hours; len(h) != statHours || h[0] != 1 || h[statHours-2] != 1 || h[statHours-1] != 1 {
		t.Errorf("link down by the hour: %v", h)
	}
	if never.Hits != 0 || never.LastMatch != nil || never.ShadowedBy == nil || never.ShadowedBy.Name != "link down" || !never.Expires.Equal(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("never: %+v", never)
	}
	if off.Name != "off" || off.IsActive || off.ShadowedBy != nil {
		t.Errorf("off: %+v", off)
	}
	b.expect(200, request{method: "PATCH", path: "/rules/1", body: `{"host_pattern":"sw9"}`})
	if got := get().Rules[2]; got.ShadowedBy != nil {
		t.Errorf("after a change: %+v", got)
	}
}

// TestShadowsAreFoundOnce: many readers wait for one that finds out, one that has gone spoils nothing for the others, and what takes too
// long leaves the rest of the statistics as they are.
func TestShadowsAreFoundOnce(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.createRule(sampleRule)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.api.ranked(gone); err == nil || b.api.ranking.last.Load() != nil {
		t.Errorf("a caller that has gone: %v", err)
	}
	results := make(chan *ranked, 8)
	for range cap(results) {
		go func() {
			found, err := b.api.ranked(t.Context())
			if err != nil {
				t.Error(err)
			}
			results <- found
		}()
	}
	first := <-results
	for range cap(results) - 1 {
		if found := <-results; found == nil || found != first || !found.known {
			t.Errorf("found twice, or not: %+v", found)
		}
	}
	b.api.TryoutTime = 0
	b.createRule(strings.Replace(sampleRule, "link down", "another", 1))
	rec := b.do(request{method: "GET", path: "/rules/stats", key: "viewer"})
	var out apiclient.RuleStats
	b.must(json.Unmarshal(rec.Body.Bytes(), &out))
	if rec.Code != 200 || out.ShadowsKnown || len(out.Rules) != 2 {
		t.Errorf("too expensive: %d %s", rec.Code, rec.Body)
	}
}
