package apptest

import (
	"testing"
	"time"
)

const (
	// patience is how long a test waits for what must happen. It is generous: a loaded machine is no failure.
	patience = 60 * time.Second
	// look is the pause between two looks.
	look = 10 * time.Millisecond
)

// Eventually looks until done reports true, and fails the test when that takes too long. got, what was seen last, is
// printed then.
func Eventually(t testing.TB, what string, done func() (ok bool, got any)) {
	t.Helper()
	EventuallyWithin(t, patience, what, done)
}

// EventuallyWithin is Eventually with a bound of its own.
func EventuallyWithin(t testing.TB, bound time.Duration, what string, done func() (ok bool, got any)) {
	t.Helper()
	if got, ok := poll(bound, done); !ok {
		t.Fatalf("not within %s: %s; last seen: %+v", bound, what, got)
	}
}

// Poll is Eventually for callers who have no testing.TB; it gives what was seen last.
func Poll(done func() (ok bool, got any)) (got any, ok bool) { return poll(patience, done) }

func poll(bound time.Duration, done func() (ok bool, got any)) (any, bool) {
	deadline := time.NewTimer(bound)
	defer deadline.Stop()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		ok, got := done()
		if ok {
			return got, true
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return got, false
		}
	}
}
