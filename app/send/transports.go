package send

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// firstRetry is the pause before a repeat when the receiver names none.
const firstRetry = 200 * time.Millisecond

// httpTransport posts NDJSON.
type httpTransport struct {
	o      Options
	client *http.Client
}

func newHTTP(o Options) (*httpTransport, error) {
	if _, err := http.NewRequest(http.MethodPost, o.Target, nil); err != nil {
		return nil, fmt.Errorf("target %q: %w", o.Target, err)
	}
	return &httpTransport{o, &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 1, TLSClientConfig: o.TLS}}}, nil
}

// ingestReply is what a batch is answered with (contracts.md section 2).
type ingestReply struct {
	Accepted *int   `json:"accepted"`
	Rejected int    `json:"rejected"`
	Error    string `json:"error"`
	Errors   []struct {
		Index   int    `json:"index"`
		Message string `json:"message"`
	} `json:"errors"`
}

func (t *httpTransport) send(ctx context.Context, batch []byte, n int) (accepted, rejected int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.o.Target, bytes.NewReader(batch))
	if err != nil {
		return 0, 0, err
	}
	req.Header.Set("X-API-KEY", t.o.Key)
	req.Header.Set("Content-Type", "application/x-ndjson")
	resp, err := t.client.Do(req)
	var untrusted *tls.CertificateVerificationError
	if errors.As(err, &untrusted) { // it is the same at the next try
		return 0, 0, err
	}
	if err != nil {
		return 0, 0, &retryError{err, firstRetry}
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return 0, 0, &retryError{err, firstRetry}
	}
	var reply ingestReply
	decodeErr := json.Unmarshal(body, &reply)
	switch {
	case resp.StatusCode == http.StatusOK && decodeErr == nil && reply.Accepted == nil:
		return n, 0, nil // a single event
	case resp.StatusCode == http.StatusOK && decodeErr == nil:
		return *reply.Accepted, reply.Rejected, partially(reply)
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode >= 500:
		return 0, 0, &retryError{refusal(resp.StatusCode, reply), retryAfter(resp.Header)}
	default:
		return 0, 0, refusal(resp.StatusCode, reply)
	}
}

// partialError names the first event of a batch that was refused while others were accepted.
type partialError struct{ first string }

func (e *partialError) Error() string { return e.first }

// partially gives what was refused of an accepted batch; nil for nothing.
func partially(reply ingestReply) error {
	if reply.Rejected == 0 || len(reply.Errors) == 0 {
		return nil
	}
	return &partialError{fmt.Sprintf("event %d of a batch: %s", reply.Errors[0].Index, reply.Errors[0].Message)}
}

func refusal(status int, reply ingestReply) error {
	msg := reply.Error
	if len(reply.Errors) > 0 {
		msg = reply.Errors[0].Message
	}
	return fmt.Errorf("the receiver answered %d: %s", status, msg)
}

func retryAfter(h http.Header) time.Duration {
	if secs, err := strconv.Atoi(h.Get("Retry-After")); err == nil && secs >= 0 && secs < 3600 {
		return time.Duration(secs) * time.Second
	}
	return firstRetry
}

func (t *httpTransport) close() error {
	t.client.CloseIdleConnections()
	return nil
}

// syslogTransport writes frames to a connection.
type syslogTransport struct {
	conn net.Conn
	w    *bufio.Writer
	udp  bool
}

func newSyslog(ctx context.Context, o Options) (*syslogTransport, error) {
	network := "tcp"
	if o.Transport == "syslog-udp" {
		network = "udp"
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	dial := dialer.DialContext
	if o.Transport == "syslog-tls" {
		dial = (&tls.Dialer{NetDialer: dialer, Config: o.TLS}).DialContext
	}
	conn, err := dial(ctx, network, o.Target)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", o.Target, err)
	}
	return &syslogTransport{conn, bufio.NewWriterSize(conn, 64<<10), network == "udp"}, nil
}

func (t *syslogTransport) send(_ context.Context, batch []byte, n int) (accepted, rejected int, err error) {
	if !t.udp {
		if _, err := t.w.Write(batch); err != nil {
			return 0, 0, fmt.Errorf("write to %s: %w", t.conn.RemoteAddr(), err)
		}
		return n, 0, t.w.Flush()
	}
	for len(batch) > 0 {
		head, rest, ok := bytes.Cut(batch, []byte{' '})
		size, err := strconv.Atoi(string(head))
		if !ok || err != nil || size > len(rest) {
			return accepted, n - accepted, fmt.Errorf("frame %q: %w", head, errors.Join(err, errors.New("not as it was written")))
		}
		if _, err := t.conn.Write(rest[:size]); err != nil {
			return accepted, n - accepted, fmt.Errorf("send to %s: %w", t.conn.RemoteAddr(), err)
		}
		accepted, batch = accepted+1, rest[size:]
	}
	return accepted, 0, nil
}

func (t *syslogTransport) close() error { return t.conn.Close() }
