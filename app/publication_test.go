package app

import (
	"encoding/json"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/coord"
)

// published lets a process with a store of its own publish over shared, as the distributed mode does.
func published(t *testing.T, shared coord.Coord, now func() time.Time) (*parts, *publication) {
	t.Helper()
	p := controlled(t, true)
	pub := &publication{store: p.store, coord: shared, log: zap.NewNop(), now: now}
	p.coord, p.control.publisher = shared, newPublisher(pub.put, zap.NewNop())
	return p, pub
}

// TestTheStoreWinsAgainstWhatRedisHas has a store publish beside a snapshot that is not its own: of another store with a
// higher revision (a store that was restored, or created anew), of an old version, and one that no store has had.
func TestTheStoreWinsAgainstWhatRedisHas(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		snapshot string
		epoch    int64
	}{
		"of another store":           {`{"revision":150,"ruleset":40,"head":{"ID":200,"Hash":"aa"},"values":{},"keys":[]}`, 1},
		"of another store's epoch":   {`{"epoch":7,"revision":1,"ruleset":1,"head":{"ID":200,"Hash":"aa"},"values":{},"keys":[]}`, 8},
		"of an old version":          {`{"revision":150,"ruleset":40,"values":{},"keys":[]}`, 1},
		"earlier, of an old version": {`{"revision":1,"ruleset":0,"values":{},"keys":[]}`, 0},
		"that makes no sense":        {`{"revision":9223372036854775807,"ruleset":0,"values":{},"keys":[]}`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shared := coord.NewLocal(time.Now)
			if _, err := shared.Put(t.Context(), coord.PutParams{Key: snapshotKey, Data: []byte(c.snapshot)}); err != nil {
				t.Fatal(err)
			}
			var without *parts
			_, damaged := (snapshotSource{shared}).load(t.Context(), noPosition())
			if damaged == nil { // the process works by that snapshot already
				without = apart(t, shared)
			}
			with, _ := published(t, shared, time.Now)
			set(t, with, unhandledThreshold, "9")
			with.control.publisher.running.Wait()
			refresh(t, with) // the new epoch, if there was one
			with.control.publisher.running.Wait()
			if damaged != nil {
				without = apart(t, shared)
			}
			refresh(t, without)
			if n := without.handles.alert.Worker.UnhandledThreshold.Get(); n != 9 {
				t.Errorf("without a store the value is %d", n)
			}
			if at := with.control.inForce(); at.Epoch != c.epoch || at != without.control.inForce() {
				t.Errorf("with a store %+v, without %+v", at, without.control.inForce())
			}
		})
	}
}

// TestAProcessThatIsAheadShowsARestoredStore: the snapshot is lost, but a live process announces a later state.
func TestAProcessThatIsAheadShowsARestoredStore(t *testing.T) {
	t.Parallel()
	shared := coord.NewLocal(time.Now)
	data, err := json.Marshal(coord.Process{ID: "x", ConfigRevision: 70, ConfigEpoch: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := shared.Announce(t.Context(), coord.AnnounceParams{Group: "processes", Member: "x", Data: data, TTL: time.Minute}); err != nil {
		t.Fatal(err)
	}
	p, _ := published(t, shared, time.Now)
	set(t, p, unhandledThreshold, "9")
	p.control.publisher.running.Wait()
	refresh(t, p)
	if at := p.control.inForce(); at.Epoch != 3 || at.Revision <= 70 {
		t.Errorf("%+v", at)
	}
}

// TestTwoStoresBehindOneRedisDoNotOutdoEachOther: each begins one epoch in a minute, so that neither audit grows without end.
func TestTwoStoresBehindOneRedisDoNotOutdoEachOther(t *testing.T) {
	t.Parallel()
	shared := coord.NewLocal(time.Now)
	at := time.Now()
	one, first := published(t, shared, func() time.Time { return at })
	other, second := published(t, shared, func() time.Time { return at })
	set(t, one, unhandledThreshold, "1")
	set(t, other, unhandledThreshold, "2")
	for range 20 {
		for p, pub := range map[*parts]*publication{one: first, other: second} {
			_ = pub.put(t.Context(), p.control.now.Load())
			refresh(t, p)
		}
	}
	if a, b := one.control.inForce().Epoch, other.control.inForce().Epoch; a+b == 0 || a > 3 || b > 3 {
		t.Errorf("epochs %d and %d", a, b)
	}
}
