package worker

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// TestBooksRowsAndAlertsAgreeAfterAnyCrash lets calls fail at random places: as if the process had died there, as if a
// storage were away, or with an error of their own, before or after the call did its work, while the rules change.
// Whatever happens, each event is judged once, what is published follows the stored rows, and the books balance.
func TestBooksRowsAndAlertsAgreeAfterAnyCrash(t *testing.T) {
	root := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		rapid.Check(noDeadline{t}, func(rt *rapid.T) {
			n++
			dir := filepath.Join(root, fmt.Sprint(n))
			if err := os.Mkdir(dir, 0o700); err != nil {
				rt.Fatalf("%v", err)
			}
			percent := rapid.SampledFrom([]string{"100", "100", "50", "0"}).Draw(rt, "sampled")
			r := newRig(rt, t.Context(), dir, map[string]string{"AUDIT_UNHANDLED_SAMPLE_PERCENT": percent, "UNHANDLED_THRESHOLD": "10"})
			defer r.close()
			drawEntries(rt, t.Context(), r)
			drawFaults(rt, r)
			r.drain(t.Context())
			r.fail = nil
			checkBooks(rt, t.Context(), r, percent == "100")
		})
	})
}

func drawEntries(rt *rapid.T, ctx context.Context, r *rig) {
	kinds := []string{"down", "down", "up", "note", "else", "else"}
	if rapid.Bool().Draw(rt, "poisoned") {
		kinds = append(kinds, "poison")
	}
	r.use(touchy{ruleset(rt, 1)})
	for range rapid.IntRange(1, 8).Draw(rt, "entries") {
		var entry []event.Event
		for range rapid.IntRange(1, 25).Draw(rt, "events") {
			kind := rapid.SampledFrom(kinds).Draw(rt, "kind")
			entry = append(entry, r.ev(rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "host"), fmt.Sprint(kind, " ", r.ids)))
		}
		r.send(ctx, entry...)
	}
}

// drawFaults draws which calls fail and how; a change of the rules goes with some of them.
func drawFaults(rt *rapid.T, r *rig) {
	type at struct {
		op   string
		n    int
		done bool
	}
	codes := []fault.Code{fault.LeaseLost, fault.LeaseLost, fault.StoreUnavailable, fault.QueueUnavailable, fault.Closed, fault.Internal}
	plan := map[at]fault.Code{}
	for range rapid.IntRange(0, 15).Draw(rt, "faults") {
		op := rapid.SampledFrom([]string{"judge", "judge", "settle", "settle", "settle", "count", "mark", "decisions", "split", "claim"}).Draw(rt, "op")
		code := rapid.SampledFrom(codes).Draw(rt, "code")
		if op == "count" && code == fault.Internal {
			code = fault.LeaseLost // would be logged and skipped: not for these books
		}
		plan[at{op, rapid.IntRange(1, 6).Draw(rt, "n"), rapid.Bool().Draw(rt, "done")}] = code
	}
	var changes atomic.Int64 // both stages make calls
	r.fail = func(op string, done bool, n int) error {
		code, ok := plan[at{op, n, done}]
		if !ok {
			return nil
		}
		if version := changes.Add(1) + 1; version%2 == 0 {
			r.use(touchy{reversed(rt, version)})
		} else {
			r.use(touchy{ruleset(rt, version)})
		}
		return fault.New(code, "drawn for call %d of %s", n, op)
	}
}

func checkBooks(rt *rapid.T, ctx context.Context, r *rig, whole bool) {
	rows, fates := r.decisions(ctx), r.fates(ctx)
	stored := map[event.Fate]int64{}
	for i := range r.sent {
		e := &r.sent[i]
		d, ok := rows[e.ID]
		poisoned := strings.HasPrefix(e.Message, "poison")
		switch {
		case ok:
			stored[d.Fate]++
		case poisoned: // the row of a poisonous event may be what fails
			stored[event.FatePoison]++
		case whole:
			rt.Fatalf("event %q has no audit row", e.Message)
		}
		if ok && poisoned != (d.Fate == event.FatePoison) {
			rt.Fatalf("event %q has fate %s", e.Message, d.Fate)
		}
	}
	var judged int64
	for fate, n := range fates {
		judged += n
		if n != stored[fate] && (whole || fate != event.FateUnhandled) {
			rt.Fatalf("the ledger has %d %s, the audit %d", n, fate, stored[fate])
		}
	}
	if judged != int64(len(r.sent)) {
		rt.Fatalf("received %d, judged %d: %v", len(r.sent), judged, fates)
	}
	// A note of progress that was written after all is written again here; queue.Holder would know it by its id.
	if timed := r.counted(ctx, queue.CountJudgingLatency); timed < judged {
		rt.Fatalf("judged %d, the latency of %d was counted", judged, timed)
	}
	checkPublished(rt, ctx, r, rows)
	if dead := r.dead(ctx, queue.Ingest); int64(len(dead)) != fates[event.FatePoison] {
		rt.Fatalf("%d dead letters, %d poison in the ledger", len(dead), fates[event.FatePoison])
	}
}

// checkPublished: exactly the rows that say forwarded, once each, as stored, in the order in which they were sent.
func checkPublished(rt *rapid.T, ctx context.Context, r *rig, rows map[event.ID]event.Decision) {
	alerts := r.published(ctx)
	next := 0
	metas := map[string]event.ID{} // by signature, which is host and template: the window is long
	for i := range alerts {
		a := &alerts[i]
		if a.Event.Source == event.SourceMeta {
			if id, ok := metas[a.Decision.Signature]; ok && id != a.Event.ID {
				rt.Fatalf("two meta-alerts for the window of %s", a.Decision.Signature)
			}
			metas[a.Decision.Signature] = a.Event.ID
			continue
		}
		for next < len(r.sent) && rows[r.sent[next].ID].Fate != event.FateForwarded {
			next++
		}
		if next == len(r.sent) || a.Event.ID != r.sent[next].ID {
			rt.Fatalf("alert %d (%q) is doubled, out of order or not what the rows say", i, a.Event.Message)
		}
		if rows[a.Event.ID] != a.Decision {
			rt.Fatalf("published %+v, stored %+v", a.Decision, rows[a.Event.ID])
		}
		next++
	}
	for ; next < len(r.sent); next++ {
		if rows[r.sent[next].ID].Fate == event.FateForwarded {
			rt.Fatalf("%q was not published", r.sent[next].Message)
		}
	}
}

// noDeadline hides a method that must not be called in a bubble.
type noDeadline struct{ rapid.TB }
