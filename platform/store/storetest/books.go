package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

func bookCases() map[string]func(*testing.T, Harness) {
	return map[string]func(*testing.T, Harness){
		"folding sets running totals":    folding,
		"sums of some minutes":           kindSums,
		"sums over everything":           booksTotal,
		"rate per minute is received":    ratePerMinute,
		"merged books are the same":      mergedBooks,
		"merged books are few":           mergedBooksAreFew,
		"steps agree with sums":          stepsAgreeWithSums,
		"hits of rules":                  hitsOfRules,
		"damaged hits of rules":          damagedHits,
		"histograms":                     histograms,
		"counts of entries without rows": countsWithoutRows,
	}
}

func folding(t *testing.T, h Harness) {
	s := open(t, h)
	fold := func(n int64) {
		must(t, s.FoldCounts(t.Context(), []store.MinuteCount{
			{Minute: 10, Process: "p1", Kind: queue.CountReceived, Label: "http", N: n},
			{Minute: 10, Process: "p2", Kind: queue.CountReceived, Label: "http", N: 100},
		}))
	}
	for _, step := range []struct{ total, want int64 }{{5, 105}, {5, 105}, {9, 109}, {7, 109}} {
		fold(step.total)
		if got := value[store.Books](t)(s.Books(t.Context())).Kinds[queue.CountReceived]; got != step.want {
			t.Errorf("after folding %d: %d, want %d", step.total, got, step.want)
		}
	}
	must(t, s.FoldCounts(t.Context(), nil))
}

func kindSums(t *testing.T, h Harness) {
	s := open(t, h)
	minute := epoch().Unix() / 60
	forwarded := func(_ *event.Event, d *event.Decision) { d.Fate = event.FateForwarded }
	judge(t, s.Store, entry(row(0, nil), row(1, nil), row(2, forwarded), row(60_000, nil)))
	must(t, func() error {
		_, err := s.Judge(t.Context(), "p2", []store.JudgedEntry{entry(row(3, nil))})
		return err
	}())
	must(t, s.FoldCounts(t.Context(), []store.MinuteCount{
		{Minute: minute, Process: "a", Kind: queue.CountReceived, Label: "syslog", N: 3},
		{Minute: minute, Process: "b", Kind: queue.CountReceived, Label: "syslog", N: 2},
		{Minute: minute + 2, Process: "b", Kind: queue.CountDelivered, N: 1},
	}))
	for _, c := range []struct {
		from, to int64
		want     []store.KindSum
	}{
		{minute, minute + 2, []store.KindSum{
			{Kind: store.FatePrefix + "forwarded", Label: "syslog", N: 1},
			{Kind: store.FatePrefix + "unhandled", Label: "syslog", N: 4},
			{Kind: queue.CountReceived, Label: "syslog", N: 5},
		}},
		{minute + 1, minute + 3, []store.KindSum{
			{Kind: queue.CountDelivered, N: 1},
			{Kind: store.FatePrefix + "unhandled", Label: "syslog", N: 1},
		}},
		{minute + 3, minute + 9, []store.KindSum{}},
	} {
		if diff := cmp.Diff(c.want, value[[]store.KindSum](t)(s.Sums(t.Context(), c.from, c.to))); diff != "" {
			t.Errorf("minutes %d to %d (-want +got):\n%s", c.from-minute, c.to-minute, diff)
		}
	}
}

