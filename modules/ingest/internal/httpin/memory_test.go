package httpin

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muttproject/mutt/platform/fault"
)

// holders returns how many requests hold memory.
func (m *memory) holders() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.holds)
}

// TestMemoryIsShared: what an identity may hold beside others, who waits for how long, and that the oldest body never does.
func TestMemoryIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(100)
		of := func(identity string) *hold { return &hold{of: m, identity: identity} }
		try := func(h *hold, n int64, want bool) {
			t.Helper()
			if _, ok := h.try(n); ok != want {
				t.Errorf("%d more for %s beside %d holders: got %v", n, h.identity, len(m.holds), ok)
			}
		}
		first, second, other := of("a"), of("a"), of("b")
		try(first, 30, true)
		try(second, 20, true)
		try(second, 1, false) // half of the whole is a's
		try(of("a"), 1, false)
		try(other, 40, true)
		try(other, 11, false)
		try(other, 10, true)
		try(first, 500, true) // the oldest goes on, beyond the whole
		try(other, 1, false)
		first.give(530)
		try(other, 30, true) // the oldest of its identity exceeds the half
		try(other, 1, false)
		try(second, 80, true) // the oldest of all by now

		third := of("c")
		began := time.Now()
		err := third.take(t.Context(), 10)
		if f, _ := fault.As(err); !fault.Is(err, fault.Busy) || f.RetryAfter <= 0 || time.Since(began) != waitForMemory {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		if err := third.take(ctx, 10); ctx.Err() == nil || err != ctx.Err() {
			t.Errorf("the caller who has left got %v", err)
		}
		go func() {
			time.Sleep(time.Second)
			second.give(100)
		}()
		if err := third.take(t.Context(), 10); err != nil || len(m.holds) != 2 {
			t.Errorf("got %v beside %d holders", err, len(m.holds))
		}
	})
}

// piped is a listener on which a test opens connections without a network.
type piped struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (p *piped) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *piped) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *piped) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// servePiped serves h in the test's bubble.
func servePiped(t *testing.T, h http.Handler) *piped {
	l := &piped{conns: make(chan net.Conn), done: make(chan struct{})}
	s := &http.Server{Handler: h, ReadTimeout: 2 * time.Minute}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second) // the server lets a connection rest before it closes it
	})
	return l
}

// from gives a connection the address of another client.
type from struct {
	net.Conn
	ip string
}

func (f from) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(f.ip), Port: 1} }

// client sends one request over a connection of its own.
type client struct {
	t    *testing.T
	conn net.Conn
}

// open writes the head of a request of n bytes with a key.
func (p *piped) open(t *testing.T, key, ip string, n int, headers ...string) client {
	t.Helper()
	near, far := net.Pipe()
	p.conns <- from{far, ip}
	t.Cleanup(func() { _ = near.Close() })
	c := client{t, near}
	c.write([]byte(fmt.Sprintf("POST /ingest HTTP/1.1\r\nHost: mutt\r\nX-API-KEY: %s\r\nContent-Length: %d\r\n%s\r\n", key, n, strings.Join(headers, ""))))
	return c
}

// write sends as much as the server takes.
func (c client) write(b []byte) { _, _ = c.conn.Write(b) }

func (c client) answer() (int, string) {
	c.t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(c.conn), nil)
	if err != nil {
		return 0, err.Error()
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Error(err)
	}
	return res.StatusCode, string(body)
}

