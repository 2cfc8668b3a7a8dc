package httpserver

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/zap"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/netguard"
	"github.com/muttproject/mutt/platform/netguard/netguardtest"
)

// wire is a listener in memory whose connections have no buffer: a peer that does not read stops the server's write.
type wire struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (w *wire) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

func (w *wire) Close() error   { close(w.closed); return nil }
func (w *wire) Addr() net.Addr { return &net.TCPAddr{} }

// hostile is a server in virtual time.
type hostile struct {
	*testing.T
	server *Server
	wire   *wire
	door   *netguard.Door
}

func newHostile(t *testing.T, change func(*netguard.Config), routes ...Route) *hostile {
	ring := authn.NewKeyring(time.Now)
	ring.Swap([]authn.Key{{Identity: authn.Identity{Name: "key:v", Role: authn.Viewer}, Hash: authn.HashSecret("viewer-key")}})
	h := &hostile{T: t, wire: &wire{make(chan net.Conn), make(chan struct{})}, door: netguardtest.New(t, change).HTTPDoor("ingest")}
	h.server = New(Options{Name: "ingest", Door: h.door, Logger: zap.NewNop(), Gate: newGate(ring)}, routes...)
	go h.server.http.Serve(h.door.Wrap(h.wire))
	return h
}

func (h *hostile) close() { h.server.http.Close() }

// dial opens a connection and sends a text.
func (h *hostile) dial(text string) net.Conn {
	here, there := net.Pipe()
	h.wire.conns <- here
	go io.WriteString(there, text) // ends when the server closes
	return there
}

// answer reads one answer and returns its status and when it came, from start.
func (h *hostile) answer(c net.Conn, start time.Time) (status int, after time.Duration) {
	h.Helper()
	got, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		h.Error(err)
		return 0, time.Since(start)
	}
	after = time.Since(start)
	io.Copy(io.Discard, got.Body)
	return got.StatusCode, after
}

// ends returns when the server closes the connection.
func (h *hostile) ends(c net.Conn, start time.Time) time.Duration {
	c.SetReadDeadline(time.Now().Add(time.Hour))
	if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
		h.Error("the connection is open after an hour")
	}
	return time.Since(start)
}

// TestPeersThatNeverRead: each is disconnected, whatever the size of the answer.
func TestPeersThatNeverRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan time.Duration, 300)
		h := newHostile(t, func(c *netguard.Config) { c.ConnectionsPerSource = 1000 }, Route{Method: "GET", Path: "/large", Role: authn.Public, Handler: func(c echo.Context) error {
			start := time.Now()
			err := c.Blob(200, "text/plain", make([]byte, 1<<20))
			ended <- time.Since(start)
			return err
		}})
		for range 300 {
			h.dial("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
		}
		for range 300 {
			if after := <-ended; after > time.Minute {
				t.Fatalf("a write ended after %s", after)
			}
		}
		h.close()
	})
}

// TestStreamsWithoutWindow: over HTTP/2, a stranger whose streams take nothing holds neither them nor more than some of them.
func TestStreamsWithoutWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan time.Duration, 1000)
		h := &hostile{T: t, wire: &wire{make(chan net.Conn), make(chan struct{})}, door: netguardtest.New(t, nil).HTTPDoor("ingest")}
		h.server = New(Options{Name: "ingest", Door: h.door, Logger: zap.NewNop()}, Route{Method: "GET", Path: "/large", Role: authn.Public, Handler: func(c echo.Context) error {
			start := time.Now()
			err := c.Blob(200, "text/plain", make([]byte, 1<<20))
			ended <- time.Since(start)
			return err
		}})
		h.server.http.Protocols = new(http.Protocols)
		h.server.http.Protocols.SetUnencryptedHTTP2(true)
		go h.server.http.Serve(h.door.Wrap(h.wire))
		here, there := net.Pipe()
		h.wire.conns <- here
		go io.Copy(io.Discard, there)
		if _, err := io.WriteString(there, http2.ClientPreface); err != nil {
			t.Fatal(err)
		}
		f := http2.NewFramer(there, nil)
		if err := f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}); err != nil {
			t.Fatal(err)
		}
		var block bytes.Buffer
		enc := hpack.NewEncoder(&block)
		for n := range uint32(100) {
			block.Reset()
			for _, field := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", "x"}, {":path", "/large"}} {
				if err := enc.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
					t.Fatal(err)
				}
			}
			if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*n + 1, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(ended); n < 1 || n > maxStreams {
			t.Errorf("%d answers ended of at most %d", n, maxStreams)
		}
		for range len(ended) {
			if after := <-ended; after > time.Minute {
				t.Fatalf("an answer was held for %s", after)
			}
		}
		there.Close()
		h.close()
	})
}

