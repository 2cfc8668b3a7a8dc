package ingest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/trouble"
)

// besides is a Beside that remembers, by "kind reason".
type besides struct {
	mu sync.Mutex
	n  map[string]int64
}

func (b *besides) Add(kind, label string, n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.n == nil {
		b.n = map[string]int64{}
	}
	b.n[kind+" "+label] += n
}

// failing is a Writer that fails as it is told.
type failing struct {
	Writer
	fail func(items []queue.Item) error
}

func (f *failing) Append(ctx context.Context, items []queue.Item) error {
	if f.fail != nil {
		return f.fail(items)
	}
	return f.Writer.Append(ctx, items)
}

// TestCountsWhatIsTurnedAway: in events, each once, whether a request fails as a whole or in part.
func TestCountsWhatIsTurnedAway(t *testing.T) {
	full := fault.New(fault.QueueFull, "full")
	all := func(err error) func([]queue.Item) error { return func([]queue.Item) error { return err } }
	last := func(items []queue.Item) error {
		return &queue.PartialError{Failed: map[int]error{len(items) - 1: full}}
	}
	bad := `{"hostname":"h","message":"no timestamp"}`
	for _, c := range []struct {
		name, body string
		fail       func([]queue.Item) error
		status     int
		want       map[string]int64
	}{
		{"taken", "[" + one() + "," + one() + "]", nil, 200, nil},
		{"nonsense", "nonsense", nil, 400, map[string]int64{"rejected bad_request": 1}},
		{"a lone bad one", bad, nil, 400, map[string]int64{"rejected invalid_field": 1}},
		{"one of three is bad", "[" + one() + "," + bad + "," + one() + "]", nil, 200, map[string]int64{"rejected invalid_field": 1}},
		{"all are bad", "[" + bad + "," + bad + "]", nil, 400, map[string]int64{"rejected invalid_field": 2}},
		{"full", "[" + one() + "," + bad + "," + one() + "]", all(full), 503, map[string]int64{"rejected invalid_field": 1, "refused queue_full": 2}},
		{"full for one", "[" + one() + "," + one() + "]", last, 200, map[string]int64{"refused queue_full": 1}},
		{"away", one(), all(fault.New(fault.QueueUnavailable, "away")), 503, map[string]int64{"refused queue_unavailable": 1}},
		{"the sender went", one(), all(context.Canceled), 400, map[string]int64{"rejected bad_request": 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, r := newDeps(t)
			defer r.close()
			counted, w := &besides{}, &failing{Writer: d.Writer, fail: c.fail}
			d.Beside, d.Writer = counted, w
			r.serve(t, d)
			if rec := r.send(t, c.body); rec.Code != c.status {
				t.Fatalf("got %d %s", rec.Code, rec.Body)
			}
			if diff := cmp.Diff(c.want, counted.n); diff != "" {
				t.Error(diff)
			}
			metrics := map[string]int64{}
			families, err := d.Registerer.(*prometheus.Registry).Gather()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range families {
				for kind, name := range map[string]string{queue.CountRefused: "mutt_ingest_refused_events_total", queue.CountRejected: "mutt_ingest_rejected_events_total"} {
					for _, m := range f.GetMetric() {
						if f.GetName() == name && m.GetCounter().GetValue() > 0 {
							metrics[fmt.Sprint(kind, " ", m.GetLabel()[0].GetValue())] += int64(m.GetCounter().GetValue())
						}
					}
				}
			}
			if diff := cmp.Diff(counted.n, metrics); len(counted.n)+len(metrics) > 0 && diff != "" {
				t.Error("metrics:", diff)
			}
		})
	}
	away := newTurnedAway(prometheus.NewRegistry(), &besides{}, newTroubles(trouble.NewBoard(zap.NewNop(), time.Now)))
	away.syslog("backlog", 3)
	away.syslog("refused", 4)
	away.syslog("rate_limited", 5)
	away.http(fault.New(fault.RateLimited, "too many"), 6)
	away.http(fmt.Errorf("a bug"), 7)
	want := map[string]int64{"refused backlog": 3, "rejected refused": 4, "rejected rate_limited": 5 + 6, "refused internal": 7}
	if diff := cmp.Diff(want, away.beside.(*besides).n); diff != "" {
		t.Error(diff)
	}
}
