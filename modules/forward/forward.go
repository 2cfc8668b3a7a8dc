// Package forward delivers alerts from the alert queue to the destination.
//
// Principles:
//  1. Every alert ends once: delivered, or in the dead letters. Until then it is in the queue.
//  2. A dead destination costs nothing but time: alerts wait, nothing here fails or grows.
//  3. Without a destination nothing is consumed; a newcomer who configures one later gets everything.
package forward

import (
	"context"
	"fmt"
	"github.com/muttproject/mutt/platform/trouble"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/modules/forward/internal/dest"
	"github.com/muttproject/mutt/modules/forward/internal/httpx"
	"github.com/muttproject/mutt/modules/forward/internal/pipeline"
	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/lifecycle"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/secret"
)

// Queue is what the module needs of the queue; *queue.Queue is one.
type Queue interface {
	Consume(ctx context.Context, o queue.ConsumeOptions, work queue.Work) error
}

// Deps are what the module needs. All are required.
type Deps struct {
	Queue      Queue
	Coord      coord.Coord
	Dynamic    Dynamic
	Key        func() secret.Secret // of the destination, asked at each request; an empty one is not sent
	DeadDepth  func() float64       // dead letters of the alert queue, for mutt_moog_dlq_depth
	OpenTLS    tlsconf.Opener       // reads the files of TLS to the destination
	Version    string               // of MUTT, sent to the destination
	Location   string               // the process's name, sent to the destination
	Registerer prometheus.Registerer
	Logger     *zap.Logger
	Now        func() time.Time
}

// Module is the forwarder.
type Module struct {
	*lifecycle.Runner
	cfg    Config
	deps   Deps
	engine atomic.Pointer[pipeline.Engine] // nil without a destination, and before Start
	tls    tlsconf.Client                  // nil for the system's authorities and no client certificate
	client *httpx.Client
	taken  *successes // nil without a destination, and before Start

	answers  *answers
	metrics  *pipeline.Metrics
	breaker  *coord.Breaker
	troubles *trouble.Board
}

var (
	_ lifecycle.Service      = (*Module)(nil)
	_ lifecycle.ReadyChecker = (*Module)(nil)
)

// New returns the module. Errors are fault.ConfigInvalid and name the setting.
func New(c Config, d Deps) (*Module, error) {
	if err := static.Validate(c.Settings(), c.Check()...); err != nil {
		return nil, err
	}
	if err := deps.Check(d); err != nil {
		return nil, fmt.Errorf("forward module: %w", err)
	}
	client, err := peer().Client(c.TLS, d.OpenTLS)
	if err != nil {
		return nil, err
	}
	m := &Module{cfg: c, deps: d, tls: client, answers: &answers{}, metrics: pipeline.NewMetrics(d.Registerer), troubles: trouble.NewBoard(d.Logger, d.Now)}
	m.breaker = coord.NewBreaker(d.Coord, coord.BreakerOptions{Name: breakerName, Settings: d.Dynamic.breaker,
		ProbeTTL: 2*m.cfg.Timeout + 10*time.Second, Now: d.Now, Metrics: coord.NewBreakerMetrics(d.Registerer)})
	d.Registerer.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "mutt_moog_dlq_depth",
		Help: "Alerts in the dead letters."}, d.DeadDepth))
	m.Runner = lifecycle.NewRunner("forward", m.run)
	return m, nil
}

// Start begins to deliver.
func (m *Module) Start(ctx context.Context) error {
	if m.cfg.URL == "" {
		return m.Runner.Start(ctx)
	}
	client, err := m.newClient()
	if err != nil {
		return err
	}
	m.client = client
	m.taken = &successes{Destination: dest.NewHTTP(m.client, m.encoder()), shared: coord.NewSuccesses(m.deps.Coord, coord.Destination),
		log: m.deps.Logger, breaker: m.breaker, answers: m.answers, now: m.deps.Now,
		failing: m.troubles.State(trouble.Kind{Name: "destination_fails", Unit: "requests", Quiet: recovered,
			Bad: true, Begins: "the destination fails and alerts wait", Ends: "the destination takes alerts again", Title: "Alerts are not reaching the destination",
			Advice: trouble.Advice{Consequence: "requests that fail are repeated; intake and judging are not affected",
				Remedy: "look at the destination; mutt dlq list and the log of the forwarder have its last answers", Promise: trouble.NothingLost, Runbook: "destination"}}),
		open: m.troubles.State(trouble.Kind{Name: "breaker_open", Quiet: recovered, Bad: true, Title: "Alerts are not reaching the destination",
			Begins: "the circuit breaker of the destination is open and alerts wait in the queue", Ends: "the circuit breaker of the destination is closed",
			Advice: trouble.Advice{Consequence: "no retries are used up, probes go on by themselves; intake and judging are not affected", Remedy: "see whether the destination is up",
				Promise: trouble.NothingLost, Runbook: "destination"}})}
	m.engine.Store(m.newEngine(m.taken))
	return m.Runner.Start(ctx)
}

