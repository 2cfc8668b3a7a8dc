package remedy

import (
	"context"
	"time"

	"github.com/muttproject/mutt/platform/deadletter"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
)

const (
	// lettersPage is how many dead letters are read at once: they come with their bodies.
	lettersPage = 100
	// mostCounted bounds what is read only to be counted.
	mostCounted = 10_000
)

// walk goes through the dead letters of a queue once, oldest event first, and gives up those that used up their replays.
type walk struct {
	queue   Queue
	name    queue.Name
	most    int           // max_poison_retries
	rest    time.Duration // a letter that came back is left alone for that long
	now     func() time.Time
	after   event.ID
	ended   bool
	read    int
	reading time.Duration    // spent in reading
	due     []queue.DeadItem // read, and not yet taken by next
	census  deadletter.Census
	givenUp int // by this walk
}

// next returns up to n letters that are to be replayed, without their bodies; none at the end.
func (w *walk) next(ctx context.Context, n int) ([]queue.DeadItem, error) {
	for len(w.due) < n && !w.ended {
		if err := w.page(ctx); err != nil {
			return nil, err
		}
	}
	n = min(n, len(w.due))
	taken := w.due[:n:n]
	w.due = w.due[n:]
	return taken, nil
}

// count goes on to the end, or as far as counting is worth it.
func (w *walk) count(ctx context.Context) error {
	for !w.ended && w.read < mostCounted {
		if err := w.page(ctx); err != nil {
			return err
		}
	}
	w.census.Partial = !w.ended
	return nil
}

func (w *walk) page(ctx context.Context) error {
	began := w.now()
	items, err := w.queue.Dead(ctx, queue.DeadParams{Queue: w.name, After: w.after, Limit: lettersPage})
	w.reading += w.now().Sub(began)
	if err != nil {
		return err
	}
	var spent []event.ID
	now := w.now()
	for i := range items {
		it := &items[i]
		it.Body = nil
		class := deadletter.ClassOf(it)
		if class == deadletter.Replayed && !deadletter.Innocent(it.Code) {
			if it.Replays >= w.most {
				spent = append(spent, it.ID)
				continue
			}
			if dead := now.Sub(it.DiedAt); it.Replays > 0 && dead >= 0 && dead < w.rest { // below 0: by a clock that was ahead
				w.census.Add(class)
				continue
			}
		}
		w.census.Add(class)
		if class == deadletter.Replayed {
			w.due = append(w.due, *it)
		}
	}
	if len(spent) > 0 {
		n, err := w.queue.GiveUp(ctx, w.name, spent)
		if err != nil {
			return err
		}
		w.givenUp += n
		w.census.GivenUp += len(spent)
	}
	w.read += len(items)
	if w.ended = len(items) < lettersPage; !w.ended {
		w.after = items[len(items)-1].ID
	}
	return nil
}
