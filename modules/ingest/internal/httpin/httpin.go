// Package httpin takes events in over HTTP (contracts.md section 2).
//
// Principles:
//  1. A 200 is a promise: it is written after Submit, which returns after the durable write.
//  2. The checks come in one order: key, rate of the source, bytes, decoding, number of events, rate, values, capacity, write.
//  3. Every bad event of a batch is named by its index; a document that is not whole queues nothing.
//  4. Memory follows what was received, never what was announced. Bodies share a bounded amount, in which each identity has its part.
//  5. Nothing is decoded for a client that has left.
package httpin

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/modules/ingest/internal/decode"
	"github.com/muttproject/mutt/modules/ingest/internal/intake"
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/netguard"
)

// Config bounds a request. The defaults are those of the module's Config.
type Config struct {
	MaxBody    int64    // bytes on the wire
	MaxDecoded int64    // bytes after decompression
	MaxMemory  int64    // bytes that the bodies of all requests hold at the same time
	MaxEvents  int      // per request
	Required   []string // fields that an event must have
	Aliases    []decode.Alias
}

// ConfigView is what GET /admin/config answers.
type ConfigView = apiclient.IngestConfig

// Deps are what a Handler needs. All are required.
type Deps struct {
	Intake  *intake.Intake
	Metrics *Metrics
	View    func() ConfigView
	Now     func() time.Time
	Guard   *netguard.Guard
	Rate    *netguard.Rate // of each source
	// TurnedAway is told how many events of a request were not taken, and why. What a request without
	// a key would have brought is not known.
	TurnedAway func(why error, n int)
}

// Handler answers the routes of the ingest listener.
type Handler struct {
	cfg    Config
	deps   Deps
	bodies bodyReader
	work   sync.Pool // of *work
}

// New makes a Handler.
func New(c Config, d Deps) *Handler {
	deps.Must(d)
	h := &Handler{cfg: c, deps: d, bodies: newBodyReader(c.MaxBody, c.MaxDecoded, c.MaxMemory)}
	h.work.New = func() any {
		return &work{h: h, dec: decode.New(decode.Options{Required: c.Required, Aliases: c.Aliases, Now: d.Now, SaneID: httpserver.SaneID})}
	}
	return h
}

// Routes lists the routes with the least role of each. A proxy of this machine that keeps the name by which senders call it
// needs no setting for events.
func (h *Handler) Routes() []httpserver.Route {
	return []httpserver.Route{
		{Method: http.MethodPost, Path: "/ingest", Role: authn.Ingest, Handler: h.ingest, AnyHost: true},
		{Method: http.MethodPost, Path: "/api/v1/ingest", Role: authn.Ingest, Handler: h.ingest, AnyHost: true},
		{Method: http.MethodPost, Path: "/api/v2/ingest", Role: authn.Ingest, Handler: h.ingest, AnyHost: true},
		{Method: http.MethodGet, Path: "/admin/config", Role: authn.Admin, Handler: h.adminConfig},
	}
}

func (h *Handler) adminConfig(c echo.Context) error {
	return c.JSON(http.StatusOK, h.deps.View())
}

// Observe is the middleware that measures the ingest routes, refused keys included.
func (h *Handler) Observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !strings.HasSuffix(c.Path(), "/ingest") {
			return next(c)
		}
		start := time.Now()
		err := next(c)
		h.deps.Metrics.observe(c.Response().Status, err, time.Since(start))
		return err
	}
}

// work is what one request needs; it is pooled.
type work struct {
	h    *Handler
	dec  *decode.Decoder
	body body
	out  []byte

	paced bool // there is a rate for each source
	peer  netguard.Peer
	batch *intake.Batch
	seen  int // events of the body, good and bad
	keys  keys
	at    []int // index in the request of each event of the batch
	bad   []apiclient.EventError
	lone  error  // why the only event of the body is refused, when that is the answer to the request
	own   string // correlation id that a lone object brought
}

func (h *Handler) ingest(c echo.Context) error {
	w := h.work.Get().(*work)
	defer w.release()
	err := w.serve(c)
	if err != nil {
		h.deps.TurnedAway(err, max(1, w.seen-len(w.bad)))
	}
	return err
}

// release readies w for another request.
func (w *work) release() {
	w.dec.Release()
	w.h.bodies.release(&w.body)
	w.at, w.bad, w.lone, w.own, w.seen = w.at[:0], nil, nil, "", 0
	w.h.work.Put(w)
}

func (w *work) serve(c echo.Context) error {
	if err := w.slow(c); err != nil {
		return err
	}
	req := c.Request()
	format, err := formatOf(req.Header)
	if err != nil {
		return err
	}
	if w.keys, err = newKeys(httpserver.Identity(c).Name, req.Header.Values(headerIdempotency)); err != nil {
		return err
	}
	body, err := w.h.bodies.read(c.Response(), req, identityOf(c), &w.body)
	if err != nil {
		return err
	}
	w.dec.Reset(body, format)
	return w.take(c)
}

