package api

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

// TestSeriesAndStatementsAgreeWithANaiveBook keeps a plain book beside the store's: events come, are judged later, delivered later still, and
// at noon nothing waits.
func TestSeriesAndStatementsAgreeWithANaiveBook(t *testing.T) {
	t.Parallel()
	b, random := newBundle(t), rand.New(rand.NewPCG(5, 6))
	now := noon.Unix() / 60
	first := now - 26*60
	var received, forwarded, unhandled, delivered [26*60 + 1]int64
	for i := range received {
		n := random.Int64N(20)
		received[i] += n
		at := min(len(received)-1, i+random.IntN(3))
		f := random.Int64N(n + 1)
		forwarded[at] += f
		unhandled[at] += n - f
		delivered[min(len(received)-1, at+random.IntN(30))] += f
	}
	var folded []store.MinuteCount
	for i := range received {
		m := first + int64(i)
		folded = append(folded, store.MinuteCount{Minute: m, Process: "a", Kind: queue.CountReceived, Label: "syslog", N: received[i]},
			store.MinuteCount{Minute: m, Process: "a", Kind: queue.CountDelivered, N: delivered[i]})
		_, err := b.store.Judge(t.Context(), "a", []store.JudgedEntry{{Entry: queue.NewEntryID(), Counts: []store.LedgerCount{
			{Minute: m, Source: event.SourceSyslog, Fate: event.FateForwarded, N: forwarded[i]}, {Minute: m, Source: event.SourceSyslog, Fate: event.FateUnhandled, N: unhandled[i]}}}})
		b.must(err)
	}
	b.must(b.store.FoldCounts(t.Context(), folded))
	read := func(path string, out any) {
		t.Helper()
		rec := b.do(request{method: "GET", path: path, key: "viewer"})
		if rec.Code != 200 {
			t.Fatalf("%s: got %d %s", path, rec.Code, rec.Body)
		}
		b.must(json.Unmarshal(rec.Body.Bytes(), out))
	}
	sum := func(list []int64) (n int64) {
		for _, v := range list {
			n += v
		}
		return n
	}
	for _, c := range []struct {
		name           string
		steps, minutes int64
	}{{"1h", 60, 1}, {"24h", 288, 5}} {
		var got apiclient.Series
		read("/series?range="+c.name, &got)
		if got.StepSeconds != 60*c.minutes || !got.From.Equal(time.Unix(60*((now/c.minutes+1)*c.minutes-c.steps*c.minutes), 0)) {
			t.Errorf("%s: from %s in steps of %d s", c.name, got.From, got.StepSeconds)
		}
		want := map[string][]int64{}
		for step := range c.steps {
			from := int(got.From.Unix()/60-first) + int(step*c.minutes)
			to := min(from+int(c.minutes), len(received))
			want["received"] = append(want["received"], sum(received[from:to]))
			want["forwarded"] = append(want["forwarded"], sum(forwarded[from:to]))
			want["delivered"] = append(want["delivered"], sum(delivered[from:to]))
			want["ingest_waiting"] = append(want["ingest_waiting"], sum(received[:to])-sum(forwarded[:to])-sum(unhandled[:to]))
			want["alerts_waiting"] = append(want["alerts_waiting"], sum(forwarded[:to])-sum(delivered[:to]))
		}
		for name, list := range want {
			if d := cmp.Diff(list, got.Series[name]); d != "" {
				t.Errorf("%s of %s (-want +got):\n%s", name, c.name, d)
			}
		}
		from := len(received) - 1 - int(c.steps*c.minutes)
		var l apiclient.Ledger
		read("/ledger?window="+c.name, &l)
		w := l.Window
		if w.Judging.BroughtForward != sum(received[:from])-sum(forwarded[:from])-sum(unhandled[:from]) || w.Judging.Received != sum(received[from:]) ||
			w.Judging.ByFate["unhandled"] != sum(unhandled[from:]) || w.Judging.Difference != 0 {
			t.Errorf("%s: judging %+v", c.name, w.Judging)
		}
		if w.Delivery.BroughtForward != sum(forwarded[:from])-sum(delivered[:from]) || w.Delivery.Delivered != sum(delivered[from:]) || w.Delivery.Difference != 0 {
			t.Errorf("%s: delivery %+v", c.name, w.Delivery)
		}
	}
	var p apiclient.Pipeline
	read("/pipeline", &p) // at noon 15 seconds of the last minute are over, and 45 of the minute before count
	last := len(received) - 1
	rate := func(list []int64) float64 { return round((0.75*float64(list[last-1]) + float64(list[last])) / 60) }
	if got := p.Destinations[0].SentRate; got != rate(delivered[:]) {
		t.Errorf("sent %v per second, want %v", got, rate(delivered[:]))
	}
	for _, s := range p.Sources {
		if want := rate(received[:]); s.Source == "syslog" && s.Rate != want || s.Source != "syslog" && s.Rate != 0 {
			t.Errorf("%+v, want %v of syslog", s, want)
		}
	}
	if got, want := p.Judge.ByFate["forwarded"], rate(forwarded[:]); got != want {
		t.Errorf("forwarded %v per second, want %v", got, want)
	}
}

