package tlsconf

import (
	"crypto/tls"
	"net/http"
	"sync"
	"sync/atomic"
)

// Transport is an HTTP transport whose new connections use the configuration that is in force. When it changes, idle connections of
// before are closed; requests that are under way end on theirs.
type Transport struct {
	base *http.Transport
	tls  Client

	mu  sync.Mutex // of the change
	now atomic.Pointer[configured]
}

type configured struct {
	by   *tls.Config
	with *http.Transport
}

// NewTransport makes one like base, which is not used itself. A nil Client leaves base's configuration as it is.
func NewTransport(base *http.Transport, c Client) *Transport {
	t := &Transport{base: base, tls: c}
	if c == nil {
		t.tls = func() *tls.Config { return base.TLSClientConfig }
	}
	t.now.Store(t.configure(t.tls()))
	return t
}

func (t *Transport) configure(c *tls.Config) *configured {
	with := t.base.Clone()
	with.TLSClientConfig = c
	return &configured{by: c, with: with}
}

// RoundTrip makes one request.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	return t.current().RoundTrip(r)
}

// CloseIdleConnections closes what nobody uses.
func (t *Transport) CloseIdleConnections() { t.now.Load().with.CloseIdleConnections() }

func (t *Transport) current() *http.Transport {
	c, now := t.tls(), t.now.Load()
	if now.by == c {
		return now.with
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if now = t.now.Load(); now.by == c {
		return now.with
	}
	next := t.configure(c)
	t.now.Store(next)
	now.with.CloseIdleConnections()
	return next.with
}
