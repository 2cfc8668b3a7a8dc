// Package send makes traffic: events from a file or generated, at a given rate, over HTTP, syslog UDP or TCP.
//
// Principles:
//  1. Accepted means acknowledged: over HTTP the receiver's 200; UDP has no acknowledgement and the result says so.
//  2. A rate is a schedule, not a pause: slow answers do not lower it while workers are free.
//  3. What was refused for now (429, 503, no connection) is sent again, the same bytes, so that the receiver can
//     recognise a repeat. When nothing was taken for as long as Retry, the whole run gives up.
package send

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Options say what to send, where and how fast.
type Options struct {
	Transport string        // http, syslog-udp, syslog-tcp, syslog-tls
	TLS       *tls.Config   // of an https target and of syslog-tls; nil for the system's authorities
	Target    string        // URL for http, host:port for syslog
	Key       string        // API key for http
	Source    Source        // where events come from
	Rate      float64       // events per second; 0 for as fast as the receiver takes them
	Duration  time.Duration // stop after this; 0 for when the source ends
	Workers   int           // requests or connections at once
	Batch     int           // events per request
	Retry     time.Duration // how long to go on without a single answer before giving up
}

// Source gives the events, one at a time; safe for concurrent use.
type Source interface {
	// Next appends one event in the transport's form to dst; ok is false at the end.
	Next(dst []byte, transport string) (out []byte, ok bool)
}

// Result is what came of it.
type Result struct {
	Transport    string        `json:"transport"`
	Accepted     int64         `json:"accepted"` // acknowledged; over syslog: written to the socket
	Rejected     int64         `json:"rejected"` // refused for good
	Retried      int64         `json:"retried"`  // requests sent again
	Acknowledged bool          `json:"acknowledged"`
	Elapsed      time.Duration `json:"elapsed_ns"`
	Rate         float64       `json:"events_per_second"`
	P50          time.Duration `json:"latency_p50_ns"`
	P90          time.Duration `json:"latency_p90_ns"`
	P99          time.Duration `json:"latency_p99_ns"`
	Max          time.Duration `json:"latency_max_ns"`
	FirstError   string        `json:"first_error,omitempty"`
}

// Progress is told while it runs.
type Progress struct {
	Accepted, Rejected int64
	Elapsed            time.Duration
}

// transport sends one batch and says how much of it was accepted and rejected.
type transport interface {
	send(ctx context.Context, batch []byte, n int) (accepted, rejected int, err error)
	close() error
}

// run is one call of Run.
type run struct {
	o        Options
	start    time.Time
	sent     atomic.Int64 // events taken from the source, for the schedule
	accepted atomic.Int64
	rejected atomic.Int64
	retried  atomic.Int64
	answered atomic.Int64 // when something was last taken, in ns since start
	giveUp   context.CancelFunc
	lat      latencies
	mu       sync.Mutex
	firstErr error
}

// Run sends until the source, the duration or ctx ends. progress may be nil; it is called about ten times a second.
func Run(ctx context.Context, o Options, progress func(Progress)) (Result, error) {
	o.Workers, o.Batch = max(o.Workers, 1), max(o.Batch, 1)
	// taking ends earlier than ctx: what is on its way when the duration is over is still answered.
	taking, cancel := context.WithCancel(ctx)
	defer cancel()
	if o.Duration > 0 {
		taking, cancel = context.WithTimeout(taking, o.Duration)
		defer cancel()
	}
	r := &run{o: o, start: time.Now(), giveUp: cancel}
	transports := make([]transport, o.Workers)
	for i := range transports {
		t, err := r.dial(ctx)
		if err != nil {
			for _, open := range transports[:i] {
				err = errors.Join(err, open.close())
			}
			return Result{}, err
		}
		transports[i] = t
	}
	done := make(chan struct{})
	var watch sync.WaitGroup
	if progress != nil {
		watch.Go(func() { r.report(done, progress) })
	}
	var wg sync.WaitGroup
	for _, t := range transports {
		wg.Go(func() { r.work(ctx, taking, t) })
	}
	wg.Wait()
	close(done)
	watch.Wait()
	return r.result(), nil
}

