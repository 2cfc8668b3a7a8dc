package httpin

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/muttproject/mutt/platform/fault"
)

const (
	// free is the size that a buffer may have without being counted. A request has two: one for what is received, one
	// for what that decompresses to.
	free = 64 << 10
	// waitForMemory is how long a body waits for the memory that it needs.
	waitForMemory = 5 * time.Second
)

// memory bounds what the bodies of all requests hold at the same time, in bytes. One identity may hold half of it. A body
// that needs more than there is waits, holding what it has; so that bodies cannot wait for each other, the oldest body of an
// identity may exceed that half, and the oldest of all the whole: the bound is limit and one body.
type memory struct {
	limit int64

	mu    sync.Mutex
	holds []*hold       // that hold anything, the oldest first
	freed chan struct{} // closed and replaced when memory becomes free
}

// hold is what one request holds.
type hold struct {
	of       *memory
	identity string
	bytes    int64 // guarded by of.mu
}

func newMemory(limit int64) *memory { return &memory{limit: limit, freed: make(chan struct{})} }

// take adds n bytes to a hold, and waits for them if need be.
func (h *hold) take(ctx context.Context, n int64) error {
	freed, ok := h.try(n)
	if ok {
		return nil
	}
	late := time.NewTimer(waitForMemory)
	defer late.Stop()
	for {
		select {
		case <-freed:
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			return fault.New(fault.Busy, "the bodies of other requests take all the memory that bodies may have").WithRetryAfter(time.Second)
		}
		if freed, ok = h.try(n); ok {
			return nil
		}
	}
}

// try adds n bytes when they fit; otherwise it returns what is closed when another try makes sense.
func (h *hold) try(n int64) (freed <-chan struct{}, ok bool) {
	m := h.of
	m.mu.Lock()
	defer m.mu.Unlock()
	var all, own int64
	oldestOwn := h // of the same identity
	for _, other := range slices.Backward(m.holds) {
		all += other.bytes
		if other.identity == h.identity {
			own += other.bytes
			oldestOwn = other
		}
	}
	oldest := len(m.holds) == 0 || m.holds[0] == h
	if !oldest && (all+n > m.limit || oldestOwn != h && own+n > m.limit/2) {
		return m.freed, false
	}
	if h.bytes == 0 {
		m.holds = append(m.holds, h)
	}
	h.bytes += n
	return nil, true
}

// give takes n bytes off a hold.
func (h *hold) give(n int64) {
	if n == 0 {
		return
	}
	m := h.of
	m.mu.Lock()
	defer m.mu.Unlock()
	if h.bytes -= n; h.bytes == 0 {
		m.holds = slices.DeleteFunc(m.holds, func(other *hold) bool { return other == h })
	}
	close(m.freed)
	m.freed = make(chan struct{})
}

// counted returns how much of a buffer is counted.
func counted(buf []byte) int64 {
	if cap(buf) <= free {
		return 0
	}
	return int64(cap(buf))
}
