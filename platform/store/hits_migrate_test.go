package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/store"
)

// beforeHits is the last schema without hits of rules.
const beforeHits = 10

// hitEntry is an entry of one event that the rule 7 wins.
func hitEntry(at time.Time) store.JudgedEntry {
	return store.JudgedEntry{Entry: uuid.Must(uuid.NewV7()), Rows: []store.AuditRow{{
		Event:    &event.Event{ID: uuid.Must(uuid.NewV7()), ReceivedAt: at.UnixMicro(), Timestamp: at.UnixMicro(), Source: event.SourceSyslog, Hostname: "sw1", Message: "down"},
		Decision: &event.Decision{Fate: event.FateForwarded, Handling: event.PageOnly, RuleID: 7, RuleName: "down", Team: "NETO"}}},
		Counts: []store.LedgerCount{{Minute: at.Unix() / 60, Source: event.SourceSyslog, Fate: event.FateForwarded, N: 1}}}
}

// TestMigrationAddsHits: a store with books is upgraded, keeps them, and counts hits from then on. What was judged before is in no count.
func TestMigrationAddsHits(t *testing.T) {
	t.Parallel()
	for name, old := range olderStores(beforeHits) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, o := old(t)
			for _, statement := range []string{
				`INSERT INTO alert_rules (name, definition, revision) VALUES ('down', '{}', 1)`,
				`INSERT INTO ledger (minute, process, source, fate, n) VALUES (29000000, 'a', 1, 1, 41)`,
			} {
				if _, err := db.ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			o.Logger, o.Now = zap.NewNop(), time.Now
			s := openOn(t, o)
			for range 2 { // the second time it finds nothing to do
				if err := s.Migrate(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			now := time.Now()
			if _, err := s.EnsurePartitions(t.Context(), now, 1); err != nil {
				t.Fatal(err)
			}
			if hits, err := s.RuleHits(t.Context(), now.Add(-time.Hour)); err != nil || len(hits) != 0 {
				t.Errorf("hits of before: %+v %v", hits, err)
			}
			if _, err := s.Judge(t.Context(), "a", []store.JudgedEntry{hitEntry(now)}); err != nil {
				t.Fatal(err)
			}
			if err := s.FoldHits(t.Context()); err != nil {
				t.Fatal(err)
			}
			if hits, err := s.RuleHits(t.Context(), now.Add(-time.Hour)); err != nil || len(hits) != 1 || hits[0].RuleID != 7 || hits[0].N != 1 {
				t.Errorf("hits: %+v %v", hits, err)
			}
			if n, err := s.Judged(t.Context(), 0); err != nil || n != 42 {
				t.Errorf("the book of judging has %d events, %v", n, err)
			}
		})
	}
}
