package storetest

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/store"
)

// histograms compares with a count of what AuditLogs lists, and looks at a window that ends.
func histograms(t *testing.T, h Harness) {
	s, random := open(t, h), rand.New(rand.NewPCG(9, 10))
	var rows []store.AuditRow
	for i := range 400 {
		r := row(3*i+1, func(e *event.Event, d *event.Decision) {
			e.Hostname = []string{"sw1", "SW1", "sw2"}[random.IntN(3)]
			d.Fate = []event.Fate{event.FateForwarded, event.FateUnhandled}[random.IntN(2)]
			d.Team = []string{"A", "B"}[random.IntN(2)]
			e.ReceivedAt = time.UnixMilli(idMillis(e.ID)).UnixMicro()
		})
		rows = append(rows, r)
	}
	judge(t, s.Store, entry(rows...))
	first, last := time.UnixMicro(rows[0].Event.ReceivedAt).UTC(), time.UnixMicro(rows[len(rows)-1].Event.ReceivedAt).UTC()
	start := first.Add(last.Sub(first) / 4)
	for _, f := range []store.AuditFilter{{}, {Hostname: "sw1"}, {Team: "A", Fate: event.FateUnhandled}, {Hostname: "sw2", Team: "B"}, {Hostname: "none"}} {
		f.Start, f.End = start, last.Add(-time.Millisecond)
		const step = 100 * time.Millisecond
		want := map[[2]int64]int64{}
		all := f
		all.Limit = 1000
		for _, l := range value[store.Page[store.AuditLog]](t)(s.AuditLogs(t.Context(), all)).Items {
			want[[2]int64{int64(l.ReceivedAt.Sub(f.Start) / step), int64(l.Decision.Fate)}]++
		}
		got := value[store.Histogram](t)(s.Histogram(t.Context(), f, step))
		found := map[[2]int64]int64{}
		for _, c := range got.Counts {
			found[[2]int64{c.Step, int64(c.Fate)}] = c.N
		}
		if d := cmp.Diff(want, found); d != "" || got.Partial || !got.From.Equal(start) {
			t.Errorf("%+v: partial %v from %s (-want +got):\n%s", f, got.Partial, got.From, d)
		}
	}
}

// idMillis returns the time of a UUIDv7.
func idMillis(id event.ID) (ms int64) {
	for _, b := range id[:6] {
		ms = ms<<8 | int64(b)
	}
	return ms
}
