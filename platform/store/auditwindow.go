package store

import (
	"context"

	"github.com/muttproject/mutt/platform/event"
)

// A BRIN index finds the rows of a range of ids, and cannot give them in order. So the newest rows are looked for in
// windows of time, which grow where there are few rows and shrink where there are many.
const (
	windowRows   = 10_000 // what is counted of a window at most
	windowFactor = 8      // by which windows grow and shrink
	firstMillis  = 1000   // the first window
	lastMillis   = 1<<48 - 1
	oldestParts  = 64 // the oldest row is looked for up to this part of the range
)

// window gives the rows with an id from a millisecond on and below hi (zero for no end).
func (r *auditRange) window(from int64, hi event.ID) *auditRange {
	w := &auditRange{s: r.s}
	w.from(idOfMillis(max(from, 1))) // always a condition, so that the index is used
	if hi != (event.ID{}) {
		w.to(hi)
	}
	return w
}

// search gives the id of the n-th newest row, counted from 0, or the zero id and how many rows there are.
func (r *auditRange) search(ctx context.Context, q querier, n int) (id event.ID, seen int64, err error) {
	hi, top, end, width := r.hi, idMillis(r.hi)+1, idMillis(r.lo), int64(firstMillis)
	from := max(top-width, end)
	if hi == (event.ID{}) { // the first window has no end: another clock may be ahead
		top, from = lastMillis, max(r.s.now().UnixMilli()-width, end)
	}
	for from < top {
		w, limit := r.window(from, hi), int64(windowRows)
		if top-from == 1 {
			limit = lastMillis // it cannot shrink any more
		}
		rows, err := w.upTo(ctx, q, "event_audit", limit+1)
		switch {
		case err != nil:
			return id, seen, err
		case rows > limit:
			width = max((top-from)/windowFactor, 1)
			from = top - width
			continue
		case seen+rows > int64(n):
			id, err = w.row(ctx, q, "DESC", n-int(seen))
			return id, int64(n) + 1, err
		case rows < windowRows/windowFactor:
			width *= windowFactor
		}
		seen += rows
		hi, top = idOfMillis(from), from
		from = max(top-width, end)
	}
	return event.ID{}, seen, nil
}

// oldest gives the time of the oldest row in Unix milliseconds; without an index in order, about that.
func (r *auditRange) oldest(ctx context.Context, q querier, newest int64) (int64, error) {
	if r.ordered {
		id, err := r.row(ctx, q, "ASC", 0)
		return idMillis(id), err
	}
	from, to := idMillis(r.lo), newest // the oldest row is in this range
	for to-from > max((newest-to)/oldestParts, 1) {
		middle := from + (to-from)/2
		n, err := r.window(from, idOfMillis(middle)).upTo(ctx, q, "event_audit", 1)
		if err != nil {
			return 0, err
		}
		if n > 0 {
			to = middle
		} else {
			from = middle
		}
	}
	return from, nil
}
