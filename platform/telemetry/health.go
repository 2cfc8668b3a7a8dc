package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/muttproject/mutt/platform/fault"
)

// CheckBound limits each check.
const CheckBound = 2 * time.Second

// Check looks at one dependency or part: warnings are told, an error makes the process unhealthy.
type Check func(ctx context.Context) (warnings []string, err error)

// Health gathers the checks of a process.
type Health struct {
	mu     sync.Mutex
	names  []string
	checks map[string]Check
	ready  bool
}

// Report is the answer of /health.
type Report struct {
	Status   string   `json:"status"` // healthy or unhealthy
	Errors   []string `json:"errors,omitempty"`
	Warnings []string `json:"warnings"`
}

// NewHealth makes a Health that is not ready.
func NewHealth() *Health { return &Health{checks: map[string]Check{}} }

// Add adds a check under a name that is shown.
func (h *Health) Add(name string, c Check) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.checks[name]; !ok {
		h.names = append(h.names, name)
	}
	h.checks[name] = c
}

// SetReady says whether every part has started and none is stopping.
func (h *Health) SetReady(ready bool) {
	h.mu.Lock()
	h.ready = ready
	h.mu.Unlock()
}

// Report runs all checks at once, each within CheckBound.
func (h *Health) Report(ctx context.Context) (Report, int) {
	h.mu.Lock()
	names, ready := append([]string(nil), h.names...), h.ready
	checks := make([]Check, len(names))
	for i, n := range names {
		checks[i] = h.checks[n]
	}
	h.mu.Unlock()

	results := make([]result, len(names))
	var wg sync.WaitGroup
	for i, c := range checks {
		wg.Go(func() { results[i] = bounded(ctx, c) })
	}
	wg.Wait()

	r := Report{Status: "healthy", Warnings: []string{}}
	if !ready {
		r.Errors = append(r.Errors, "process: not every part has started, or it is stopping")
	}
	for i, n := range names {
		if err := results[i].err; err != nil {
			r.Errors = append(r.Errors, n+": "+sentence(err))
		}
		for _, w := range results[i].warnings {
			r.Warnings = append(r.Warnings, n+": "+w)
		}
	}
	if len(r.Errors) > 0 {
		r.Status = "unhealthy"
		return r, http.StatusServiceUnavailable
	}
	return r, http.StatusOK
}

type result struct {
	warnings []string
	err      error
}

// bounded runs a check within CheckBound, also one that does not look at its context: it is left behind then.
func bounded(ctx context.Context, c Check) result {
	ctx, cancel := context.WithTimeout(ctx, CheckBound)
	defer cancel()
	done := make(chan result, 1)
	go func() {
		warnings, err := c(ctx)
		done <- result{warnings, err}
	}()
	select {
	case r := <-done:
		return r
	case <-ctx.Done():
		return result{err: ctx.Err()}
	}
}

// sentence gives what may be shown of an error: a fault's message and remedy, never a foreign error's text,
// which may hold an address.
func sentence(err error) string {
	if fault.Is(err, fault.FileUnsafe) { // its message names a path
		return fault.Describe(fault.FileUnsafe).Meaning + "; the log names it"
	}
	if f, ok := fault.As(err); ok {
		remedy := f.Remedy
		if remedy == "" {
			remedy = fault.Describe(f.Code).Remedy
		}
		return fmt.Sprintf("%s (%s)", f.Message, remedy)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("did not answer within %s", CheckBound)
	}
	return "failed; the log says more"
}
