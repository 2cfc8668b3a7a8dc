// Package app is the composition root: it alone knows every module and wires them.
//
// Principles:
//  1. What a process consists of is one ordered table (components.go), read from top to bottom.
//  2. A row is built only if a selected role needs it, and started before the next row is built.
//  3. Start leaves nothing behind when it fails; Stop ends in reverse order, within a bound.
package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/lifecycle"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/telemetry"
)

// Options are what an App is made of. All are required but RotationHold and Once.
type Options struct {
	Roles  RoleSet
	Config Config
	Getenv func(string) string // for the initial values of dynamic keys
	Logger *zap.Logger
	Level  zap.AtomicLevel
	Now    func() time.Time
	// FailFast ends the start when a server is away, instead of waiting for it.
	FailFast bool
	// Migrate brings the store to this program's schema; an embedded store does it always.
	Migrate bool
	// RotationHold is how long the rotation of a secret stays held by a command that was killed; 0 for ten seconds. Processes that
	// serve the API together have the same.
	RotationHold time.Duration
	// Once accepts keys that open one session of the console each. Only the demonstration has such keys; nil: there are none.
	Once    *authn.Once
	OnAdmin func(file, key string)            // called when an admin key was generated
	Started func(listeners map[string]string) // called when ready
}

// App is one MUTT process, or one of several in a test.
type App struct {
	opts  Options
	parts *parts
	sup   *lifecycle.Supervisor
}

// New makes an App. It does no I/O.
func New(o Options) *App {
	deps.Must(o, "Once")
	if o.RotationHold <= 0 {
		o.RotationHold = rotationHold
	}
	return &App{opts: o, parts: newParts(o), sup: lifecycle.NewSupervisor()}
}

// newParts fills what exists without I/O.
func newParts(o Options) *parts {
	name := o.Config.Process
	if name == "" {
		name, _ = os.Hostname() // "" is replaced below
	}
	if name == "" {
		name = "mutt"
	}
	registry := telemetry.NewRegistry()
	p := &parts{opts: o, process: name, run: name + "/" + queue.NewEntryID().String(), health: telemetry.NewHealth(o.Now), registry: registry,
		keyring: authn.NewKeyring(o.Now), started: o.Now(), listeners: map[string]string{}}
	if p.mode() == Distributed { // an embedded process has no server to connect to
		p.connecting = connect.NewMetrics(registry)
	}
	p.gate = httpserver.NewGate(httpserver.GateOptions{Keys: p.keyring, Registerer: registry, Logger: o.Logger.Named("auth"), Now: o.Now})
	return p
}

// Start builds and starts the components in the order of the table. When one fails, those before it are stopped.
func (a *App) Start(ctx context.Context) error {
	for _, c := range selected(a.parts.mode(), a.opts.Roles) {
		if err := a.launch(ctx, c); err != nil {
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.opts.Config.ShutdownTimeout)
			defer cancel()
			return errors.Join(err, a.sup.Stop(stop))
		}
	}
	a.parts.health.SetReady(true)
	a.parts.registered.Tell() // where it listens
	a.opts.Started(a.Listeners())
	return nil
}

func (a *App) launch(ctx context.Context, c component) error {
	svc, err := c.build(ctx, a.parts)
	if err != nil {
		return fmt.Errorf("%s: %w", c.id, err)
	}
	if svc == nil {
		return nil
	}
	if err := a.sup.Launch(ctx, svc); err != nil {
		// Its build may have opened something, and the supervisor does not keep it.
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.opts.Config.ShutdownTimeout)
		defer cancel()
		return errors.Join(err, svc.Stop(stop))
	}
	if r, ok := svc.(lifecycle.ReadyChecker); ok {
		a.parts.health.Add(string(c.id), adviceOf(c.id, a.parts.mode()), r.Ready)
	}
	if t, ok := svc.(lifecycle.Troubled); ok {
		a.parts.health.AddStates(string(c.id), t.Problems)
	}
	if n, ok := svc.(lifecycle.Noted); ok {
		a.parts.health.AddNotes(string(c.id), n.Notes)
	}
	if l, ok := svc.(listener); ok {
		a.parts.listening(string(c.id), l.Addr())
	}
	return nil
}

// listener is a service with one address.
type listener interface{ Addr() string }

// Listeners gives the addresses that are listened on, by name.
func (a *App) Listeners() map[string]string {
	a.parts.mu.Lock()
	defer a.parts.mu.Unlock()
	out := make(map[string]string, len(a.parts.listeners))
	for k, v := range a.parts.listeners {
		out[k] = v
	}
	return out
}

// Failed delivers the failure of a running component.
func (a *App) Failed() <-chan error { return a.sup.Failed() }

// Stop turns not-ready, then drains and stops everything in reverse order within ctx.
func (a *App) Stop(ctx context.Context) error {
	a.parts.health.SetReady(false)
	return a.sup.Stop(ctx)
}

// Run starts the App, runs until ctx ends or a component fails, and stops it.
func (a *App) Run(ctx context.Context) error {
	if err := a.Start(ctx); err != nil {
		return err
	}
	var failure error
	select {
	case <-ctx.Done():
	case failure = <-a.Failed():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.opts.Config.ShutdownTimeout)
	defer cancel()
	return errors.Join(failure, a.Stop(stop))
}
