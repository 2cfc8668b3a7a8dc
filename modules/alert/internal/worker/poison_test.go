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

func TestOnePoisonousEventAmong500GoodOnes(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.Context(), dir, nil)
		defer r.close()
		r.use(touchy{ruleset(t, 1)})
		var entry []event.Event
		for i := range 501 {
			word := "down"
			if i == 250 {
				word = "poison"
			}
			entry = append(entry, r.ev("h", fmt.Sprint(word, " ", i)))
		}
		began := time.Now()
		r.send(t.Context(), entry...)
		r.send(t.Context(), r.ev("h", "down after"))
		r.drain(t.Context())

		alerts := r.published(t.Context())
		if len(alerts) != 501 || alerts[250].Event.Message != "down 251" || alerts[500].Event.Message != "down after" {
			t.Fatalf("%d alerts of 501, in order", len(alerts))
		}
		if d := cmp.Diff(map[event.Fate]int64{event.FateForwarded: 501, event.FatePoison: 1}, r.fates(t.Context())); d != "" {
			t.Fatal(d)
		}
		dead := r.dead(t.Context(), queue.Ingest)
		if len(dead) != 1 {
			t.Fatalf("%d dead letters", len(dead))
		}
		d := dead[0]
		if d.ID != entry[250].ID || d.Code != "poison" || d.Attempts != 3 || d.Hostname != "h" ||
			!strings.Contains(d.Reason, "cannot judge poison 250") || d.First.Before(began.Add(-time.Second)) {
			t.Fatalf("dead letter %+v", d)
		}
		back, err := event.DecodeEvents(nil, d.Body)
		if err != nil || cmp.Diff(entry[250:251], back) != "" {
			t.Fatalf("its body is not the event: %v", err)
		}
		if n := r.called("judge"); n > 10 {
			t.Errorf("%d transactions to set one event apart", n)
		}
		if r.decisions(t.Context())[entry[250].ID].Fate != event.FatePoison {
			t.Error("no audit row for the poisonous event")
		}
	})
}

func TestStoreRefusalIsBisected(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.Context(), dir, map[string]string{"ALERTER_MAX_RETRIES": "2"})
		defer r.close()
		var entry []event.Event
		for i := range 64 {
			entry = append(entry, r.ev("h", fmt.Sprint("down ", i)))
		}
		bad := entry[37].ID
		r.worker.p.Store = &refusing{flakyStore{r}, map[event.ID]bool{bad: true}, fault.Internal}
		r.send(t.Context(), entry...)
		r.drain(t.Context())
		if got := len(r.published(t.Context())); got != 63 {
			t.Fatalf("%d alerts of 63", got)
		}
		dead := r.dead(t.Context(), queue.Ingest)
		if len(dead) != 1 || dead[0].ID != bad || dead[0].Attempts != 2 {
			t.Fatalf("dead letters %+v", dead)
		}
		if d := cmp.Diff(map[event.Fate]int64{event.FateForwarded: 63, event.FatePoison: 1}, r.fates(t.Context())); d != "" {
			t.Fatal(d)
		}
	})
}

// TestRefusedValuesAreDeadAtOnce: events whose values the store refuses cost no pauses, which would stall those behind them,
// and one line of the log a minute.
func TestRefusedValuesAreDeadAtOnce(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.Context(), dir, map[string]string{"ALERTER_MAX_RETRIES": "3"})
		defer r.close()
		bad := map[event.ID]bool{}
		r.worker.p.Store = &refusing{flakyStore{r}, bad, fault.ValueRefused}
		began := time.Now()
		for i := range 20 {
			entry := []event.Event{r.ev("h", fmt.Sprint("down ", i)), r.ev("h", fmt.Sprint("down long ", i))}
			bad[entry[1].ID] = true
			r.send(t.Context(), entry...)
		}
		r.drain(t.Context())
		if took := time.Since(began); took >= attemptPause {
			t.Errorf("judging stood still for %v", took)
		}
		if n := len(r.published(t.Context())); n != 20 {
			t.Errorf("%d alerts of 20", n)
		}
		dead := r.dead(t.Context(), queue.Ingest)
		for _, d := range dead {
			if !bad[d.ID] || d.Attempts != 1 {
				t.Errorf("dead letter %+v", d)
			}
		}
		if lines := r.logs.FilterMessageSnippet("judged").Len(); len(dead) != 20 || lines != 2 {
			t.Errorf("%d dead letters, %d lines about them", len(dead), lines)
		}
	})
}

