package tlsconf

import (
	"context"
	"crypto/tls"
	"errors"
	"os"
	"sync/atomic"
)

// Client gives the configuration that the next connection of a client should use. It is never changed afterwards. A nil Client means
// plain TCP.
type Client func() *tls.Config

// Fixed is a configuration that stays; nil is plain TCP.
func Fixed(c *tls.Config) Client {
	if c == nil {
		return nil
	}
	return func() *tls.Config { return c }
}

// For gives the configuration for one connection to host, nil for plain TCP. The server's certificate has to name that host, unless
// the configuration says another name.
func (c Client) For(host string) (*tls.Config, *Asked) {
	if c == nil {
		return nil, nil
	}
	t, asked := c().Clone(), &Asked{}
	if t.ServerName == "" {
		t.ServerName = host
	}
	own := t.Certificates
	t.GetClientCertificate = func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		asked.asked.Store(true)
		for i := range own {
			if info.SupportsCertificate(&own[i]) == nil {
				asked.shown.Store(true)
				return &own[i], nil
			}
		}
		return &tls.Certificate{}, nil
	}
	return t, asked
}

// Asked tells whether the server of one connection asked for a client certificate. With TLS 1.3 a server says only after the handshake
// that it did not like what it got, and what it says is often lost with the connection.
type Asked struct{ asked, shown atomic.Bool }

// ErrNotShown says that the server wants a client certificate that it accepts, and got none.
var ErrNotShown = errors.New("the server asks for a client certificate")

// ErrNoTLS says that the server answered that it does not speak TLS.
var ErrNoTLS = errors.New("the server refuses TLS")

// ErrNotLiked says that the connection ended after a client certificate was shown.
var ErrNotLiked = errors.New("the server was shown a client certificate")

// Because adds to the error of a connection that failed before the server said anything what it may have failed for.
func (a *Asked) Because(err error) error {
	switch {
	case err == nil, a == nil, !a.asked.Load(), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case a.shown.Load():
		return errors.Join(err, ErrNotLiked)
	default:
		return errors.Join(err, ErrNotShown)
	}
}
