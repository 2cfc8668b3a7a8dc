package acceptance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/apiclient"
)

// audit walks every audit row by cursor.
func (k *killTest) audit() []apiclient.AuditLog {
	k.Helper()
	var rows []apiclient.AuditLog
	query := url.Values{"limit": {"200"}}
	for {
		var page apiclient.AuditLogs
		if err := k.site.client.Do(k.Context(), apiclient.Call{Method: http.MethodGet, Path: []string{"audit-logs"}, Query: query}, &page); err != nil {
			k.Fatal(err)
		}
		rows = append(rows, page.Logs...)
		if page.Pagination.NextCursor == "" {
			return rows
		}
		query.Set("cursor", page.Pagination.NextCursor)
	}
}

var tagOf = regexp.MustCompile(`tag=([a-z]+-[0-9]+)\.`)

// checkJudged holds that every acknowledged event has one row, and no event two.
func (k *killTest) checkJudged(rows []apiclient.AuditLog) {
	k.Helper()
	found := map[string][]string{} // tag -> ids
	for _, r := range rows {
		var e struct{ Message string }
		if err := json.Unmarshal(r.RawMessage, &e); err != nil {
			k.Fatalf("row %s: %v", r.ID, err)
		}
		tag := tagOf.FindStringSubmatch(e.Message)
		if tag == nil || !k.word.sent[tag[1]] {
			k.Errorf("row %s was never sent: %s", r.ID, r.RawMessage)
			continue
		}
		found[tag[1]] = append(found[tag[1]], r.ID)
	}
	var lost, twice []string
	for tag := range k.word.acked {
		if len(found[tag]) == 0 {
			lost = append(lost, tag)
		}
	}
	for tag, ids := range found {
		if len(ids) > 1 {
			twice = append(twice, fmt.Sprintf("%s %v", tag, ids))
		}
	}
	k.report("acknowledged events are not in the audit", lost)
	k.report("events were judged twice", twice)
}

// checkDelivered holds that what was decided to be forwarded was delivered, and nothing else but meta-alerts.
func (k *killTest) checkDelivered(rows []apiclient.AuditLog) {
	k.Helper()
	delivered := k.destination.Delivered()
	var lost, odd []string
	for _, r := range rows {
		id, err := uuid.Parse(r.ID)
		if err != nil {
			k.Fatal(err)
		}
		_, ok := delivered[id]
		decided := r.Fate == "forwarded" || r.Fate == "shed" // what was shed is replayed
		if decided && !ok {
			lost = append(lost, r.ID+" "+r.ReceivedAt.String())
		}
		if !decided && ok {
			odd = append(odd, r.ID+" "+r.Fate)
		}
		delete(delivered, id)
	}
	for id, a := range delivered {
		if a.Type != "unhandled" {
			odd = append(odd, id.String()+" "+a.Description)
		}
	}
	k.report("alerts that were decided did not arrive", lost)
	k.report("alerts arrived that nobody decided", odd)
	k.report("repeats differ from the first delivery", k.destination.Changed())
}

// checkHits holds that the hits of each rule are as many as its rows in the audit: none is counted twice, and none is lost.
func (k *killTest) checkHits(rows []apiclient.AuditLog) {
	k.Helper()
	var stats apiclient.RuleStats
	if err := k.site.client.Do(k.Context(), apiclient.Call{Method: http.MethodGet, Path: []string{"rules", "stats"}}, &stats); err != nil {
		k.Fatal(err)
	}
	won, all := map[int64]int64{}, int64(0)
	for _, r := range rows {
		if r.MatchedRuleID != nil && r.Fate != "poison" {
			won[*r.MatchedRuleID]++
			all++
		}
	}
	for _, s := range stats.Rules {
		if s.Hits != won[s.RuleID] {
			k.Errorf("rule %d (%s) has %d hits, and %d rows in the audit", s.RuleID, s.Name, s.Hits, won[s.RuleID])
		}
	}
	if all == 0 {
		k.Error("no rule has won")
	}
}

// checkBooks holds that the two books agree with each other, with the audit and with the destination.
func (k *killTest) checkBooks(rows []apiclient.AuditLog) (l apiclient.Ledger) {
	k.Helper()
	if err := k.site.client.Do(k.Context(), apiclient.Call{Method: http.MethodGet, Path: []string{"ledger"}}, &l); err != nil {
		k.Fatal(err)
	}
	fates := map[string]int64{}
	for _, r := range rows {
		fates[r.Fate]++
	}
	over, under, off := k.slack()
	distinct, j, d := k.destination.Stats().Distinct, l.Judging, l.Delivery
	if j.Difference != 0 || j.InFlight != 0 || d.InFlight != 0 || d.Difference < -off || d.Difference > off {
		k.Errorf("the books do not balance: %+v", l)
	}
	if j.Received != int64(len(rows)) || d.Parked != 0 || d.Discarded != 0 || d.Delivered < distinct-under || d.Delivered > distinct+over {
		k.Errorf("the books say %+v; there are %d audit rows and %d distinct alerts at the destination (slack %d, %d)", l, len(rows), distinct, over, under)
	}
	for fate, n := range l.Judging.ByFate {
		if fates[fate] != n {
			k.Errorf("the books say %d %s, the audit says %d", n, fate, fates[fate])
		}
	}
	return l
}

// slack says by how much the book of deliveries may be over and under what the destination saw, and off balance.
//
// A meta-alert that was published, but not yet marked so when its process was killed, is published again, delivered
// again, and twice in the books. When Redis forgot, what was delivered and already in the books may be delivered again
// by another process, which counts it again; and a meta-alert that was delivered may be in no book, because its count
// began anew.
func (k *killTest) slack() (over, under, off int64) {
	seen := map[string]bool{}
	for _, a := range k.destination.Alerts() {
		switch {
		case a.Type != "unhandled":
		case seen[a.ExternalID]:
			over++
		case k.lost(published(k.T, a)):
			under++
		}
		seen[a.ExternalID] = true
	}
	if len(k.rolled) > 0 {
		over = k.destination.Stats().Repeats
		off = over + under
	}
	return over, under, off
}

// published gives when a meta-alert was worded.
func published(t *testing.T, a apptest.Alert) time.Time {
	t.Helper()
	ev, _ := a.CustomInfo["event"].(map[string]any)
	text, _ := ev["received_at"].(string)
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Errorf("meta-alert %s: %v", a.ExternalID, err)
	}
	return at
}

// lost reports whether Redis may have lost what it was told then.
func (k *killTest) lost(at time.Time) bool {
	return slices.ContainsFunc(k.rolled, func(s span) bool { return at.After(s.from) && at.Before(s.to) })
}

// checkLog holds that no process complained of what a kill must not cause.
func (k *killTest) checkLog() {
	k.Helper()
	for what, n := range k.site.complaints(k.T) {
		if regexp.MustCompile(`^(error|panic|fatal|dpanic)|corrupt|not JSON`).MatchString(what) {
			k.Errorf("logged %d times: %s", n, what)
		} else {
			k.Logf("logged %d times: %s", n, what)
		}
	}
}

// report fails with the first few of a list.
func (k *killTest) report(what string, list []string) {
	k.Helper()
	if len(list) > 0 {
		slices.Sort(list)
		k.Errorf("%d: %s: %v", len(list), what, list[:min(len(list), 10)])
	}
}
