package worker

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/trouble"
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

	many, shedding, pausing *trouble.State
}

// NewPressure returns a Pressure.
func NewPressure(d Depths, keys Dynamic, m *Metrics, b *trouble.Board) *Pressure {
	const ends = "fewer alerts wait for the forwarder again"
	return &Pressure{depths: d, dynamic: keys, metrics: m,
		many: b.State(trouble.Kind{Name: "alerts_wait", Begins: "many alerts wait for the forwarder", Ends: ends, Quiet: pressureQuiet,
			Advice: trouble.Advice{Consequence: "alerts arrive late; intake and judging are not affected", Remedy: "look at the destination, or raise moog_rate_limit",
				Promise: trouble.NothingLost, Runbook: "destination"}}),
		shedding: b.State(trouble.Kind{Name: "alerts_shed", Bad: true, Begins: "too many alerts wait for the forwarder and new ones go to the dead letters", Ends: ends,
			Quiet: pressureQuiet, Title: "New alerts go to the dead letters", Advice: trouble.Advice{
				Consequence: "the destination does not get new alerts until they are replayed; intake and judging are not affected",
				Remedy:      "look at the destination; mutt dlq replay sends them when it has recovered", Promise: trouble.NothingLost, Runbook: "destination"}}),
		pausing: b.State(trouble.Kind{Name: "judging_pauses", Bad: true, Begins: "too many alerts wait for the forwarder and judging pauses", Ends: ends, Quiet: pressureQuiet,
			Title: "Judging pauses", Advice: trouble.Advice{Consequence: "events wait in the ingest queue, which takes them until it is full",
				Remedy: "look at the destination; alerter_shed_mode and alerter_queue_shed_threshold decide about the pause", Promise: trouble.NothingLost, Runbook: "destination"}}),
	}
}

// pressureQuiet bounds the lines of a depth that moves about a threshold.
const pressureQuiet = 5 * time.Second

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

// look returns how many alerts wait; the last known number while the queue is unavailable.
func (p *Pressure) look(ctx context.Context) int64 {
	if d, err := p.depths.Depth(ctx, queue.Alert); err == nil {
		p.live.Store(d.Live())
		p.metrics.alertDepth.Set(float64(d.Live()))
	}
	live, shed := p.live.Load(), p.dynamic.QueueShed.Get()
	over, pauses := live > shed, p.dynamic.ShedMode.Get() == shedDefer
	p.tell(p.pausing, over && pauses, live, "alerter_queue_shed_threshold", shed)
	p.tell(p.shedding, over && !pauses, live, "alerter_queue_shed_threshold", shed)
	p.tell(p.many, !over && live > p.dynamic.QueueWarn.Get(), live, "alerter_queue_warn_threshold", p.dynamic.QueueWarn.Get())
	return live
}

func (p *Pressure) tell(s *trouble.State, on bool, live int64, key string, threshold int64) {
	if on {
		s.Describe(fmt.Sprintf("%d alerts, and %s is %d", live, key, threshold))
	}
	s.Set(on)
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
