package store_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/store"
	"github.com/muttproject/mutt/platform/testkit"
)

func judgeOK(t *testing.T, s *store.Store, entries ...store.JudgedEntry) {
	t.Helper()
	if known, err := s.Judge(t.Context(), "p", entries); err != nil || len(known) != 0 {
		t.Fatalf("known %v, %v", known, err)
	}
}

// eventAlone gives an event again at once, alone in its entry, as an operator who puts a dead letter back does.
func eventAlone(t *testing.T, server *testkit.PostgresServer) {
	stores, _ := processes(t, server, 1)
	s := stores[0]
	good, bad := judged("h", "first"), judged("h", "")
	bad.Decision.Fate = event.FatePoison
	judgeOK(t, s, judgedEntry(judged("h", ""), good, bad))
	again := good
	again.Decision = &event.Decision{Fate: event.FateForwarded, Team: "second"}
	healed := bad
	healed.Decision = &event.Decision{Fate: event.FateForwarded, Team: "healed"}
	judgeOK(t, s, judgedEntry(again), judgedEntry(healed), judgedEntry(healed))
	stored, err := s.Decisions(t.Context(), []event.ID{good.Event.ID, bad.Event.ID})
	if err != nil || stored[good.Event.ID].Team != "first" || stored[bad.Event.ID].Team != "healed" {
		t.Errorf("stored %v, %v", stored, err)
	}
	if n, _ := total(t, s); n != 3 {
		t.Errorf("%d rows, want 3", n)
	}
}

// badRow has one event that PostgreSQL refuses among good ones. The error is not that the store is away, nothing is
// stored, and its neighbours can be judged without it: that is how the alerter finds it.
func badRow(t *testing.T, server *testkit.PostgresServer) {
	stores, _ := processes(t, server, 1)
	s := stores[0]
	long := strings.Builder{}
	for long.Len() < 100_000 { // does not compress well
		long.WriteString(uuid.NewString())
	}
	good, bad := judgedEntry(judged("h", ""), judged("h", "")), judgedEntry(judged("h", ""), judged(long.String(), ""))
	_, err := s.Judge(t.Context(), "p", []store.JudgedEntry{good, bad})
	if err == nil || fault.CodeOf(err) != fault.ValueRefused {
		t.Errorf("got %v, want a refusal", err)
	}
	if n, counted := total(t, s); n != 0 || counted != 0 {
		t.Errorf("%d rows, %d counted after a refusal", n, counted)
	}
	judgeOK(t, s, good)
	bad.Rows = nil // its fate is stored without a row
	judgeOK(t, s, bad)
	if n, counted := total(t, s); n != 2 || counted != 4 {
		t.Errorf("%d rows, %d counted", n, counted)
	}
}

// badTexts holds that bytes which no text of PostgreSQL can have do not refuse the whole batch.
func badTexts(t *testing.T, server *testkit.PostgresServer) {
	stores, _ := processes(t, server, 1)
	row := judged("a\x00b\xff", "t\x00")
	row.Event.CorrelationID, row.Event.Message = "\xc3", "m\x00\xff"
	judgeOK(t, stores[0], judgedEntry(judged("h", ""), row))
	got, err := stores[0].AuditByID(t.Context(), row.Event.ID)
	if err != nil || got.Hostname != "a\uFFFDb\uFFFD" || got.Decision.Team != "t\uFFFD" || got.CorrelationID != "\uFFFD" {
		t.Errorf("%+v, %v", got, err)
	}
}
