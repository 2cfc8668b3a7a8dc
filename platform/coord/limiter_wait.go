package coord

import (
	"context"
	"time"
)

const (
	// ahead bounds how far tokens are reserved: a process that dies wastes no more than this.
	ahead = time.Second
	// spread bounds the time between the first and the last token of one call, and how long one may be left unused.
	spread = 50 * time.Millisecond
	// mostTurns bounds the tokens of one call.
	mostTurns = 256
)

// Turns hands out the tokens of a Limiter one after the other, each at its own time, to one goroutine.
type Turns struct {
	limiter *Limiter
	key     string        // of the limit that the tokens are of
	next    time.Time     // when the next token may be used
	step    time.Duration // between two tokens
	left    int           // tokens
	took    int           // tokens of the last call
}

// Turns makes a Turns. Several of one Limiter, or of several, keep its limit together.
func (l *Limiter) Turns() *Turns { return &Turns{limiter: l} }

// Wait returns when a token may be used; waited says that it took time. want is how many the caller could use at once:
// so many are reserved in one call of the shared limit, and twice as many as the last time by a caller who has used
// those up already, so that a fast one makes few calls.
func (t *Turns) Wait(ctx context.Context, want int) (waited bool, err error) {
	for {
		pause, err := t.reserve(ctx, want)
		if err != nil {
			return waited, err
		}
		if pause <= 0 {
			pause = time.Until(t.next)
		}
		if pause > 0 {
			waited = true
			if err := sleep(ctx, pause); err != nil {
				return waited, err
			}
		}
		if t.left > 0 {
			t.left--
			t.next = t.next.Add(t.step)
			return waited, nil
		}
	}
}

// reserve sees that a token is there; after a refusal it gives how long to wait before it is called again.
func (t *Turns) reserve(ctx context.Context, want int) (pause time.Duration, err error) {
	l := t.limiter
	l.mu.Lock()
	p := l.present().params(1)
	l.mu.Unlock()
	if t.left > 0 && t.key == p.Key && time.Since(t.next) <= spread {
		return 0, nil
	}
	if t.left == 0 && time.Since(t.next) <= spread {
		want = max(want, 2*t.took)
	}
	*t = Turns{limiter: l, key: p.Key, step: p.interval()}
	p.N = int64(max(1, min(want, mostTurns, 1+int(spread/t.step))))
	p.Ahead, p.Spread = ahead, true
	got, err := l.coord.Take(ctx, p)
	switch {
	case err != nil:
		return 0, err
	case !got.Granted:
		// The limit may be raised meanwhile: look again once a second.
		return min(got.RetryAfter, time.Second), nil
	}
	t.left, t.took = int(p.N), int(p.N)
	t.next = time.Now().Add(got.Wait - time.Duration(p.N-1)*t.step)
	return 0, nil
}
