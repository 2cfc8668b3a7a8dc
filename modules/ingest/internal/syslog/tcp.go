package syslog

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// tcpServer accepts connections and gives each a goroutine.
type tcpServer struct {
	listener net.Listener
	cfg      *Config
	metrics  *metrics
	newFeed  func(failing) *feed

	mu       sync.Mutex
	conns    map[net.Conn]struct{}
	stopping bool
	wg       sync.WaitGroup
}

// accept takes connections until the listener is closed. Failures that pass (no file descriptors left) are waited
// out.
func (s *tcpServer) accept(ctx context.Context) error {
	for failures := 0; ; {
		conn, err := s.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			if failures++; failures == 10*maxReadErrors || !pause(ctx, firstRetry) {
				return fmt.Errorf("accept connections: %w", err)
			}
			continue
		}
		failures = 0
		if !s.add(conn) {
			conn.Close()
			continue
		}
		go s.serve(ctx, conn)
	}
}

// add registers a connection, unless there are too many.
func (s *tcpServer) add(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	if len(s.conns) >= s.cfg.MaxConnections {
		s.metrics.refused.add(1)
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

// serve stores what a connection sends: what one read brought is durable before the next read. It ends when the
// peer closes, the connection breaks, or the server stops; what was read by then is stored, an unfinished last
// message too.
func (s *tcpServer) serve(ctx context.Context, conn net.Conn) {
	defer s.remove(conn)
	wait := &waitState{waiting: &s.metrics.waiting}
	defer wait.set(causeNone)
	feed, frames := s.newFeed(wait), newFramer(s.cfg.MaxMessageBytes)
	peer := peerOf(conn)
	var lines []Line
	for {
		err := frames.fill(conn)
		at := time.Now()
		for {
			lines = lines[:0]
			for len(lines) < maxBatch {
				frame, truncated, ok := frames.next(err != nil)
				if !ok {
					break
				}
				lines = append(lines, Line{Text: frame, Peer: peer, At: at, Truncated: truncated})
			}
			s.metrics.droppedBytes(&frames.dropped)
			if len(lines) == 0 {
				break
			}
			feed.deliver(ctx, lines, time.Time{})
		}
		if err != nil {
			return
		}
	}
}

// stop ends accepting and reading; it does not wait.
func (s *tcpServer) stop() {
	s.listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
	for conn := range s.conns {
		conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// waitState counts a connection among the waiting ones while its submissions fail.
type waitState struct {
	waiting *atomic.Int64
	on      bool
}

func (w *waitState) set(c cause) {
	if on := c != causeNone; on != w.on {
		w.on = on
		if on {
			w.waiting.Add(1)
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
