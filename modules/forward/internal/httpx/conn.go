package httpx

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"sync"
)

// statusBytes is how much of an answer is kept to find its status: interim answers with a few headers, and the status line.
const statusBytes = 512

// conn remembers how the answer to the present request began. The transport returns an error instead of an answer when what follows the
// status line is broken; but the destination has spoken, and its word must not be sent again.
type conn struct {
	net.Conn
	mu   sync.Mutex
	head []byte
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	if room := statusBytes - len(c.head); room > 0 {
		c.head = append(c.head, b[:min(n, room)]...)
	}
	c.mu.Unlock()
	return n, err
}

// begin forgets the answer before.
func (c *conn) begin() {
	c.mu.Lock()
	c.head = c.head[:0]
	c.mu.Unlock()
}

// status returns the status of the answer, once its line was read. Interim answers (1xx) before it are passed over.
func (c *conn) status() (int, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for head := c.head; ; {
		line, rest, whole := bytes.Cut(head, []byte("\n"))
		if !whole && len(c.head) < statusBytes || !bytes.HasPrefix(line, []byte("HTTP/1.")) || len(line) < len("HTTP/1.1 200") {
			return 0, false
		}
		n, err := strconv.Atoi(string(line[9:12]))
		if err != nil || n < 100 || n >= 200 {
			return n, err == nil && n >= 200 && n < 600
		}
		for len(bytes.TrimRight(line, "\r")) > 0 { // the headers of an interim answer, up to its empty line
			if line, rest, whole = bytes.Cut(rest, []byte("\n")); !whole {
				return 0, false
			}
		}
		head = rest
	}
}

// dial opens connections for requests without TLS, and for those to a proxy.
func (o *Options) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := o.Dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c}, nil
}

// dialTLS opens connections for requests with TLS that no proxy carries.
func (o *Options) dialTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", addr, err)
	}
	plain, err := o.Dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{}
	if o.TLS != nil {
		if c := o.TLS(); c != nil {
			config = c.Clone()
		}
	}
	config.NextProtos = nil // HTTP/1.1
	if config.ServerName == "" {
		config.ServerName = host
	}
	c := tls.Client(plain, config)
	if err := c.HandshakeContext(ctx); err != nil {
		_ = plain.Close()
		return nil, err
	}
	return &conn{Conn: c}, nil
}
