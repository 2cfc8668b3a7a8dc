// Package storetest holds what every database under the store must do: one suite, run on each.
//
// Principles:
//  1. Every case has its own empty store and is named after the clause that it holds.
//  2. No branch on the database: what differs is in the Harness.
//  3. A case fails when its clause is broken; tampering goes past the store, as an intruder would.
package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

// Harness is what a database brings to the suite.
type Harness struct {
	// Open gives a migrated store on a fresh, empty namespace; the test's end closes it. The harness adds to
	// the options where it is.
	Open func(t testing.TB, o store.Options) Instance
}

// Instance is one store and the ways past it.
type Instance struct {
	*store.Store
	// Exec runs a statement on the storage beside the store.
	Exec func(query string, args ...any) error
	// Unguard takes away what protects config_audit_log and its anchors from being edited.
	Unguard func() error
	// Reopen closes the store and opens it again on the same storage. A database with a server is restarted in between.
	Reopen func() *store.Store
}

// Run runs the suite. Cases that restart the database run alone, before the others.
func Run(t *testing.T, h Harness) {
	for name, run := range restartCases() {
		t.Run("Restart/"+name, func(t *testing.T) { run(t, h) })
	}
	for _, group := range []struct {
		name  string
		cases map[string]func(*testing.T, Harness)
	}{
		{"Change", changeCases()},
		{"ChangeMany", changeManyCases()},
		{"Configuration", configurationCases()},
		{"Identities", identityCases()},
		{"Position", positionCases()},
		{"Records", recordsCases()},
		{"ChangeAudit", changeAuditCases()},
		{"Retention", retentionCases()},
		{"Rotations", rotationCases()},
		{"Judge", judgeCases()},
		{"AuditLogs", auditLogCases()},
		{"Books", bookCases()},
		{"Unhandled", unhandledCases()},
	} {
		for name, run := range group.cases {
			t.Run(group.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				run(t, h)
			})
		}
	}
}

// clock is a clock that a case moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock {
	return &clock{t: time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.FixedZone("CET", 3600))}
}

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }

func (c *clock) Add(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.t = c.t.Add(d) }

func open(t testing.TB, h Harness) Instance {
	t.Helper()
	return h.Open(t, store.Options{Now: newClock().Now, Logger: zap.NewNop()})
}

func actor() store.Actor { return store.Actor{Name: "key:netops", CorrelationID: "corr-1"} }

// change runs fn as a change that must succeed.
func change(t testing.TB, s *store.Store, fn func(*store.Tx) error) int64 {
	t.Helper()
	rev, err := s.Change(t.Context(), actor(), "because", fn)
	must(t, err)
	return rev
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func value[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T { t.Helper(); must(t, err); return v }
}

func sampleRule(name string) rule.Rule {
	three := 3
	return rule.Rule{
		Name: name, MatchType: rule.Contains, MatchString: "link \"down\" <ä>", Priority: 10, SyslogSeverity: &three,
		ProdHandling: "Page_and_ticket", DevHandling: "Log_only", TeamAssignment: "NETO", IsActive: true,
		Examples: &rule.Examples{Matches: []string{"x"}, Expect: map[string]string{"a": "b"}},
	}
}

// epoch is when the made-up events begin.
func epoch() time.Time { return time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC) }

// idAt makes the n-th id of a millisecond, UUIDv7 in shape and order.
func idAt(at time.Time, n int) (id event.ID) {
	ms := at.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	id[6], id[8] = 0x70, 0x80
	id[13], id[14], id[15] = byte(n>>16), byte(n>>8), byte(n)
	return id
}

// row makes a judged event, received n milliseconds after the epoch.
func row(n int, edit func(*event.Event, *event.Decision)) store.AuditRow {
	at := epoch().Add(time.Duration(n) * time.Millisecond)
	e := &event.Event{
		ID: idAt(at, n), ReceivedAt: at.UnixMicro() + 7, Timestamp: at.Add(-time.Hour).UnixMicro() + 1, Source: event.SourceSyslog,
		Severity: event.Absent, Facility: event.Absent, Hostname: fmt.Sprintf("host-%d", n%3),
		Message: fmt.Sprintf("message %d", n), CorrelationID: fmt.Sprintf("c-%d", n),
	}
	d := &event.Decision{Fate: event.FateUnhandled, Severity: 1, RulesetVersion: 1}
	if edit != nil {
		edit(e, d)
	}
	return store.AuditRow{Event: e, Decision: d}
}

// entry makes the outcome of a queue entry with one count for each of its rows.
func entry(rows ...store.AuditRow) store.JudgedEntry {
	e := store.JudgedEntry{Entry: uuid.Must(uuid.NewV7()), Rows: rows}
	for _, r := range rows {
		e.Counts = append(e.Counts, store.LedgerCount{
			Minute: r.Event.ReceivedAt / 60_000_000, Source: r.Event.Source, Fate: r.Decision.Fate, N: 1,
		})
	}
	return e
}

func judge(t testing.TB, s *store.Store, entries ...store.JudgedEntry) []event.ID {
	t.Helper()
	return value[[]event.ID](t)(s.Judge(t.Context(), "p1", entries))
}
