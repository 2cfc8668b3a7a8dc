package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Runner makes a Service of one function that works until its context ends. Embed or hold it.
type Runner struct {
	name string
	run  func(ctx context.Context) error

	mu      sync.Mutex
	cancel  context.CancelFunc
	done    chan struct{}
	failed  chan error
	stopped bool
}

var _ Service = (*Runner)(nil)

// NewRunner makes a Runner. A nil or context error of run after Stop is a clean end; anything else is a failure.
func NewRunner(name string, run func(ctx context.Context) error) *Runner {
	return &Runner{name: name, run: run, failed: make(chan error, 1)}
}

// Name gives the name.
func (r *Runner) Name() string { return r.name }

// Start runs the function in a goroutine whose life does not depend on ctx.
func (r *Runner) Start(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done != nil || r.stopped {
		return errors.New("started twice or after stop")
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r.cancel, r.done = cancel, make(chan struct{})
	go func() {
		defer close(r.done)
		err := r.run(run)
		if run.Err() == nil {
			if err == nil {
				err = errors.New("ended by itself")
			}
			r.failed <- err
		}
	}()
	return nil
}

// Stop cancels the function and waits for its end, at most until ctx is over.
func (r *Runner) Stop(ctx context.Context) error {
	r.mu.Lock()
	r.stopped = true
	cancel, done := r.cancel, r.done
	r.mu.Unlock()
	if done == nil {
		return nil
	}
	cancel()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("still running: %w", ctx.Err())
	}
}

// Failed delivers the error of a function that ended by itself.
func (r *Runner) Failed() <-chan error { return r.failed }
