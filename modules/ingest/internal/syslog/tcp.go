package syslog

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/netguard"
	"github.com/muttproject/mutt/platform/trouble"
)

// tcpServer accepts connections and gives each a goroutine.
type tcpServer struct {
	listener net.Listener
	endpoint *tlsconf.Endpoint
	cfg      *Config
	metrics  *metrics
	rate     *netguard.Rate
	waiting  *trouble.State
	newFeed  func(failing) *feed

	closing  chan struct{} // closed by stop
	mu       sync.Mutex
	conns    map[net.Conn]struct{}
	stopping bool
	wg       sync.WaitGroup
}

// accept takes connections until the listener is closed or broken. The guard waits out failures that pass (no file descriptors left).
func (s *tcpServer) accept(ctx context.Context) error {
	for {
		conn, err := s.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			return fmt.Errorf("accept connections: %w", err)
		}
		if !s.add(conn) {
			conn.Close()
			continue
		}
		go s.serve(ctx, conn)
	}
}

// add registers a connection, unless the server stops.
func (s *tcpServer) add(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	s.conns[conn] = struct{}{}
	s.wg.Add(1)
	s.metrics.connections.Inc()
	return true
}

func (s *tcpServer) remove(conn net.Conn) {
	conn.Close()
	s.mu.Lock()
	delete(s.conns, conn)
	s.mu.Unlock()
	s.metrics.connections.Dec()
	s.wg.Done()
}

// serve stores what a connection sends: what one read brought is durable before the next read, which waits while the source is over its
// rate. It ends when the peer closes, the connection breaks, or the server stops; what was read by then is stored, an unfinished last
// message too.
func (s *tcpServer) serve(ctx context.Context, conn net.Conn) {
	defer s.remove(conn)
	verified, err := s.shakeHands(ctx, conn)
	if err != nil {
		return
	}
	wait := &waitState{waiting: &s.metrics.waiting, state: s.waiting}
	defer wait.set(causeNone)
	feed, frames := s.newFeed(wait), newFramer(s.cfg.MaxMessageBytes)
	peer, guarded := peerOf(conn), netguard.Of(conn)
	s.greet(ctx, feed, peer)
	join, most := &joiner{max: s.cfg.MaxMessageBytes}, maxBatch-2 // a frame can complete two messages
	var lines []Line
	for {
		err := s.fill(conn, frames, join)
		guarded.SetBusy(true)
		silent := join.open && errors.Is(err, os.ErrDeadlineExceeded) && !s.stops()
		end := err != nil && !silent
		at, read := time.Now(), 0
		for more := true; more; {
			lines = lines[:0]
			for len(lines) < most {
				var l Line
				if l.Text, l.Truncated, more = frames.next(end); !more {
					break
				}
				l.Peer, l.Verified, l.At = peer, verified, at
				if s.cfg.JoinLines {
					lines = join.add(lines, l, frames.counted)
				} else {
					lines = append(lines, l)
				}
			}
			if !more && (end || silent) {
				lines = join.flush(lines)
			}
			s.metrics.droppedBytes(&frames.dropped)
			if len(lines) > 0 {
				read += len(lines)
				guarded.Spoke()
				feed.deliver(ctx, lines, time.Time{})
			}
			join.keep()
		}
		if end {
			return
		}
		if wait := s.rate.Stream(guarded.Peer(), read); wait > 0 {
			s.rest(wait)
		}
		guarded.SetBusy(false)
	}
}

// fill reads once; while a message is held, only until it is complete.
func (s *tcpServer) fill(conn net.Conn, frames *framer, join *joiner) error {
	if !join.open {
		return frames.fill(conn)
	}
	began := time.Now()
	s.setDeadline(conn, began.Add(join.patience()))
	err := frames.fill(conn)
	s.setDeadline(conn, time.Time{})
	join.waited += time.Since(began)
	return err
}

// setDeadline sets the deadline of reads, unless the server stops: then that of stop holds.
func (s *tcpServer) setDeadline(conn net.Conn, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopping {
		conn.SetReadDeadline(at)
	}
}

func (s *tcpServer) stops() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

// rest waits, at most until the server stops: what the peer has sent meanwhile is then read in any case.
func (s *tcpServer) rest(wait time.Duration) {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.closing:
	}
}

// nameWait bounds how long a connection waits for the name of its peer. It delays nobody else.
const nameWait = time.Second

// greet prepares a feed for the messages of a peer.
func (s *tcpServer) greet(ctx context.Context, f *feed, peer string) {
	ctx, cancel := context.WithTimeout(ctx, nameWait)
	defer cancel()
	f.parser.Expect(ctx, peer)
}

// stop ends accepting and reading; it does not wait.
func (s *tcpServer) stop() {
	s.listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopping {
		close(s.closing)
	}
	s.stopping = true
	for conn := range s.conns {
		conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// waitState counts a connection among the waiting ones while its submissions fail.
type waitState struct {
	waiting *atomic.Int64
	state   *trouble.State // begins here; the reporter, which knows all connections, ends it
	on      bool
}

func (w *waitState) set(c cause) {
	if on := c != causeNone; on != w.on {
		w.on = on
		if on {
			w.waiting.Add(1)
			w.state.Set(true)
		} else {
			w.waiting.Add(-1)
		}
	}
}

func peerOf(conn net.Conn) string {
	ap, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return ""
	}
	return ap.Addr().Unmap().WithZone("").String()
}
