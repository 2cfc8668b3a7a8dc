package worker

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

func TestStorageAwayForTenMinutesCostsNothing(t *testing.T) {
	for _, tc := range []struct {
		op   string
		code fault.Code
	}{
		{"judge", fault.StoreUnavailable}, {"judge", fault.Closed}, {"count", fault.StoreUnavailable}, {"settle", fault.QueueUnavailable},
	} {
		t.Run(tc.op+" "+string(tc.code), func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, t.Context(), dir, nil)
				defer r.close()
				r.send(t.Context(), r.ev("h", "down 1"), r.ev("h", "else 2"))
				const away = 10 * time.Minute
				until := time.Now().Add(away)
				r.fail = func(op string, done bool, _ int) error {
					if op == tc.op && !done && time.Now().Before(until) {
						return fault.New(tc.code, "away")
					}
					return nil
				}
				stop := r.background(t.Context())
				<-time.After(away / 2)
				if len(r.troubles.Warnings()) == 0 {
					t.Error("nothing in the health report")
				}
				<-time.After(away/2 + time.Minute)
				stop()
				if n := r.called(tc.op); n < 60 || n > 300 {
					t.Errorf("%d calls in %s", n, away)
				}
				if n := r.logs.Len(); n < 5 || n > 12 {
					t.Errorf("%d log lines in %s", n, away)
				}
				if d := cmp.Diff([]string{"h down 1"}, messages(r.published(t.Context()))); d != "" {
					t.Error(d)
				}
				if d := cmp.Diff(map[event.Fate]int64{event.FateForwarded: 1, event.FateUnhandled: 1}, r.fates(t.Context())); d != "" {
					t.Error(d)
				}
				if len(r.dead(t.Context(), queue.Ingest)) != 0 || len(r.troubles.Warnings()) > 0 {
					t.Error("the outage left something behind")
				}
			})
		})
	}
}

func TestStopFinishesTheCommitInHand(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.Context(), dir, nil)
		defer r.close()
		r.send(t.Context(), r.ev("h", "down 1"))
		judged := make(chan struct{})
		r.fail = func(op string, done bool, n int) error {
			if op == "judge" && done {
				close(judged)
				<-time.After(time.Second) // stopped meanwhile
			}
			return nil
		}
		stop := r.background(t.Context())
		<-judged
		stop()
		if d, err := r.driver.Depth(t.Context(), queue.Ingest); err != nil || d.Live() != 0 {
			t.Fatalf("what was stored was not acknowledged: %+v %v", d, err)
		}
	})
}

func TestStopIsBoundedWhileTheStoreIsAway(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.Context(), dir, nil)
		defer r.close()
		r.send(t.Context(), r.ev("h", "down 1"))
		r.fail = func(op string, _ bool, _ int) error {
			if op == "judge" {
				return fault.New(fault.StoreUnavailable, "away")
			}
			return nil
		}
		stop := r.background(t.Context())
		<-time.After(time.Minute)
		began := time.Now()
		stop()
		if took := time.Since(began); took > stopGrace+time.Second {
			t.Fatalf("stopping took %s", took)
		}
	})
}
