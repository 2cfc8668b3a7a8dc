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
	call.Accept = "text/event-stream"
	resp, err := c.open(ctx, call)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it was read to its end or is given up
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

// NextCursorTrailer is the trailer of an export with the cursor that goes on, absent when the export is whole.
const NextCursorTrailer = "X-Next-Cursor"

// Copy makes a GET call and writes the answer to w as it comes, without a bound of its own. next is the cursor that goes on, "" at the end.
func (c *Client) Copy(ctx context.Context, call Call, w io.Writer) (next string, err error) {
	resp, err := c.open(ctx, call)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }() // it was read to its end or is given up
	if _, err := io.Copy(w, resp.Body); err != nil {
		return "", c.unreachable(ctx, err)
	}
	return resp.Trailer.Get(NextCursorTrailer), nil
}

// open makes a GET call and returns the answer when it is a success. It takes as long as it takes.
func (c *Client) open(ctx context.Context, call Call) (*http.Response, error) {
	call.Method = http.MethodGet
	req, err := c.request(ctx, call)
	if err != nil {
		return nil, err
	}
	endless := c.http
	endless.Timeout = 0
	resp, err := endless.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }() // it was read to its end or is given up
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxStreamLine))
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	return nil, c.refused(resp, body)
}

// maxStreamLine bounds one message of a stream.
const maxStreamLine = 8 << 20
