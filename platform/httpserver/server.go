// Package httpserver is the one place that knows the HTTP framework.
//
// Principles:
//  1. Every route stands in a Route with the least role that may call it; there is no other way to add one. HEAD is
//     served wherever GET is (RFC 9110 section 9.3.2), by the same handler and to the same callers.
//  2. Every answer carries the correlation id and the version headers; every error is rendered here, from a fault.
//  3. An API client sees the message, field and remedy of a fault, never its cause.
package httpserver

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/lifecycle"
	"github.com/muttproject/mutt/platform/netguard"
)

// Handler and Middleware let a module's door name what its route code has without importing the framework.
type (
	Handler    = echo.HandlerFunc
	Middleware = echo.MiddlewareFunc
)

// Route is one method and path with the least role that may call it.
type Route struct {
	Method  string
	Path    string // echo's syntax: /rules/:id
	Role    authn.Role
	Handler Handler
	// AnyHost says that a listener on loopback answers to every name here. It is for what needs a key that a browser does not have and
	// send by itself, so that a page with a name of its own gains nothing.
	AnyHost bool
	// Unattended says that pages call it by themselves, so that a call does not prolong the session: an idle one ends although a page is open.
	Unattended bool
	// Failed writes the answer to a call that is refused or fails, for routes whose callers read pages; nil for the one form of errors
	// that the API has.
	Failed ErrorPage
}

// ErrorPage writes the answer to a call that is refused or fails as a page.
type ErrorPage func(c echo.Context, status int, e apiclient.Error) error

// Options configure a Server.
type Options struct {
	Name   string // "ingest", "admin", "ops": for logs and errors
	Addr   string // host:port; port 0 picks a free one
	Logger *zap.Logger
	Door   *netguard.Door // who may connect, how many, and for how long
	Gate   *Gate          // who is let in; required unless every route is public
	Around Middleware     // optional, around every route: also sees calls that are refused for their key
	// Sessions are accepted beside keys; nil where only keys are.
	Sessions Sessions
	// Missing answers a browser that asks for a path or method without a route, outside the API; nil for the one form of errors that the API has.
	Missing ErrorPage
	// ProxiedTLS says that browsers come by a proxy that speaks TLS, so that the cookies of sessions are those of TLS.
	ProxiedTLS bool
	// TLS is how clients must speak to the listener; nil for clear text.
	TLS   *tlsconf.Endpoint
	Hosts Hosts // that the listener answers to while it is bound to loopback
}

// Server is one HTTP listener with its routes.
type Server struct {
	opts   Options
	echo   *echo.Echo
	routes []Route
	http   *http.Server
	failed chan error
	ending chan struct{} // closed when the server drains

	anyHost  map[string]bool      // method and path of the routes that answer to every name
	pages    map[string]ErrorPage // of the routes that have one, by method and path
	loopback atomic.Bool          // set by Start: only this machine reaches the listener

	mu       sync.Mutex
	listener net.Listener
	stopped  bool
}

var _ lifecycle.Service = (*Server)(nil)

// New makes a Server with its routes. It does no I/O.
func New(o Options, routes ...Route) *Server {
	settings := []string{"Around", "Sessions", "Missing", "ProxiedTLS", "TLS"}
	if !slices.ContainsFunc(routes, func(r Route) bool { return r.Role != authn.Public }) {
		settings = append(settings, "Gate")
	}
	deps.Must(o, settings...)
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.IPExtractor = echo.ExtractIPDirect() // no forwarded header is believed
	e.Logger.SetOutput(discard{})
	s := &Server{opts: o, echo: e, routes: withHead(routes), failed: make(chan error, 1), ending: make(chan struct{}), anyHost: map[string]bool{},
		pages: map[string]ErrorPage{}}
	e.HTTPErrorHandler = s.renderError
	e.Pre(s.annotate, s.knownHost)
	e.Use(s.recoverPanic, negotiate)
	if o.Around != nil {
		e.Use(o.Around)
	}
	for _, r := range s.routes {
		e.Add(r.Method, r.Path, r.Handler, s.require(r))
		if r.AnyHost {
			s.anyHost[r.Method+" "+r.Path] = true
		}
		if r.Failed != nil {
			s.pages[r.Method+" "+r.Path] = r.Failed
		}
	}
	limits := o.Door.Limits()
	s.http = &http.Server{
		Handler:           e,
		ReadHeaderTimeout: limits.FirstByteTimeout,
		ReadTimeout:       limits.ReadTimeout,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       limits.IdleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams, WriteByteTimeout: limits.WriteTimeout},
		ConnState:         busy,
		ErrorLog:          log.New(handshakeLog{o.TLS}, "", 0),
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.Background(), endingKey{}, s.ending)
		},
	}
	s.http.RegisterOnShutdown(sync.OnceFunc(func() { close(s.ending) }))
	return s
}

