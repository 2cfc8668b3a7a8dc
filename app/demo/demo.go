// Package demo plays the demonstration: imaginary network gear of several vendors, whose day has a story.
//
// Principles:
//  1. Everything that is shown was taken in, judged and delivered by the pipeline itself. The hour before the start is played too: the process
//     works by a Clock that stands in the past and is moved on. Nothing is written into the store or the books past the pipeline.
//  2. What the gear says follows from the seed and the time since the start.
//  3. Only 'mutt demo' plays: no setting of a process moves its clock.
package demo

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/muttproject/mutt/app/send"
)

// Past is how much of the story comes before the start.
const Past = 65 * time.Minute

// Clock is the time by which a process works while the past is played: the real time, less what the clock is behind.
type Clock struct{ behind atomic.Int64 }

// NewClock returns a clock that is behind the real time.
func NewClock(behind time.Duration) *Clock {
	c := &Clock{}
	c.behind.Store(int64(behind))
	return c
}

// Now returns the time. Like that of time.Now it never goes back.
func (c *Clock) Now() time.Time { return time.Now().Add(-time.Duration(c.behind.Load())) }

// moveTo moves the clock on. A clock is never moved back.
func (c *Clock) moveTo(t time.Time) {
	c.behind.Store(min(c.behind.Load(), int64(max(0, time.Since(t)))))
}

// Pipeline is the process that the gear sends to.
type Pipeline struct {
	// Targets say where each transport is sent: "http", and "syslog-udp" and "syslog-tcp" where they are listened on.
	Targets map[string]send.Options
	// Settled returns how many events were received so far. done is true when all of them are judged and their alerts delivered.
	Settled func(ctx context.Context) (received int64, done bool, err error)
	// Fail makes the destination fail or work again.
	Fail func(failing bool)
}

// Player plays a story into a pipeline.
type Player struct {
	Story    *Story
	Clock    *Clock
	Pipeline Pipeline
	Origin   time.Time // when the past ends
}

// PlayPast plays what comes before the origin, a minute at a time. Each minute is judged and delivered before the clock moves on, so that the
// pipeline has its real latency at every time.
func (p *Player) PlayPast(ctx context.Context) error {
	var sent int64
	for at := -Past; at < 0; at += time.Minute {
		events := p.Story.Until(at + time.Minute)
		p.Clock.moveTo(p.Origin.Add(at + time.Minute - time.Second))
		for transport, text := range p.rendered(events) {
			if err := p.sendAll(ctx, transport, text); err != nil {
				return err
			}
		}
		var err error
		if sent, err = p.settle(ctx, sent+int64(len(events))); err != nil {
			return err
		}
	}
	p.Clock.moveTo(time.Now())
	return nil
}

// settle waits until so many events were received and nothing of them is under way. A datagram may be lost: then it goes on without it.
func (p *Player) settle(ctx context.Context, sent int64) (received int64, err error) {
	const patience, pause = 2 * time.Second, 2 * time.Millisecond
	for begin := time.Now(); ; {
		received, done, err := p.Pipeline.Settled(ctx)
		switch {
		case err != nil:
			return received, err
		case done && (received >= sent || time.Since(begin) > patience):
			return received, nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return received, ctx.Err()
		}
	}
}

// sendAll sends lines over one transport.
func (p *Player) sendAll(ctx context.Context, transport, text string) error {
	o := p.Pipeline.Targets[transport]
	o.Transport, o.Source, o.Workers, o.Batch, o.Retry = transport, send.NewLines(strings.NewReader(text), ""), 1, 500, time.Minute
	res, err := send.Run(ctx, o, nil)
	if err == nil && res.Rejected > 0 {
		err = fmt.Errorf("send over %s: %s", transport, res.FirstError)
	}
	return err
}

// tick is how often the gear speaks.
const tick = 100 * time.Millisecond

// Play plays what comes after the origin until ctx ends.
func (p *Player) Play(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	lines := map[string]*io.PipeWriter{}
	for transport, o := range p.Pipeline.Targets {
		r, w := io.Pipe()
		lines[transport] = w
		o.Transport, o.Source, o.Workers, o.Batch, o.Retry = transport, send.NewLines(r, ""), 1, 1, time.Hour
		g.Go(func() error {
			_, err := send.Run(ctx, o, nil)
			_ = r.CloseWithError(io.ErrClosedPipe) // a writer does not wait for a sender that has ended
			return err
		})
	}
	g.Go(func() error {
		defer func() {
			for _, w := range lines {
				_ = w.Close() // the sender ends
			}
		}()
		beat := time.NewTicker(tick)
		defer beat.Stop()
		failing := false
		for {
			select {
			case <-beat.C:
			case <-ctx.Done():
				return nil
			}
			since := time.Since(p.Origin)
			if now := fails(since); now != failing {
				failing = now
				p.Pipeline.Fail(failing)
			}
			for transport, text := range p.rendered(p.Story.Until(since)) {
				if _, err := io.WriteString(lines[transport], text); err != nil && ctx.Err() == nil {
					return fmt.Errorf("send over %s: %w", transport, err)
				}
			}
		}
	})
	return g.Wait()
}

// fails reports whether the destination fails at this time: for a minute, soon after the start, and every ten minutes.
func fails(since time.Duration) bool {
	const first, every, length = 90 * time.Second, 10 * time.Minute, time.Minute
	return since >= first && (since-first)%every < length
}

// rendered returns the lines of events, by transport. What cannot be sent over syslog goes over HTTP.
func (p *Player) rendered(events []Event) map[string]string {
	slices.SortStableFunc(events, func(a, b Event) int { return int(a.At - b.At) })
	texts := map[string]*strings.Builder{}
	for i := range events {
		if _, open := p.Pipeline.Targets[events[i].Transport]; !open {
			events[i].Transport = "http"
		}
		b := texts[events[i].Transport]
		if b == nil {
			b = &strings.Builder{}
			texts[events[i].Transport] = b
		}
		events[i].write(b, p.Origin)
	}
	out := map[string]string{}
	for transport, b := range texts {
		out[transport] = b.String()
	}
	return out
}
