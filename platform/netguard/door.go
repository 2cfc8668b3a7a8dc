package netguard

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/trouble"
)

// Waits between attempts to accept that fail.
const (
	firstRetry = 5 * time.Millisecond
	lastRetry  = time.Second
)

// Door guards one listener. It is safe for concurrent use.
type Door struct {
	guard           *Guard
	allow           Networks
	firstByte, idle time.Duration
	seats           *seats

	refused, closed               [causes]prometheus.Counter
	datagrams, failures           prometheus.Counter
	refusing                      [causes]*trouble.State // while connections are refused
	evicting, strangers, troubled *trouble.State         // while idle ones are closed, datagrams dropped, accept or read fails
}

// HTTPDoor returns the door of an HTTP listener: "ingest", "admin" or "ops". A name is used once. The server ends silent connections by
// itself, and reports by SetBusy which ones serve a request.
func (g *Guard) HTTPDoor(name string) *Door { return g.door(name, 0) }

// quietSyslog is how long a connection for syslog must have been silent to count as idle: one that is closed between two messages loses
// what is on its way.
const quietSyslog = 30 * time.Second

// SyslogDoor returns the door of a listener for syslog. A name is used once.
func (g *Guard) SyslogDoor(name string) *Door {
	d := g.door(name, quietSyslog)
	d.firstByte, d.idle = g.limits.FirstByteTimeout, g.limits.SyslogIdleTimeout
	return d
}

func (g *Guard) door(name string, quiet time.Duration) *Door {
	m, l := g.metrics, g.limits
	setting, allow := l.allowed(name)
	d := &Door{guard: g, allow: NewNetworks(allow), seats: newSeats(l.Connections, l.ConnectionsPerSource, quiet),
		datagrams: m.dropped.WithLabelValues(name), failures: m.errors.WithLabelValues(name)}
	m.open(name, d.seats.open)
	for _, c := range []cause{causeNotAllowed, causeListenerFull, causeSourceFull} {
		d.refused[c] = m.refused.WithLabelValues(name, causeNames[c])
	}
	for _, c := range []cause{causeListenerFull, causeSourceFull, causeFirstByte, causeIdle, causeWriteTimeout} {
		d.closed[c] = m.closed.WithLabelValues(name, causeNames[c])
	}
	state := func(what, unit, begins, ends, consequence, remedy string) *trouble.State {
		return g.board.State(trouble.Kind{Name: name + "_" + what, Unit: unit, Begins: begins, Ends: ends,
			Advice: trouble.Advice{Consequence: consequence, Remedy: remedy, Runbook: "intake"}})
	}
	d.refusing[causeNotAllowed] = state("not_allowed", "connections", fmt.Sprintf("connections to the %s listener are refused: their addresses are not in %s", name, setting),
		fmt.Sprintf("no connection to the %s listener is refused for its address any more", name), "these peers can neither send nor ask",
		"add the address to "+setting+", or keep the peer from connecting")
	d.refusing[causeListenerFull] = state("listener_full", "connections", fmt.Sprintf("connections to the %s listener are refused: all %d are in use", name, l.Connections),
		fmt.Sprintf("the %s listener has room for connections again", name), "peers without a connection must wait until one is free", "find the peers that hold them, or raise limits.connections")
	d.refusing[causeSourceFull] = state("source_full", "connections",
		fmt.Sprintf("connections to the %s listener are refused: their source has %d that are in use", name, l.ConnectionsPerSource),
		fmt.Sprintf("no connection to the %s listener is refused for its source any more", name), "this source gets no more connections; other sources are not affected",
		"add a relay to limits.trusted_relays, or raise limits.connections_per_source")
	d.evicting = state("evicting", "connections", fmt.Sprintf("idle connections to the %s listener are closed to make room for new ones", name),
		fmt.Sprintf("no connection to the %s listener is closed to make room any more", name), "the peers must connect again; what they sent at that moment can be lost",
		"find the peers that hold them, or raise limits.connections and limits.connections_per_source")
	d.strangers = state("strangers", "datagrams", fmt.Sprintf("datagrams to the %s listener are dropped: their addresses are not in %s", name, setting),
		fmt.Sprintf("no datagram to the %s listener is dropped for its address any more", name), "these messages are not taken in", "add the address to "+setting+", or keep the peer from sending")
	d.troubled = g.board.State(trouble.Kind{Name: name + "_failing", Unit: "attempts", Quiet: 5 * time.Second,
		Bad: true, Begins: fmt.Sprintf("the %s listener takes in nothing: file descriptors or memory have run out", name),
		Ends: fmt.Sprintf("the %s listener takes in what peers send again", name),
		Advice: trouble.Advice{Consequence: "peers cannot connect; syslog messages over UDP are lost",
			Remedy: "raise the limit of open files (ulimit -n, LimitNOFILE= of systemd), or lower limits.connections", Runbook: "intake"}})
	return d
}

