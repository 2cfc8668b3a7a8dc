package syslog

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/netguard"
	"github.com/muttproject/mutt/platform/trouble"
)

// Deps are what a Server needs. All are required but the endpoints.
type Deps struct {
	Sink    Sink
	Log     *zap.Logger
	Metrics prometheus.Registerer
	Guard   *netguard.Guard // of the listeners
	Rate    *netguard.Rate  // of each source
	// Lost is told how many messages were lost and why, about once a second.
	Lost func(why string, n int64)
	// ClearText and TLS are how peers must speak to the two TCP listeners; nil for clear text.
	ClearText, TLS *tlsconf.Endpoint
}

// Server receives syslog over UDP and TCP. It is a lifecycle.Service.
type Server struct {
	cfg     Config
	deps    Deps
	metrics *metrics
	failed  chan error
	report  *reporter
	doorUDP *netguard.Door
	doorTCP *netguard.Door
	doorTLS *netguard.Door
	sources *sources
	drops   atomic.Int64 // of the kernel, at the last look

	mu      sync.Mutex
	state   state
	udp     []*net.UDPConn
	tcp     *tcpServer         // nil when it is off
	tls     *tcpServer         // over TLS; nil when it is off
	cancel  context.CancelFunc // ends submissions that wait
	readers sync.WaitGroup     // everything but the reporter
	done    chan struct{}      // closed when everything has ended
}

type state uint8

const (
	stateNew state = iota
	stateRunning
	stateStopped
)

// New registers the metrics. It does no I/O.
func New(cfg Config, d Deps) (*Server, error) {
	if err := deps.Check(d, "ClearText", "TLS"); err != nil {
		return nil, err
	}
	if cfg.MaxMessageBytes < 1 || cfg.UDPSockets < 1 || cfg.Patience <= 0 || cfg.StopTimeout <= 0 || cfg.Location == nil || cfg.Host == "" || cfg.Resolver == nil {
		return nil, errors.New("syslog: a bound is not set")
	}
	s := &Server{cfg: cfg, deps: d, sources: newSources(&cfg), failed: make(chan error, 1), done: make(chan struct{}),
		doorUDP: d.Guard.SyslogDoor("syslog_udp"), doorTCP: d.Guard.SyslogDoor("syslog_tcp"), doorTLS: d.Guard.SyslogDoor("syslog_tls")}
	var err error
	if s.metrics, err = newMetrics(d.Metrics, s.kernelDrops); err != nil {
		return nil, err
	}
	s.report = newReporter(s.metrics, d.Log, s.receiveBuffer, d.Lost)
	return s, nil
}

// Name gives the service's name.
func (s *Server) Name() string { return "syslog" }

// Failed delivers the error of a listener that ended by itself.
func (s *Server) Failed() <-chan error { return s.failed }

// Start opens the listeners.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateNew {
		return errors.New("started twice or after stop")
	}
	if err := s.listen(ctx); err != nil {
		return err
	}
	// ctx bounds the start only.
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel, s.state = cancel, stateRunning
	for _, conn := range s.udp {
		s.runSocket(run, conn)
	}
	for _, l := range s.streams() {
		s.readers.Go(func() {
			s.fail(l.accept(run))
			l.wg.Wait()
		})
	}
	go func() {
		defer close(s.done)
		reporting, end := context.WithCancel(context.WithoutCancel(ctx))
		var reports sync.WaitGroup
		reports.Go(func() { s.report.run(reporting) })
		s.readers.Wait()
		s.sources.close()
		end()
		reports.Wait()
	}()
	return nil
}

// listen opens all listeners or none.
func (s *Server) listen(ctx context.Context) (err error) {
	if enabled(s.cfg.UDPAddr) {
		if s.udp, err = listenUDP(ctx, s.cfg.UDPAddr, s.cfg.UDPSockets, receiveBuffer); err != nil {
			return listenFailed(err, "UDP", s.cfg.UDPAddr, "MUTT_SYSLOG_UDP_ADDR")
		}
	}
	if enabled(s.cfg.TCPAddr) {
		if s.tcp, err = s.listenTCP(ctx, s.cfg.TCPAddr, "MUTT_SYSLOG_TCP_ADDR", s.doorTCP, s.deps.ClearText); err != nil {
			return err
		}
	}
	if enabled(s.cfg.TLSAddr) {
		if s.tls, err = s.listenTCP(ctx, s.cfg.TLSAddr, "MUTT_SYSLOG_TLS_ADDR", s.doorTLS, s.deps.TLS); err != nil {
			return err
		}
	}
	return nil
}

