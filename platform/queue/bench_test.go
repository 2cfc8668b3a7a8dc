package queue_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/sqliteq"
)

// fsynced gives a queue with the default durability.
func fsynced(b *testing.B) (*queue.Queue, *sqliteq.Driver) {
	b.Helper()
	d, err := sqliteq.Open(b.Context(), filepath.Join(b.TempDir(), "queue.db"), sqliteq.Options{Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = d.Close() })
	return queue.New(d, queue.Options{Registerer: prometheus.NewRegistry(), Now: time.Now, Process: "p1", Owner: "bench"}), d
}

// batch makes n events of about 200 bytes.
func batch(n int) []queue.Item {
	var all []queue.Item
	for i := range n {
		e := event.Event{ID: queue.NewEntryID(), ReceivedAt: time.Now().UnixMicro(), Hostname: fmt.Sprintf("sw-%d.example.net", i%50),
			Source: event.SourceHTTP, Severity: 3, CorrelationID: queue.NewEntryID().String(),
			Message: fmt.Sprintf("%%LINK-3-UPDOWN: Interface GigabitEthernet0/%d, changed state to down, reason %x, neighbor 203.0.113.%d lost after %d packets",
				i%48, i*2654435761, i%250, i*7919)}
		all = append(all, queue.Item{Record: event.AppendRecord(nil, &e), Source: e.Source})
	}
	return all
}

// BenchmarkAppend500 is one caller that brings 500 events at a time: sealed, stored, fsynced.
func BenchmarkAppend500(b *testing.B) {
	q, d := fsynced(b)
	w := q.Writer(queue.WriterOptions{})
	events := batch(500)
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Append(b.Context(), events); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(500*b.N)/b.Elapsed().Seconds(), "events/s")
	report(b, d)
}

// BenchmarkAppend500Parallel is 8 such callers.
func BenchmarkAppend500Parallel(b *testing.B) {
	q, _ := fsynced(b)
	w := q.Writer(queue.WriterOptions{})
	events := batch(500)
	b.ReportAllocs()
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := w.Append(b.Context(), events); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(500*b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkAppendSingle32 is 32 callers with one event each, which share entries and fsyncs.
func BenchmarkAppendSingle32(b *testing.B) {
	q, _ := fsynced(b)
	w := q.Writer(queue.WriterOptions{})
	events := batch(1)
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := w.Append(b.Context(), events); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkAppendSingle1 is one caller with one event: the price of an fsync.
func BenchmarkAppendSingle1(b *testing.B) {
	q, _ := fsynced(b)
	w := q.Writer(queue.WriterOptions{})
	events := batch(1)
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Append(b.Context(), events); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkClaimSettle claims 4 entries of 500 events and acks them, one commit each.
func BenchmarkClaimSettle(b *testing.B) {
	q, d := fsynced(b)
	body := sealed(batch(500))
	l, err := d.Acquire(b.Context(), queue.LeaseParams{Queue: queue.Ingest, Owner: "bench", TTL: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	const entries = 4
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		var put []queue.Entry
		for range entries {
			put = append(put, queue.Entry{ID: queue.NewEntryID(), Queue: queue.Ingest, Events: 500, Body: body})
		}
		if err := q.Append(b.Context(), put, nil); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		got, err := d.Claim(b.Context(), queue.ClaimParams{Lease: l, Max: entries})
		if err != nil {
			b.Fatal(err)
		}
		var ids []event.ID
		for _, c := range got {
			ids = append(ids, c.Entry)
		}
		if err := d.Settle(b.Context(), queue.SettleParams{Lease: l, Ack: ids}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(entries*500*b.N)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkDepth(b *testing.B) {
	q, _ := fsynced(b)
	if err := q.Writer(queue.WriterOptions{}).Append(b.Context(), batch(1)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if d, err := q.Depth(b.Context(), queue.Ingest); err != nil || d.Live() != 1 {
				b.Error(d, err)
			}
		}
	})
}

func sealed(items []queue.Item) []byte {
	var records []byte
	for i := range items {
		records = append(records, items[i].Record...)
	}
	return event.Seal(records, len(items))
}

// report says what an entry weighs.
func report(b *testing.B, d queue.Driver) {
	b.Helper()
	l, err := d.Acquire(b.Context(), queue.LeaseParams{Queue: queue.Ingest, Owner: "reader", TTL: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	got, err := d.Claim(b.Context(), queue.ClaimParams{Lease: l, Max: 1})
	if err != nil || len(got) != 1 {
		b.Fatal(len(got), err)
	}
	b.ReportMetric(float64(len(got[0].Body))/float64(got[0].Events), "bytes/event")
}