func TestSplitEntryThatWasJudgedIsPublishedAsStored(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.Context(), dir, nil)
		defer r.close()
		r.send(t.Context(), r.ev("h", "down 1"), r.ev("h", "else 2"))
		// Three holders in a row die between the store and the queue; meanwhile the rules change.
		r.fail = func(op string, done bool, n int) error {
			if op == "settle" && !done && n <= 3 {
				r.use(touchy{reversed(t, int64(n)+1)})
				return fault.New(fault.LeaseLost, "gone")
			}
			return nil
		}
		r.drain(t.Context())
		if r.called("split") == 0 {
			t.Fatal("an entry whose lease ended thrice was not split")
		}
		if d := cmp.Diff([]string{"h down 1"}, messages(r.published(t.Context()))); d != "" {
			t.Fatal(d)
		}
		if d := cmp.Diff(map[event.Fate]int64{event.FateForwarded: 1, event.FateUnhandled: 1}, r.fates(t.Context())); d != "" {
			t.Fatal(d)
		}
	})
}

// lostAfter makes the nth call of an operation the last of its holder, and changes the rules.
func (r *rig) lostAfter(op string, n int, rules Judge) {
	r.fail = func(o string, done bool, k int) error {
		if o == op && done && k == n {
			r.use(rules)
			return fault.New(fault.LeaseLost, "gone")
		}
		return nil
	}
}

func TestSplitThatDiedIsNotJudgedAsAWhole(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.Context(), dir, nil)
		defer r.close()
		r.use(touchy{ruleset(t, 1)})
		r.send(t.Context(), r.ev("h", "down 1"), r.ev("h", "poison that is down"))
		r.lostAfter("split", 1, ruleset(t, 2)) // which does not panic
		r.drain(t.Context())
		if d := cmp.Diff([]string{"h down 1", "h poison that is down"}, messages(r.published(t.Context()))); d != "" {
			t.Fatal(d)
		}
		if d := cmp.Diff(map[event.Fate]int64{event.FateForwarded: 2}, r.fates(t.Context())); d != "" {
			t.Fatal(d)
		}
	})
}

func TestVerdictOutlivesItsHolder(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.Context(), dir, nil)
		defer r.close()
		r.use(touchy{ruleset(t, 1)})
		r.send(t.Context(), r.ev("h", "down 1"), r.ev("h", "poison that is down"), r.ev("h", "down 3"))
		r.lostAfter("judge", 2, ruleset(t, 2)) // the second stores the fate poison
		r.drain(t.Context())
		if d := cmp.Diff([]string{"h down 1", "h down 3"}, messages(r.published(t.Context()))); d != "" {
			t.Fatal(d)
		}
		dead := r.dead(t.Context(), queue.Ingest)
		if len(dead) != 1 || dead[0].ID != r.sent[1].ID || dead[0].Attempts != 3 || !strings.Contains(dead[0].Reason, "panicked") {
			t.Fatalf("dead letters %+v", dead)
		}
		if d := cmp.Diff(map[event.Fate]int64{event.FateForwarded: 2, event.FatePoison: 1}, r.fates(t.Context())); d != "" {
			t.Fatal(d)
		}
	})
}

