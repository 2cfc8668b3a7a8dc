package worker

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

func metas(alerts []event.Alert) (out []event.Alert) {
	for i := range alerts {
		if alerts[i].Event.Source == event.SourceMeta {
			out = append(out, alerts[i])
		}
	}
	return out
}

func TestOneMetaAlertForEachWindow(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.Context(), dir, map[string]string{"UNHANDLED_THRESHOLD": "20", "UNHANDLED_EXPIRY_SECONDS": "3600"})
		defer r.close()
		// Holders die everywhere but between publication and mark.
		r.fail = func(op string, done bool, n int) error {
			if (op == "count" || op == "settle" && !done || op == "judge") && n%7 == 3 && n < 200 {
				return fault.New(fault.LeaseLost, "gone")
			}
			return nil
		}
		for window := range 2 {
			for i := range 30 {
				var entry []event.Event
				for j := range 5 { // one host, whatever its case
					entry = append(entry, r.ev([]string{"owned", "OWNED", "Owned"}[(i+j)%3], fmt.Sprintf("neighbor 203.0.113.%d gone", i*5+j)))
				}
				r.send(t.Context(), append(entry, r.ev("quiet", fmt.Sprint("rare ", i%2)))...)
			}
			r.drain(t.Context())
			<-time.After(2 * time.Hour)
			got := metas(r.published(t.Context()))
			if want := 2 * (window + 1); len(got) != want { // of each host one
				t.Fatalf("%d meta-alerts after %d windows: %v", len(got), window+1, messages(got))
			}
		}
		got := metas(r.published(t.Context()))
		first, second := got[0], got[2]
		if first.Event.ID == second.Event.ID || first.Decision.Signature != second.Decision.Signature {
			t.Errorf("windows share the signature and not the id: %v %v", first, second)
		}
		d := first.Decision
		if d.Team != "OWNERS" || got[1].Decision.Team != "NETO" || d.Severity != 2 || !strings.HasPrefix(d.Signature, "owned::unhandled::") {
			t.Errorf("decision %+v, other team %s", d, got[1].Decision.Team)
		}
		if !strings.Contains(first.Event.Message, "neighbor <ip> gone") || !strings.Contains(first.Event.Message, "neighbor 203.0.113.") {
			t.Errorf("message %q has no template or no sample", first.Event.Message)
		}
		if n := r.counted(t.Context(), queue.CountMeta); n != 4 || r.metric("mutt_alerter_unhandled_meta_alerts_total") != 4 {
			t.Errorf("%d meta-alerts in the book", n)
		}
	})
}

func TestDeathBeforeTheMarkRepeatsTheMetaAlertWithItsID(t *testing.T) {
	r := newRig(t, t.Context(), t.TempDir(), map[string]string{"UNHANDLED_THRESHOLD": "2"})
	defer r.close()
	r.fail = func(op string, done bool, n int) error {
		if op == "mark" && n == 1 {
			return fault.New(fault.LeaseLost, "gone")
		}
		return nil
	}
	r.send(t.Context(), r.ev("h", "else 1"), r.ev("h", "else 2"))
	r.drain(t.Context())
	r.send(t.Context(), r.ev("h", "else 3"))
	r.drain(t.Context())
	got := metas(r.published(t.Context()))
	if len(got) != 2 || got[0].Event.ID != got[1].Event.ID {
		t.Fatalf("%d meta-alerts: %v", len(got), got)
	}
}

func TestKnownEntryCountsByItsStoredDecisions(t *testing.T) {
	r := newRig(t, t.Context(), t.TempDir(), map[string]string{"UNHANDLED_THRESHOLD": "2"})
	defer r.close()
	r.send(t.Context(), r.ev("h", "else 1"), r.ev("h", "else 2"))
	r.lostAfter("judge", 1, reversed(t, 2)) // by which they would page
	r.drain(t.Context())
	alerts := r.published(t.Context())
	if len(alerts) != 1 || len(metas(alerts)) != 1 {
		t.Fatalf("published %v, want one meta-alert", messages(alerts))
	}
}

func TestSampling(t *testing.T) {
	for _, percent := range []float64{0, 1, 25, 100} {
		t.Run(fmt.Sprint(percent), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, t.Context(), t.TempDir(), map[string]string{"AUDIT_UNHANDLED_SAMPLE_PERCENT": fmt.Sprint(percent)})
			defer r.close()
			const n = 4000
			for range n / 400 {
				var entry []event.Event
				for range 400 {
					entry = append(entry, r.ev("h", "else"))
				}
				r.send(t.Context(), append(entry, r.ev("h", "note"))...)
			}
			r.drain(t.Context())
			rows := r.decisions(t.Context())
			unhandled := 0.0
			for _, d := range rows {
				if d.Fate == event.FateUnhandled {
					unhandled++
				}
			}
			if want := n * percent / 100; math.Abs(unhandled-want) > 4*math.Sqrt(want*(1-percent/100))+0.5 {
				t.Errorf("%v rows of %d unhandled events at %v %%", unhandled, n, percent)
			}
			if len(rows)-int(unhandled) != n/400 {
				t.Errorf("matched events are not sampled: %d rows", len(rows)-int(unhandled))
			}
			if got := r.fates(t.Context())[event.FateUnhandled]; got != n {
				t.Errorf("the ledger has %d unhandled events of %d", got, n)
			}
			for i := range r.sent {
				terms := r.worker.terms(false)
				_, stored := rows[r.sent[i].ID]
				if r.sent[i].Message == "else" && stored != terms.sampled(&r.sent[i].ID) {
					t.Fatal("the sample is not a function of the id")
				}
			}
		})
	}
}
