package api

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
)

// Bounds of a call that tries rules out. A viewer may make one, so that a call takes a bounded part of the process, however
// expensive its rules and its event are.
const (
	maxDrafts   = 10_000
	maxMessage  = 64 << 10 // characters, of the message
	maxDetail   = 1 << 10  // and of each other text of the event
	tryoutWait  = time.Second
	tryoutAgain = time.Second
)

// tryouts counts the calls that try rules out: at most so many at once, and one of each identity.
type tryouts struct {
	most int

	mu      sync.Mutex
	running []string      // the identities
	freed   chan struct{} // closed and replaced when one has ended
}

// tryOut runs do when its turn has come, with a context that ends with the caller and when the time is over. The cause of the
// latter is a fault that says so.
func (a *API) tryOut(c echo.Context, do func(ctx context.Context) error) error {
	ctx, name := c.Request().Context(), httpserver.Identity(c).Name
	if err := a.trying.enter(ctx, name); err != nil {
		return err
	}
	defer a.trying.leave(name)
	ctx, cancel := context.WithTimeoutCause(ctx, a.TryoutTime, a.tooExpensive(""))
	defer cancel()
	return do(ctx)
}

// tooExpensive says that a call took too long; at says where it was, if that is known.
func (a *API) tooExpensive(at string) *fault.Error {
	return fault.New(fault.Unprocessable, "trying this out takes longer than %v%s", a.TryoutTime, at).
		WithRemedy("make the expressions simpler, or the message shorter; an admin can raise limits.tryout_time")
}

func (t *tryouts) enter(ctx context.Context, name string) error {
	late := time.NewTimer(tryoutWait)
	defer late.Stop()
	for {
		freed, err := t.try(name)
		if err == nil {
			return nil
		}
		select {
		case <-freed:
		case <-late.C:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// try takes a place; without one it returns why, and what is closed when another try makes sense.
func (t *tryouts) try(name string) (freed <-chan struct{}, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if slices.Contains(t.running, name) {
		return t.freed, fault.New(fault.RateLimited, "%s tries rules out already, and has one such call at once", name).WithRetryAfter(tryoutAgain)
	}
	if len(t.running) >= t.most {
		return t.freed, fault.New(fault.Busy, "%d calls try rules out, as many as may at once", t.most).WithRetryAfter(tryoutAgain)
	}
	t.running = append(t.running, name)
	return nil, nil
}

func (t *tryouts) leave(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running = slices.DeleteFunc(t.running, func(other string) bool { return other == name })
	close(t.freed)
	t.freed = make(chan struct{})
}
