package queue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/muttproject/mutt/platform/deps/depstest"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/faultq"
)

func TestWriterStoresAndCounts(t *testing.T) {
	t.Parallel()
	d := open(t)
	q, w := writer(t, d, 1, queue.WriterOptions{})
	must(t, w.Append(t.Context(), []queue.Item{item("a", event.SourceHTTP), item("b", event.SourceSyslog), item("c", event.SourceHTTP)}))
	must(t, w.Append(t.Context(), nil))
	same(t, [][]string{{"a", "b", "c"}}, stored(t, d, 0))
	got, err := q.Counters(t.Context(), 0)
	must(t, err)
	same(t, []queue.Counter{{Minute: 10, Process: "p1", Kind: "received", Label: "http", N: 2}, {Minute: 10, Process: "p1", Kind: "received", Label: "syslog", N: 1}}, got)
}

func TestWriterGathersWhileOneIsOnItsWay(t *testing.T) {
	t.Parallel()
	g := &gate{Driver: open(t), hold: make(chan struct{}), begun: make(chan struct{}, 10)}
	_, w := writer(t, g, 1, queue.WriterOptions{})
	const callers = 50
	results := make(chan error, callers+1)
	appendOne := func(name string) { results <- w.Append(t.Context(), items(name, 1)) }
	go appendOne("first")
	<-g.begun // it does not wait for company
	for i := range callers {
		go appendOne(fmt.Sprint(i))
	}
	waitPending(t, w, callers+1)
	close(g.hold)
	for range callers + 1 {
		must(t, <-results)
	}
	if len(g.appends) != 2 || len(g.appends[1].Entries) != 1 || g.appends[1].Entries[0].Events != callers {
		t.Fatalf("%d appends for %d callers", len(g.appends), callers)
	}
}

func TestWriterCutsEntries(t *testing.T) {
	t.Parallel()
	noise := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rand.IntN(256))
		}
		return string(b)
	}
	for _, c := range []struct {
		name string
		give []queue.Item
		want []int // events per entry
	}{
		{"few", items("x", 3), []int{3}},
		{"just full", items("x", queue.TargetEvents), []int{500}},
		{"one more", items("x", queue.TargetEvents+1), []int{500, 1}},
		{"many", items("x", 3*queue.TargetEvents/2), []int{500, 250}},
		{"by bytes", []queue.Item{item(noise(100<<10), 1), item(noise(100<<10), 1), item(noise(100<<10), 1)}, []int{2, 1}},
		{"large ones alone", []queue.Item{item("x", 1), item(noise(300<<10), 1), item("y", 1)}, []int{1, 1, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := &gate{Driver: open(t)}
			_, w := writer(t, g, 1, queue.WriterOptions{})
			must(t, w.Append(t.Context(), c.give))
			var got []int
			for _, a := range g.appends {
				for _, e := range a.Entries {
					got = append(got, e.Events)
				}
			}
			same(t, c.want, got)
		})
	}
}

func TestWriterBoundsOneAppend(t *testing.T) {
	t.Parallel()
	g := &gate{Driver: open(t)}
	_, w := writer(t, g, 1, queue.WriterOptions{})
	must(t, w.Append(t.Context(), items("x", 20*queue.TargetEvents)))
	if len(g.appends) != 2 || len(g.appends[0].Entries) != 16 || len(g.appends[1].Entries) != 4 {
		t.Fatalf("20 entries in %d appends", len(g.appends))
	}
}

func TestWriterRefusesTheOversizedAlone(t *testing.T) {
	t.Parallel()
	d := open(t)
	_, w := writer(t, d, 1, queue.WriterOptions{})
	large := make([]byte, queue.MaxBody+1000)
	for i := range large {
		large[i] = byte(rand.IntN(256))
	}
	var partial *queue.PartialError
	err := w.Append(t.Context(), []queue.Item{item("a", 1), item(string(large), 1), item("b", 1)})
	if !errors.As(err, &partial) || len(partial.Failed) != 1 || !fault.Is(partial.Failed[1], fault.TooLarge) {
		t.Fatalf("got %v", err)
	}
	same(t, [][]string{{"a"}, {"b"}}, stored(t, d, 0))
}

