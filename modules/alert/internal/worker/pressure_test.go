package worker

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// waiting puts n alerts in the alert queue.
func (r *rig) waiting(t *testing.T, n int) {
	alerts := make([]event.Alert, n)
	for i := range alerts {
		alerts[i].Event = r.ev("waiting", "down")
	}
	r.must(r.driver.Append(t.Context(), queue.AppendParams{Entries: []queue.Entry{{ID: queue.NewEntryID(), Queue: queue.Alert,
		Events: n, Body: event.EncodeAlerts(alerts)}}}))
}

func TestShedGoesToTheDeadLettersAndIntoBothBooks(t *testing.T) {
	r := newRig(t, t.Context(), t.TempDir(), map[string]string{"ALERTER_QUEUE_SHED_THRESHOLD": "10", "ALERTER_QUEUE_WARN_THRESHOLD": "5"})
	defer r.close()
	r.waiting(t, 11)
	r.send(t.Context(), r.ev("h", "down 1"), r.ev("h", "up 2"))
	// A holder that dies after the store took the decision must not change it: pressure is gone by then.
	r.fail = func(op string, done bool, n int) error {
		if op == "settle" && !done && n == 1 {
			r.published(t.Context())
			return fault.New(fault.LeaseLost, "gone")
		}
		return nil
	}
	r.drain(t.Context())
	if w := fmt.Sprint(r.troubles.Warnings()); !strings.Contains(w, "11 alerts") {
		t.Errorf("warning %q", w)
	}
	if d := cmp.Diff(map[event.Fate]int64{event.FateShed: 1, event.FateIgnored: 1}, r.fates(t.Context())); d != "" {
		t.Fatal(d)
	}
	dead := r.dead(t.Context(), queue.Alert)
	if len(dead) != 1 || dead[0].Code != "shed" || dead[0].ID != r.sent[0].ID {
		t.Fatalf("dead letters %+v", dead)
	}
	alerts, err := event.DecodeAlerts(nil, dead[0].Body)
	if err != nil || len(alerts) != 1 || alerts[0].Decision != r.decisions(t.Context())[r.sent[0].ID] {
		t.Fatalf("the dead letter holds %+v, %v", alerts, err)
	}
	if parked := r.counted(t.Context(), queue.CountParked); parked != 1 {
		t.Fatalf("%d parked in the book of delivery", parked)
	}
	if r.metric("mutt_alerter_shed_events_total") != 1 {
		t.Error("shed metric")
	}
}

func TestDeferPausesReadingUntilPressureIsGone(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.Context(), dir, map[string]string{"ALERTER_QUEUE_SHED_THRESHOLD": "10", "ALERTER_SHED_MODE": "defer", "ALERTER_DEFER_SLEEP_MS": "500"})
		defer r.close()
		r.waiting(t, 11)
		r.send(t.Context(), r.ev("h", "down 1"))
		stop := r.background(t.Context())
		<-time.After(time.Minute)
		if r.called("claim") != 0 {
			t.Error("reading was not paused")
		}
		if n := r.metric("mutt_alerter_shed_events_total"); n < 119 || n > 121 {
			t.Errorf("%v pauses of 500 ms in a minute", n)
		}
		if w := fmt.Sprint(r.troubles.Warnings()); !strings.Contains(w, "judging pauses") {
			t.Errorf("warning %q", w)
		}
		acked(t, r)
		<-time.After(time.Second)
		stop()
		if d := cmp.Diff([]string{"h down 1"}, messages(r.published(t.Context()))); d != "" {
			t.Error(d)
		}
	})
}

// acked empties the alert queue.
func acked(t *testing.T, r *rig) {
	lease, err := r.driver.Acquire(t.Context(), queue.LeaseParams{Queue: queue.Alert, Owner: "forwarder", TTL: time.Hour})
	r.must(err)
	got, err := r.driver.Claim(t.Context(), queue.ClaimParams{Lease: lease, Max: 100})
	r.must(err)
	for i := range got {
		r.must(r.driver.Settle(t.Context(), queue.SettleParams{Lease: lease, Ack: []event.ID{got[i].Entry}}))
	}
	r.must(r.driver.Yield(t.Context(), lease))
}

func TestWarningAboveTheThreshold(t *testing.T) {
	r := newRig(t, t.Context(), t.TempDir(), map[string]string{"ALERTER_QUEUE_WARN_THRESHOLD": "5"})
	defer r.close()
	r.worker.p.Pressure.look(t.Context())
	if w := r.troubles.Warnings(); len(w) > 0 {
		t.Errorf("warning %q about nothing", w)
	}
	r.waiting(t, 6)
	r.worker.p.Pressure.look(t.Context())
	if w := fmt.Sprint(r.troubles.Warnings()); !strings.Contains(w, "6 alerts") {
		t.Errorf("warning %q", w)
	}
	if r.metric("mutt_alerter_queue_depth") != 6 {
		t.Error("depth metric")
	}
}