// TestStalledBodies: bodies that do not come hold up nobody, neither other identities nor other addresses of the bootstrap key nor
// those of the same identity, whatever they have sent before; those that hold memory are answered with 408 in the end.
func TestStalledBodies(t *testing.T) {
	t.Parallel()
	const fullShare = 41
	zeros := packed(t, "gzip", repeat(' ', 40<<20))
	for _, c := range []struct {
		name    string
		key, ip string
		sent    []byte // of a body of more
		count   int
		held    bool
	}{
		{"four, compressed, 2 kB of each", "one", "192.0.2.1", zeros[:2066], 4, false},
		{"forty, compressed, 30 kB of each", "one", "192.0.2.1", zeros[:30<<10], 40, false},
		{"forty, 50 kB of each", "one", "192.0.2.1", bytes.Repeat([]byte(" "), 50<<10), 40, false},
		{"forty, 400 kB of each", "one", "192.0.2.1", bytes.Repeat([]byte(" "), 400<<10), 40, true},
		{"forty, 2 MB of each: more than an identity may hold", "one", "192.0.2.1", bytes.Repeat([]byte(" "), 2000<<10), fullShare, true},
		{"forty of the bootstrap key, 2 MB of each", "boot", "192.0.2.1", bytes.Repeat([]byte(" "), 2000<<10), fullShare, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, func(c *Config) { c.MaxMemory = 64 << 20 })
				l := servePiped(t, r.handler)

				var stalled []client
				var encoding string
				if c.sent[0] != ' ' {
					encoding = "Content-Encoding: gzip\r\n"
				}
				for range c.count {
					k := l.open(t, c.key, c.ip, 9<<20, encoding)
					go k.write(c.sent)
					stalled = append(stalled, k)
				}
				synctest.Wait()

				line := good("h", `,"note":"`+strings.Repeat("x", 1000)+`"`) + "\n"
				big := []byte(strings.Repeat(line, 2_400_000/len(line)))
				others := [][2]string{{"two", "192.0.2.1"}, {"boot", "192.0.2.2"}}
				if c.count < fullShare {
					others = append(others, [2]string{c.key, c.ip})
				}
				for _, who := range others {
					began := time.Now()
					k := l.open(t, who[0], who[1], len(big))
					go k.write(big)
					if code, body := k.answer(); code != 200 || time.Since(began) > time.Second/2 {
						t.Errorf("%s of %s: got %d %.200s after %v", who[0], who[1], code, body, time.Since(began))
					}
				}
				if n := r.bodies.memory.holders(); n > 0 != c.held {
					t.Errorf("%d stalled bodies hold memory", n)
				}
				if !c.held {
					return
				}
				began := time.Now()
				codes := map[int]int{}
				for _, k := range stalled {
					code, _ := k.answer()
					codes[code]++
				}
				// A body may wait for memory more than once before it has a window of its own.
				if codes[408] == 0 || codes[408]+codes[503] != c.count || time.Since(began) > 6*paceWindow {
					t.Errorf("the stalled bodies got %v within %v", codes, time.Since(began))
				}
				synctest.Wait()
				if n := r.bodies.memory.holders(); n > 0 {
					t.Errorf("%d bodies hold memory after their answers", n)
				}
			})
		})
	}
}

// TestSlowBodiesThatKeepUp: a body that holds memory and comes a little faster than the least rate is taken, one that is slower is not.
func TestSlowBodiesThatKeepUp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ perSecond, status int }{{leastRate + 1024, 200}, {leastRate - 1024, 408}} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			l := servePiped(t, r.handler)
			body := []byte(strings.Repeat(good("h", "")+"\n", 4000))
			k := l.open(t, "one", "192.0.2.1", len(body))
			go func() {
				for rest := body; len(rest) > 0; time.Sleep(time.Second / 16) {
					n := min(len(rest), c.perSecond/16)
					if _, err := k.conn.Write(rest[:n]); err != nil {
						return
					}
					rest = rest[n:]
				}
			}()
			if code, text := k.answer(); code != c.status {
				t.Errorf("%d bytes/s: got %d %s", c.perSecond, code, text)
			}
		})
	}
}

// TestMemoryBound: a crowd of bombs of two identities is answered, and the memory that is counted never exceeds the limit and one body.
func TestMemoryBound(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxMemory = 32 << 20 })
	m := r.bodies.memory
	bomb := packed(t, "gzip", repeat(' ', 20<<20))
	ended, done := make(chan struct{}), make(chan struct{})
	var most int64
	go func() {
		defer close(done)
		for {
			m.mu.Lock()
			var sum int64
			for _, h := range m.holds {
				sum += h.bytes
			}
			freed := m.freed
			m.mu.Unlock()
			most = max(most, sum)
			select {
			case <-freed: // the sum is largest before
			case <-time.After(time.Millisecond / 10):
			case <-ended:
				return
			}
		}
	}()
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/ingest", bytes.NewReader(bomb))
			req.Header.Set("X-API-KEY", []string{"one", "two"}[i%2])
			req.Header.Set("Content-Encoding", "gzip")
			rec := httptest.NewRecorder()
			r.handler.ServeHTTP(rec, req)
			if rec.Code != 400 && rec.Code != 503 {
				t.Errorf("got %d %s", rec.Code, rec.Body)
			}
		})
	}
	wg.Wait()
	close(ended)
	<-done
	if bound := int64(32<<20 + (20+32)<<20); most > bound || most < 16<<20 { // it is sampled: the very largest sum may be missed
		t.Errorf("%d MiB were held, the bound is %d", most>>20, bound>>20)
	}
}
