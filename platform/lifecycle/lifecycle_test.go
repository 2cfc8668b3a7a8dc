package lifecycle

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

type part struct {
	name      string
	log       *[]string
	startErr  error
	stopErr   error
	reloadErr error
	failed    chan error
}

func (p *part) Name() string { return p.name }
func (p *part) Start(context.Context) error {
	*p.log = append(*p.log, "start "+p.name)
	return p.startErr
}
func (p *part) Stop(context.Context) error  { *p.log = append(*p.log, "stop "+p.name); return p.stopErr }
func (p *part) Drain(context.Context) error { *p.log = append(*p.log, "drain "+p.name); return nil }
func (p *part) Reload(context.Context) error {
	*p.log = append(*p.log, "reload "+p.name)
	return p.reloadErr
}
func (p *part) Failed() <-chan error { return p.failed }

func launch(t *testing.T, s *Supervisor, parts ...*part) {
	t.Helper()
	for _, p := range parts {
		if err := s.Launch(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOrderAndJoinedErrors(t *testing.T) {
	defer goleak.VerifyNone(t)
	var log []string
	s := NewSupervisor()
	launch(t, s, &part{name: "a", log: &log, failed: make(chan error)}, &part{name: "b", log: &log, stopErr: errors.New("stuck")})
	err := s.Stop(t.Context())
	if err == nil || !strings.Contains(err.Error(), "stop b: stuck") {
		t.Fatalf("want the name and the cause, got %v", err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatalf("a second stop does nothing, got %v", err)
	}
	want := []string{"start a", "start b", "drain b", "drain a", "stop b", "stop a"}
	if d := cmp.Diff(want, log); d != "" {
		t.Fatal(d)
	}
}

func TestFailedStartLeavesTheOthersToStop(t *testing.T) {
	defer goleak.VerifyNone(t)
	var log []string
	s := NewSupervisor()
	launch(t, s, &part{name: "a", log: &log})
	err := s.Launch(t.Context(), &part{name: "b", log: &log, startErr: errors.New("port taken")})
	if err == nil || !strings.Contains(err.Error(), "start b: port taken") {
		t.Fatalf("got %v", err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"start a", "start b", "drain a", "stop a"}, log); d != "" {
		t.Fatal(d)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := NewSupervisor().Launch(over, &part{name: "c", log: &log}); !errors.Is(err, context.Canceled) {
		t.Fatalf("nothing starts after the context ended: %v", err)
	}
}

func TestReloadAsksAll(t *testing.T) {
	defer goleak.VerifyNone(t)
	var log []string
	s := NewSupervisor()
	launch(t, s, &part{name: "a", log: &log, reloadErr: errors.New("no such file")}, &part{name: "b", log: &log})
	if err := s.Launch(t.Context(), NewRunner("plain", func(ctx context.Context) error { <-ctx.Done(); return nil })); err != nil {
		t.Fatal(err)
	}
	log = nil
	err := s.Reload(t.Context())
	if err == nil || err.Error() != "reload a: no such file" {
		t.Fatalf("want the name and the cause, got %v", err)
	}
	if d := cmp.Diff([]string{"reload a", "reload b"}, log); d != "" {
		t.Fatal(d)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(t.Context()); err != nil {
		t.Fatalf("nothing runs, nothing reloads: %v", err)
	}
}

func TestFailureIsNamed(t *testing.T) {
	defer goleak.VerifyNone(t)
	var log []string
	a := &part{name: "a", log: &log, failed: make(chan error, 1)}
	s := NewSupervisor()
	launch(t, s, a)
	a.failed <- errors.New("lost it")
	if err := <-s.Failed(); err.Error() != "a failed: lost it" {
		t.Fatalf("got %v", err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestTwoOfOneNameAreRefused(t *testing.T) {
	var log []string
	s := NewSupervisor()
	launch(t, s, &part{name: "a", log: &log})
	if err := s.Launch(t.Context(), &part{name: "a", log: &log}); err == nil {
		t.Fatal("accepted")
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestRunner(t *testing.T) {
	defer goleak.VerifyNone(t)
	idle := NewRunner("idle", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	if err := NewRunner("never", nil).Stop(t.Context()); err != nil {
		t.Fatalf("stop before start: %v", err)
	}
	if err := idle.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if err := idle.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := idle.Start(t.Context()); err == nil {
		t.Fatal("started after stop")
	}
	broken := NewRunner("broken", func(context.Context) error { return errors.New("boom") })
	if err := broken.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-broken.Failed(); err.Error() != "boom" {
		t.Fatalf("got %v", err)
	}
	stuck := make(chan struct{})
	slow := NewRunner("slow", func(context.Context) error { <-stuck; return nil })
	if err := slow.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := slow.Stop(ctx); err == nil {
		t.Fatal("stop is bounded and says so")
	}
	close(stuck)
}
