package intake

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/muttproject/mutt/platform/deps/depstest"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// fakeWriter keeps what it is given, decoded at once: records are the intake's again afterwards.
type fakeWriter struct {
	mu     sync.Mutex
	events []event.Event
	items  []queue.Item
	err    error
	hold   chan struct{} // when set, Append waits for it
}

func (w *fakeWriter) Append(_ context.Context, items []queue.Item) error {
	if w.hold != nil {
		<-w.hold
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, it := range items {
		es, err := event.DecodeEvents(nil, event.Seal(it.Record, 1))
		if err != nil {
			return err
		}
		w.events = append(w.events, es...)
		it.Record = nil
		w.items = append(w.items, it)
	}
	return w.err
}

var testNow = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

func newIntake(w Writer, l Limits) *Intake {
	return New(newDeps(w), l)
}

// unlimited is a rate limit that never refuses.
type unlimited struct{}

func (unlimited) Take(context.Context, int64) (time.Duration, bool, error) { return 0, true, nil }

func newDeps(w Writer) Deps {
	return Deps{Writer: w, Now: func() time.Time { return testNow }, Metrics: NewMetrics(prometheus.NewRegistry()), Limiter: unlimited{},
		Partition: func(host string) int { return len(host) }, Depth: func() int64 { return 0 }}
}

func TestStamps(t *testing.T) {
	t.Parallel()
	w := &fakeWriter{}
	in := newIntake(w, Limits{MaxEvent: MaxEvent})
	b := in.NewBatch(event.SourceSyslog)
	key := [16]byte{1}
	e := event.Event{Hostname: "abc", Message: "m", Severity: 3, Facility: event.Absent}
	b.Add(&e, &key)
	if e.CorrelationID != "" || e.Timestamp != 0 {
		t.Errorf("the caller's event kept what was only for the encoding: %+v", e)
	}
	e = event.Event{Hostname: "d", Message: "n", Timestamp: 5, CorrelationID: "own"}
	b.Add(&e, nil)
	out, err := in.Submit(t.Context(), b)
	if err != nil || out.Accepted != 2 || out.Failed != nil {
		t.Fatalf("got %+v, %v", out, err)
	}
	now := testNow.UnixMicro()
	first, second := w.events[0], w.events[1]
	want := []event.Event{
		{ID: first.ID, ReceivedAt: now, Timestamp: now, Source: event.SourceSyslog, Severity: 3, Facility: -1, Hostname: "abc", Message: "m",
			CorrelationID: first.ID.String()},
		{ID: second.ID, ReceivedAt: now, Timestamp: 5, Source: event.SourceSyslog, Hostname: "d", Message: "n", CorrelationID: "own"},
	}
	if d := cmp.Diff(want, w.events); d != "" {
		t.Error(d)
	}
	if first.ID.Version() != 7 || first.ID.Variant().String() != "RFC4122" || first.ID.String() >= second.ID.String() {
		t.Errorf("ids: %s %s", first.ID, second.ID)
	}
	if sec, nsec := first.ID.Time().UnixTime(); sec != testNow.Unix() || nsec >= 1e6 {
		t.Errorf("the id's time is %d.%d", sec, nsec)
	}
	wantItems := []queue.Item{{Partition: 3, Source: event.SourceSyslog, Key: key, HasKey: true}, {Partition: 1, Source: event.SourceSyslog}}
	if d := cmp.Diff(wantItems, w.items); d != "" {
		t.Error(d)
	}
}

func TestRepairsAreCounted(t *testing.T) {
	t.Parallel()
	w := &fakeWriter{}
	in := newIntake(w, Limits{MaxEvent: MaxEvent})
	b := in.NewBatch(event.SourceHTTP)
	for _, message := range []string{"fine", "\xff", "a\x00"} {
		b.Add(&event.Event{Hostname: "h", Message: message, Variables: []event.Variable{{OID: "1", Value: message}}}, nil)
	}
	if _, err := in.Submit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if n := testutil.ToFloat64(in.deps.Metrics.repaired.WithLabelValues("http")); n != 2 {
		t.Errorf("counted %v", n)
	}
	if v := w.events[1].Variables[0].Value; v != "\ufffd" {
		t.Errorf("a variable's value is %q", v)
	}
}

func TestSizeLimit(t *testing.T) {
	t.Parallel()
	w := &fakeWriter{}
	in := newIntake(w, Limits{MaxEvent: 1000})
	b := in.NewBatch(event.SourceHTTP)
	for _, n := range []int{10, 3 << 20, 20, 990, 30} { // 990 is over with its header only
		b.Add(&event.Event{Hostname: "h", Message: strings.Repeat("x", n)}, nil)
	}
	out, err := in.Submit(t.Context(), b)
	if err != nil || out.Accepted != 3 || len(out.Failed) != 2 || !fault.Is(out.Failed[1], fault.TooLarge) || !fault.Is(out.Failed[3], fault.TooLarge) {
		t.Fatalf("got %+v, %v", out, err)
	}
	var sizes []int
	for _, e := range w.events {
		sizes = append(sizes, len(e.Message))
	}
	if d := cmp.Diff([]int{10, 20, 30}, sizes); d != "" {
		t.Error(d)
	}
	b = in.NewBatch(event.SourceHTTP)
	b.Add(&event.Event{Message: strings.Repeat("x", 3<<20)}, nil)
	if out, err = in.Submit(t.Context(), b); err != nil || out.Accepted != 0 || !fault.Is(out.Failed[0], fault.TooLarge) {
		t.Fatalf("lone: got %+v, %v", out, err)
	}
}

func TestPartialFailuresKeepTheirPositions(t *testing.T) {
	t.Parallel()
	away, seen := fault.New(fault.QueueUnavailable, "away"), fault.New(fault.DuplicateKey, "seen")
	w := &fakeWriter{err: &queue.PartialError{Failed: map[int]error{0: seen, 2: away}}}
	in := newIntake(w, Limits{MaxEvent: 1000})
	b := in.NewBatch(event.SourceHTTP)
	for _, n := range []int{2000, 1, 2000, 1, 1} {
		b.Add(&event.Event{Message: strings.Repeat("x", n)}, nil)
	}
	out, err := in.Submit(t.Context(), b)
	if err != nil || out.Accepted != 2 || out.Repeated != 1 || len(out.Failed) != 3 {
		t.Fatalf("got %+v, %v", out, err)
	}
	f, _ := fault.As(out.Failed[4])
	if f == nil || f.Code != fault.QueueUnavailable || f.RetryAfter == 0 || away.RetryAfter != 0 {
		t.Errorf("item 2 is position 4, to be tried again: %v", out.Failed)
	}
	for result, want := range map[string]float64{resultAccepted: 1, resultRepeated: 1, resultRefused: 3} {
		if n := testutil.ToFloat64(in.deps.Metrics.events.WithLabelValues("http", result)); n != want {
			t.Errorf("%s: counted %v, want %v", result, n, want)
		}
	}
}

func TestWholeFailures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err   error
		code  fault.Code
		retry bool
	}{
		{fault.New(fault.QueueFull, "full"), fault.QueueFull, true},
		{fault.New(fault.Closed, "closing"), fault.Closed, true},
		{fault.New(fault.TooLarge, "large"), fault.TooLarge, false},
		{errors.New("odd"), fault.Internal, false},
		{context.Canceled, fault.Internal, false},
	} {
		in := newIntake(&fakeWriter{err: c.err}, Limits{MaxEvent: MaxEvent})
		b := in.NewBatch(event.SourceHTTP)
		b.Add(&event.Event{Message: "m"}, nil)
		_, err := in.Submit(t.Context(), b)
		f, _ := fault.As(err)
		if fault.CodeOf(err) != c.code || (f != nil && f.RetryAfter > 0) != c.retry {
			t.Errorf("%v: got %v", c.err, err)
		}
	}
}

