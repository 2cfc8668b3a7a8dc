package apiclient

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"time"
)

// StreamSample is the data of each message of /events/stream: what was judged since the message before, as far as it is shown.
type StreamSample struct {
	At       time.Time  `json:"at" doc:"when the sample was taken"`
	Judged   int64      `json:"judged" doc:"events that were judged since the sample before, by the books; about, as the books may be a second late" min:"0"`
	LookedAt int        `json:"looked_at" doc:"of these, how many newest ones were compared with the filter" min:"0"`
	Fitting  int        `json:"fitting" doc:"of these, how many fit it" min:"0"`
	Events   []AuditLog `json:"events" doc:"at most 20 of those that fit, newest first, fair over hosts: when there are more, each host has one before any has two"`
}

// Stream makes a GET call whose answer is server-sent events, and gives each one's data to do until the server ends the stream, ctx ends or do
// fails.
func (c *Client) Stream(ctx context.Context, call Call, do func(data []byte) error) error {
	call.Method, call.Accept = http.MethodGet, "text/event-stream"
	req, err := c.request(ctx, call)
	if err != nil {
		return err
	}
	endless := c.http
	endless.Timeout = 0
	resp, err := endless.Do(req)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read to its end or is given up
	if resp.StatusCode != http.StatusOK {
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxStreamLine))
		if err != nil {
			return c.unreachable(ctx, err)
		}
		return c.refused(resp, body)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxStreamLine)
	for lines.Scan() {
		if data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: ")); ok {
			if err := do(data); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil && ctx.Err() == nil {
		return c.unreachable(ctx, err)
	}
	return ctx.Err()
}

// maxStreamLine bounds one message of a stream.
const maxStreamLine = 8 << 20
