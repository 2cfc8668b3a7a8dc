package page

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
)

// What one page gets.
const (
	messagesPerSecond = 4
	bytesPerSecond    = 20 << 10
	heartbeat         = 10 * time.Second
	writePatience     = 20 * time.Second // for one write
	sessionEvery      = 2 * time.Second  // how often a session is looked at
	sessionPatience   = 5 * time.Minute  // how long a stream outlives a store that cannot say whether its session is open
	keyLife           = time.Minute      // of a stream that was opened with a key instead of a session
	pollPatience      = 4 * time.Second  // for the first rendering of what a page polls
)

// stream feeds a page with the topics that it shows: as server-sent events until the page or the session ends, or, with once=1, in one
// answer for a page that polls.
func (p *Pages) stream(c echo.Context) error {
	h := &p.hub
	var names []string
	if topics := c.QueryParam("topics"); topics != "" {
		names = strings.Split(topics, ",")
	} else {
		return fault.Field(fault.InvalidField, "topics", "is required, for example topics=pulse")
	}
	once := c.QueryParam("once") != ""
	if !once {
		if !h.enter() {
			return fault.New(fault.Busy, "%d streams are open, as many as may be at once", maxReaders).WithRetryAfter(5 * time.Second)
		}
		defer h.exit()
	}
	ctx := c.Request().Context()
	r, err := h.join(names, c.QueryParam("q"), httpserver.Ending(ctx))
	if err != nil {
		return err
	}
	defer r.leave()
	head := c.Response().Header()
	secure(head)
	head.Set("Cache-Control", "no-store")
	if once {
		r.keep()
		return c.JSON(http.StatusOK, r.first(ctx))
	}
	head.Set("Content-Type", "text/event-stream")
	head.Set("X-Accel-Buffering", "no")
	c.Response().WriteHeader(http.StatusOK)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	p.send(c, r)
	return nil
}

func (h *hub) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.streams >= maxReaders {
		return false
	}
	h.streams++
	return true
}

func (h *hub) exit() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.streams--
}

// first waits until the topics have been rendered.
func (r *reader) first(ctx context.Context) map[string]string {
	late := time.NewTimer(pollPatience)
	defer late.Stop()
	for {
		data, whole := r.newest()
		if whole {
			return data
		}
		select {
		case <-r.wake:
		case <-late.C:
			return data
		case <-ctx.Done():
			return data
		}
	}
}

// send writes what changes until the page goes away, its session ends or the process stops. A page that is slow blocks this goroutine
// alone, and gets the newest of each topic when it reads on.
func (p *Pages) send(c echo.Context, r *reader) {
	ctx, out := c.Request().Context(), http.NewResponseController(c.Response())
	write := func(text []byte) bool {
		_ = out.SetWriteDeadline(time.Now().Add(writePatience)) // a recorder of a test has none
		if _, err := c.Response().Write(text); err != nil {
			return false
		}
		return out.Flush() == nil
	}
	beat, check, life := time.NewTicker(heartbeat), time.NewTicker(sessionEvery), time.NewTimer(keyLife)
	defer beat.Stop()
	defer check.Stop()
	defer life.Stop()
	watched := p.Login.Watched(c)
	if watched != nil {
		life.Stop()
	}
	var resting *time.Timer // runs while nothing may be sent
	var rested <-chan time.Time
	waiting, seen := false, time.Now()
	if !write([]byte("event: beat\ndata: hello\n\n")) {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-httpserver.Ending(ctx):
			return
		case <-life.C:
			return
		case <-beat.C: // an event and no comment: scripts do not see comments
			if !write([]byte("event: beat\ndata: beat\n\n")) {
				return
			}
		case <-check.C:
			if watched == nil {
				continue
			}
			_, err := p.hub.reads.get(ctx, "session "+httpserver.Session(c).CSRF, sessionEvery/2, func() ([]byte, error) {
				bounded, cancel := context.WithTimeout(ctx, sessionEvery)
				defer cancel()
				return nil, watched(bounded)
			})
			switch {
			case err == nil:
				seen = time.Now()
			case fault.Is(err, fault.Unauthorized) || fault.Is(err, fault.Forbidden):
				write([]byte("event: end\ndata: session\n\n"))
				return
			case time.Since(seen) > sessionPatience:
				return
			}
		case <-rested:
			rested = nil
		case <-r.wake:
			waiting = true
		}
		if !waiting || rested != nil {
			continue
		}
		text, messages, more := r.take(messagesPerSecond, bytesPerSecond)
		if waiting = more; messages == 0 {
			continue
		}
		if !write(text) {
			return
		}
		rest := max(time.Second, time.Duration(len(text))*time.Second/bytesPerSecond) // text was a second's share, or one message that is larger
		if resting == nil {
			resting = time.NewTimer(rest)
			defer resting.Stop()
		} else {
			resting.Reset(rest)
		}
		rested = resting.C
	}
}