func TestAPoisonLetterKeepsTheNumberOfItsReplays(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.Context(), dir, nil)
		defer r.close()
		r.use(touchy{ruleset(t, 1)})
		r.send(t.Context(), r.ev("h", "poison that is down"))
		for n := range 3 {
			r.drain(t.Context())
			dead := r.dead(t.Context(), queue.Ingest)
			if len(dead) != 1 || dead[0].ID != r.sent[0].ID || dead[0].Replays != n {
				t.Fatalf("after %d replays: %+v", n, dead)
			}
			_, err := r.driver.Requeue(t.Context(), queue.RequeueParams{Queue: queue.Ingest,
				Revive: []queue.Revival{{ID: dead[0].ID, Entry: queue.NewEntryID(), Replays: n + 1}}})
			r.must(err)
		}
		r.use(ruleset(t, 2))
		r.drain(t.Context())
		if d := cmp.Diff([]string{"h poison that is down"}, messages(r.published(t.Context()))); d != "" {
			t.Fatal(d)
		}
	})
}

func TestOneFailingEntryDoesNotSplitItsNeighbours(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.Context(), dir, nil)
		defer r.close()
		for i := range 3 {
			r.send(t.Context(), r.ev("h", fmt.Sprint("down ", i)))
		}
		r.worker.p.Store = &refusing{flakyStore{r}, map[event.ID]bool{r.sent[1].ID: true}, fault.Internal}
		r.drain(t.Context())
		if r.called("split") != 1 {
			t.Errorf("%d entries were split", r.called("split"))
		}
		if d := cmp.Diff([]string{"h down 0", "h down 2"}, messages(r.published(t.Context()))); d != "" {
			t.Fatal(d)
		}
		if len(r.dead(t.Context(), queue.Ingest)) != 1 {
			t.Fatal("the refused event is not in the dead letters")
		}
	})
}

func TestEntryOfANewerVersionWaits(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.Context(), dir, nil)
		defer r.close()
		body := event.EncodeEvents([]event.Event{r.ev("h", "down later")})
		body[2]++
		if err := r.driver.Append(t.Context(), queue.AppendParams{Entries: []queue.Entry{{ID: queue.NewEntryID(), Queue: queue.Ingest, Events: 1, Body: body}}}); err != nil {
			t.Fatal(err)
		}
		r.send(t.Context(), r.ev("h", "down now"))
		stop := r.background(t.Context())
		<-time.After(3 * newerDelay) // virtual
		stop()
		d, err := r.driver.Depth(t.Context(), queue.Ingest)
		if err != nil || d.Live() != 1 || d.Dead != 0 {
			t.Fatalf("depth %+v, %v", d, err)
		}
		if n := r.called("release"); n < 2 || n > 4 {
			t.Errorf("%d releases in %s", n, 3*newerDelay)
		}
		if d := cmp.Diff([]string{"h down now"}, messages(r.published(t.Context()))); d != "" {
			t.Fatal(d)
		}
	})
}

func TestCorruptEntryIsBuriedWholeAndBooked(t *testing.T) {
	r := newRig(t, t.Context(), t.TempDir(), nil)
	defer r.close()
	id := queue.NewEntryID()
	if err := r.driver.Append(t.Context(), queue.AppendParams{Entries: []queue.Entry{{ID: id, Queue: queue.Ingest, Events: 7, Body: []byte("garbage")}}}); err != nil {
		t.Fatal(err)
	}
	r.send(t.Context(), r.ev("h", "down"))
	r.drain(t.Context())
	dead := r.dead(t.Context(), queue.Ingest)
	if len(dead) != 1 || dead[0].ID != id || dead[0].Code != "poison" || string(dead[0].Body) != "garbage" {
		t.Fatalf("dead letters %+v", dead)
	}
	if d := cmp.Diff(map[event.Fate]int64{event.FateForwarded: 1, event.FatePoison: 7}, r.fates(t.Context())); d != "" {
		t.Fatal(d)
	}
}
