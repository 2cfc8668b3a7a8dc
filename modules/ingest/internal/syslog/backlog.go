package syslog

import (
	"context"
	"sync"
	"time"
)

// Bounds of what one UDP socket holds between reading and submitting: 32 chunks are 16,000 messages or 16 MiB.
const (
	backlogChunks = 32
	chunkBytes    = 512 << 10
)

// chunk is a run of datagrams, copied out of the read buffers. It becomes one submission.
type chunk struct {
	data  []byte
	lines []Line
}

// add copies a datagram. Growing data leaves earlier lines on the old array, which stays as it is.
func (c *chunk) add(l Line) {
	from := len(c.data)
	c.data = append(c.data, l.Text...)
	l.Text = c.data[from:len(c.data):len(c.data)]
	c.lines = append(c.lines, l)
}

func (c *chunk) full() bool { return len(c.lines) == maxBatch || len(c.data) >= chunkBytes }

func (c *chunk) reset() { c.data, c.lines = c.data[:0], c.lines[:0] }

// backlog stands between the reader of a socket, which must not wait for a disk, and its submitter. While a
// submission runs, datagrams gather in the next chunk: no timer makes a batch.
type backlog struct {
	mu      sync.Mutex
	waiting []*chunk // oldest first; the last one is being filled
	free    []*chunk
	closed  bool
	wake    chan struct{} // something waits, or closed
	room    chan struct{} // a chunk was given back
}

func newBacklog() *backlog {
	b := &backlog{wake: make(chan struct{}, 1), room: make(chan struct{}, 1)}
	for range backlogChunks {
		b.free = append(b.free, &chunk{})
	}
	return b
}

// put copies lines in and gives how many found room.
func (b *backlog) put(lines []Line) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range lines {
		last := len(b.waiting) - 1
		if last < 0 || b.waiting[last].full() {
			if len(b.free) == 0 {
				return i
			}
			end := len(b.free) - 1
			b.waiting = append(b.waiting, b.free[end])
			b.free = b.free[:end]
			last++
		}
		b.waiting[last].add(lines[i])
	}
	signal(b.wake)
	return len(lines)
}

// take waits for a chunk; nil when the backlog is closed and empty.
func (b *backlog) take() *chunk {
	for {
		b.mu.Lock()
		if len(b.waiting) > 0 {
			c := b.waiting[0]
			n := copy(b.waiting, b.waiting[1:])
			b.waiting = b.waiting[:n]
			b.mu.Unlock()
			return c
		}
		closed := b.closed
		b.mu.Unlock()
		if closed {
			return nil
		}
		<-b.wake
	}
}

// give returns a chunk whose lines are settled.
func (b *backlog) give(c *chunk) {
	c.reset()
	b.mu.Lock()
	b.free = append(b.free, c)
	b.mu.Unlock()
	signal(b.room)
}

// close says that nothing more comes.
func (b *backlog) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	signal(b.wake)
}

// wait waits for room, at most d; it is false when there was none.
func (b *backlog) wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-b.room:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
