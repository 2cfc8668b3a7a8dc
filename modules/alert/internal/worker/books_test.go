package worker

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/store"
)

// TestTheBookOfJudgingCountsWhenEventsAreJudged: a backlog is counted in the minutes in which it is worked off, as the other book counts
// deliveries, so that rates and depths over time are right while MUTT is behind.
func TestTheBookOfJudgingCountsWhenEventsAreJudged(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.Context(), dir, nil)
		defer r.close()
		received := time.Now().Unix() / 60
		r.send(t.Context(), r.ev("h", "down 1"), r.ev("h", "else 2"))
		<-time.After(7 * time.Minute)
		r.drain(t.Context())
		for _, c := range []struct {
			minute int64
			want   map[string]int64
		}{{received, map[string]int64{}}, {received + 7, map[string]int64{store.FatePrefix + event.FateForwarded.String(): 1, store.FatePrefix + event.FateUnhandled.String(): 1}}} {
			sums, err := r.store.Sums(t.Context(), c.minute, c.minute+1)
			r.must(err)
			got := map[string]int64{}
			for _, s := range sums {
				got[s.Kind] += s.N
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("minute %d after the receipt (-want +got):\n%s", c.minute-received, d)
			}
		}
	})
}
