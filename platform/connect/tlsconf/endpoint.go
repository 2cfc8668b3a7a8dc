package tlsconf

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/trouble"
)

// handshakeRecord is the first byte of every TLS connection, and begins neither an HTTP request nor a syslog message.
const handshakeRecord = 22

// Errors of a connection whose peer speaks the other protocol than the listener. They are counted where they are found.
var (
	ErrClearText = errors.New("the peer sent clear text to a listener that speaks TLS")
	ErrTLS       = errors.New("the peer sent TLS to a listener that speaks clear text")
)

// Bounds of the answer to a peer that sent clear text: how long a listener takes , and how much more it reads of that peer
// meanwhile. A connection that is closed with unread bytes is reset, and the answer is lost.
const (
	hintWithin = 500 * time.Millisecond
	hintReads  = 64 << 10
)

// Endpoint is how peers must speak to one TCP listener of this process: TLS when it has a certificate, else clear text.
type Endpoint struct {
	source           *Source // nil for clear text
	clearText, shake prometheus.Counter
	mistaken, failed *trouble.State
}

// TLS reports whether the listener speaks TLS.
func (e *Endpoint) TLS() bool { return e != nil && e.source != nil }

// Wrap returns l, speaking TLS when the endpoint does. Accept does not wait for a handshake: the first Read or Write makes it, or a
// call of Handshake. A peer that sends clear text instead gets the hint, and the connection fails with ErrClearText. In the opposite
// case a listener with a hint reads on, so that its protocol answers, and one without fails with ErrTLS. The connections of an
// endpoint that speaks TLS are *tls.Conn. A nil Endpoint returns l as it is.
func (e *Endpoint) Wrap(l net.Listener, hint []byte) net.Listener {
	if e == nil {
		return l
	}
	return &wrapped{Listener: l, endpoint: e, hint: hint}
}

type wrapped struct {
	net.Listener
	endpoint *Endpoint
	hint     []byte
}

func (w *wrapped) Accept() (net.Conn, error) {
	conn, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	conn = &opening{Conn: conn, endpoint: w.endpoint, hint: w.hint}
	if w.endpoint.source == nil {
		return conn, nil
	}
	return tls.Server(conn, w.endpoint.source.current()), nil
}

// Failed counts a handshake that failed, and why. A peer that left before it said anything is a probe, and is not counted.
func (e *Endpoint) Failed(peer, why string) {
	if why == io.EOF.Error() || why == ErrClearText.Error() {
		return
	}
	e.shake.Inc()
	e.failed.Add(1, zap.String("peer", peer), zap.String("error", why))
}

// opening looks at the first byte that a peer sends.
type opening struct {
	net.Conn
	endpoint *Endpoint
	hint     []byte
	begun    bool // read by the goroutine that reads the connection only
}

// NetConn returns the connection below.
func (o *opening) NetConn() net.Conn { return o.Conn }

func (o *opening) Read(b []byte) (int, error) {
	n, err := o.Conn.Read(b)
	if o.begun || n == 0 {
		return n, err
	}
	o.begun = true
	e := o.endpoint
	if isTLS := b[0] == handshakeRecord; isTLS == e.TLS() {
		return n, err
	}
	e.mistaken.Add(1, zap.Stringer("peer", o.RemoteAddr()))
	switch {
	case e.TLS():
		e.clearText.Inc()
		o.answer()
		return 0, ErrClearText
	case len(o.hint) > 0:
		return n, err
	default:
		return 0, ErrTLS
	}
}

func (o *opening) answer() {
	if len(o.hint) == 0 || o.Conn.SetDeadline(time.Now().Add(hintWithin)) != nil {
		return
	}
	if _, err := o.Conn.Write(o.hint); err == nil {
		_, _ = io.CopyN(io.Discard, o.Conn, hintReads) // until the peer has read the answer and leaves
	}
}
