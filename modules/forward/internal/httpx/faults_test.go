package httpx

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/secret"
)

// raw answers each request with these bytes, and then ends the connection in some way.
func raw(t *testing.T, secure bool, answer string, end func(net.Conn)) (url string, trust *tls.Config, requests *atomic.Int64) {
	t.Helper()
	requests = &atomic.Int64{}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		requests.Add(1)
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, answer)
		end(c)
	})
	if !secure {
		s := server(t, h)
		return s.URL, nil, requests
	}
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	return s.URL, s.Client().Transport.(*http.Transport).TLSClientConfig, requests
}

func cut(net.Conn) {}

// rst ends without TLS's or TCP's goodbye, after the client has read what was written.
func rst(c net.Conn) {
	_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	_, _ = c.Read(make([]byte, 1))
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

func silent(c net.Conn) { _, _ = c.Read(make([]byte, 1)) } // until the client gives up

func TestTheStatusDecides(t *testing.T) {
	t.Parallel()
	const length = "Content-Length: 40\r\n\r\n"
	for _, row := range []struct {
		name, answer string
		end          func(net.Conn)
		status       int // 0 for an error
		body         string
	}{
		{"body cut off", "HTTP/1.1 200 OK\r\n" + length + `{"ok":`, cut, 200, `{"ok":`},
		{"body reset", "HTTP/1.1 201 Created\r\n" + length + `{"ok":`, rst, 201, `{"ok":`},
		{"body hangs", "HTTP/1.1 200 OK\r\n" + length + `{"ok":`, silent, 200, `{"ok":`},
		{"no body at all", "HTTP/1.1 204 No Content\r\n" + length, cut, 204, ""},
		{"a chunk of nonsense", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", cut, 200, ""},
		{"a chunk cut off", "HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nwait", cut, 503, "wait"},
		{"compressed, and not really", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", cut, 200, "abc"},
		{"refused, body cut off", "HTTP/1.1 400 Bad Request\r\n" + length + "no such field", cut, 400, "no such field"},
		{"refused, body hangs", "HTTP/1.1 422 No\r\n" + length + "no such field", silent, 422, "no such field"},
		{"headers cut off", "HTTP/1.1 200 OK\r\nContent-Le", cut, 200, ""},
		{"headers reset", "HTTP/1.1 500 Oops\r\nContent-Le", rst, 500, ""},
		{"headers hang", "HTTP/1.1 200 OK\r\nContent-Le", silent, 200, ""},
		{"a length of nonsense", "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", cut, 200, ""},
		{"two lengths", "HTTP/1.1 400 No\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", cut, 400, ""},
		{"headers of nonsense", "HTTP/1.1 200 OK\r\n: : :\r\n\r\n", cut, 200, ""},
		{"an unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: smoke\r\n\r\n", cut, 200, ""},
		{"endless headers", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 200<<10) + "\r\n\r\n", cut, 200, ""},
		{"an interim answer, then the body cut off", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n" + length + "{", cut, 200, "{"},
		{"interim answers, then headers cut off", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n" +
			"HTTP/1.1 200 OK\r\nContent-Le", cut, 200, ""},
		{"an interim answer cut off", "HTTP/1.1 103 Early Hints\r\nLink: </HTTP/1.1 200", cut, 0, ""},
		{"an interim answer, then nothing", "HTTP/1.1 103 Early Hints\r\n\r\n", cut, 0, ""},
		{"status line cut off", "HTTP/1.1 20", cut, 0, ""},
		{"status line hangs", "HTTP/1.1 200 O", silent, 0, ""},
		{"not HTTP", "220 mail.example ESMTP\r\n", cut, 0, ""},
		{"nothing", "", rst, 0, ""},
	} {
		for _, secure := range []bool{false, true} {
			name := row.name
			if secure {
				name += ", TLS"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				u, trust, requests := raw(t, secure, row.answer, row.end)
				a, err := client(t, Options{URL: u, TLS: tlsconf.Fixed(trust), Timeout: time.Second}).Post(t.Context(), []byte("{}"))
				if (err == nil) != (row.status != 0) || a.Status != row.status || string(a.Body) != row.body {
					t.Errorf("got %d %q, %v", a.Status, a.Body, err)
				}
				if errors.Is(err, ErrUnreachable) {
					t.Errorf("a connection was made: %v", err)
				}
				if n := requests.Load(); n != 1 {
					t.Errorf("sent %d times", n)
				}
			})
		}
	}
}

// TestAProxysAnswerToConnect: whatever it is, no connection to the destination was made.
func TestAProxysAnswerToConnect(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{
		"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 503 Service Unavailable\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\n\r\n",
		"HTTP/1.1 200 Connection established\r\n\r\n", // and ends there
		"",
	} {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				c, err := l.Accept()
				if err != nil {
					return
				}
				defer c.Close()
				if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
					t.Error(err)
				}
				_, _ = io.WriteString(c, answer)
			}()
			t.Cleanup(func() { _ = l.Close(); <-done })
			proxy := func(*http.Request) (*url.URL, error) { return url.Parse("http://user:hidden@" + l.Addr().String()) }
			_, err = client(t, Options{URL: "https://moog.example/", Proxy: proxy, Timeout: 5 * time.Second}).Post(t.Context(), []byte("{}"))
			if !errors.Is(err, ErrUnreachable) || strings.Contains(err.Error(), "hidden") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestAKeyThatCannotBeSent is an error of the secret, and nothing is sent.
func TestAKeyThatCannotBeSent(t *testing.T) {
	t.Parallel()
	for _, auth := range []Auth{{}, {Scheme: AuthHeader, Header: "X-Key"}} {
		for _, key := range []string{"abc\n", "a\r\nX: y", "a\x00b", "a\x7f"} {
			dialled := false
			c := client(t, Options{URL: "http://moog.example/", Credential: NewCredential(auth, func() secret.Secret { return secret.New(key) }),
				Dial: func(context.Context, string, string) (net.Conn, error) {
					dialled = true
					return nil, errors.New("nobody there")
				}})
			_, err := c.Post(t.Context(), []byte("{}"))
			if !errors.Is(err, ErrCredential) || errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "MOOG_API_KEY") || dialled {
				t.Errorf("%q: got %v, dialled %v", key, err, dialled)
			}
		}
	}
}

// dying fails to write once it is told to, as a connection does that the server has closed meanwhile.
type dying struct {
	net.Conn
	dead *atomic.Bool
}

func (d *dying) Write(b []byte) (int, error) {
	if d.dead.Load() {
		return 0, errors.New("broken pipe")
	}
	return d.Conn.Write(b)
}

// TestAKeptConnectionThatDied: when no other can be made in its place, nothing was sent, which counts no attempt.
func TestAKeptConnectionThatDied(t *testing.T) {
	t.Parallel()
	s := server(t, func(http.ResponseWriter, *http.Request) {})
	var dead atomic.Bool
	c := client(t, Options{URL: s.URL, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dead.Load() {
			return nil, errors.New("connection refused")
		}
		plain, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		return &dying{plain, &dead}, err
	}})
	if _, err := c.Post(t.Context(), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	dead.Store(true)
	if _, err := c.Post(t.Context(), []byte("{}")); !errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}
