package worker

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
)

func messages(alerts []event.Alert) (out []string) {
	for i := range alerts {
		out = append(out, alerts[i].Event.Hostname+" "+alerts[i].Event.Message)
	}
	return out
}

func TestEventsAreJudgedBookedAndPublishedInOrder(t *testing.T) {
	defer goleak.VerifyNone(t)
	r := newRig(t, t.Context(), t.TempDir(), nil)
	defer r.close()
	var want []string
	for i := range 50 {
		var entry []event.Event
		for j := range 13 {
			host := fmt.Sprint("h", j%3)
			kind := [...]string{"down", "up", "note", "else"}[(i+j)%4]
			e := r.ev(host, fmt.Sprintf("%s %d/%d", kind, i, j))
			entry = append(entry, e)
			if kind == "down" {
				want = append(want, host+" "+e.Message)
			}
		}
		r.send(t.Context(), entry...)
	}
	r.drain(t.Context())

	alerts := r.published(t.Context())
	alerts = alerts[:len(alerts)-countMeta(alerts)]
	if d := cmp.Diff(want, messages(alerts)); d != "" {
		t.Fatal(d)
	}
	stored := r.decisions(t.Context())
	if len(stored) != 650 {
		t.Fatalf("%d audit rows of 650 events", len(stored))
	}
	for i := range alerts {
		if d := cmp.Diff(stored[alerts[i].Event.ID], alerts[i].Decision); d != "" {
			t.Fatalf("what was published is not what was stored: %s", d)
		}
	}
	wantFates := map[event.Fate]int64{}
	for _, d := range stored {
		wantFates[d.Fate]++
	}
	if timed := r.counted(t.Context(), queue.CountJudgingLatency); timed != int64(len(r.sent)) {
		t.Errorf("the latency of %d events was counted, want %d", timed, len(r.sent))
	}
	if d := cmp.Diff(wantFates, r.fates(t.Context())); d != "" {
		t.Fatalf("ledger: %s", d)
	}
	if got := r.metric("mutt_alerter_events_processed_total"); got != 650 {
		t.Errorf("processed metric %v", got)
	}
	if got := r.metric("mutt_alerter_alerts_forwarded_total"); got != float64(len(want)) {
		t.Errorf("forwarded metric %v", got)
	}
	if entries := r.called("settle"); entries >= 50 {
		t.Errorf("%d settlements for 50 small entries: they should share some", entries)
	}
}

func countMeta(alerts []event.Alert) (n int) {
	for i := range alerts {
		if alerts[i].Event.Source == event.SourceMeta {
			n++
		}
	}
	return n
}

func TestUnhandledEventsHaveTheHostsTeamOrTheDefault(t *testing.T) {
	r := newRig(t, t.Context(), t.TempDir(), map[string]string{"UNHANDLED_DEFAULT_TEAM": "ALL"})
	defer r.close()
	r.send(t.Context(), r.ev("owned", "what"), r.ev("stray", "what"))
	r.drain(t.Context())
	d := r.decisions(t.Context())
	if got := []string{d[r.sent[0].ID].Team, d[r.sent[1].ID].Team}; got[0] != "OWNERS" || got[1] != "ALL" {
		t.Fatalf("teams %v", got)
	}
	if len(r.dead(t.Context(), queue.Ingest)) != 0 {
		t.Fatal("dead letters")
	}
}
