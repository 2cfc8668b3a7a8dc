package ingest

import (
	"context"
	"sync"
	"time"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// failureTold is how long a refusal is told when nothing was tried since: who watches health may have sent the
// senders elsewhere.
const failureTold = 10 * time.Second

// watchedWriter remembers whether the queue took the last submission.
type watchedWriter struct {
	Writer
	now func() time.Time

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
	w.mu.Lock()
	w.failed, w.at = err, w.now()
	w.mu.Unlock()
	return err
}

// ready tells what senders are told now: a full queue is a warning, one that cannot be written an error.
func (w *watchedWriter) ready() (warnings []string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed == nil || w.now().Sub(w.at) > failureTold {
		return nil, nil
	}
	f, ok := fault.As(w.failed)
	if ok && f.Code == fault.QueueFull {
		return []string{"senders are told to wait: " + f.Message}, nil
	}
	return nil, w.failed
}
