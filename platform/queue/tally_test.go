package queue_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/queue"
)

// tallied is a driver that only counts.
type tallied struct {
	queue.Driver
	away atomic.Bool
	sums map[queue.Count]int64 // by the count with N 0
	of   string
}

func (d *tallied) Append(_ context.Context, p queue.AppendParams) error {
	if d.away.Load() {
		return errors.New("away")
	}
	d.of = p.Process
	for _, c := range p.Counts {
		n := c.N
		c.N = 0
		d.sums[c] += n
	}
	return nil
}

// TestTally: nothing is lost while the storage is away, or at an orderly end, and each count keeps its minute.
func TestTally(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &tallied{sums: map[queue.Count]int64{}}
		tally := queue.New(d, queue.Options{Registerer: prometheus.NewRegistry(), Now: time.Now, Process: "run-1"}).NewTally(zap.NewNop())
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- tally.Run(ctx) }()
		minute := func() int64 { return time.Now().Unix() / 60 }
		first := queue.Count{Minute: minute(), Kind: queue.CountRefused, Label: "queue_full"}
		tally.Add(first.Kind, first.Label, 2)
		tally.Add(first.Kind, first.Label, 3)
		<-time.After(5 * time.Second)
		synctest.Wait()
		if d.sums[first] != 5 || d.of != "run-1" {
			t.Fatalf("%v of %q", d.sums, d.of)
		}
		d.away.Store(true)
		tally.Add(first.Kind, first.Label, 1)
		<-time.After(2 * time.Minute)
		synctest.Wait()
		second := queue.Count{Minute: minute(), Kind: queue.CountRefused, Label: "queue_unavailable"}
		tally.Add(second.Kind, second.Label, 7)
		<-time.After(time.Minute)
		d.away.Store(false)
		<-time.After(5 * time.Second)
		synctest.Wait()
		if d.sums[first] != 6 || d.sums[second] != 7 {
			t.Fatalf("%v", d.sums)
		}
		tally.Add(first.Kind, "last", 4)
		stop()
		<-done
		if len(d.sums) != 3 {
			t.Fatalf("what was gathered at the end is missing: %v", d.sums)
		}
	})
}
