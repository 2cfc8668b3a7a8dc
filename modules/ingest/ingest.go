// Package ingest takes events in, over HTTP and syslog, and puts them on the ingest queue.
//
// Principles:
//  1. This package is the door: Config, Deps, New, Module. Everything else is in internal.
//  2. Every listener submits through one intake, so that they all give the same promise: accepted means durable.
//  3. Stopping is: listeners close, what they hold is stored, then the intake refuses.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/modules/ingest/internal/httpin"
	"github.com/muttproject/mutt/modules/ingest/internal/intake"
	"github.com/muttproject/mutt/modules/ingest/internal/syslog"
	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/lifecycle"
	"github.com/muttproject/mutt/platform/netguard"
	"github.com/muttproject/mutt/platform/openapi"
	"github.com/muttproject/mutt/platform/trouble"
)

// Bounds of a request over HTTP (behaviour.md, Ingestor).
const (
	maxDecodedBytes = 64 << 20 // after decompression
	maxEvents       = 10_000
)

// ConfigView is what GET /admin/config answers. It must hold no secret.
type ConfigView = httpin.ConfigView

// Writer puts events on the ingest queue; *queue.Writer is one.
type Writer = intake.Writer

// Deps are what the module needs. All are required but the endpoints.
type Deps struct {
	Writer    Writer
	Partition func(host string) int
	Depth     func() int64 // events in the ingest queue; asked at every answer, so it must be cheap
	Bytes     func() int64 // of these events, see queue.SizeOf
	Coord     coord.Coord  // of the event rate limit
	Dynamic   Dynamic
	Beside    Beside
	Guard     *netguard.Guard // of the syslog listeners and of rates
	// SyslogTCP and SyslogTLS are how senders must speak to the two syslog listeners over TCP; nil for clear text.
	SyslogTCP, SyslogTLS *tlsconf.Endpoint
	View                 func() ConfigView
	Log                  *zap.Logger
	Registerer           prometheus.Registerer
	Now                  func() time.Time
}

// Module is the ingestor of a process.
type Module struct {
	intake   *intake.Intake
	http     *httpin.Handler
	syslog   *syslog.Server
	writer   *watchedWriter
	troubles *trouble.Board
	reporter *lifecycle.Runner
}

var (
	_ lifecycle.Service      = (*Module)(nil)
	_ lifecycle.Drainer      = (*Module)(nil)
	_ lifecycle.ReadyChecker = (*Module)(nil)
)

// New makes the module. It does no I/O.
func New(c Config, d Deps) (*Module, error) {
	if err := errors.Join(static.Validate(c.Settings()), deps.Check(d, "SyslogTCP", "SyslogTLS")); err != nil {
		return nil, fmt.Errorf("ingest module: %w", err)
	}
	board := trouble.NewBoard(d.Log, d.Now)
	states := newTroubles(board)
	m := &Module{writer: &watchedWriter{Writer: d.Writer, now: d.Now, troubles: states}, troubles: board}
	m.reporter = lifecycle.NewRunner("ingest-troubles", func(ctx context.Context) error { board.Run(ctx); return nil })
	m.intake = intake.New(intake.Deps{Writer: m.writer, Partition: d.Partition, Depth: d.Depth, Now: d.Now,
		Limiter: newRateLimit(d), Metrics: intake.NewMetrics(d.Registerer)}, intake.Limits{MaxEvent: intake.MaxEvent})
	rate := d.Guard.NewRate(d.Dynamic.SourceRate.Get)
	away := newTurnedAway(d.Registerer, d.Beside, states)
	m.http = httpin.New(httpin.Config{MaxBody: c.MaxBodyBytes, MaxDecoded: maxDecodedBytes, MaxMemory: c.BodyMemory, MaxEvents: maxEvents, Required: c.RequiredFields,
		Aliases: c.Aliases},
		httpin.Deps{Intake: m.intake, Metrics: httpin.NewMetrics(d.Registerer, d.Depth, d.Bytes), View: d.View, Now: d.Now, TurnedAway: away.http,
			Guard: d.Guard, Rate: rate})
	listeners := syslog.Defaults()
	listeners.UDPAddr, listeners.TCPAddr, listeners.TLSAddr = c.SyslogUDPAddr, c.SyslogTCPAddr, c.SyslogTLSAddr
	listeners.Location, listeners.Host, listeners.Sources, listeners.JoinLines = c.SyslogZone, c.SyslogHostname, c.SyslogSources, c.SyslogJoinLines
	var err error
	if m.syslog, err = syslog.New(listeners, syslog.Deps{Sink: sink{m.intake}, Log: d.Log, Metrics: d.Registerer,
		Guard: d.Guard, Rate: rate, Lost: away.syslog,
		ClearText: d.SyslogTCP, TLS: d.SyslogTLS}); err != nil {
		return nil, fmt.Errorf("ingest module: %w", err)
	}
	return m, nil
}

