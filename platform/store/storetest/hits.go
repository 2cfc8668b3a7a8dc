package storetest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

// hitsOfRules judges at random, some entries twice, and folds at random moments; a plain count of what was judged first must be what the
// store says.
func hitsOfRules(t *testing.T, h Harness) {
	s, random := open(t, h), rand.New(rand.NewPCG(7, 8))
	const deleted = 11 // a rule that is not there any more; 1 to 10 are
	for id := range int64(deleted - 1) {
		change(t, s.Store, func(tx *store.Tx) error {
			_, err := tx.CreateRule(rule.Rule{Name: fmt.Sprint(id), MatchString: "x", ProdHandling: "Ignore", DevHandling: "Ignore", TeamAssignment: "NETO", IsActive: true})
			return err
		})
	}
	base := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	type want struct {
		byHour map[int64]int64
		last   time.Time
	}
	naive := map[int64]*want{}
	n := 0
	for range 40 {
		var entries []store.JudgedEntry
		for range 1 + random.IntN(3) {
			e := entry()
			for range random.IntN(30) {
				n++
				r := row(n, nil)
				at := base.Add(time.Duration(random.IntN(5*3600)) * time.Second)
				e1, decision := *r.Event, *r.Decision
				e1.ReceivedAt, decision.RuleID, decision.Fate = at.UnixMicro(), int64(random.IntN(12)), drawnFate(random)
				r.Event, r.Decision = &e1, &decision
				e.Rows = append(e.Rows, r)
				if decision.RuleID == 0 || decision.Fate == poison {
					continue
				}
				w := naive[decision.RuleID]
				if w == nil {
					w = &want{byHour: map[int64]int64{}}
					naive[decision.RuleID] = w
				}
				w.byHour[at.Unix()/3600]++
				if at.After(w.last) {
					w.last = at
				}
			}
			entries = append(entries, e)
		}
		judge(t, s.Store, entries...)
		if random.IntN(3) == 0 {
			judge(t, s.Store, entries...) // redelivered: counts nothing
		}
		if random.IntN(4) == 0 {
			var both sync.WaitGroup
			for range 2 { // two processes at once
				both.Go(func() {
					if err := s.FoldHits(context.Background()); err != nil {
						t.Error(err)
					}
				})
			}
			both.Wait()
		}
	}
	check := func(since time.Time) {
		t.Helper()
		var expected []store.RuleHits
		for id := range int64(12) {
			if w := naive[id]; w != nil {
				x := store.RuleHits{RuleID: id, Last: w.last}
				for _, hour := range slices.Sorted(maps.Keys(w.byHour)) {
					if hour >= since.Unix()/3600 {
						x.N += w.byHour[hour]
						x.Hours = append(x.Hours, store.HourHits{Hour: hour, N: w.byHour[hour]})
					}
				}
				expected = append(expected, x)
			}
		}
		if d := cmp.Diff(expected, value[[]store.RuleHits](t)(s.RuleHits(t.Context(), since))); d != "" {
			t.Errorf("since %s (-want +got):\n%s", since, d)
		}
	}
	must(t, s.FoldHits(t.Context()))
	must(t, s.FoldHits(t.Context())) // nothing pending
	check(base)
	check(base.Add(150 * time.Minute)) // the hour that it lies in counts
	check(base.Add(9 * time.Hour))
	must(t, s.PruneHits(t.Context(), base.Add(3*time.Hour)))
	for id, w := range naive {
		for hour := range w.byHour {
			if hour < base.Add(3*time.Hour).Unix()/3600 && (hour != w.last.Unix()/3600 || id == deleted) {
				delete(w.byHour, hour)
			}
		}
	}
	check(base)
	must(t, s.PruneHits(t.Context(), base.Add(24*time.Hour)))
	delete(naive, deleted)
	for _, w := range naive {
		maps.DeleteFunc(w.byHour, func(hour, _ int64) bool { return hour != w.last.Unix()/3600 })
	}
	check(base)
}

const poison = event.FatePoison

func drawnFate(random *rand.Rand) event.Fate {
	fates := []event.Fate{event.FateForwarded, event.FateRecorded, event.FateShed, event.FatePoison}
	return fates[random.IntN(len(fates))]
}

// damagedHits: a row that does not decode is removed, and costs neither the other rows nor the books their folding.
func damagedHits(t *testing.T, h Harness) {
	i := h.Open(t, store.Options{Logger: zap.NewNop(), Now: time.Now})
	at := time.Date(2026, 11, 30, 3, 12, 0, 0, time.UTC)
	n := 0
	hit := func() store.JudgedEntry {
		n++
		r := row(n, nil)
		e, d := *r.Event, *r.Decision
		e.ReceivedAt, d.RuleID, d.Fate = at.UnixMicro(), 7, event.FateForwarded
		r.Event, r.Decision = &e, &d
		return entry(r)
	}
	judge(t, i.Store, hit())
	for _, damaged := range [][]byte{{0x80}, {1, 2}, {7, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1, 1}} {
		must(t, i.Exec(`INSERT INTO rule_hits_pending (hits) VALUES ($1)`, damaged))
	}
	judge(t, i.Store, hit())
	must(t, i.FoldHits(t.Context()))
	want := []store.RuleHits{{RuleID: 7, N: 2, Hours: []store.HourHits{{Hour: at.Unix() / 3600, N: 2}}, Last: at}}
	if d := cmp.Diff(want, value[[]store.RuleHits](t)(i.RuleHits(t.Context(), at))); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