// listenTCP opens a listener for streams. When it fails, it closes those that are open.
func (s *Server) listenTCP(ctx context.Context, addr, variable string, door *netguard.Door, endpoint *tlsconf.Endpoint) (*tcpServer, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		closeAll(s.udp)
		for _, open := range s.streams() {
			open.listener.Close()
		}
		s.udp, s.tcp = nil, nil
		return nil, listenFailed(err, "TCP", addr, variable)
	}
	return &tcpServer{listener: endpoint.Wrap(door.Wrap(l), nil), endpoint: endpoint, cfg: &s.cfg, metrics: s.metrics, rate: s.deps.Rate, waiting: s.report.waiting,
		conns: map[net.Conn]struct{}{}, closing: make(chan struct{}),
		newFeed: func(f failing) *feed { return s.newFeed(&s.metrics.tcp, f) }}, nil
}

// streams lists the listeners for streams that are on.
func (s *Server) streams() (on []*tcpServer) {
	for _, l := range []*tcpServer{s.tcp, s.tls} {
		if l != nil {
			on = append(on, l)
		}
	}
	return on
}

func listenFailed(err error, network, addr, variable string) error {
	return fault.Wrap(fault.ListenFailed, err, "cannot listen for syslog on %s %s", network, addr).
		WithRemedy("free the port, or set %s to another address, or to off", variable)
}

// runSocket starts the reader and the submitter of a UDP socket.
func (s *Server) runSocket(ctx context.Context, conn *net.UDPConn) {
	sock := &socket{conn: conn, backlog: newBacklog(), door: s.doorUDP, rate: s.deps.Rate}
	sock.feed = s.newFeed(&s.metrics.udp, &sock.why)
	s.readers.Go(func() { s.fail(sock.read(ctx, s.cfg.MaxMessageBytes)) })
	s.readers.Go(func() { sock.submit(ctx, s.cfg.Patience) })
}

func (s *Server) newFeed(m *transportMetrics, f failing) *feed {
	parser := NewParser(s.cfg.Location)
	parser.sources = s.sources
	return &feed{parser: parser, sink: s.deps.Sink, metrics: m, failing: f}
}

// fail reports that a listener ended; the first error is the one to report.
func (s *Server) fail(err error) {
	if err != nil {
		select {
		case s.failed <- err:
		default:
		}
	}
}

// Stop closes the listeners and stores what was read, at most until ctx or Config.StopTimeout is over; what is not
// stored by then is counted as dropped.
func (s *Server) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.StopTimeout)
	defer cancel()
	s.mu.Lock()
	before := s.state
	s.state = stateStopped
	if before == stateRunning {
		for _, conn := range s.udp {
			conn.SetReadDeadline(time.Unix(1, 0))
		}
		for _, l := range s.streams() {
			l.stop()
		}
	}
	s.mu.Unlock()
	if before == stateNew || s.cancel == nil {
		return nil
	}
	var err error
	select {
	case <-s.done:
	case <-ctx.Done():
		err = errors.New("syslog messages were left when the time for stopping was over")
	}
	s.cancel()
	if err != nil {
		giveUp := time.NewTimer(time.Second)
		defer giveUp.Stop()
		select {
		case <-s.done:
		case <-giveUp.C: // a Sink that ignores its context
		}
	}
	closeAll(s.udp)
	return err
}

// Problems returns the states of trouble that last.
func (s *Server) Problems() []trouble.Problem { return s.report.board.Problems() }

// Ready says whether the listeners are open, and as warnings what was lost in the last minute.
func (s *Server) Ready(context.Context) (warnings []string, err error) {
	s.mu.Lock()
	running := s.state == stateRunning
	s.mu.Unlock()
	if !running {
		return nil, errors.New("the syslog listeners are not open")
	}
	return s.report.warnings(), nil
}

// Addrs returns the addresses that are listened on in clear text; nil for one that is off.
func (s *Server) Addrs() (udp, tcp net.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.udp) > 0 {
		udp = s.udp[0].LocalAddr()
	}
	if s.tcp != nil {
		tcp = s.tcp.listener.Addr()
	}
	return udp, tcp
}

// TLSAddr returns the address of syslog over TLS; nil when it is off.
func (s *Server) TLSAddr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tls == nil {
		return nil
	}
	return s.tls.listener.Addr()
}

// kernelDrops sums over the sockets. It never goes back, also when they are closed.
func (s *Server) kernelDrops() (n int64) {
	for _, conn := range s.sockets() {
		_, drops := memInfo(conn)
		n += drops
	}
	for {
		last := s.drops.Load()
		if n <= last {
			return last
		}
		if s.drops.CompareAndSwap(last, n) {
			return n
		}
	}
}

// receiveBuffer gives the bytes that the kernel granted to a socket.
func (s *Server) receiveBuffer() (n int64) {
	for _, conn := range s.sockets() {
		n, _ = memInfo(conn)
	}
	return n
}

func (s *Server) sockets() []*net.UDPConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.udp
}
