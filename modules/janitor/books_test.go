package janitor

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

// slow is a queue and a store whose copying takes a second.
type slow struct {
	mu    sync.Mutex
	began []time.Time
}

func (s *slow) Counters(ctx context.Context, _ int64) ([]queue.Counter, error) {
	s.mu.Lock()
	s.began = append(s.began, time.Now())
	s.mu.Unlock()
	select {
	case <-time.After(time.Second):
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
func (s *slow) Purge(context.Context, int64) error                    { return nil }
func (s *slow) FoldCounts(context.Context, []store.MinuteCount) error { return nil }
func (s *slow) FoldHits(context.Context) error                        { return nil }

// TestManyReadersFoldOnce: however many pages ask for the books at once, each sees a copying that began after it asked, and there are few.
// Callers that have gone cost the others nothing.
func TestManyReadersFoldOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slow{}
		b := NewBooks(BooksDeps{Queue: s, Store: s, Now: time.Now})
		asked := time.Now()
		done := make(chan error)
		ask := func(ctx context.Context) {
			came := time.Now()
			go func() {
				err := b.Fold(ctx)
				s.mu.Lock()
				last := s.began[len(s.began)-1]
				s.mu.Unlock()
				if err == nil && last.Before(came) {
					t.Errorf("asked at %s, and the last copying began at %s", came, last)
				}
				done <- err
			}()
		}
		gone, leave := context.WithCancel(t.Context())
		ask(t.Context())
		synctest.Wait()
		ask(gone) // works for those that follow
		synctest.Wait()
		for range 50 {
			ask(t.Context())
		}
		<-time.After(500 * time.Millisecond)
		leave()
		refused := 0
		for range 52 {
			if <-done != nil {
				refused++
			}
		}
		if refused != 1 || len(s.began) != 2 || time.Since(asked) != 2*time.Second {
			t.Errorf("%d of 52 callers were refused, %d copyings took %s", refused, len(s.began), time.Since(asked))
		}
	})
}
