// Package httpx is the outbound HTTP client: one URL, many requests.
//
// Principles:
//  1. Every request is bounded: in time as a whole, and in what is read of its answer.
//  2. Certificates are verified; a redirect is an answer and is never followed, so that a credential goes where it was
//     meant to go and nowhere else.
//  3. The credential is asked for at each request and kept nowhere; where an answer repeats it, it is struck out.
//  4. An error says whether a connection was made: what never left this process was no attempt.
//  5. Once the status is read, it is the answer, whatever becomes of the rest.
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

// bodyTime bounds the reading of an answer's body: nothing depends on it but what people read, and a worker waits for it.
const bodyTime = 2 * time.Second

// ErrUnreachable says that no connection could be made: name, route, port, proxy or TLS handshake.
var ErrUnreachable = errors.New("no connection could be made")

// ErrCredential says that nothing was sent because the credential cannot stand in a header.
var ErrCredential = errors.New("the key of the destination cannot be sent as a header")

// Options configure a Client. URL, Timeout and Connections are required.
type Options struct {
	URL         string
	Timeout     time.Duration  // of a whole request
	Connections int            // kept alive
	TLS         tlsconf.Client // authorities and client certificate, asked for each connection; nil for the system's authorities
	Credential  *Credential    // nil for none
	UserAgent   string
	Dial        func(ctx context.Context, network, addr string) (net.Conn, error) // nil means a net.Dialer
	Proxy       func(*http.Request) (*url.URL, error)                             // nil means that of the environment
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
	if o.Proxy == nil {
		o.Proxy = http.ProxyFromEnvironment
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{Timeout: o.Timeout, KeepAlive: 30 * time.Second}).DialContext
	}
	return &Client{opts: o, url: u, transport: tlsconf.NewTransport(&http.Transport{
		Proxy:                  o.Proxy,
		DialContext:            o.dial,
		DialTLSContext:         o.dialTLS,
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

// Post sends body as JSON and reads the answer, whatever its status. Of an answer whose body breaks off or hangs there is what came
// of it. Errors wrap ErrUnreachable, ErrCredential or the context's error, or say what broke; a timeout wraps
// context.DeadlineExceeded.
func (c *Client) Post(ctx context.Context, body []byte) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	var connected bool
	var on *conn // nil for TLS over a proxy
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// The transport asks for another connection when a kept one turns out to be closed: that one counts no more.
		GetConn: func(string) { connected, on = false, nil },
		GotConn: func(info httptrace.GotConnInfo) {
			connected = true
			if on, _ = info.Conn.(*conn); on != nil {
				on.begin()
			}
		},
	})
	req, err := c.request(traced, body)
	if err != nil {
		return Answer{}, err
	}
	// The transport is used without http.Client: that is what would follow redirects and keep cookies.
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		if on != nil {
			if status, ok := on.status(); ok {
				return Answer{Status: status}, nil
			}
		}
		return Answer{}, explain(ctx, connected, err)
	}
	defer resp.Body.Close()
	if resp.ContentLength != 0 {
		defer time.AfterFunc(bodyTime, cancel).Stop()
	}
	// A little more than is kept, so that a credential which the answer repeats is found also where the cut would be. An
	// error costs only the connection: the status is known, and the alert's fate with it.
	kept, err := io.ReadAll(io.LimitReader(resp.Body, KeepBody+slackBody))
	if err == nil {
		_, _ = io.CopyN(io.Discard, resp.Body, drainBody)
	}
	kept = c.opts.Credential.scrub(kept)
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: kept[:min(len(kept), KeepBody)]}, nil
}

func (c *Client) request(ctx context.Context, body []byte) (*http.Request, error) {
	header := http.Header{"Content-Type": {"application/json"}}
	if c.opts.UserAgent != "" {
		header["User-Agent"] = []string{c.opts.UserAgent}
	}
	if err := c.opts.Credential.add(header); err != nil {
		return nil, err
	}
	req := &http.Request{
		Method: http.MethodPost, URL: c.url, Host: c.url.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		ContentLength: int64(len(body)),
		Body:          io.NopCloser(bytes.NewReader(body)),
		// With GetBody the transport repeats a request by itself on a kept connection that the server had closed before.
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil },
	}
	return req.WithContext(ctx), nil
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