func (r *run) dial(ctx context.Context) (transport, error) {
	switch r.o.Transport {
	case "http":
		return newHTTP(r.o)
	case "syslog-tcp", "syslog-udp", "syslog-tls":
		return newSyslog(ctx, r.o)
	default:
		return nil, fmt.Errorf("%q is not a transport: use http, syslog-udp, syslog-tcp or syslog-tls", r.o.Transport)
	}
}

// work takes batches until the source or taking ends.
func (r *run) work(ctx, taking context.Context, t transport) {
	defer func() { r.note(t.close()) }()
	var batch []byte
	for taking.Err() == nil {
		n := 0
		batch = batch[:0]
		for n < r.o.Batch {
			next, ok := r.o.Source.Next(batch, r.o.Transport)
			if !ok {
				break
			}
			batch, n = next, n+1
		}
		if n == 0 || !r.pace(taking, n) {
			return
		}
		r.deliver(ctx, t, batch, n)
	}
}

// pace waits for this batch's place in the schedule; false when ctx ended first.
func (r *run) pace(ctx context.Context, n int) bool {
	at := r.sent.Add(int64(n)) - int64(n)
	if r.o.Rate <= 0 {
		return true
	}
	due := r.start.Add(time.Duration(float64(at) / r.o.Rate * float64(time.Second)))
	return sleep(ctx, time.Until(due))
}

// deliver sends one batch, again and again while it is refused for now.
func (r *run) deliver(ctx context.Context, t transport, batch []byte, n int) {
	for {
		at := time.Now()
		accepted, rejected, err := t.send(ctx, batch, n)
		var partial *partialError
		if err == nil || errors.As(err, &partial) {
			r.note(err)
			r.lat.add(time.Since(at))
			r.answered.Store(int64(time.Since(r.start)))
			r.accepted.Add(int64(accepted))
			r.rejected.Add(int64(rejected))
			return
		}
		r.note(err)
		var again *retryError
		if !errors.As(err, &again) || ctx.Err() != nil {
			r.rejected.Add(int64(n))
			return
		}
		if silent := time.Since(r.start) - time.Duration(r.answered.Load()); silent+again.after > r.o.Retry {
			r.rejected.Add(int64(n))
			r.giveUp()
			return
		}
		r.retried.Add(1)
		if !sleep(ctx, again.after) {
			r.rejected.Add(int64(n))
			return
		}
	}
}

func (r *run) note(err error) {
	if err == nil {
		return
	}
	r.mu.Lock()
	if r.firstErr == nil {
		r.firstErr = err
	}
	r.mu.Unlock()
}

func (r *run) report(done <-chan struct{}, progress func(Progress)) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-done:
			progress(Progress{r.accepted.Load(), r.rejected.Load(), time.Since(r.start)})
			return
		}
		progress(Progress{r.accepted.Load(), r.rejected.Load(), time.Since(r.start)})
	}
}

func (r *run) result() Result {
	elapsed := time.Since(r.start)
	res := Result{Transport: r.o.Transport, Accepted: r.accepted.Load(), Rejected: r.rejected.Load(), Retried: r.retried.Load(),
		Acknowledged: r.o.Transport == "http", Elapsed: elapsed}
	if elapsed > 0 {
		res.Rate = float64(res.Accepted) / elapsed.Seconds()
	}
	res.P50, res.P90, res.P99, res.Max = r.lat.at(0.5), r.lat.at(0.9), r.lat.at(0.99), r.lat.at(1)
	if r.firstErr != nil {
		res.FirstError = r.firstErr.Error()
	}
	return res
}

// retryError is a refusal for now.
type retryError struct {
	cause error
	after time.Duration
}

func (e *retryError) Error() string { return e.cause.Error() }
func (e *retryError) Unwrap() error { return e.cause }

// sleep waits; false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