// TestSlowBodyOfAStranger: the answer does not wait for the body, and the connection ends soon, regardless of who refuses.
func TestSlowBodyOfAStranger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		nothing := func(c echo.Context) error { return c.String(200, "ok") }
		reads := func(c echo.Context) error {
			if _, err := io.ReadAll(c.Request().Body); err != nil {
				return fault.New(fault.BadRequest, "the body ended too early")
			}
			return nothing(c)
		}
		h := newHostile(t, nil, Route{Method: "POST", Path: "/write", Role: authn.Operator, Handler: reads}, Route{Method: "GET", Path: "/health", Role: authn.Public, Handler: nothing},
			Route{Method: "POST", Path: "/login", Role: authn.Public, Handler: reads}, Route{Method: "POST", Path: "/read", Role: authn.Viewer, Handler: reads})
		for _, c := range []struct {
			request, headers string
			status           int
			answered, ended  time.Duration
		}{
			{"POST /write", "", 401, 0, time.Second},
			{"POST /write", "X-API-KEY: guess\r\n", 401, 0, time.Second},
			{"POST /write", "X-API-KEY: viewer-key\r\n", 403, 0, time.Second},
			{"POST /nowhere", "", 404, 0, time.Second},
			{"DELETE /write", "", 405, 0, time.Second},
			{"POST /write", "Accept-Version: v9\r\n", 406, 0, time.Second},
			{"GET /health", "", 200, 0, time.Second},
			{"POST /login", "", 400, 10 * time.Second, 11 * time.Second},
			{"POST /read", "X-API-KEY: viewer-key\r\n", 400, 2 * time.Minute, 2*time.Minute + time.Second},
		} {
			for _, framing := range []string{"Content-Length: 1000\r\n\r\nx", "Content-Length: 100000000\r\n\r\nx", "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"} {
				start := time.Now()
				conn := h.dial(c.request + " HTTP/1.1\r\nHost: x\r\n" + c.headers + framing)
				status, after := h.answer(conn, start)
				if status != c.status || after > c.answered {
					t.Errorf("%s %q %q: %d after %s, want %d after %s", c.request, c.headers, framing, status, after, c.status, c.answered)
				}
				if after = h.ends(conn, start); after > c.ended {
					t.Errorf("%s %q %q: ended after %s, want %s", c.request, c.headers, framing, after, c.ended)
				}
			}
		}
		h.close()
	})
}

// TestHeaders: half a header ends after the first-byte timeout, and a large one is refused.
func TestHeaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHostile(t, nil, Route{Method: "GET", Path: "/", Role: authn.Public, Handler: func(c echo.Context) error { return c.String(200, "ok") }})
		for _, begun := range []string{"", "G", "GET / HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", 15<<10)} {
			start := time.Now()
			if after := h.ends(h.dial(begun), start); after != 10*time.Second {
				t.Errorf("%.10q: closed after %s", begun, after)
			}
		}
		start := time.Now()
		large := h.dial("GET / HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", 40<<10) + "\r\n\r\n")
		if status, after := h.answer(large, start); status != http.StatusRequestHeaderFieldsTooLarge || after > time.Second {
			t.Errorf("%d after %s", status, after)
		}
		large.Close()
		idle := h.dial("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if status, _ := h.answer(idle, start); status != 200 {
			t.Error(status)
		}
		start = time.Now()
		if after := h.ends(idle, start); after != 2*time.Minute {
			t.Errorf("an idle connection: closed after %s", after)
		}
		h.close()
	})
}

// TestBusyConnectionsStay: room for a new connection is made of those between requests, never of one that serves a request.
func TestBusyConnectionsStay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		h := newHostile(t, func(c *netguard.Config) { c.Connections, c.ConnectionsPerSource = 3, 3 },
			Route{Method: "GET", Path: "/slow", Role: authn.Public, Handler: func(c echo.Context) error { <-release; return c.String(200, "slow") }},
			Route{Method: "GET", Path: "/", Role: authn.Public, Handler: func(c echo.Context) error { return c.String(200, "ok") }})
		start := time.Now()
		var slow []net.Conn
		for range 2 {
			slow = append(slow, h.dial("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"))
			synctest.Wait()
		}
		for i := range 20 {
			c := h.dial("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			if status, after := h.answer(c, start); status != 200 || after > time.Second {
				t.Errorf("connection %d: %d after %s", i, status, after)
			}
			synctest.Wait()
		}
		close(release)
		for _, c := range slow {
			if status, _ := h.answer(c, start); status != 200 {
				t.Errorf("a busy connection: %d", status)
			}
		}
		h.close()
	})
}

// TestStream: an answer without end moves its own deadline.
func TestStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHostile(t, nil, Route{Method: "GET", Path: "/stream", Role: authn.Public, Handler: func(c echo.Context) error {
			rc := http.NewResponseController(c.Response().Writer)
			if err := rc.SetWriteDeadline(time.Time{}); err != nil {
				return err
			}
			for i := range 100 {
				fmt.Fprintf(c.Response(), "data: %d\n\n", i)
				if err := rc.Flush(); err != nil {
					return err
				}
				time.Sleep(time.Minute)
			}
			return nil
		}})
		c := h.dial("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
		got, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(got.Body); err != nil || !strings.HasSuffix(string(text), "data: 99\n\n") {
			t.Errorf("%d bytes, %v", len(text), err)
		}
		h.close()
	})
}