func TestWriterTellsRepeats(t *testing.T) {
	t.Parallel()
	d := open(t)
	q, w := writer(t, d, 1, queue.WriterOptions{})
	must(t, w.Append(t.Context(), []queue.Item{keyed("a", 1), keyed("b", 2)}))
	err := w.Append(t.Context(), []queue.Item{item("c", 1), keyed("a again", 1), keyed("d", 4), keyed("d again", 4), keyed("b again", 2)})
	var partial *queue.PartialError
	if !errors.As(err, &partial) {
		t.Fatalf("got %v", err)
	}
	for _, i := range []int{1, 3, 4} {
		if !fault.Is(partial.Failed[i], fault.DuplicateKey) {
			t.Errorf("item %d: %v", i, partial.Failed[i])
		}
	}
	if len(partial.Failed) != 3 {
		t.Errorf("failed: %v", partial.Failed)
	}
	// All of them repeats: still told by item, for each is a success.
	err = w.Append(t.Context(), []queue.Item{keyed("a", 1)})
	if !errors.As(err, &partial) || !fault.Is(partial.Failed[0], fault.DuplicateKey) {
		t.Fatalf("got %v", err)
	}
	same(t, [][]string{{"a", "b"}, {"c", "d"}}, stored(t, d, 0))
	got, err := q.Counters(t.Context(), 0)
	must(t, err)
	same(t, int64(4), got[0].N)
}

func TestWriterManyRepeats(t *testing.T) {
	t.Parallel()
	d := open(t)
	_, w := writer(t, d, 1, queue.WriterOptions{})
	var batch []queue.Item
	for i := range 1200 {
		it := item(fmt.Sprint(i), 1)
		it.Key, it.HasKey = [16]byte{byte(i), byte(i >> 8)}, true
		batch = append(batch, it)
	}
	must(t, w.Append(t.Context(), batch))
	var partial *queue.PartialError
	if err := w.Append(t.Context(), batch); !errors.As(err, &partial) || len(partial.Failed) != len(batch) {
		t.Fatalf("got %v", err)
	}
}

func TestWriterFull(t *testing.T) {
	t.Parallel()
	d := open(t)
	limit := int64(5)
	_, w := writer(t, d, 1, queue.WriterOptions{Cap: func() int64 { return limit }})
	must(t, w.Append(t.Context(), items("a", 5)))
	err := w.Append(t.Context(), items("b", 1))
	if e, ok := fault.As(err); !ok || e.Code != fault.QueueFull || e.RetryAfter <= 0 {
		t.Fatalf("got %v", err)
	}
	limit = 6
	must(t, w.Append(t.Context(), items("c", 1)))
	same(t, 2, len(stored(t, d, 0)))
}

func TestWriterBoundsWhatIsPending(t *testing.T) {
	t.Parallel()
	g := &gate{Driver: open(t), hold: make(chan struct{}), begun: make(chan struct{}, 10)}
	_, w := writer(t, g, 1, queue.WriterOptions{MaxPending: 100})
	first := make(chan error, 1)
	go func() { first <- w.Append(t.Context(), []queue.Item{item(string(make([]byte, 1000)), 1)}) }() // one alone may
	<-g.begun
	if err := w.Append(t.Context(), items("x", 1)); !fault.Is(err, fault.QueueFull) {
		t.Errorf("got %v", err)
	}
	close(g.hold)
	must(t, <-first)
	must(t, w.Append(t.Context(), items("y", 1))) // room was given back
}

