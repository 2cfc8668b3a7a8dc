package retain

import (
	"context"
	"time"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

// lettersPage is how many dead letters are read at once: they come with their bodies.
const lettersPage = 100

func (r *Retention) expiredLetters(ctx context.Context, before time.Time) (total int64, err error) {
	for _, q := range queue.Names() {
		err := r.walkLetters(ctx, q, before, func(ids []event.ID) error {
			total += int64(len(ids))
			return nil
		})
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// removeLetters discards dead letters of both queues, which counts them in the books.
func (r *Retention) removeLetters(ctx context.Context, before time.Time) (total int64, err error) {
	for _, q := range queue.Names() {
		var gone int64
		err := r.walkLetters(ctx, q, before, func(ids []event.ID) error {
			for len(ids) > 0 {
				n := min(len(ids), r.batch())
				done, err := r.Queue.Discard(ctx, queue.DiscardParams{Queue: q, IDs: ids[:n]})
				if err != nil {
					return err
				}
				gone += int64(done)
				ids = ids[n:]
			}
			return nil
		})
		total += gone
		if noted := r.note(ctx, store.TableDeadLetters, string(q), r.Dynamic.DLQDays, before, gone); err == nil {
			err = noted
		}
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// walkLetters returns the dead letters of a queue that became such before a time, page by page. They are listed by the
// receipt of their events, and none died before that: the walk ends at the first event that is young.
func (r *Retention) walkLetters(ctx context.Context, q queue.Name, before time.Time, page func([]event.ID) error) error {
	var after event.ID
	for {
		items, err := r.Queue.Dead(ctx, queue.DeadParams{Queue: q, After: after, Limit: lettersPage})
		if err != nil {
			return err
		}
		var ids []event.ID
		ended := len(items) < lettersPage
		for i := range items {
			if !receivedAt(items[i].ID).Before(before) {
				ended = true
				break
			}
			if after = items[i].ID; items[i].DiedAt.Before(before) {
				ids = append(ids, after)
			}
		}
		if err := page(ids); err != nil || ended {
			return err
		}
	}
}

// receivedAt is the time in a UUIDv7 (RFC 9562 section 5.7).
func receivedAt(id event.ID) time.Time {
	var ms int64
	for _, b := range id[:6] {
		ms = ms<<8 | int64(b)
	}
	return time.UnixMilli(ms)
}
