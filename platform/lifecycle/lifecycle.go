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
	"time"
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

// Supervisor runs services in order.
type Supervisor struct {
	services []Service

	mu      sync.Mutex
	started []Service
	failed  chan error
	done    chan struct{}
}

// NewSupervisor makes a Supervisor of services in start order; two of one name are an error.
func NewSupervisor(services ...Service) (*Supervisor, error) {
	seen := map[string]bool{}
	for _, s := range services {
		if seen[s.Name()] {
			return nil, fmt.Errorf("two services are named %q", s.Name())
		}
		seen[s.Name()] = true
	}
	return &Supervisor{services: services, failed: make(chan error, 1), done: make(chan struct{})}, nil
}

// Start starts all services in order. When one fails, those before it are stopped in reverse within stopBound.
func (s *Supervisor) Start(ctx context.Context, stopBound time.Duration) error {
	for _, svc := range s.services {
		if err := ctx.Err(); err != nil {
			return errors.Join(fmt.Errorf("start %s: %w", svc.Name(), err), s.rollback(ctx, stopBound))
		}
		if err := svc.Start(ctx); err != nil {
			return errors.Join(fmt.Errorf("start %s: %w", svc.Name(), err), s.rollback(ctx, stopBound))
		}
		s.mu.Lock()
		s.started = append(s.started, svc)
		s.mu.Unlock()
		if ch := svc.Failed(); ch != nil {
			go s.watch(svc.Name(), ch)
		}
	}
	return nil
}

// rollback stops what runs although ctx may be over: a failed start must not leave listeners behind.
func (s *Supervisor) rollback(ctx context.Context, bound time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bound)
	defer cancel()
	return s.Stop(ctx)
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
	running := s.started
	s.started = nil
	s.mu.Unlock()
	if running == nil {
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
