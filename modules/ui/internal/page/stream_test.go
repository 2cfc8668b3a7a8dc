package page

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"
)

// slowWriter is a page that takes each write after a while, and counts.
type slowWriter struct {
	*httptest.ResponseRecorder
	delay    time.Duration
	mu       sync.Mutex
	messages map[int64]int // by second
	size     map[int64]int
}

func (w *slowWriter) Write(p []byte) (int, error) {
	time.Sleep(w.delay)
	w.mu.Lock()
	defer w.mu.Unlock()
	at := time.Now().Unix()
	w.messages[at] += bytes.Count(p, []byte("event: topic"))
	w.size[at] += len(p)
	return w.ResponseRecorder.Write(p)
}

type nobody struct{ Login }

func (nobody) Watched(echo.Context) func(context.Context) error { return nil }

// TestPagesAreCapped publishes far more than a page may get: it gets at most 4 messages and about 20 KB a second, of each topic the newest,
// and every topic gets its turn. A page that is slow keeps nothing waiting but itself.
func TestPagesAreCapped(t *testing.T) {
	t.Parallel()
	for name, delay := range map[string]time.Duration{"quick": 0, "slow": 3 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := &Pages{Deps: Deps{Login: nobody{}}}
				p.hub = hub{pages: p, feeds: map[string]*feed{}}
				names := []string{"topic0", "topic1", "topic2", "topic3", "topic4", "topic5"}
				for _, n := range names {
					p.hub.feeds[n] = &feed{key: n, event: n, stop: func() {}, readers: map[*reader]bool{}}
				}
				r, err := p.hub.join(names, "", nil)
				if err != nil {
					t.Fatal(err)
				}
				feeds := r.feeds
				w := &slowWriter{ResponseRecorder: httptest.NewRecorder(), delay: delay, messages: map[int64]int{}, size: map[int64]int{}}
				ctx, cancel := context.WithTimeout(t.Context(), 20500*time.Millisecond)
				defer cancel()
				c := echo.New().NewContext(httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil), w)
				done := make(chan struct{})
				go func() { defer close(done); p.send(c, r) }()
				for i := range 400 { // for 20 s
					for _, f := range feeds {
						p.hub.publish(f, fmt.Appendf(nil, "%d %s", i, bytes.Repeat([]byte("x"), 6000)), nil)
					}
					time.Sleep(50 * time.Millisecond)
				}
				<-done
				r.leave()
				for at, n := range w.messages {
					if n > messagesPerSecond || w.size[at] > bytesPerSecond+100 {
						t.Errorf("in one second: %d messages, %d bytes", n, w.size[at])
					}
				}
				for _, n := range names {
					if seen := bytes.Count(w.Body.Bytes(), []byte("event: "+n+"\n")); seen < 2 && delay == 0 {
						t.Errorf("%s was sent %d times", n, seen)
					}
				}
				if total := w.Body.Len(); total < 20000 || total > 21*bytesPerSecond {
					t.Errorf("%d bytes in all", total)
				}
				if len(p.hub.feeds) != 0 {
					t.Errorf("%d topics are in use without a page", len(p.hub.feeds))
				}
			})
		})
	}
}
