package forward_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/muttproject/mutt/modules/forward"
	"github.com/muttproject/mutt/platform/coord"
)

// Other processes learn from the forwarder that the destination takes alerts, and that it does so again after failures.
func TestSuccessesAreNotedForOtherProcesses(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]string{"MOOG_MAX_RETRIES": "100"})
	status := func(code int) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.answer = func(int, *http.Request) int { return code }
	}
	seen := func() coord.Success {
		s, err := coord.NewSuccesses(r.coord, coord.Destination).Last(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	r.start(forward.Config{})
	status(http.StatusBadRequest) // about the alert: neither a success nor a failure of the destination
	r.append(0, 1, 1, 1)
	r.await("a refused alert", r.empty)
	if s := seen(); s.Recent {
		t.Fatalf("after a refusal: %+v", s)
	}
	status(http.StatusOK)
	r.append(1, 1, 1, 1)
	r.await("a success", func() bool { return seen().Recent })
	if s := seen(); s.Recovery != "" {
		t.Fatalf("after a success without failures: %+v", s)
	}
	var last string
	for n := range 2 {
		status(http.StatusServiceUnavailable)
		before := r.requests()
		r.append(2+n, 1, 1, 1)
		r.await("a failure", func() bool { return r.requests() > before })
		status(http.StatusOK)
		r.await("a recovery", func() bool { return seen().Recovery != last })
		last = seen().Recovery
	}
}

// The status of all failures since the last delivery is known while it is one.
func TestFailuresOfOneStatus(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]string{"MOOG_MAX_RETRIES": "100"})
	status := func(code int) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.answer = func(int, *http.Request) int { return code }
	}
	m := r.start(forward.Config{})
	r.append(0, 1, 1, 1)
	for _, c := range []struct {
		code, same int
		failed     bool
	}{{503, 503, true}, {502, 0, true}, {503, 0, true}, {200, 0, false}} {
		status(c.code)
		r.await(fmt.Sprint(c), func() bool {
			a := m.Answers()
			return a.Status == c.code && a.Failed == c.failed && (!a.Failed || a.Same == c.same)
		})
	}
	status(http.StatusServiceUnavailable)
	r.append(1, 1, 1, 1)
	r.await("failures after a delivery count anew", func() bool { a := m.Answers(); return a.Failed && a.Same == 503 })
}

func (r *rig) requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}