func TestWriterWithdraws(t *testing.T) {
	t.Parallel()
	d := open(t)
	g := &gate{Driver: d, hold: make(chan struct{}), begun: make(chan struct{}, 10)}
	_, w := writer(t, g, 1, queue.WriterOptions{})
	results := make(chan error, 2)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { results <- w.Append(ctx, items("first", 1)) }()
	<-g.begun
	withdrawn := make(chan error, 1)
	go func() { withdrawn <- w.Append(ctx, items("withdrawn", 1)) }()
	waitPending(t, w, 2)
	cancel()
	if err := <-withdrawn; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := w.Append(ctx, items("late", 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(g.hold)
	must(t, <-results) // its outcome was awaited
	must(t, w.Append(t.Context(), items("next", 1)))
	same(t, [][]string{{"first0"}, {"next0"}}, stored(t, d, 0))
}

func TestWriterFailsByPartition(t *testing.T) {
	t.Parallel()
	refuse := func(p queue.AppendParams) error {
		if p.Entries[0].Partition == 1 {
			return fault.New(fault.QueueFull, "full")
		}
		return nil
	}
	d := open(t)
	_, w := writer(t, &gate{Driver: d, refuse: refuse}, 3, queue.WriterOptions{})
	batch := items("x", 6)
	for i := range batch {
		batch[i].Partition = i % 3
	}
	var partial *queue.PartialError
	if err := w.Append(t.Context(), batch); !errors.As(err, &partial) {
		t.Fatalf("got %v", err)
	}
	if len(partial.Failed) != 2 || !fault.Is(partial.Failed[1], fault.QueueFull) || !fault.Is(partial.Failed[4], fault.QueueFull) {
		t.Fatalf("failed: %v", partial.Failed)
	}
	same(t, [][]string{{"x0", "x3"}}, stored(t, d, 0))
	same(t, [][]string{{"x2", "x5"}}, stored(t, d, 2))
	batch[0].Partition = 3
	if err := w.Append(t.Context(), batch); !fault.Is(err, fault.Internal) {
		t.Fatalf("a partition that is none: %v", err)
	}
}

func TestWriterRepeatsWithTheSameID(t *testing.T) {
	t.Parallel()
	d := open(t)
	f := faultq.New(d, faultq.Script(faultq.Append, faultq.Before, faultq.After))
	_, w := writer(t, f, 1, queue.WriterOptions{})
	must(t, w.Append(t.Context(), []queue.Item{keyed("a", 1)}))
	same(t, 2, f.Hits(faultq.Append))
	same(t, [][]string{{"a"}}, stored(t, d, 0))
	f = faultq.New(d, faultq.Script(faultq.Append, faultq.Before, faultq.Before, faultq.Before))
	_, w = writer(t, f, 1, queue.WriterOptions{})
	if err := w.Append(t.Context(), items("b", 1)); !fault.Is(err, fault.QueueUnavailable) {
		t.Fatalf("got %v", err)
	}
}

func TestWriterStops(t *testing.T) {
	t.Parallel()
	d := open(t)
	g := &gate{Driver: d, hold: make(chan struct{}), begun: make(chan struct{}, 10)}
	_, w := writer(t, g, 1, queue.WriterOptions{})
	results := make(chan error, 2)
	go func() { results <- w.Append(t.Context(), items("a", 1)) }()
	<-g.begun
	go func() { results <- w.Append(t.Context(), items("b", 1)) }()
	waitPending(t, w, 2)
	stopped := make(chan error, 1)
	go func() { stopped <- w.Stop(t.Context()) }()
	close(g.hold)
	must(t, <-stopped)
	must(t, <-results)
	must(t, <-results)
	same(t, 2, len(stored(t, d, 0)))
	if err := w.Append(t.Context(), items("c", 1)); !fault.Is(err, fault.Closed) {
		t.Fatalf("after stop: %v", err)
	}
	must(t, w.Stop(t.Context()))
}

func TestWriterStopIsBounded(t *testing.T) {
	t.Parallel()
	g := &gate{Driver: open(t), hold: make(chan struct{}), begun: make(chan struct{}, 10)}
	_, w := writer(t, g, 1, queue.WriterOptions{})
	result := make(chan error, 1)
	go func() { result <- w.Append(t.Context(), items("a", 1)) }()
	<-g.begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("stop: %v", err)
	}
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("append: %v", err)
	}
}

func TestWriterOfAlerts(t *testing.T) {
	t.Parallel()
	g := &gate{Driver: open(t)}
	q, w := writer(t, g, 1, queue.WriterOptions{Queue: queue.Alert})
	a := event.Alert{Event: event.Event{Message: "meta"}}
	must(t, w.Append(t.Context(), []queue.Item{{Record: event.AppendAlertRecord(nil, &a), Source: event.SourceMeta}}))
	alerts, err := event.DecodeAlerts(nil, g.appends[0].Entries[0].Body)
	must(t, err)
	same(t, "meta", alerts[0].Event.Message)
	got, err := q.Counters(t.Context(), 0)
	must(t, err)
	same(t, []queue.Counter{{Minute: 10, Process: "p1", Kind: "meta", N: 1}}, got)
}

// TestWriterKeepsAll holds that whatever callers bring at once is stored once and in each caller's order.
func TestWriterKeepsAll(t *testing.T) {
	t.Parallel()
	const partitions = 2
	d := open(t)
	rapid.Check(t, func(rt *rapid.T) {
		q := queue.New(d, queue.Options{Registerer: prometheus.NewRegistry(), Now: time.Now, Partitions: partitions})
		w := q.Writer(queue.WriterOptions{})
		callers := rapid.SliceOfN(rapid.SliceOfN(rapid.SampledFrom([]int{1, 1, 2, 30, 249, 300, 600}), 1, 4), 1, 5).Draw(rt, "calls")
		var wg sync.WaitGroup
		for c, calls := range callers {
			wg.Go(func() {
				next := 0
				for _, n := range calls {
					var batch []queue.Item
					for range n {
						it := item(fmt.Sprintf("%d %d", c, next), 1)
						it.Partition = next % partitions
						batch = append(batch, it)
						next++
					}
					if err := w.Append(t.Context(), batch); err != nil {
						rt.Errorf("append: %v", err)
					}
				}
			})
		}
		wg.Wait()
		must(t, w.Stop(t.Context()))
		checkOrder(rt, t, d, callers)
	})
}