// Routes lists the routes of the ingest HTTP listener.
func (m *Module) Routes() []httpserver.Route { return m.http.Routes() }

// Operations declares the HTTP operations for the API's document.
func Operations() []openapi.Operation { return httpin.Operations() }

// Observe is the middleware of that listener that measures the ingest routes (httpserver.Options.Around).
func (m *Module) Observe(next httpserver.Handler) httpserver.Handler { return m.http.Observe(next) }

// SyslogAddrs returns the addresses that are listened on in clear text, nil for a listener that is off.
func (m *Module) SyslogAddrs() (udp, tcp net.Addr) { return m.syslog.Addrs() }

// SyslogTLSAddr returns the address of syslog over TLS; nil when it is off.
func (m *Module) SyslogTLSAddr() net.Addr { return m.syslog.TLSAddr() }

// Name gives the service's name.
func (m *Module) Name() string { return "ingest" }

// Start opens the syslog listeners. The HTTP listener is the process's, see Routes.
func (m *Module) Start(ctx context.Context) error {
	if err := m.reporter.Start(ctx); err != nil {
		return err
	}
	return m.syslog.Start(ctx)
}

// Drain closes the syslog listeners; what they have read is stored. HTTP requests that run go on.
func (m *Module) Drain(ctx context.Context) error { return m.syslog.Stop(ctx) }

// Stop refuses new events and waits for the submissions that run.
func (m *Module) Stop(ctx context.Context) error {
	return errors.Join(m.syslog.Stop(ctx), m.intake.Close(ctx), m.reporter.Stop(ctx))
}

// Failed delivers the error of a listener that ended by itself.
func (m *Module) Failed() <-chan error { return m.syslog.Failed() }

// Problems returns the states of trouble that last, of all listeners.
func (m *Module) Problems() []trouble.Problem {
	return append(m.syslog.Problems(), m.troubles.Problems()...)
}

// Ready tells what the health report should.
func (m *Module) Ready(ctx context.Context) (warnings []string, err error) {
	warnings, err = m.syslog.Ready(ctx)
	return append(warnings, m.troubles.Warnings()...), errors.Join(err, m.writer.ready())
}

// sink lets the syslog listeners submit.
type sink struct{ in *intake.Intake }

// NewBatch begins a submission.
func (s sink) NewBatch() syslog.Batch { return s.in.NewBatch(event.SourceSyslog) }

// Submit ends one.
func (s sink) Submit(ctx context.Context, b syslog.Batch) (failed map[int]error, err error) {
	out, err := s.in.Submit(ctx, b.(*intake.Batch)) // NewBatch makes no others
	return out.Failed, err
}

// rateLimit is the event rate limit while it is switched on.
type rateLimit struct {
	limited config.Value[bool]
	limiter *coord.Limiter
}

// newRateLimit reads the limit at each take, so that a change applies to the next one. A whole window's events may
// come at once.
func newRateLimit(d Deps) rateLimit {
	return rateLimit{limited: d.Dynamic.Limited, limiter: coord.NewLimiter(d.Coord, "ingest", func() coord.Limit {
		n := d.Dynamic.MaxRate.Get()
		return coord.Limit{Rate: n, Period: d.Dynamic.RateWindow.Get(), Burst: n}
	})}
}

// Take takes n tokens or none.
func (r rateLimit) Take(ctx context.Context, n int64) (wait time.Duration, ok bool, err error) {
	if !r.limited.Get() {
		return 0, true, nil
	}
	return r.limiter.Take(ctx, n)
}
