package ingest

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// failureTold is how long a refusal is told when nothing was tried since: who watches health may have sent the
// senders elsewhere.
const failureTold = 10 * time.Second

// watchedWriter remembers whether the queue took the last submission.
type watchedWriter struct {
	Writer
	now      func() time.Time
	troubles *troubles

	mu     sync.Mutex
	failed error // of the last submission, nil when it was taken
	at     time.Time
}

// Append stores events and notes how that went. A sender's own mistake or haste says nothing of the queue.
func (w *watchedWriter) Append(ctx context.Context, items []queue.Item) error {
	err := w.Writer.Append(ctx, items)
	away := fault.Is(err, fault.QueueUnavailable) || fault.Is(err, fault.QueueFull)
	if err != nil && !away {
		return err
	}
	switch f, _ := fault.As(err); {
	case err == nil:
	case f.Code == fault.QueueFull:
		w.troubles.full.Describe(f.Message)
		w.troubles.full.Add(1)
	default:
		w.troubles.away.Add(1, zap.Error(err))
	}
	w.mu.Lock()
	w.failed, w.at = err, w.now()
	w.mu.Unlock()
	return err
}

// ready returns the error that senders get now because the queue cannot be written. A full queue is not an error.
func (w *watchedWriter) ready() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.now().Sub(w.at) > failureTold || fault.Is(w.failed, fault.QueueFull) {
		return nil
	}
	return w.failed
}
