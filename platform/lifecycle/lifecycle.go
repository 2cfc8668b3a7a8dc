// Package lifecycle starts and stops the parts of a process in a known order.
//
// Principles:
//  1. New validates and does no I/O; Start returns when the part is usable; Stop always returns.
//  2. Parts start in the order of their table and stop in reverse; what started is stopped when a later one fails.
//  3. Stop is idempotent, bounded by its context, and works before Start.
//  4. A part that fails while it runs ends the process, with its name in the error.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/muttproject/mutt/platform/trouble"
)

// Service is one part of a process.
type Service interface {
	// Name is unique in the process, for logs and errors.
	Name() string
	// Start returns when the service is usable. ctx bounds the start only, not the life of the service.
	Start(ctx context.Context) error
	// Stop ends the service; it is idempotent, bounded by ctx and harmless before Start.
	Stop(ctx context.Context) error
	// Failed delivers the error that ended the service by itself. It may be nil for services that cannot fail.
	Failed() <-chan error
}

// Drainer is a Service that can stop taking new work in before it is stopped.
type Drainer interface {
	Drain(ctx context.Context) error
}

// ReadyChecker is a Service that knows whether it can do its work. Errors make the process unhealthy, warnings don't.
type ReadyChecker interface {
	Ready(ctx context.Context) (warnings []string, err error)
}

// Troubled is a Service with states of trouble: what lasts now. Its warnings, if it is a ReadyChecker, hold the same in words.
type Troubled interface {
	Problems() []trouble.Problem
}

// Noted is implemented by a ReadyChecker some of whose warnings are standing notes about the configuration.
type Noted interface {
	Notes() []string
}

// Reloader is a Service that reads again what it was made of: certificates, rules, files. When that fails it keeps
// what it had and says why.
type Reloader interface {
	Reload(ctx context.Context) error
}

// Supervisor starts services one after the other and stops them in reverse.
type Supervisor struct {
	mu      sync.Mutex
	started []Service
	failed  chan error
	done    chan struct{}
	stopped bool
}

// NewSupervisor makes a Supervisor of nothing yet.
func NewSupervisor() *Supervisor {
	return &Supervisor{failed: make(chan error, 1), done: make(chan struct{})}
}

// Launch starts a service and keeps it to be stopped. When it fails to start it is not kept: its own Start cleans up.
func (s *Supervisor) Launch(ctx context.Context, svc Service) error {
	for _, other := range s.Started() {
		if other.Name() == svc.Name() {
			return fmt.Errorf("two services are named %q", svc.Name())
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("start %s: %w", svc.Name(), err)
	}
	if err := svc.Start(ctx); err != nil {
		return fmt.Errorf("start %s: %w", svc.Name(), err)
	}
	s.mu.Lock()
	s.started = append(s.started, svc)
	s.mu.Unlock()
	if ch := svc.Failed(); ch != nil {
		go s.watch(svc.Name(), ch)
	}
	return nil
}

func (s *Supervisor) watch(name string, ch <-chan error) {
	select {
	case err, ok := <-ch:
		if ok && err != nil {
			select {
			case s.failed <- fmt.Errorf("%s failed: %w", name, err):
			default: // the first failure is the one to report
			}
		}
	case <-s.done:
	}
}

// Failed delivers the first failure of a running service.
func (s *Supervisor) Failed() <-chan error { return s.failed }

// Stop drains and stops the started services in reverse order and joins their errors. It is idempotent.
func (s *Supervisor) Stop(ctx context.Context) error {
	s.mu.Lock()
	running, again := s.started, s.stopped
	s.started, s.stopped = nil, true
	s.mu.Unlock()
	if again {
		return nil
	}
	close(s.done)
	var errs []error
	for i := len(running) - 1; i >= 0; i-- {
		if d, ok := running[i].(Drainer); ok {
			errs = append(errs, named("drain", running[i], d.Drain(ctx)))
		}
	}
	for i := len(running) - 1; i >= 0; i-- {
		errs = append(errs, named("stop", running[i], running[i].Stop(ctx)))
	}
	return errors.Join(errs...)
}

// Reload lets the running services read anew, in start order, and joins their errors: one that fails stops no other.
func (s *Supervisor) Reload(ctx context.Context) error {
	var errs []error
	for _, svc := range s.Started() {
		if r, ok := svc.(Reloader); ok {
			errs = append(errs, named("reload", svc, r.Reload(ctx)))
		}
	}
	return errors.Join(errs...)
}

func named(verb string, s Service, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", verb, s.Name(), err)
}

// Started lists the running services in start order.
func (s *Supervisor) Started() []Service {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Service(nil), s.started...)
}
