package redisq

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// fakeLog is a storage that can be rolled back, with a history of states.
type fakeLog struct {
	now     func() time.Time
	mu      sync.Mutex // around each call
	away    bool
	state   logState
	history []logged
	appends int
}

type logState struct {
	entries  []event.ID
	mark     int64
	received int64
}

type logged struct {
	at    time.Time
	state logState // before
}

func (f *fakeLog) appendMarked(_ context.Context, p queue.AppendParams, m mark) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.away:
		return fault.New(fault.QueueUnavailable, "away")
	case f.state.mark < m.low:
		return &rollback{f.state.mark}
	}
	f.appends++
	f.history = append(f.history, logged{f.now(), f.state})
	repeat := false
	f.state.entries = slices.Clone(f.state.entries)
	for _, e := range p.Entries {
		if slices.Contains(f.state.entries, e.ID) {
			repeat = true
			continue
		}
		f.state.entries = append(f.state.entries, e.ID)
	}
	if !repeat {
		for _, c := range p.Counts {
			f.state.received += c.N
		}
	}
	f.state.mark = m.to
	return nil
}

func (f *fakeLog) readMark(context.Context, queue.Name, int) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away {
		return 0, fault.New(fault.QueueUnavailable, "away")
	}
	return f.state.mark, nil
}

func (f *fakeLog) setAway(away bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = away
}

// present is what is stored.
func (f *fakeLog) present() logState {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state
}

// back takes the storage to its state of a time ago.
func (f *fakeLog) back(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, h := range f.history {
		if !h.at.Before(f.now().Add(-d)) {
			f.state = h.state
			f.history = f.history[:i]
			return
		}
	}
}

func onePut(events int) (queue.AppendParams, event.ID) {
	e := queue.Entry{ID: queue.NewEntryID(), Queue: queue.Ingest, Events: events, Body: []byte("body")}
	return queue.AppendParams{Entries: []queue.Entry{e}, Counts: []queue.Count{{Kind: queue.CountReceived, N: int64(events)}}}, e.ID
}

// inRecall runs a test in virtual time.
func inRecall(t *testing.T, test func(t *testing.T, f *fakeLog, r *recall)) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeLog{now: time.Now}
		r := newRecall(f, 1, zap.NewNop())
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go r.run(ctx)
		test(t, f, r)
	})
}

