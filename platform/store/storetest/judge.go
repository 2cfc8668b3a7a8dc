package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/store"
)

func judgeCases() map[string]func(*testing.T, Harness) {
	return map[string]func(*testing.T, Harness){
		"a row reads back as judged":                 rowRoundTrip,
		"a known entry adds nothing":                 knownEntry,
		"the first decision stands":                  firstDecision,
		"a poison event is judged anew":              poisonAgain,
		"any redelivery gives one row and exact sum": anyRedelivery,
		"processes at once":                          judgeAtOnce,
		"all or nothing":                             judgeAtomic,
		"split entries":                              splitEntries,
		"pruned marks are forgotten":                 prunedMarks,
		"every number of rows":                       everySize,
		"decisions of many events":                   manyDecisions,
	}
}

func rowRoundTrip(t *testing.T, h Harness) {
	s := open(t, h)
	full := row(1, func(e *event.Event, d *event.Decision) {
		e.Severity, e.Facility, e.SourceIP, e.Message = 0, 23, "192.0.2.1", "ä \"x\" '; --"
		*d = event.Decision{Fate: event.FateForwarded, Handling: event.TicketOnly, Dev: true, Severity: 5, RuleID: 7,
			RuleName: "link", Team: "NETO", Signature: "h::link", RulesetVersion: 9}
	})
	bare := row(2, func(e *event.Event, _ *event.Decision) { e.Hostname, e.CorrelationID = "", "" })
	judge(t, s.Store, entry(full, bare))
	seven := int64(7)
	for _, tc := range []struct {
		row    store.AuditRow
		ruleID *int64
	}{{full, &seven}, {bare, nil}} {
		e := tc.row.Event
		want := store.AuditLog{
			ID: e.ID, EventTimestamp: time.UnixMicro(e.Timestamp).UTC(), ReceivedAt: time.UnixMicro(e.ReceivedAt).UTC(), Hostname: e.Hostname,
			RuleID: tc.ruleID, RuleName: tc.row.Decision.RuleName, Decision: *tc.row.Decision, CorrelationID: e.CorrelationID,
			Source: e.Source, SyslogSeverity: e.Severity, RawMessage: string(event.AppendEventJSON(nil, e)),
		}
		if diff := cmp.Diff(want, value[store.AuditLog](t)(s.AuditByID(t.Context(), e.ID))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if _, err := s.AuditByID(t.Context(), uuid.New()); !fault.Is(err, fault.NotFound) {
		t.Errorf("an unknown event: %v", err)
	}
}

func knownEntry(t *testing.T, h Harness) {
	s := open(t, h)
	first, second := entry(row(1, nil)), entry(row(2, nil))
	if known := judge(t, s.Store, first); len(known) != 0 {
		t.Errorf("a new entry is known: %v", known)
	}
	again := first
	again.Rows = []store.AuditRow{row(1, func(_ *event.Event, d *event.Decision) { d.Fate = event.FateIgnored }), row(3, nil)}
	if diff := cmp.Diff([]event.ID{first.Entry}, judge(t, s.Store, again, second)); diff != "" {
		t.Errorf("known (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]event.ID{second.Entry, second.Entry}, judge(t, s.Store, second, second)); diff != "" {
		t.Errorf("known (-want +got):\n%s", diff)
	}
	third := entry(row(4, nil))
	if diff := cmp.Diff([]event.ID{third.Entry}, judge(t, s.Store, third, third)); diff != "" {
		t.Errorf("twice in one call (-want +got):\n%s", diff)
	}
	page := value[store.Page[store.AuditLog]](t)(s.AuditLogs(t.Context(), store.AuditFilter{}))
	books := value[store.Books](t)(s.Books(t.Context()))
	if page.Total != 3 || books.Fates[event.FateUnhandled] != 3 || books.Fates[event.FateIgnored] != 0 {
		t.Errorf("%d rows, books %v", page.Total, books.Fates)
	}
}

func firstDecision(t *testing.T, h Harness) {
	s := open(t, h)
	judge(t, s.Store, entry(row(1, func(_ *event.Event, d *event.Decision) { d.Team = "A" })))
	judge(t, s.Store, entry(row(0, nil), row(1, func(_ *event.Event, d *event.Decision) { d.Team = "B" }), row(2, nil)))
	got := value[store.AuditLog](t)(s.AuditByID(t.Context(), row(1, nil).Event.ID))
	if n := value[store.Page[store.AuditLog]](t)(s.AuditLogs(t.Context(), store.AuditFilter{})).Total; got.Decision.Team != "A" || n != 3 {
		t.Errorf("team %s, %d rows", got.Decision.Team, n)
	}
}

func poisonAgain(t *testing.T, h Harness) {
	s := open(t, h)
	poison := row(1, func(_ *event.Event, d *event.Decision) { d.Fate = event.FatePoison })
	judge(t, s.Store, entry(poison))
	healed := row(1, func(e *event.Event, d *event.Decision) { e.Source, d.Fate = event.SourceReplay, event.FateRecorded })
	judge(t, s.Store, entry(row(0, nil), healed, row(2, nil)))
	page := value[store.Page[store.AuditLog]](t)(s.AuditLogs(t.Context(), store.AuditFilter{}))
	if page.Total != 3 || page.Items[1].Decision.Fate != event.FateRecorded {
		t.Errorf("%d rows, fate %s", page.Total, page.Items[1].Decision.Fate)
	}
}

// anyRedelivery gives entries again and again in random groups, as a broker does, and compares with the plain sum.
func anyRedelivery(t *testing.T, h Harness) {
	s, n := open(t, h), 0
	rapid.Check(t, func(rt *rapid.T) {
		before := value[store.Books](t)(s.Books(t.Context())).Fates // of the runs before
		start := n
		want := map[event.Fate]int64{}
		entries := make([]store.JudgedEntry, rapid.IntRange(1, 5).Draw(rt, "entries"))
		decisions := map[event.ID]event.Decision{}
		for i := range entries {
			rows := make([]store.AuditRow, rapid.IntRange(0, 30).Draw(rt, "rows"))
			for k := range rows {
				n++
				rows[k] = row(n, func(_ *event.Event, d *event.Decision) { d.Fate = event.Fates()[n%7] })
				want[rows[k].Decision.Fate]++
				decisions[rows[k].Event.ID] = *rows[k].Decision
			}
			entries[i] = entry(rows...)
		}
		done := map[event.ID]bool{}
		deliveries := rapid.SliceOfN(rapid.SliceOfN(rapid.IntRange(0, len(entries)-1), 1, 4), 0, 6).Draw(rt, "deliveries")
		for i := range entries {
			deliveries = append(deliveries, []int{i})
		}
		for i, group := range deliveries {
			batch, wantKnown := []store.JudgedEntry{}, []event.ID{}
			for _, k := range group {
				batch = append(batch, entries[k])
				if done[entries[k].Entry] {
					wantKnown = append(wantKnown, entries[k].Entry)
				}
				done[entries[k].Entry] = true
			}
			known, err := s.Judge(t.Context(), fmt.Sprintf("p%d", i%2), batch)
			slices.SortFunc(wantKnown, func(a, b event.ID) int { return slices.Compare(a[:], b[:]) })
			if err != nil || !slices.Equal(known, wantKnown) {
				rt.Fatalf("known %v, want %v, %v", known, wantKnown, err)
			}
		}
		got := map[event.ID]event.Decision{}
		for _, a := range walk(rt, s.Store, store.AuditFilter{Limit: 1000, Start: epoch().Add(time.Duration(start+1) * time.Millisecond)}) {
			got[a.ID] = a.Decision
		}
		if diff := cmp.Diff(decisions, got); diff != "" {
			rt.Fatalf("rows (-want +got):\n%s", diff)
		}
		books, err := s.Books(t.Context())
		for fate, old := range before {
			want[fate] += old
		}
		if diff := cmp.Diff(want, books.Fates); diff != "" || err != nil {
			rt.Fatalf("%v; sums (-want +got):\n%s", err, diff)
		}
	})
}

func judgeAtOnce(t *testing.T, h Harness) {
	s := open(t, h)
	entries := make([]store.JudgedEntry, 20)
	for i := range entries {
		entries[i] = entry(row(2*i, nil), row(2*i+1, nil))
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	fresh := 0
	for p := range 4 {
		wg.Go(func() {
			for i := range entries {
				pair := []store.JudgedEntry{entries[(i*7+p)%20], entries[(i*3+p*5)%20]}
				known, err := s.Judge(t.Context(), fmt.Sprint(p), pair)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				fresh += len(pair) - len(known)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	books := value[store.Books](t)(s.Books(t.Context()))
	if total := value[store.Page[store.AuditLog]](t)(s.AuditLogs(t.Context(), store.AuditFilter{})).Total; total != 40 || fresh != 20 ||
		books.Fates[event.FateUnhandled] != 40 {
		t.Errorf("%d rows, %d entries were new, books %v", total, fresh, books.Fates)
	}
}

// judgeAtomic ends the context at many moments of a Judge: after it, the entry is whole or not there.
func judgeAtomic(t *testing.T, h Harness) {
	s := open(t, h)
	var want int64
	for i := range 40 {
		rows := make([]store.AuditRow, 60)
		for k := range rows {
			rows[k] = row(60*i+k, nil)
		}
		e := entry(rows...)
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*200*time.Microsecond)
		_, err := s.Judge(ctx, "p", []store.JudgedEntry{e})
		cancel()
		if err == nil {
			want += 60
		} else if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("the error is %v", err)
		} else if known := judge(t, s.Store, e); len(known) != 0 { // what an alerter does next
			t.Fatalf("a cancelled entry is known")
		} else {
			want += 60
		}
		books := value[store.Books](t)(s.Books(t.Context()))
		total := value[store.Page[store.AuditLog]](t)(s.AuditLogs(t.Context(), store.AuditFilter{})).Total
		if total != want || books.Fates[event.FateUnhandled] != want {
			t.Fatalf("round %d: %d rows and %v in the book, want %d", i, total, books.Fates, want)
		}
	}
}

func splitEntries(t *testing.T, h Harness) {
	s := open(t, h)
	judged, fresh := entry(row(1, nil)), entry(row(2, nil))
	judge(t, s.Store, judged)
	if !value[bool](t)(s.Split(t.Context(), judged.Entry)) {
		t.Error("a judged entry can be split")
	}
	for range 2 {
		if value[bool](t)(s.Split(t.Context(), fresh.Entry)) {
			t.Error("a split entry counts as judged")
		}
	}
	if known := judge(t, s.Store, fresh); len(known) != 1 {
		t.Error("a split entry can be judged as a whole")
	}
	part := entry(row(2, nil))
	if known := judge(t, s.Store, part); len(known) != 0 {
		t.Error("a part of it cannot be judged")
	}
	if n := len(value[map[event.ID]event.Decision](t)(s.Decisions(t.Context(), []event.ID{row(1, nil).Event.ID, row(2, nil).Event.ID}))); n != 2 {
		t.Errorf("%d decisions, want 2", n)
	}
}

func prunedMarks(t *testing.T, h Harness) {
	c := newClock()
	s := h.Open(t, store.Options{Now: c.Now, Logger: zap.NewNop()})
	old, young := entry(), entry()
	judge(t, s.Store, old)
	c.Add(time.Hour)
	judge(t, s.Store, young)
	if n := value[int64](t)(s.PruneBatches(t.Context(), c.Now())); n != 1 {
		t.Errorf("%d marks pruned, want 1", n)
	}
	if diff := cmp.Diff([]event.ID{young.Entry}, judge(t, s.Store, old, young)); diff != "" {
		t.Errorf("known (-want +got):\n%s", diff)
	}
}

func everySize(t *testing.T, h Harness) {
	s := open(t, h)
	n, total := 0, int64(0)
	for _, size := range []int{0, 1, 2, 9, 10, 11, 49, 50, 51, 99, 100, 137, 501} {
		rows := make([]store.AuditRow, size)
		for i := range rows {
			n++
			rows[i] = row(n, nil)
		}
		entries := []store.JudgedEntry{}
		for part := range slices.Chunk(rows, max(size/7, 1)) {
			entries = append(entries, entry(part...))
		}
		judge(t, s.Store, entries...)
		total += int64(size)
		if got := value[store.Page[store.AuditLog]](t)(s.AuditLogs(t.Context(), store.AuditFilter{})).Total; got != total {
			t.Errorf("after %d rows at once: %d rows, want %d", size, got, total)
		}
	}
}

func manyDecisions(t *testing.T, h Harness) {
	s := open(t, h)
	rows, ids := make([]store.AuditRow, 1203), []event.ID{uuid.New()}
	for i := range rows {
		rows[i] = row(i, func(_ *event.Event, d *event.Decision) { d.Team = fmt.Sprint(i) })
		ids = append(ids, rows[i].Event.ID)
	}
	judge(t, s.Store, entry(rows...))
	got := value[map[event.ID]event.Decision](t)(s.Decisions(t.Context(), ids))
	want := map[event.ID]event.Decision{}
	for _, r := range rows {
		want[r.Event.ID] = *r.Decision
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if none := value[map[event.ID]event.Decision](t)(s.Decisions(t.Context(), nil)); len(none) != 0 {
		t.Errorf("decisions of nothing: %v", none)
	}
}