// Limits returns the limits in force.
func (d *Door) Limits() Config { return d.guard.limits }

// Admits reports whether an address may send to the listener, for transports without connections.
func (d *Door) Admits(a netip.Addr) bool { return d.allow.Empty() || d.allow.Contains(a) }

// Peer returns what the limits say of an address.
func (d *Door) Peer(a netip.Addr) Peer { return d.guard.Peer(a) }

// Dropped counts datagrams whose address is not admitted.
func (d *Door) Dropped(n int) {
	d.datagrams.Add(float64(n))
	d.strangers.Add(int64(n))
}

// Failing counts an error of accept or read that may pass (see Passing).
func (d *Door) Failing(err error) {
	d.failures.Inc()
	d.troubled.Add(1, zap.Error(err))
}

// ended counts a connection that a limit closes.
func (d *Door) ended(why cause) { d.closed[why].Inc() }

// Wrap guards a listener. Its Accept returns *Conn, and fails only when the listener is closed or broken.
func (d *Door) Wrap(l net.Listener) net.Listener {
	return &listener{Listener: l, door: d, closing: make(chan struct{})}
}

type listener struct {
	net.Listener
	door    *Door
	once    sync.Once
	closing chan struct{}
}

// Close closes the listener, and ends an Accept that waits for descriptors.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closing) })
	return l.Listener.Close()
}

// Accept returns the next connection that the limits let in.
func (l *listener) Accept() (net.Conn, error) {
	for wait := firstRetry; ; {
		conn, err := l.Listener.Accept()
		if err == nil {
			wait = firstRetry
			if c := l.door.admit(conn); c != nil {
				return c, nil
			}
			continue
		}
		if !Passing(err) {
			return nil, err
		}
		l.door.Failing(err)
		pause := time.NewTimer(wait)
		select {
		case <-pause.C:
		case <-l.closing:
			pause.Stop()
			return nil, net.ErrClosed
		}
		wait = min(2*wait, lastRetry)
	}
}

// admit gives a connection a seat, or closes it and returns nil.
func (d *Door) admit(conn net.Conn) *Conn {
	addr := addrOf(conn.RemoteAddr())
	if !d.Admits(addr) {
		conn.Close()
		d.refusal(causeNotAllowed, addr)
		return nil
	}
	now := d.guard.now()
	c := &Conn{Conn: conn, door: d, peer: d.guard.Peer(addr)}
	if d.firstByte > 0 {
		c.timer = time.AfterFunc(d.firstByte, c.watch)
	}
	c.last.Store(now)
	evicted, why, ok := d.seats.take(c, now)
	if !ok {
		c.Close()
		d.refusal(why, addr)
		return nil
	}
	if evicted != nil {
		d.ended(why)
		d.evicting.Add(1, zap.String("cause", causeNames[why]), zap.Stringer("source", addrOf(evicted.RemoteAddr())))
		evicted.Close()
	}
	return c
}

func (d *Door) refusal(why cause, addr netip.Addr) {
	d.refused[why].Inc()
	d.refusing[why].Add(1, zap.Stringer("source", addr))
}

// Passing reports whether an error of accept or of a read of datagrams may pass: descriptors or memory that ran out, a peer that is gone
// already, a packet filter. Others mean that the socket is closed or broken.
func Passing(err error) bool {
	var number syscall.Errno
	if errors.Is(err, net.ErrClosed) || !errors.As(err, &number) {
		return false
	}
	switch number {
	case syscall.EBADF, syscall.EINVAL, syscall.ENOTSOCK, syscall.EOPNOTSUPP, syscall.EFAULT:
		return false
	}
	return true
}
