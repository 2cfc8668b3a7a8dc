package netguard

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// States of a connection.
const (
	stateIdle    int32 = iota // nothing is being served
	stateBusy                 // something is: it is not closed to make room
	stateClosing              // it was chosen to make room, or is closed
)

// writeChunk is how many bytes one write deadline is for: a slow peer is one that takes fewer than this in limits.write_timeout.
const writeChunk = 64 << 10

// Conn is a guarded connection. Its owner reports by SetBusy when something is being served.
type Conn struct {
	net.Conn
	door  *Door
	peer  Peer
	state atomic.Int32
	heard atomic.Bool  // the peer sent something
	spoke atomic.Bool  // the peer sent a whole message
	last  atomic.Int64 // when it last sent something, or was last served
	timer *time.Timer  // looks for silence; nil when the owner does that

	write struct { // the deadline of writes
		armed atomic.Int64 // when it was last moved
		mu    sync.Mutex
		own   time.Time // what the owner set
	}

	// Guarded by door.seats.mu.
	holder *holder // nil without a seat
	place  int     // in holder.conns
	stamp  int64   // lower bound of used, as the last search found it
}

// Of returns the guarded connection below a connection, such as that of TLS; nil for one that is not guarded.
func Of(conn net.Conn) *Conn {
	for {
		switch c := conn.(type) {
		case *Conn:
			return c
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return nil
		}
	}
}

// Peer returns what the limits say of the peer; the zero Peer for no connection.
func (c *Conn) Peer() Peer {
	if c == nil {
		return Peer{}
	}
	return c.peer
}

// SetBusy reports whether something is being served. A busy connection is not closed to make room for others. It does nothing for no
// connection.
func (c *Conn) SetBusy(busy bool) {
	if c == nil {
		return
	}
	if busy {
		c.state.CompareAndSwap(stateIdle, stateBusy)
		return
	}
	c.last.Store(c.door.guard.now())
	c.state.CompareAndSwap(stateBusy, stateIdle)
}

// Spoke reports that the peer sent a whole message. Until then the connection is idle whatever it sends, so that peers that send a byte
// now and then keep nobody out; from then on a pause between two messages does not make it idle. It does nothing for no connection.
func (c *Conn) Spoke() {
	if c != nil && !c.spoke.Load() {
		c.spoke.Store(true)
	}
}

// used returns twice the moment at which the connection was last used, and for a busy one twice now and 1, so that it sorts after
// every idle one. One that never spoke counts as if it had been used when it would be idle now.
func (c *Conn) used(now int64) int64 {
	twice := 2*now + 1
	if c.state.Load() == stateIdle {
		twice = 2 * min(c.last.Load(), now)
	}
	if !c.spoke.Load() {
		twice -= 2 * c.door.seats.quiet // for a busy one too, still after every idle one: what is returned never decreases
	}
	return twice
}

// Read reads, and notes that the peer sent something.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.last.Store(c.door.guard.now())
		if !c.heard.Load() {
			c.heard.Store(true)
		}
	}
	return n, err
}

// Write writes. Each part of up to writeChunk bytes has limits.write_timeout, unless the deadline that the owner set is earlier.
func (c *Conn) Write(p []byte) (n int, err error) {
	for {
		c.armWrite()
		m, err := c.Conn.Write(p[:min(len(p), writeChunk)])
		n, p = n+m, p[m:]
		if err != nil && errors.Is(err, os.ErrDeadlineExceeded) && !c.overdue() {
			c.door.ended(causeWriteTimeout)
		}
		if err != nil || len(p) == 0 {
			return n, err
		}
	}
}

// armWrite moves the deadline of writes when a quarter of its time is over: a deadline costs more than a look at the clock.
func (c *Conn) armWrite() {
	timeout, now := c.door.guard.limits.WriteTimeout, c.door.guard.now()
	if armed := c.write.armed.Load(); armed != 0 && now-armed < int64(timeout/4) {
		return
	}
	c.write.mu.Lock()
	defer c.write.mu.Unlock()
	at := time.Now().Add(timeout)
	if own := c.write.own; !own.IsZero() && own.Before(at) {
		return
	}
	if c.Conn.SetWriteDeadline(at) == nil {
		c.write.armed.Store(now)
	}
}

// overdue reports whether the owner's deadline of writes is over.
func (c *Conn) overdue() bool {
	c.write.mu.Lock()
	defer c.write.mu.Unlock()
	return !c.write.own.IsZero() && !time.Now().Before(c.write.own)
}

// SetWriteDeadline sets a deadline of the owner. That of limits.write_timeout holds in addition.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.write.mu.Lock()
	defer c.write.mu.Unlock()
	c.write.own = t
	c.write.armed.Store(0)
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline sets both deadlines of the owner.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// CloseWrite ends what this side sends, where the transport can do that.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close closes the connection and frees its seat.
func (c *Conn) Close() error {
	c.state.Store(stateClosing)
	if c.timer != nil {
		c.timer.Stop()
	}
	c.door.seats.leave(c)
	return c.Conn.Close()
}

// watch closes the connection when its peer is silent, before the first byte and later. The timer calls it.
func (c *Conn) watch() {
	silence, why := c.door.idle, causeIdle
	if !c.heard.Load() {
		silence, why = c.door.firstByte, causeFirstByte
	}
	left := silence - time.Duration(c.door.guard.now()-c.last.Load())
	switch {
	case left <= 0 && c.state.CompareAndSwap(stateIdle, stateClosing):
		c.door.ended(why)
		c.Close()
	case left <= 0: // it is busy
		c.timer.Reset(silence)
	default:
		c.timer.Reset(left)
	}
}
