package storetest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/store"
)

func restartCases() map[string]func(*testing.T, Harness) {
	return map[string]func(*testing.T, Harness){
		"configuration survives":   survivesRestart,
		"counters survive":         countersSurvive,
		"judged entries are known": judgedSurvive,
		"merging goes on":          mergingRestarted,
	}
}

func survivesRestart(t *testing.T, h Harness) {
	s := open(t, h)
	change(t, s.Store, func(tx *store.Tx) error {
		_, err := tx.CreateRule(sampleRule("r"))
		return errors.Join(err, tx.PutDevHost("d"), tx.SetConfig("a", "1"))
	})
	must(t, s.CreateSession(t.Context(), sampleSession("a")))
	before := snapshot(t, s.Store)
	again := s.Reopen()
	if diff := cmp.Diff(before, snapshot(t, again)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	if found := value[*store.Session](t)(again.Session(t.Context(), hashOf("a"))); found == nil {
		t.Error("the session is gone")
	}
}

func countersSurvive(t *testing.T, h Harness) {
	s := open(t, h)
	must(t, s.MarkUnhandled(t.Context(), count(t, s.Store, add("h", "m", 5, 0))...))
	got := count(t, s.Reopen(), add("h", "m", 1, 1))
	expect(t, "after a restart", got, store.Counter{Host: "h", Mask: "m", N: 6, WindowStart: at(0), Marked: true, Sample: "m at 0"})
}

func judgedSurvive(t *testing.T, h Harness) {
	s := open(t, h)
	e := entry(row(1, nil), row(2, nil))
	judge(t, s.Store, e)
	again := s.Reopen()
	if diff := cmp.Diff([]event.ID{e.Entry}, judge(t, again, e)); diff != "" {
		t.Errorf("known (-want +got):\n%s", diff)
	}
	books := value[store.Books](t)(again.Books(t.Context()))
	if n := value[store.Page[store.AuditLog]](t)(again.AuditLogs(t.Context(), store.AuditFilter{})).Total; n != 2 || books.Fates[event.FateUnhandled] != 2 {
		t.Errorf("%d rows, books %v", n, books.Fates)
	}
}
