package pipeline

import (
	"context"
	"fmt"
	"time"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/slo"
)

// write writes results in groups, at most one write per flushEvery unless many wait, until ctx ends or the reader does.
func (p *partition) write(ctx context.Context, read chan error) error {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-read:
			read <- err // for Work
			return err
		case <-p.dirty:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
		case <-p.urgent:
		}
		pause.Reset(flushEvery)
		if err := p.flush(); err != nil {
			return err
		}
	}
}

// flush writes what there is: progress of entries, dead letters, and acks with their counts, in one step.
func (p *partition) flush() error {
	s, acked := p.collect()
	if len(s.Ack)+len(s.Progress)+len(s.Dead) == 0 {
		return nil
	}
	wait := 50 * time.Millisecond
	for {
		err := p.holder.Settle(p.store, s)
		if err == nil {
			break
		}
		// Holder.Settle repeats by itself while the storage is away, with one id; this is for the one that gave up.
		if !fault.Is(err, fault.QueueUnavailable) || sleep(p.store, wait) != nil {
			return fmt.Errorf("write progress: %w", err)
		}
		wait = min(2*wait, 2*time.Second)
	}
	p.forget(acked)
	return nil
}

// collect returns the settlement of the results since the last one. Results are counted in the step that notes them, so that
// they are counted once and seen as they happen.
func (p *partition) collect() (s queue.Settlement, acked []*entry) {
	p.engine.mu.Lock()
	defer p.engine.mu.Unlock()
	for _, e := range p.touched {
		e.touched = false
		if e.left > 0 {
			note := appendProgress(nil, len(e.items), func(i int) mark { return e.items[i].mark })
			s.Progress = append(s.Progress, queue.Progress{Entry: e.id, Note: note, Left: e.left})
			continue
		}
		s.Ack = append(s.Ack, e.id)
		acked = append(acked, e)
	}
	p.touched, p.unwritten = p.touched[:0], 0
	s.Dead, p.dead = p.dead, nil
	s.Counts = counts(p.engine.deps.Now().Unix()/60, p.delivered, p.parked, &p.latency)
	p.engine.deps.Metrics.delivery.Add(&p.latency)
	p.delivered, p.parked, p.latency = 0, 0, slo.Latencies{}
	return s, acked
}

// counts returns what results add to the book of delivery, and their latencies.
func counts(minute, delivered, parked int64, latency *slo.Latencies) (all []queue.Count) {
	add := func(kind, label string, n int64) {
		if n > 0 {
			all = append(all, queue.Count{Minute: minute, Kind: kind, Label: label, N: n})
		}
	}
	add(queue.CountDelivered, "", delivered)
	add(queue.CountParked, "", parked)
	for b, n := range latency.N {
		add(queue.CountDeliveryLatency, slo.Label(b), n)
	}
	return all
}

// forget frees the memory of acked entries.
func (p *partition) forget(acked []*entry) {
	if len(acked) == 0 {
		return
	}
	p.engine.mu.Lock()
	for _, e := range acked {
		p.alerts -= len(e.items)
		p.bytes -= e.bytes
	}
	p.engine.mu.Unlock()
	notify(p.room)
}
