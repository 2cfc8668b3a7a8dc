package coord

import (
	"context"
	"slices"
	"time"
)

const (
	// ahead bounds how far a Wait reserves: a process that dies wastes no more than this.
	ahead = time.Second
	// spread bounds the time over which one call's tokens are spread.
	spread = 50 * time.Millisecond
)

// waiter is a caller of Wait until it has an answer.
type waiter struct {
	answer chan turn // holds one
}

// turn is the answer: a token and when it may be used, a refusal and when to ask again, or an error.
type turn struct {
	granted bool
	at      time.Time
	err     error
}

// Wait takes a token and returns when it may be used; waited says that it took time. Callers who come while a call of
// the shared limit runs share the next one, each with a token of its own time, so that many requests cost few calls.
func (l *Limiter) Wait(ctx context.Context) (waited bool, err error) {
	for {
		t := l.next(ctx)
		if t.err != nil {
			return waited, t.err
		}
		if pause := time.Until(t.at); pause > 0 {
			waited = true
			if err := sleep(ctx, pause); err != nil {
				return waited, err
			}
		}
		if t.granted {
			return waited, nil
		}
	}
}

// next gets the caller an answer, by asking for everybody who waits unless another caller does so.
func (l *Limiter) next(ctx context.Context) turn {
	me := &waiter{answer: make(chan turn, 1)}
	l.mu.Lock()
	l.waiting = append(l.waiting, me)
	l.mu.Unlock()
	for {
		select {
		case t := <-me.answer:
			return t
		case l.asking <- struct{}{}:
			l.ask(ctx, me)
			<-l.asking
		case <-ctx.Done():
			l.leave(me)
			return turn{err: ctx.Err()}
		}
	}
}

// leave takes back a request. A token that was asked for already is lost, like one of a process that dies.
func (l *Limiter) leave(me *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = slices.DeleteFunc(l.waiting, func(w *waiter) bool { return w == me })
}

// ask takes tokens for the first of those who wait and hands them out in order. When the context of the caller, me, ends
// the call, the others ask again.
func (l *Limiter) ask(ctx context.Context, me *waiter) {
	l.mu.Lock()
	p := l.present().params(1)
	most := 1 + int(spread/p.interval())
	first := l.waiting[:min(most, len(l.waiting))]
	l.waiting = slices.Clone(l.waiting[len(first):])
	l.mu.Unlock()
	if len(first) == 0 {
		return // somebody was answered meanwhile
	}
	p.N, p.Ahead, p.Spread = int64(len(first)), ahead, true
	t, err := l.coord.Take(ctx, p)
	now := time.Now()
	for i, w := range first {
		left := time.Duration(len(first)-1-i) * p.interval() // between its token's time and the last one's
		switch {
		case err != nil && ctx.Err() != nil && w != me:
			w.answer <- turn{at: now} // refused for nobody's fault: at once again
		case err != nil:
			w.answer <- turn{err: err}
		case t.Granted:
			w.answer <- turn{granted: true, at: now.Add(t.Wait - left)}
		default:
			// The limit may be raised meanwhile: look again once a second.
			w.answer <- turn{at: now.Add(min(t.RetryAfter, time.Second))}
		}
	}
}
