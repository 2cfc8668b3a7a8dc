package connect

import (
	"net"
	"sync/atomic"
	"time"
)

// Conn is a connection that was logged in.
type Conn struct {
	net.Conn
	of      *Credentials
	server  string
	one     Credential
	due     time.Time // when it is replaced, once that is known; guarded by of.mu
	retired atomic.Bool
}

// Track counts an open connection, under the credential that Login gave for the server, until it is closed.
func (c *Credentials) Track(conn net.Conn, server string, one Credential) *Conn {
	t := &Conn{Conn: conn, of: c, server: server, one: one}
	c.mu.Lock()
	c.open[t] = struct{}{}
	n := len(c.open)
	c.mu.Unlock()
	c.opts.Metrics.opened(c.opts.Server, n)
	return t
}

// Close ends the connection.
func (t *Conn) Close() error {
	t.of.mu.Lock()
	delete(t.of.open, t)
	n, replaced := len(t.of.open), !t.due.IsZero()
	t.due = time.Time{}
	t.of.mu.Unlock()
	t.of.opts.Metrics.closed(t.of.opts.Server, n, replaced)
	return t.Conn.Close()
}

// NetConn gives what is below.
func (t *Conn) NetConn() net.Conn { return t.Conn }

// Retired reports that the connection should be replaced when nobody uses it.
func (t *Conn) Retired() bool { return t.retired.Load() }

// Credential is what it logged in with.
func (t *Conn) Credential() Credential { return t.one }