func checkOrder(rt *rapid.T, t *testing.T, d queue.Driver, callers [][]int) {
	next := map[[2]int]int{} // by caller and partition
	total := 0
	for p := range 2 {
		for _, entry := range stored(t, d, p) {
			for _, m := range entry {
				var c, n int
				if _, err := fmt.Sscan(m, &c, &n); err != nil {
					rt.Fatal(err)
				}
				if want := next[[2]int{c, p}]*2 + p; n != want {
					rt.Fatalf("caller %d, partition %d: event %d came instead of %d", c, p, n, want)
				}
				next[[2]int{c, p}]++
				total++
			}
		}
	}
	want := 0
	for _, calls := range callers {
		for _, n := range calls {
			want += n
		}
	}
	if total != want {
		rt.Fatalf("%d events of %d", total, want)
	}
}

func TestQueueAppendSplitsByPartition(t *testing.T) {
	t.Parallel()
	g := &gate{Driver: open(t)}
	reg := prometheus.NewRegistry()
	q := queue.New(g, queue.Options{Now: time.Now, Partitions: 2, Process: "p1", Registerer: reg})
	var entries []queue.Entry
	for i := range 5 {
		entries = append(entries, queue.Entry{ID: queue.NewEntryID(), Queue: queue.Alert, Partition: i % 2, Events: 1})
	}
	must(t, q.Append(t.Context(), entries, []queue.Count{{Kind: queue.CountMeta, N: 5}}))
	same(t, 2, len(g.appends))
	same(t, []queue.Entry{entries[0], entries[2], entries[4]}, g.appends[0].Entries)
	got, err := q.Counters(t.Context(), 0)
	must(t, err)
	if len(got) != 1 || got[0].N != 5 || got[0].Minute == 0 {
		t.Fatalf("counted %+v", got)
	}
	d, err := q.Depth(t.Context(), queue.Alert)
	must(t, err)
	same(t, int64(5), d.Ready)
	families, err := reg.Gather()
	must(t, err)
	for _, f := range families {
		if f.GetName() == "mutt_queue_append_seconds" { // alert, ingest
			same(t, uint64(2), f.GetMetric()[0].GetHistogram().GetSampleCount())
			same(t, uint64(0), f.GetMetric()[1].GetHistogram().GetSampleCount())
		}
	}
}

func TestDependenciesAreRequired(t *testing.T) {
	t.Parallel()
	depstest.Refuses(t, queue.Options{Now: time.Now, Registerer: prometheus.NewRegistry()}, func(o queue.Options) error {
		queue.New(nil, o)
		return nil
	})
}

func TestPartitionIsStable(t *testing.T) {
	t.Parallel()
	four := queue.New(nil, queue.Options{Registerer: prometheus.NewRegistry(), Now: time.Now, Partitions: 4})
	same(t, 0, queue.New(nil, queue.Options{Registerer: prometheus.NewRegistry(), Now: time.Now}).Partition("sw-1"))
	// Values that other processes and versions rely on: FNV-1a, 32 bits.
	for host, want := range map[string]int{"": 2166136261 % 4, "a": 0xe40c292c % 4, "foobar": 0xbf9cf968 % 4} {
		same(t, want, four.Partition(host))
	}
	// The spellings of a host share its partition; other letters than those of ASCII are not folded.
	many := queue.New(nil, queue.Options{Registerer: prometheus.NewRegistry(), Now: time.Now, Partitions: 1 << 20})
	for _, host := range []string{"CORE-1", "Core-1", "cORE-1"} {
		same(t, many.Partition("core-1"), many.Partition(host))
	}
	if many.Partition("KÖLN") == many.Partition("köln") {
		t.Error("Ö was folded")
	}
}

func TestErrorTexts(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	fmt.Fprint(&b, &queue.PartialError{}, &queue.PartialError{Failed: map[int]error{1: fault.New(fault.QueueFull, "full")}}, &queue.DuplicateError{Indexes: []int{1}})
	for _, want := range []string{"no event failed", "1 events were not stored: queue_full: full", "were accepted before"} {
		if !bytes.Contains(b.Bytes(), []byte(want)) {
			t.Errorf("%q is missing in %q", want, b.String())
		}
	}
}