// identityOf names whom the memory of a body is counted for: the holder of a key, and of the bootstrap key, which many senders
// have, the address; of IPv6 the network that one host has.
func identityOf(c echo.Context) string {
	id := httpserver.Identity(c)
	if !id.Bootstrap {
		return id.Name
	}
	at, err := netip.ParseAddr(c.RealIP())
	if err != nil {
		return c.RealIP()
	}
	return netguard.SourceOf(at).String()
}

// slow refuses a source that has sent more than its rate allows, before anything of the request is read.
func (w *work) slow(c echo.Context) error {
	if w.paced = w.h.deps.Rate.On(); !w.paced {
		return nil
	}
	addr, _ := netip.ParseAddr(c.RealIP())
	w.peer = w.h.deps.Guard.Peer(addr)
	if wait := w.h.deps.Rate.Request(w.peer); wait > 0 {
		return fault.New(fault.RateLimited, "this address sends more events than one source may").WithRetryAfter(wait).
			WithRemedy("send as Retry-After says, or have source_max_rate raised or the address added to limits.trusted_relays")
	}
	return nil
}

// take decodes, admits and submits the body's events.
func (w *work) take(c echo.Context) error {
	ctx, correlation := c.Request().Context(), httpserver.CorrelationID(c)
	w.batch = w.h.deps.Intake.NewBatch(event.SourceHTTP)
	err := w.gather(ctx, correlation, c.RealIP)
	w.seen = w.dec.Index() + 1
	if w.paced {
		w.h.deps.Rate.Took(w.peer, w.seen)
	}
	w.h.deps.Metrics.unknown(w.dec.Unknown())
	if err == nil {
		err = w.batch.Admit(ctx, w.seen)
	}
	if err == nil {
		err = w.lone
	}
	if err != nil {
		w.batch.Discard()
		return err
	}
	out, err := w.submit(ctx)
	if w.body.hold.bytes > 0 { // and not for as long as the client takes to read the answer
		w.dec.Release()
		w.h.bodies.release(&w.body)
	}
	if err != nil {
		return err
	}
	switch {
	case w.dec.Batch():
		return w.answerBatch(c, out.Accepted, correlation)
	case w.own != "":
		c.Response().Header().Set(httpserver.HeaderCorrelation, w.own)
		correlation = w.own
	}
	return w.answerOne(c, correlation)
}

// gather encodes the good events and notes the bad ones. Its error refuses the request.
func (w *work) gather(ctx context.Context, correlation string, peer func() string) error {
	for w.dec.Next() {
		i := w.dec.Index()
		if i%16 == 15 && ctx.Err() != nil { // a body has few events that are long
			return ended(ctx.Err())
		}
		if i >= w.h.cfg.MaxEvents {
			return fault.New(fault.TooLarge, "a request may hold %d events", w.h.cfg.MaxEvents)
		}
		if i == 1 && w.lone != nil { // it was not the only event
			w.turnAway(0, w.lone)
			w.lone = nil
		}
		e, err := w.dec.Event()
		if err != nil {
			if i == 0 && (!w.dec.Batch() || fault.Is(err, fault.TooLarge)) {
				w.lone = err
				continue
			}
			w.turnAway(i, err)
			continue
		}
		if e.CorrelationID == "" {
			e.CorrelationID = correlation
		}
		if e.Hostname == "" { // only when the configuration does not require one
			e.Hostname = peer()
		}
		if !w.dec.Batch() && e.CorrelationID != correlation {
			w.own = strings.Clone(e.CorrelationID) // a header outlives the body's buffer
		}
		w.batch.Add(e, w.keys.of(e, i))
		w.at = append(w.at, i)
	}
	return w.dec.Err()
}

// turnAway notes that an event of a batch is not taken.
func (w *work) turnAway(i int, err error) {
	w.bad = append(w.bad, newItemError(i, err))
	w.h.deps.TurnedAway(err, 1)
}

// submit stores the batch and notes what the queue refused.
func (w *work) submit(ctx context.Context) (intake.Outcome, error) {
	if w.batch.Len() == 0 {
		w.batch.Discard()
		return intake.Outcome{}, nil
	}
	out, err := w.h.deps.Intake.Submit(ctx, w.batch)
	if err != nil {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return out, ended(err)
		}
		return out, err
	}
	for position, failure := range out.Failed {
		// What befell all of them is the answer to the request: a lone large event, or a queue that takes none.
		if w.seen == 1 || out.Accepted == 0 && retryable(failure) {
			return out, failure
		}
		w.turnAway(w.at[position], failure)
	}
	return out, nil
}

// ended is the answer to a request whose client has left, for the log and the metrics.
func ended(err error) error {
	return fault.Wrap(fault.BadRequest, err, "the request ended before its events were stored")
}

func retryable(err error) bool {
	f, ok := fault.As(err)
	return ok && f.RetryAfter > 0
}
