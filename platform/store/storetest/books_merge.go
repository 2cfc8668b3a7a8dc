package storetest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

// naiveBooks keeps every count in its minute for ever.
type naiveBooks struct {
	folded map[store.MinuteCount]int64 // key with N 0
	judged map[store.LedgerCount]int64 // key with N 0
}

func (b *naiveBooks) sums(from, to int64) map[store.KindSum]int64 {
	out := map[store.KindSum]int64{}
	for c, n := range b.folded {
		if c.Minute >= from && c.Minute < to {
			out[store.KindSum{Kind: c.Kind, Label: c.Label}] += n
		}
	}
	for c, n := range b.judged {
		if c.Minute >= from && c.Minute < to {
			out[store.KindSum{Kind: store.FatePrefix + c.Fate.String(), Label: c.Source.String()}] += n
		}
	}
	return out
}

func (b *naiveBooks) fold(t *testing.T, s *store.Store, counts []store.MinuteCount) {
	t.Helper()
	must(t, s.FoldCounts(t.Context(), counts))
	for _, c := range counts {
		n := c.N
		c.N = 0
		b.folded[c] = max(b.folded[c], n)
	}
}

func (b *naiveBooks) judge(t *testing.T, s *store.Store, counts []store.LedgerCount) {
	t.Helper()
	e := entry()
	e.Counts = counts
	judge(t, s, e)
	for _, c := range counts {
		n := c.N
		c.N = 0
		b.judged[c] += n
	}
}

// agree compares the store with the naive books over all time and over a window, between two minutes on the grid.
func (b *naiveBooks) agree(t *testing.T, s *store.Store, from, to int64) {
	t.Helper()
	want := store.Books{Fates: map[event.Fate]int64{}, Kinds: map[string]int64{}}
	for c, n := range b.folded {
		want.Kinds[c.Kind] += n
	}
	for c, n := range b.judged {
		want.Fates[c.Fate] += n
	}
	if diff := cmp.Diff(want, value[store.Books](t)(s.Books(t.Context()))); diff != "" {
		t.Fatalf("all time (-want +got):\n%s", diff)
	}
	got := map[store.KindSum]int64{}
	for _, sum := range value[[]store.KindSum](t)(s.Sums(t.Context(), from, to)) {
		got[store.KindSum{Kind: sum.Kind, Label: sum.Label}] = sum.N
	}
	if diff := cmp.Diff(b.sums(from, to), got); diff != "" {
		t.Fatalf("minutes %d to %d (-want +got):\n%s", from, to, diff)
	}
}

// gridMinute returns a random minute of the last 100 days that may be the border of a window: of a day, an hour or a minute by its age.
func gridMinute(r *rand.Rand, now time.Time) int64 {
	minute := now.Unix()/60 - r.Int64N(100*24*60)
	switch age := now.Unix()/60 - minute; {
	case age > 40*24*60:
		return minute - minute%(24*60)
	case age > 71*60:
		return minute - minute%60
	}
	return minute
}

// mergedBooks does everything that touches the books in random order, merges that are cut off and several at once included, and compares with
// the naive books.
func mergedBooks(t *testing.T, h Harness) {
	s := open(t, h)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	b := &naiveBooks{map[store.MinuteCount]int64{}, map[store.LedgerCount]int64{}}
	someMinute := func() int64 { // in few hours and days, so that rows meet
		age := []int64{0, 71 * 60, 73 * 60, 39 * 24 * 60, 42 * 24 * 60, 90 * 24 * 60}[r.IntN(6)]
		return now.Unix()/60 - age - r.Int64N(180)
	}
	for i := range 150 {
		switch r.IntN(6) {
		case 0, 1: // a process run that counts, in old minutes too
			var counts []store.MinuteCount
			for range 1 + r.IntN(20) {
				counts = append(counts, store.MinuteCount{Minute: someMinute(), Process: fmt.Sprint("run-", i), Kind: []string{queue.CountReceived, queue.CountDelivered}[r.IntN(2)],
					Label: []string{"", "http"}[r.IntN(2)], N: 1 + r.Int64N(50)})
			}
			b.fold(t, s.Store, counts)
		case 2:
			var counts []store.LedgerCount
			for range 1 + r.IntN(10) {
				counts = append(counts, store.LedgerCount{Minute: someMinute(), Source: event.SourceHTTP, Fate: []event.Fate{event.FateForwarded, event.FateUnhandled}[r.IntN(2)],
					N: 1 + r.Int64N(50)})
			}
			b.judge(t, s.Store, counts)
		case 3: // a process that was halted writes what it had read, or a queue comes back from a backup
			var again []store.MinuteCount
			for c := range maps.Keys(b.folded) {
				if c.N = 1 + r.Int64N(b.folded[c]); r.IntN(3) == 0 {
					again = append(again, c)
				}
			}
			b.fold(t, s.Store, again)
		case 4: // two janitors, one of which may be cut off
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(r.IntN(20))*time.Millisecond)
			var both sync.WaitGroup
			both.Go(func() { _, _ = s.MergeBooks(ctx, now, 5) })
			if _, err := s.MergeBooks(t.Context(), now, r.IntN(8)); err != nil {
				t.Error(err)
			}
			both.Wait()
			cancel()
		case 5:
			now = now.Add(time.Duration(r.IntN(30)) * time.Hour)
		}
		from, to := gridMinute(r, now), gridMinute(r, now)
		b.agree(t, s.Store, min(from, to), max(from, to))
	}
	for taken := 1000; taken == 1000; {
		taken = value[int](t)(s.MergeBooks(t.Context(), now, 1000))
	}
	b.agree(t, s.Store, 0, now.Unix()/60-now.Unix()/60%(24*60)-50*24*60)
}

