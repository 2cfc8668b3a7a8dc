// Package httpx is the outbound HTTP client: one URL, many requests.
//
// Principles:
//  1. Every request is bounded: in time as a whole, and in what is read of its answer.
//  2. Certificates are verified; a redirect is an answer and is never followed, so that a credential goes where it was
//     meant to go and nowhere else.
//  3. The credential is asked for at each request and kept nowhere; where an answer repeats it, it is struck out.
//  4. An error tells whether a connection was made: what never left this process was no attempt.
package httpx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"

	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/fault"
)

// Bounds of what is read of an answer, in bytes.
const (
	KeepBody  = 1 << 10 // kept for people
	slackBody = 512
	drainBody = 64 << 10 // read on, so that the connection can be used again
)

// ErrUnreachable says that no connection could be made: name, route, port, proxy or TLS handshake.
var ErrUnreachable = errors.New("no connection could be made")

// Options configure a Client. URL, Timeout and Connections are required.
type Options struct {
	URL         string
	Timeout     time.Duration  // of a whole request
	Connections int            // kept alive
	TLS         tlsconf.Client // authorities and client certificate, asked for each connection; nil for the system's authorities
	Credential  *Credential    // nil for none
	UserAgent   string
}

// Client posts bodies to one URL. Safe for concurrent use.
type Client struct {
	opts      Options
	url       *url.URL
	transport *tlsconf.Transport
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte // at most KeepBody bytes of it
}

// New returns a Client. It does no I/O.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		// The text is not repeated: it may hold a credential.
		return nil, fault.New(fault.ConfigInvalid, "the destination is not an http or https URL")
	}
	dialer := &net.Dialer{Timeout: o.Timeout, KeepAlive: 30 * time.Second}
	return &Client{opts: o, url: u, transport: tlsconf.NewTransport(&http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    o.Timeout,
		MaxIdleConns:           o.Connections,
		MaxIdleConnsPerHost:    o.Connections,
		IdleConnTimeout:        60 * time.Second,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
		WriteBufferSize:        8 << 10,
	}, o.TLS)}, nil
}

// Close closes the idle connections.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Post sends body as JSON and reads the answer, whatever its status. Errors wrap ErrUnreachable, or the context's
// error, or say what broke; a timeout wraps context.DeadlineExceeded.
func (c *Client) Post(ctx context.Context, body []byte) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	connected := false
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected = true }})
	// The transport is used without http.Client: that is what would follow redirects and keep cookies.
	resp, err := c.transport.RoundTrip(c.request(traced, body))
	if err != nil {
		return Answer{}, explain(ctx, connected, err)
	}
	defer resp.Body.Close()
	// A little more than is kept, so that a credential which the answer repeats is found also where the cut would be.
	kept, err := io.ReadAll(io.LimitReader(resp.Body, KeepBody+slackBody))
	if err != nil {
		return Answer{}, explain(ctx, true, fmt.Errorf("read the answer: %w", err))
	}
	// When the rest does not come, only the connection is lost: the status is known, and the alert's fate with it.
	_, _ = io.CopyN(io.Discard, resp.Body, drainBody)
	kept = c.opts.Credential.scrub(kept)
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: kept[:min(len(kept), KeepBody)]}, nil
}

func (c *Client) request(ctx context.Context, body []byte) *http.Request {
	header := http.Header{"Content-Type": {"application/json"}}
	if c.opts.UserAgent != "" {
		header["User-Agent"] = []string{c.opts.UserAgent}
	}
	c.opts.Credential.add(header)
	req := &http.Request{
		Method: http.MethodPost, URL: c.url, Host: c.url.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		ContentLength: int64(len(body)),
		Body:          io.NopCloser(bytes.NewReader(body)),
		// With GetBody the transport repeats a request by itself on a kept connection that the server had closed before.
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil },
	}
	return req.WithContext(ctx)
}

// explain says what an error of a request means. The URL is not part of the text: its query may be a credential.
func explain(ctx context.Context, connected bool, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("request given up: %w", ctx.Err())
	case !connected:
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	case ctx.Err() != nil:
		return fmt.Errorf("no answer in time: %w", ctx.Err())
	default:
		return fmt.Errorf("connection broke: %w", err)
	}
}
