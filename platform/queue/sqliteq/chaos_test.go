package sqliteq_test

import (
	"testing"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/faultq"
	"github.com/muttproject/mutt/platform/queue/queuetest"
)

// TestSafetyUnderFaults runs the clauses of safety through a driver that fails, loses answers and delivers twice.
func TestSafetyUnderFaults(t *testing.T) {
	t.Parallel()
	inner := harness()
	var d *faultq.Driver
	queuetest.Safety(t, queuetest.Harness{Open: func(t testing.TB) *queuetest.Rig {
		r := inner.Open(t)
		d = faultq.New(r.Driver, faultq.Random(42, 6))
		r.Driver = d
		return r
	}})
	for _, op := range []faultq.Op{faultq.Append, faultq.Acquire, faultq.Claim, faultq.Settle, faultq.Yield} {
		if d.Hits(op) == 0 {
			t.Errorf("no %s was disturbed", op)
		}
	}
}

func TestScriptedFaults(t *testing.T) {
	t.Parallel()
	inner := harness().Open(t).Driver
	e := queue.Entry{ID: queue.NewEntryID(), Queue: queue.Ingest, Events: 3}
	p := queue.AppendParams{Entries: []queue.Entry{e}}
	d := faultq.New(inner, faultq.Script(faultq.Append, faultq.Before, faultq.None, faultq.After))
	for n, want := range []struct {
		failed bool
		live   int64
	}{{true, 0}, {false, 3}, {true, 6}, {false, 9}} {
		p.Entries[0].ID = queue.NewEntryID()
		if err := d.Append(t.Context(), p); fault.Is(err, fault.QueueUnavailable) != want.failed {
			t.Errorf("append %d: %v", n, err)
		}
		if depth, err := d.Depth(t.Context(), queue.Ingest); err != nil || depth.Live() != want.live {
			t.Errorf("after append %d: %d events, %v", n, depth.Live(), err)
		}
	}
}

func TestRepeatedDelivery(t *testing.T) {
	t.Parallel()
	d := faultq.New(harness().Open(t).Driver, faultq.Script(faultq.Claim, faultq.None, faultq.Repeat))
	l, err := d.Acquire(t.Context(), queue.LeaseParams{Queue: queue.Ingest, Owner: "a", TTL: 1 << 40})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		e := queue.Entry{ID: queue.NewEntryID(), Queue: queue.Ingest, Events: 1}
		if err := d.Append(t.Context(), queue.AppendParams{Entries: []queue.Entry{e}}); err != nil {
			t.Fatal(err)
		}
		got, err := d.Claim(t.Context(), queue.ClaimParams{Lease: l, Max: 9})
		if err != nil || len(got) != n+1 || got[n].Entry != e.ID {
			t.Fatalf("claim %d: %d entries, %v", n, len(got), err)
		}
	}
}