type endingKey struct{}

// Ending returns what is closed when the server of a request begins to drain: an answer without an end ends itself then. It is nil, and so
// never closed, for a request that no Server took.
func Ending(ctx context.Context) <-chan struct{} {
	ending, _ := ctx.Value(endingKey{}).(chan struct{})
	return ending
}

const (
	// answerTimeout bounds an answer to a peer that takes a little of it again and again; one that takes nothing is disconnected after
	// limits.write_timeout. An answer that is a stream without end moves its own deadline by http.ResponseController.
	answerTimeout = 10 * time.Minute
	// maxHeaderBytes bounds the headers of a request.
	maxHeaderBytes = 16 << 10
	// maxStreams bounds the requests that one connection over HTTP/2 has at a time.
	maxStreams = 64
)

// busy reports which connections serve a request: they are not closed to make room for others.
func busy(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateActive:
		netguard.Of(conn).SetBusy(true)
	case http.StateIdle:
		netguard.Of(conn).SetBusy(false)
	}
}

// withHead adds a HEAD route beside each GET. The handler writes its body, from which net/http takes the headers that
// GET has, and which it does not send.
func withHead(routes []Route) []Route {
	all := slices.Clone(routes)
	for _, r := range routes {
		if r.Method == http.MethodGet {
			r.Method = http.MethodHead
			all = append(all, r)
		}
	}
	return all
}

// Routes lists the routes, for the authorization test and the reference page.
func (s *Server) Routes() []Route { return s.routes }

// Served lists what the framework answers, as method and path. A test holds that there is nothing beyond Routes.
func (s *Server) Served() (served []string) {
	for _, r := range s.echo.Routes() {
		served = append(served, r.Method+" "+r.Path)
	}
	return served
}

// Handler gives the server's handler for tests in process.
func (s *Server) Handler() http.Handler { return s.echo }

// Name gives "http-" and the listener's name.
func (s *Server) Name() string { return "http-" + s.opts.Name }

// Start opens the listener and serves.
func (s *Server) Start(ctx context.Context) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.opts.Addr)
	if err != nil {
		return fault.Wrap(fault.ListenFailed, err, "the %s HTTP listener cannot open %s", s.opts.Name, s.opts.Addr)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return errors.Join(errors.New("started after stop"), l.Close())
	}
	s.loopback.Store(boundToLoopback(l.Addr()))
	l = s.opts.Door.Wrap(l)
	s.listener = l
	go func() {
		if err := s.http.Serve(s.opts.TLS.Wrap(l, httpsHint())); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("serve %s: %w", s.opts.Name, err)
		}
	}()
	return nil
}

// Addr gives the address that is listened on, "" before Start.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}

// Drain closes the listener and lets running requests end: an answer that was earned is still written.
func (s *Server) Drain(ctx context.Context) error {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	return s.http.Shutdown(ctx)
}

// Stop ends what Drain left.
func (s *Server) Stop(ctx context.Context) error {
	if err := s.Drain(ctx); err != nil {
		return errors.Join(err, s.http.Close())
	}
	return nil
}

// Failed delivers a failure of the listener.
func (s *Server) Failed() <-chan error { return s.failed }

// discard swallows echo's own log: errors are logged by renderError.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
