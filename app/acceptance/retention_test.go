package acceptance

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

// TestRetention starts on a store with events of long ago: they go, and it is said in the change audit and the metrics.
func TestRetention(t *testing.T) { inBothModes(t, retention) }

func retention(t *testing.T, in mode) {
	t.Parallel()
	m := in.run(t, apptest.Options{Prepare: oldEvents})
	m.Send(apptest.Event("young", down("Gi0/1")))
	apptest.Eventually(t, "what is past its days is gone", func() (bool, any) {
		rows := m.Audit(url.Values{"hostname": {"old"}})
		return len(rows) == 0, rows
	})
	m.ExpectAudit(1, url.Values{"hostname": {"young"}})
	var notes apiclient.Changes
	apptest.Eventually(t, "it is noted", func() (bool, any) {
		m.Get(&notes, url.Values{"changed_by": {"system:janitor"}, "table_name": {"event_audit"}}, "audit")
		return len(notes.Logs) == 1, notes
	})
	if !strings.Contains(string(notes.Logs[0].OldValue), `"rows":5`) {
		t.Errorf("noted %s", notes.Logs[0].OldValue)
	}
	apptest.Eventually(t, "the figures say so", func() (bool, any) {
		text := string(m.Do(http.MethodGet, m.OpsURL+"/metrics", nil).Body)
		return figure(text, `mutt_retention_cleanup_records_deleted_total{type="event_audit"}`) == 5 &&
			figure(text, `mutt_retention_policy_days{type="event_audit"}`) == 90 &&
			figure(text, "mutt_retention_cleanup_last_run_timestamp_seconds") > float64(time.Now().Unix()-600) &&
			figure(text, "mutt_audit_head_id") >= float64(notes.Logs[0].ID), text
	})
	var verified apiclient.AuditVerified
	if m.Get(&verified, nil, "audit", "verify"); !verified.Valid || !verified.Complete {
		t.Errorf("the chain: %+v", verified)
	}
}

// oldEvents stores five judged events of half a year ago.
func oldEvents(ctx context.Context, s *store.Store) error {
	entry := store.JudgedEntry{Entry: queue.NewEntryID()}
	for i := range 5 {
		ms := time.Now().AddDate(0, 0, -180).UnixMilli() + int64(i)
		var id event.ID
		for b := range 6 {
			id[b] = byte(ms >> (40 - 8*b))
		}
		id[6], id[8] = 0x70, 0x80
		entry.Rows = append(entry.Rows, store.AuditRow{
			Event:    &event.Event{ID: id, ReceivedAt: ms * 1000, Timestamp: ms * 1000, Source: event.SourceSyslog, Severity: event.Absent, Facility: event.Absent, Hostname: "old", Message: fmt.Sprint("old ", i)},
			Decision: &event.Decision{Fate: event.FateRecorded, Severity: 1}})
	}
	_, err := s.Judge(ctx, "test", []store.JudgedEntry{entry})
	return err
}

// figure finds the value of a series in what /metrics says, -1 when it is not there.
func figure(text, series string) float64 {
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (\S+)$`).FindStringSubmatch(text)
	if found == nil {
		return -1
	}
	v, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		return -1
	}
	return v
}