// run consumes the alert queue until ctx ends.
func (m *Module) run(ctx context.Context) error {
	e := m.engine.Load()
	if e == nil { // nowhere to deliver to: alerts wait in the queue
		<-ctx.Done()
		return nil
	}
	defer m.client.Close()
	// The engine outlives ctx: while work stops, requests under way end.
	sending, stopSending := context.WithCancel(context.WithoutCancel(ctx))
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		e.Run(sending)
	}()
	reported := make(chan struct{})
	go func() {
		defer close(reported)
		m.troubles.Run(sending)
	}()
	noted := make(chan struct{})
	go func() {
		defer close(noted)
		m.taken.note(sending)
	}()
	err := m.deps.Queue.Consume(ctx, queue.ConsumeOptions{Queue: queue.Alert, Logger: m.deps.Logger},
		func(ctx context.Context, h *queue.Holder) error { return e.Work(ctx, h) })
	stopSending()
	<-sent
	<-noted
	<-reported
	if err != nil {
		return fmt.Errorf("consume alerts: %w", err)
	}
	return nil
}

// Problems returns the states of trouble that last.
func (m *Module) Problems() []trouble.Problem { return m.troubles.Problems() }

// Ready never fails for the destination's sake: alerts wait in the queue.
func (m *Module) Ready(context.Context) (warnings []string, err error) {
	if m.cfg.URL == "" {
		return []string{"no destination configured: alerts wait in the queue; set MOOG_WEBHOOK_URL"}, nil
	}
	return m.troubles.Warnings(), nil
}

// hint says what to look at when the destination refuses MUTT itself.
func hint(reason string) string {
	switch reason {
	case dest.ReasonKeyRefused:
		return "; the destination refuses MUTT's key: check MOOG_API_KEY; alerts wait"
	case dest.ReasonRedirect:
		return "; redirects are not followed: check MOOG_WEBHOOK_URL; alerts wait"
	case dest.ReasonProxy:
		return "; the proxy wants a login: check HTTP_PROXY or HTTPS_PROXY; alerts wait"
	}
	return ""
}

const (
	breakerName = coord.Destination
	// failuresToTell is how many failures in a row are reported: fewer may be a bad alert or a hiccup.
	failuresToTell = 3
	// recovered is how long the destination must work before its trouble is over: it bounds the lines of one that comes and goes.
	recovered = 5 * time.Second
)

func (m *Module) newClient() (*httpx.Client, error) {
	return httpx.New(httpx.Options{URL: m.cfg.URL, Timeout: m.cfg.Timeout, Connections: m.cfg.Concurrency, TLS: m.tls,
		Credential: httpx.NewCredential(m.cfg.Auth, m.deps.Key), UserAgent: "MUTT/" + m.deps.Version})
}

func (m *Module) newEngine(d dest.Destination) *pipeline.Engine {
	return pipeline.New(pipeline.Config{Workers: m.cfg.Concurrency, BatchMax: m.cfg.BatchMax, MaxAlerts: pipeline.MaxAlerts}, pipeline.Deps{
		Destination: d, Breaker: m.breaker, Settings: m.deps.Dynamic.retries, Metrics: m.metrics,
		Limiter: coord.NewLimiter(m.deps.Coord, "rate/"+breakerName, m.deps.Dynamic.limit),
		Taken:   coord.NewPulse(m.deps.Coord, "taken/"+breakerName),
		Trouble: m.troubles, Now: m.deps.Now})
}