// mergedBooksAreFew holds what merging is for: few rows, and no more steps when nothing is old.
func mergedBooksAreFew(t *testing.T, h Harness) {
	s := open(t, h)
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	day := now.Unix()/60/1440*1440 - 60*1440
	var counts []store.MinuteCount
	for m := range int64(1440) {
		counts = append(counts, store.MinuteCount{Minute: day + m, Process: "a", Kind: queue.CountReceived, N: 1}, store.MinuteCount{Minute: day + m, Process: "b", Kind: queue.CountReceived, N: 1})
	}
	must(t, s.FoldCounts(t.Context(), counts))
	for _, c := range []struct{ steps, taken int }{{10, 10}, {100, 15}, {100, 0}} { // 24 hours, 1 day
		if taken := value[int](t)(s.MergeBooks(t.Context(), now, c.steps)); taken != c.taken {
			t.Errorf("took %d of %d steps, want %d", taken, c.steps, c.taken)
		}
	}
	rate := value[[]int64](t)(s.RatePerMinute(t.Context(), day, day+1440))
	if rate[0] != 2880 {
		t.Errorf("the day's first minute has %d, want the whole day", rate[0])
	}
	for _, c := range []struct {
		name  string
		count store.MinuteCount
		want  int64
	}{
		{"a total that was merged", counts[500], 2880},
		{"one that rose since", store.MinuteCount{Minute: day + 7, Process: "a", Kind: queue.CountReceived, N: 5}, 2880},
		{"another run, late", store.MinuteCount{Minute: day + 7, Process: "c", Kind: queue.CountReceived, N: 5}, 2885},
		{"a later minute of a merged run", store.MinuteCount{Minute: day + 1440, Process: "a", Kind: queue.CountReceived, N: 5}, 2890},
	} {
		must(t, s.FoldCounts(t.Context(), []store.MinuteCount{c.count}))
		if got := value[store.Books](t)(s.Books(t.Context())).Kinds[queue.CountReceived]; got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// mergingRestarted stops the database in the middle of merging.
func mergingRestarted(t *testing.T, h Harness) {
	s := open(t, h)
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	b := &naiveBooks{map[store.MinuteCount]int64{}, map[store.LedgerCount]int64{}}
	var counts []store.MinuteCount
	var judged []store.LedgerCount
	for m := range int64(48 * 60) {
		minute := now.Unix()/60 - 50*24*60 + m
		counts = append(counts, store.MinuteCount{Minute: minute, Process: "a", Kind: queue.CountReceived, N: 1 + m})
		judged = append(judged, store.LedgerCount{Minute: minute, Source: event.SourceHTTP, Fate: event.FateForwarded, N: 1 + m})
	}
	b.fold(t, s.Store, counts)
	b.judge(t, s.Store, judged)
	begun, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for n := 0; ; n++ {
			if taken, err := s.MergeBooks(t.Context(), now, 1); err != nil || taken == 0 {
				return
			}
			if n == 5 {
				close(begun)
			}
		}
	}()
	<-begun
	again := s.Reopen()
	<-ended
	b.agree(t, again, 0, now.Unix()/60)
	b.fold(t, again, counts)
	if taken := value[int](t)(again.MergeBooks(t.Context(), now, 1000)); taken == 0 {
		t.Error("everything had been merged before the restart")
	}
	b.fold(t, again, counts)
	b.agree(t, again, 0, now.Unix()/60)
}