type limiter struct {
	ok  bool
	n   int64
	err error
}

func (l *limiter) Take(_ context.Context, n int64) (time.Duration, bool, error) {
	l.n += n
	return time.Minute, l.ok, l.err
}

func TestLimiterIsAskedOnce(t *testing.T) {
	t.Parallel()
	l := &limiter{ok: true}
	in := newIntake(&fakeWriter{}, Limits{MaxEvent: MaxEvent})
	in.deps.Limiter = l
	submit := func(admit int) error {
		b := in.NewBatch(event.SourceHTTP)
		b.Add(&event.Event{Message: "m"}, nil)
		if admit > 0 {
			if err := b.Admit(t.Context(), admit); err != nil {
				b.Discard()
				return err
			}
		}
		_, err := in.Submit(t.Context(), b)
		return err
	}
	if err := submit(0); err != nil || l.n != 1 {
		t.Errorf("Submit asks: %v, %d", err, l.n)
	}
	if err := submit(5); err != nil || l.n != 6 {
		t.Errorf("after Admit it does not: %v, %d", err, l.n)
	}
	l.ok = false
	for admit := range 2 {
		err := submit(admit)
		if f, _ := fault.As(err); f == nil || f.Code != fault.RateLimited || f.RetryAfter != time.Minute {
			t.Errorf("got %v", err)
		}
	}
	if n := testutil.ToFloat64(in.deps.Metrics.rateLimited); n != 2 {
		t.Errorf("counted %v", n)
	}
	l.err = fault.New(fault.QueueUnavailable, "no limiter")
	if err := submit(1); !fault.Is(err, fault.QueueUnavailable) {
		t.Errorf("away never means granted: %v", err)
	}
}

