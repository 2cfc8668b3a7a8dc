package syslog

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/muttproject/mutt/platform/netguard"
)

const (
	datagramsPerRead = 64
	backlogPatience  = 500 * time.Millisecond // how long a reader lets the kernel's buffer fill instead of dropping
	drainTime        = time.Second            // at most, for what the kernel holds when the listener stops
	maxPeers         = 4096                   // remembered addresses per socket
	maxReadErrors    = 10                     // in a row, then the listener gives up
)

// socket is one of several UDP sockets on a port. The kernel gives all datagrams of one source address and port to
// one socket, and one goroutine submits them, so their order is kept.
type socket struct {
	conn    *net.UDPConn
	backlog *backlog
	feed    *feed
	door    *netguard.Door
	rate    *netguard.Rate
	senders senders
	why     lastCause
	lossy   bool // the backlog was full for too long: drop without waiting until there is room
}

// listenUDP opens n sockets on one address. The first is bound without SO_REUSEPORT, so that a port that another
// process (another MUTT too) reads from is an error and not a silent split of the messages.
func listenUDP(ctx context.Context, addr string, n, bufferBytes int) (conns []*net.UDPConn, err error) {
	defer func() {
		if err != nil {
			closeAll(conns)
			conns = nil
		}
	}()
	for range n {
		lc := net.ListenConfig{}
		if len(conns) > 0 {
			lc.Control = shareBeforeBind
			addr = conns[0].LocalAddr().String()
		}
		pc, err := lc.ListenPacket(ctx, "udp", addr)
		if err != nil {
			return conns, err
		}
		conn := pc.(*net.UDPConn)
		conns = append(conns, conn)
		if n > 1 && len(conns) == 1 && shareAfterBind(conn) != nil {
			break // one socket does
		}
		if err := growReceiveBuffer(conn, bufferBytes); err != nil {
			return conns, fmt.Errorf("set the receive buffer: %w", err)
		}
	}
	return conns, nil
}

func closeAll(conns []*net.UDPConn) {
	for _, c := range conns {
		c.Close()
	}
}

// read copies datagrams into the backlog until the listener stops (the socket's deadline passes), and then those
// that the kernel holds. It fails when reading fails for good; want of memory passes.
func (s *socket) read(ctx context.Context, maxMessage int) error {
	defer s.backlog.close()
	conn := ipv4.NewPacketConn(s.conn) // recvmmsg does not mind IPv6
	messages := make([]ipv4.Message, datagramsPerRead)
	for i := range messages {
		messages[i].Buffers = [][]byte{make([]byte, maxMessage+1)}
	}
	lines := make([]Line, 0, datagramsPerRead)
	for failures, flags := 0, 0; ; {
		n, err := conn.ReadBatch(messages, flags)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && flags == 0:
			flags = dontWait
			if s.conn.SetReadDeadline(time.Now().Add(drainTime)) != nil || flags == 0 {
				return nil
			}
			continue
		case err != nil && flags != 0 || errors.Is(err, net.ErrClosed):
			return nil
		case netguard.Passing(err):
			s.door.Failing(err)
			if !pause(ctx, firstRetry) {
				return nil
			}
			continue
		case err != nil:
			if failures++; failures == maxReadErrors || !pause(ctx, firstRetry) {
				return fmt.Errorf("read datagrams: %w", err)
			}
			continue
		}
		failures = 0
		lines = s.lines(lines[:0], messages[:n], maxMessage)
		s.keep(ctx, lines)
	}
}

// lines views what was read, but for what the limits refuse.
func (s *socket) lines(lines []Line, messages []ipv4.Message, maxMessage int) []Line {
	now, limited, strange, fast := time.Now(), s.rate.On(), 0, 0
	for i := range messages {
		m := &messages[i]
		from := s.senders.of(m.Addr, s.door)
		if !from.admitted {
			strange++
			continue
		}
		if limited && s.rate.Datagrams(from.Peer, 1) == 0 {
			fast++
			continue
		}
		text := m.Buffers[0][:m.N]
		l := Line{Text: text, Peer: from.text, At: now}
		if m.N > maxMessage {
			l.Text, l.Truncated = text[:maxMessage], true
		}
		lines = append(lines, l)
	}
	if strange > 0 {
		s.door.Dropped(strange)
	}
	if fast > 0 {
		s.feed.metrics.lost(causeSourceRate, fast)
	}
	return lines
}

// keep puts lines into the backlog. When it is full it waits once, while the kernel's buffer takes what comes; then
// it drops until there is room again.
func (s *socket) keep(ctx context.Context, lines []Line) {
	for {
		n := s.backlog.put(lines)
		if lines = lines[n:]; len(lines) == 0 {
			s.lossy = false
			return
		}
		if s.lossy || !s.backlog.wait(ctx, backlogPatience) {
			s.lossy = true
			s.feed.metrics.lost(s.why.or(causeBacklog), len(lines))
			return
		}
	}
}

// submit stores what the reader gathers until the backlog is closed and empty. A message is given up patience after
// it was read.
func (s *socket) submit(ctx context.Context, patience time.Duration) {
	for c := s.backlog.take(); c != nil; c = s.backlog.take() {
		s.feed.deliver(ctx, c.lines, c.lines[0].At.Add(patience))
		s.backlog.give(c)
	}
}

// lastCause is why submissions fail at present: what the backlog has no room for is lost for the same reason.
type lastCause struct{ atomic.Uint32 }

func (l *lastCause) set(c cause) { l.Store(uint32(c)) }

func (l *lastCause) or(c cause) cause {
	if now := cause(l.Load()); now != causeNone {
		return now
	}
	return c
}

// sender is what is known of an address that datagrams come from.
type sender struct {
	netguard.Peer
	text     string
	admitted bool
}

// senders remembers addresses: making the text of one costs more than parsing a message.
type senders map[netip.Addr]*sender

func (p *senders) of(addr net.Addr, door *netguard.Door) *sender {
	var a netip.Addr
	if udp, ok := addr.(*net.UDPAddr); ok {
		a = udp.AddrPort().Addr().Unmap().WithZone("")
	}
	known, ok := (*p)[a]
	if ok {
		return known
	}
	if *p == nil || len(*p) == maxPeers {
		*p = senders{}
	}
	known = &sender{Peer: door.Peer(a), admitted: door.Admits(a)}
	if a.IsValid() {
		known.text = a.String()
	}
	(*p)[a] = known
	return known
}