// TestPipelineWithoutTheStore: the queues and the breaker are shown while the books cannot be read, and the answer says so. An error of
// another kind is an error.
func TestPipelineWithoutTheStore(t *testing.T) {
	t.Parallel()
	var folded error
	b := newBundle(t, func(d *Deps) { d.Fold = func(context.Context) error { return folded } })
	b.received(3)
	for code, want := range map[fault.Code]int{fault.StoreUnavailable: 200, fault.QueueUnavailable: 503} {
		folded = fault.New(code, "PostgreSQL is unavailable")
		rec := b.do(request{method: "GET", path: "/pipeline", key: "viewer"})
		if rec.Code != want {
			t.Fatalf("%s: got %d %s", code, rec.Code, rec.Body)
		}
		if want != 200 {
			continue
		}
		var p apiclient.Pipeline
		b.must(json.Unmarshal(rec.Body.Bytes(), &p))
		if p.Missing != "PostgreSQL is unavailable" || p.Queues["ingest"].Ready != 3 || p.Destinations[0].Breaker.Failures != 12 || len(p.Sources) != 0 {
			t.Errorf("got %+v", p)
		}
	}
}

// TestDrainAndFull: 1,604 alerts wait, 3.6 a second come, 50 may go: they drain in 35 s once they go at all. Without a bound, no queue is ever full.
func TestDrainAndFull(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.must(b.queue.Append(t.Context(), []queue.Entry{{ID: queue.NewEntryID(), Queue: queue.Alert, Events: 1604, Body: []byte("x")}}, nil))
	_, err := b.store.Judge(t.Context(), "a", []store.JudgedEntry{{Entry: queue.NewEntryID(), Counts: []store.LedgerCount{
		{Minute: noon.Unix()/60 - 1, Source: event.SourceSyslog, Fate: event.FateForwarded, N: 288}}}}) // 216 of them in the last minute
	b.must(err)
	var p apiclient.Pipeline
	rec := b.do(request{method: "GET", path: "/pipeline", key: "viewer"})
	b.must(json.Unmarshal(rec.Body.Bytes(), &p))
	q := p.Queues["alert"]
	if q.DrainSeconds == nil || *q.DrainSeconds != 35 || q.Trend != 3.6 || q.FullSeconds != nil || p.Judge.Minute["forwarded"] != 216 {
		t.Errorf("got %+v, %v", q, p.Judge.Minute)
	}
	if q := p.Queues["ingest"]; q.DrainSeconds != nil {
		t.Errorf("an empty queue drains in %v s", *q.DrainSeconds)
	}
}
