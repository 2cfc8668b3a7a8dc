package worker

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/muttproject/mutt/platform/queue"
)

// Depths tells how much a queue holds.
type Depths interface {
	Depth(ctx context.Context, q queue.Name) (queue.Depth, error)
}

// Pressure watches how many alerts wait for the forwarder. Its thresholds bound storage, not speed.
type Pressure struct {
	depths  Depths
	dynamic Dynamic
	metrics *Metrics
	live    atomic.Int64
}

// NewPressure returns a Pressure.
func NewPressure(d Depths, keys Dynamic, m *Metrics) *Pressure {
	return &Pressure{depths: d, dynamic: keys, metrics: m}
}

// Run keeps the gauges and the warning fresh, also while this process holds no partition.
func (p *Pressure) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		p.look(ctx)
		if d, err := p.depths.Depth(ctx, queue.Ingest); err == nil {
			p.metrics.deadDepth.Set(float64(d.Dead))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// look gives how many alerts wait; the last known number when the queue is away.
func (p *Pressure) look(ctx context.Context) int64 {
	if d, err := p.depths.Depth(ctx, queue.Alert); err == nil {
		p.live.Store(d.Live())
		p.metrics.alertDepth.Set(float64(d.Live()))
	}
	return p.live.Load()
}

// Warning says that many alerts wait, "" below the threshold.
func (p *Pressure) Warning() string {
	live := p.live.Load()
	shed := p.dynamic.QueueShed.Get()
	switch {
	case live > shed && p.dynamic.ShedMode.Get() == shedDefer:
		return fmt.Sprintf("%d alerts wait for the forwarder, more than alerter_queue_shed_threshold (%d): judging pauses", live, shed)
	case live > shed:
		return fmt.Sprintf("%d alerts wait for the forwarder, more than alerter_queue_shed_threshold (%d): new ones go to the dead letters", live, shed)
	case live > p.dynamic.QueueWarn.Get():
		return fmt.Sprintf("%d alerts wait for the forwarder: look at the destination, or raise moog_rate_limit", live)
	default:
		return ""
	}
}

// admit waits while pressure pauses reading, and says whether what would be forwarded is shed.
func (l *lane) admit(ctx context.Context) (shed bool, err error) {
	keys := l.p.Dynamic
	for {
		if ctx.Err() != nil {
			return false, errLost
		}
		if l.p.Pressure.look(ctx) <= keys.QueueShed.Get() {
			return false, nil
		}
		if keys.ShedMode.Get() != shedDefer {
			return true, nil
		}
		l.p.Metrics.shed.WithLabelValues(shedDefer).Inc()
		if sleep(ctx, keys.DeferSleep.Get()) != nil {
			return false, errLost
		}
	}
}