func TestCloseWaitsForRunningSubmissions(t *testing.T) {
	defer goleak.VerifyNone(t)
	synctest.Test(t, func(t *testing.T) {
		w := &fakeWriter{hold: make(chan struct{})}
		in := newIntake(w, Limits{MaxEvent: MaxEvent})
		submit := func() error {
			b := in.NewBatch(event.SourceHTTP)
			b.Add(&event.Event{Message: "m"}, nil)
			_, err := in.Submit(t.Context(), b)
			return err
		}
		running := make(chan error)
		go func() { running <- submit() }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := in.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close is bounded: %v", err)
		}
		if err := submit(); !fault.Is(err, fault.Closed) {
			t.Errorf("a closed intake refuses: %v", err)
		}
		close(w.hold)
		if err := <-running; err != nil {
			t.Errorf("what ran is finished: %v", err)
		}
		if err := in.Close(t.Context()); err != nil {
			t.Errorf("Close is idempotent: %v", err)
		}
	})
}

func TestIDsGrowAndDiffer(t *testing.T) {
	t.Parallel()
	var s idSource
	const workers, each = 4, 3000
	got := make(chan []event.ID, workers)
	for range workers {
		go func() {
			ids := make([]event.ID, each)
			for i := range ids {
				ids[i] = s.next(testNow.UnixMicro()) // more of them than a millisecond counts
			}
			got <- ids
		}()
	}
	seen := map[event.ID]bool{}
	for range workers {
		var last string
		for _, id := range <-got {
			if seen[id] || id.String() <= last || id.Version() != 7 {
				t.Fatalf("%s after %s", id, last)
			}
			seen[id], last = true, id.String()
		}
	}
	before := s.next(testNow.UnixMicro())
	if after := s.next(testNow.Add(-time.Hour).UnixMicro()); after.String() <= before.String() {
		t.Error("a clock that steps back does not turn the order")
	}
}

func TestAddDoesNotAllocate(t *testing.T) {
	in := newIntake(&fakeWriter{}, Limits{MaxEvent: MaxEvent})
	b := in.NewBatch(event.SourceSyslog)
	e := event.Event{Hostname: "core-sw-01", Message: strings.Repeat("m", 200), Fields: `{"a":1}`}
	for range 100 {
		b.Add(&e, nil)
	}
	allocs := testing.AllocsPerRun(100, func() {
		b.buf, b.recs = b.buf[:0], b.recs[:0]
		for range 100 {
			b.Add(&e, nil)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations for 100 events", allocs)
	}
}

func BenchmarkAdd(b *testing.B) {
	in := newIntake(&fakeWriter{}, Limits{MaxEvent: MaxEvent})
	batch := in.NewBatch(event.SourceSyslog)
	e := event.Event{Hostname: "core-sw-01", Message: strings.Repeat("m", 200), Fields: `{"a":1}`, AppName: "LINK"}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%500 == 0 {
			batch.buf, batch.recs = batch.buf[:0], batch.recs[:0]
		}
		batch.Add(&e, nil)
	}
}

func TestDependenciesAreRequired(t *testing.T) {
	t.Parallel()
	depstest.Refuses(t, newDeps(&fakeWriter{}), func(d Deps) error {
		New(d, Limits{MaxEvent: MaxEvent})
		return nil
	})
}