func TestRecallWithoutAnotherEvent(t *testing.T) {
	inRecall(t, func(t *testing.T, f *fakeLog, r *recall) {
		var want []event.ID
		for range 5 {
			p, id := onePut(3)
			if err := r.append(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			want = append(want, id)
			time.Sleep(100 * time.Millisecond)
		}
		f.back(time.Second)
		if len(f.present().entries) != 0 {
			t.Fatal("the test rolls nothing back")
		}
		time.Sleep(2 * recallProbe)
		synctest.Wait()
		if got := f.present(); !slices.Equal(want, got.entries) || got.received != 15 {
			t.Errorf("%d entries and %d received events are there again", len(got.entries), got.received)
		}
		if r.restored.Load() != 15 || r.lost.Load() != 0 {
			t.Errorf("restored %d, lost %d", r.restored.Load(), r.lost.Load())
		}
	})
}

func TestRecallCountsWhatIsTooOld(t *testing.T) {
	inRecall(t, func(t *testing.T, f *fakeLog, r *recall) {
		for range 10 {
			p, _ := onePut(2)
			if err := r.append(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		f.back(8 * time.Second)
		p, last := onePut(1)
		if err := r.append(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if got := r.restored.Load() + r.lost.Load(); got != 16 || r.lost.Load() < 8 || r.restored.Load() < 4 {
			t.Errorf("of 16 events %d were restored and %d lost", r.restored.Load(), r.lost.Load())
		}
		if got := f.present().entries; got[len(got)-1] != last {
			t.Error("the newest entry is not behind the restored ones")
		}
	})
}

func TestRecallForgets(t *testing.T) {
	inRecall(t, func(t *testing.T, f *fakeLog, r *recall) {
		p, _ := onePut(1)
		if err := r.append(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		f.setAway(true)
		time.Sleep(time.Hour)
		synctest.Wait()
		if r.bytes.Load() == 0 {
			t.Error("it was forgotten while Redis is away")
		}
		f.setAway(false)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if r.bytes.Load() != 0 || len(r.lanes[recallKey{queue.Ingest, 0}].window) != 0 {
			t.Errorf("%d bytes are kept for no use", r.bytes.Load())
		}
	})
}

func TestRecallIsBounded(t *testing.T) {
	r := newRecall(&fakeLog{now: time.Now}, 1, zap.NewNop())
	r.maxBytes = 10
	for range 5 {
		p, _ := onePut(1)
		if err := r.append(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.bytes.Load(); n == 0 || n > 10 {
		t.Errorf("%d bytes are kept", n)
	}
}

// TestRecallProperty: whatever is appended, however often the storage goes away, refuses and comes back older by up to two
// seconds, in the end each acknowledged entry is stored once and counted once.
func TestRecallProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clock := time.Unix(1000, 0)
		f := &fakeLog{now: func() time.Time { return clock }}
		r := newRecall(f, 1, zap.NewNop())
		r.now = f.now
		lane := r.lanes[recallKey{queue.Ingest, 0}]
		acked, events := map[event.ID]bool{}, int64(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0:
				f.back(time.Duration(rapid.IntRange(0, 1900).Draw(t, "older")) * time.Millisecond)
			case 1:
				f.away = !f.away
			case 2:
				r.probe(context.Background(), lane)
			default:
				p, id := onePut(rapid.IntRange(1, 5).Draw(t, "events"))
				if r.append(context.Background(), p) == nil {
					acked[id] = true
					events += int64(p.Entries[0].Events)
				}
			}
			clock = clock.Add(time.Duration(rapid.IntRange(0, 500).Draw(t, "pause")) * time.Millisecond)
		}
		f.away = false
		r.probe(context.Background(), lane)
		if r.lost.Load() != 0 || f.state.received != events || len(f.state.entries) != len(acked) {
			t.Fatalf("%d entries of %d, %d events of %d, %d lost", len(f.state.entries), len(acked), f.state.received, events, r.lost.Load())
		}
		for _, id := range f.state.entries {
			if !acked[id] {
				t.Fatal("an entry that was not acknowledged")
			}
		}
	})
}

func TestRepeatsAreLeftOut(t *testing.T) {
	var events []event.Event
	var keys []queue.Key
	for i := range 4 {
		events = append(events, event.Event{ID: queue.NewEntryID(), Message: fmt.Sprint(i), Source: event.SourceHTTP})
		keys = append(keys, queue.Key{Index: i, Hash: [16]byte{byte(i)}})
	}
	e := queue.Entry{ID: queue.NewEntryID(), Queue: queue.Ingest, Events: 4, Body: event.EncodeEvents(events), Keys: keys[1:]}
	p := queue.AppendParams{Entries: []queue.Entry{e}, Counts: []queue.Count{{Kind: queue.CountReceived, Label: event.SourceHTTP.String(), N: 4}}}
	if err := withoutRepeats(&p, &queue.DuplicateError{Entry: e.ID, Indexes: []int{1, 2}}); err != nil {
		t.Fatal(err)
	}
	left, err := event.DecodeEvents(nil, p.Entries[0].Body)
	if err != nil || len(left) != 2 || left[0].Message != "0" || left[1].Message != "3" || p.Entries[0].Events != 2 || p.Counts[0].N != 2 {
		t.Errorf("%v, %v", p, err)
	}
	if k := p.Entries[0].Keys; len(k) != 1 || k[0] != (queue.Key{Index: 1, Hash: [16]byte{3}}) {
		t.Errorf("keys %v", k)
	}
	if err := withoutRepeats(&p, &queue.DuplicateError{Entry: e.ID, Indexes: []int{0, 1}}); err != nil || len(p.Entries) != 0 || p.Counts[0].N != 0 {
		t.Errorf("%v, %v", p, err)
	}
}