func booksTotal(t *testing.T, h Harness) {
	s := open(t, h)
	if b := value[store.Books](t)(s.Books(t.Context())); len(b.Fates)+len(b.Kinds) != 0 {
		t.Errorf("books of nothing: %v", b)
	}
	judge(t, s.Store, entry(row(0, nil), row(1, func(_ *event.Event, d *event.Decision) { d.Fate = event.FateShed })))
	must(t, s.FoldCounts(t.Context(), []store.MinuteCount{{Minute: 1, Process: "a", Kind: queue.CountParked, N: 1}}))
	want := store.Books{Fates: map[event.Fate]int64{event.FateUnhandled: 1, event.FateShed: 1}, Kinds: map[string]int64{queue.CountParked: 1}}
	if diff := cmp.Diff(want, value[store.Books](t)(s.Books(t.Context()))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func ratePerMinute(t *testing.T, h Harness) {
	s := open(t, h)
	must(t, s.FoldCounts(t.Context(), []store.MinuteCount{
		{Minute: 9, Process: "a", Kind: queue.CountReceived, Label: "http", N: 50},
		{Minute: 10, Process: "a", Kind: queue.CountReceived, Label: "http", N: 1},
		{Minute: 10, Process: "b", Kind: queue.CountReceived, Label: "syslog", N: 2},
		{Minute: 12, Process: "b", Kind: queue.CountReceived, Label: "syslog", N: 4},
		{Minute: 12, Process: "b", Kind: queue.CountDelivered, N: 8},
		{Minute: 13, Process: "b", Kind: queue.CountReceived, Label: "syslog", N: 16},
	}))
	if diff := cmp.Diff([]int64{3, 0, 4}, value[[]int64](t)(s.RatePerMinute(t.Context(), 10, 13))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := value[[]int64](t)(s.RatePerMinute(t.Context(), 10, 5)); len(got) != 0 {
		t.Errorf("an empty range: %v", got)
	}
}

// stepsAgreeWithSums holds each step to Sums over its minutes.
func stepsAgreeWithSums(t *testing.T, h Harness) {
	s := open(t, h)
	var folded []store.MinuteCount
	for m := range int64(60) {
		folded = append(folded, store.MinuteCount{Minute: 100 + m, Process: "a", Kind: queue.CountReceived, Label: "http", N: m},
			store.MinuteCount{Minute: 100 + m, Process: "b", Kind: queue.CountReceived, Label: "syslog", N: 2 * m}, store.MinuteCount{Minute: 100 + m, Process: "b", Kind: queue.CountDelivered, N: 3})
		e := entry(row(int(m)+1, nil))
		e.Counts = []store.LedgerCount{{Minute: 100 + m, Source: event.SourceHTTP, Fate: event.FateUnhandled, N: m}, {Minute: 100 + m, Source: event.SourceSyslog, Fate: event.FateUnhandled, N: 1}}
		judge(t, s.Store, e)
	}
	must(t, s.FoldCounts(t.Context(), folded))
	for from, want := range map[int64]int64{0: 1830, 100: 1830, 159: 60, 160: 0} {
		if got := value[int64](t)(s.Judged(t.Context(), from)); got != want {
			t.Errorf("judged from minute %d on: %d, want %d", from, got, want)
		}
	}
	for _, c := range []struct{ from, to, step int64 }{{100, 160, 1}, {103, 158, 5}, {90, 200, 7}, {110, 110, 5}, {100, 160, 60}} {
		got := map[int]map[string]int64{}
		for _, st := range value[[]store.StepSum](t)(s.Steps(t.Context(), c.from, c.to, c.step)) {
			if got[st.Step] == nil {
				got[st.Step] = map[string]int64{}
			}
			got[st.Step][st.Kind] = st.N
		}
		want := map[int]map[string]int64{}
		for n, from := 0, c.from; from < c.to; n, from = n+1, from+c.step {
			for _, sum := range value[[]store.KindSum](t)(s.Sums(t.Context(), from, min(from+c.step, c.to))) {
				if want[n] == nil {
					want[n] = map[string]int64{}
				}
				want[n][sum.Kind] += sum.N
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%+v (-sums +steps):\n%s", c, diff)
		}
	}
}

func countsWithoutRows(t *testing.T, h Harness) {
	s := open(t, h)
	e := entry(row(1, nil))
	e.Counts = append(e.Counts, e.Counts[0], store.LedgerCount{Minute: 1, Source: event.SourceHTTP, Fate: event.FateUnhandled, N: 98})
	e.Rows = nil // sampled away
	judge(t, s.Store, e)
	if got := value[store.Books](t)(s.Books(t.Context())).Fates[event.FateUnhandled]; got != 100 {
		t.Errorf("the book says %d, want 100", got)
	}
}
