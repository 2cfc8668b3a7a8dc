package api

import (
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
)

func TestRates(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 30, 15, 0, time.UTC) // a quarter of a minute has begun
	first := time.Date(2026, 11, 22, 13, 0, 0, 0, time.UTC)
	counts := make([]int64, 23*60+31)
	n := len(counts)
	counts[0] = 600           // in the first hour of the chart
	counts[n-2] = 100         // the minute before
	counts[n-1] = 40          // this minute, so far
	counts[n-16] = 1000       // leaves the 15 minutes by and by
	counts[n-61] = 60 * 60    // and this the hour
	counts[n-1-30-60] = 12000 // an hour long past
	m := rates(now, first, counts)
	if got, want := m.Summary.CurrentRate1m, 40+75.0; got != want {
		t.Errorf("1m: got %v, want %v", got, want)
	}
	if got, want := m.Summary.AvgRate15m, round((140+750.0)/15); got != want {
		t.Errorf("15m: got %v, want %v", got, want)
	}
	if got, want := m.Summary.AvgRate1h, round((1140+3600*0.75)/60); got != want {
		t.Errorf("1h: got %v, want %v", got, want)
	}
	if m.Chart24h.Labels[0] != "13:00" || m.Chart24h.Labels[23] != "12:00" || len(m.Chart24h.Data) != 24 {
		t.Errorf("labels: %v", m.Chart24h.Labels)
	}
	if m.Chart24h.Data[0] != 10 || m.Chart24h.Data[23] != round(1140/30.25) {
		t.Errorf("data: %v", m.Chart24h.Data)
	}
	// In the first seconds of an hour nothing is blown up.
	m = rates(first.Add(23*time.Hour), first, append(make([]int64, 23*60), 30))
	if m.Chart24h.Data[23] != 30 || m.Summary.CurrentRate1m != 30 {
		t.Errorf("at the full hour: %+v", m)
	}
}

// received puts events into the ingest queue as an ingestor does.
func (b *bundle) received(n int) {
	b.Helper()
	b.must(b.queue.Append(b.Context(), []queue.Entry{{ID: queue.NewEntryID(), Queue: queue.Ingest, Events: n, Body: []byte("x")}},
		[]queue.Count{{Minute: noon.Unix() / 60, Kind: queue.CountReceived, Label: event.SourceHTTP.String(), N: int64(n)}}))
}

func TestMetricsFromTheLedger(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.received(30)
	m := decode[apiclient.Metrics](b, b.get("/metrics"))
	if m.Summary.CurrentRate1m != 30 || m.Summary.AvgRate15m != 2 || m.Chart24h.Data[23] == 0 {
		t.Fatalf("got %+v", m)
	}
}

func TestLedger(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.received(10)
	l := decode[apiclient.Ledger](b, b.get("/ledger"))
	if !l.Judging.Balanced || l.Judging.Received != 10 || l.Judging.InFlight != 10 || l.Judging.Judged != 0 || !l.Delivery.Balanced {
		t.Fatalf("what waits is in flight: %+v", l)
	}
	b.judge(auditRow(1, "sw1", event.FateForwarded, event.PageOnly, 7))
	l = decode[apiclient.Ledger](b, b.get("/ledger"))
	if l.Judging.Balanced || l.Judging.Difference != -1 || l.Judging.ByFate["forwarded"] != 1 {
		t.Fatalf("judged and still waiting does not balance: %+v", l.Judging)
	}
	if l.Delivery.Balanced || l.Delivery.Forwardable != 1 || l.Delivery.Difference != 1 {
		t.Fatalf("forwardable and nowhere does not balance: %+v", l.Delivery)
	}
	b.kill(queue.Alert, 1)
	if l = decode[apiclient.Ledger](b, b.get("/ledger")); !l.Delivery.Balanced || l.Delivery.Parked != 1 {
		t.Fatalf("parked: %+v", l.Delivery)
	}
	b.expect(200, request{method: "DELETE", path: "/dlq/alert/" + testID(1).String(), header: []string{"X-Reason", "noise"}})
	if l = decode[apiclient.Ledger](b, b.get("/ledger")); !l.Delivery.Balanced || l.Delivery.Discarded != 1 || l.Delivery.Parked != 0 {
		t.Fatalf("discarded: %+v", l.Delivery)
	}
}
