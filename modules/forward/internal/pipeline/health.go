package pipeline

import (
	"time"

	"github.com/muttproject/mutt/modules/forward/internal/dest"
)

const (
	// slowDown is how many requests in a row must be answered with Retry-After before it is taken to mean everybody,
	// and not one alert: then nothing is sent until it is over.
	slowDown = 3
	// longestHold bounds that: after it, one request asks again.
	longestHold = 5 * time.Minute
)

// health is what is known of the destination.
type health struct {
	failures int // requests in a row that failed
	since    time.Time
	last     dest.Result
	slowed   int // answers in a row that asked to wait
	hold     time.Time
}

func (h *health) observe(r dest.Result, now time.Time) {
	switch {
	case r.Class == dest.Aborted:
		return
	case r.Class == dest.Delivered:
		*h = health{}
		return
	case h.failures == 0:
		h.since = now
	}
	h.failures++
	h.last = r
	if r.RetryAfter == 0 {
		h.slowed = 0
		return
	}
	if h.slowed++; h.slowed >= slowDown {
		h.hold = now.Add(min(r.RetryAfter, longestHold))
	}
}

// held returns how long the destination wants to be left alone.
func (e *Engine) held() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.health.hold.IsZero() {
		return 0
	}
	return max(0, e.health.hold.Sub(e.deps.Now()))
}
