package coord

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// Limit is a rate limit.
type Limit struct {
	Rate   int64
	Period time.Duration
	Burst  int64
}

// Limiter is one rate limit shared by everybody who uses its key.
//
// The rate is part of the key that it takes from: a changed limit starts afresh, and what was taken under a slow one
// does not delay a fast one. In a window with a change there can be Burst tokens more.
type Limiter struct {
	coord Coord
	key   string
	limit func() Limit // asked at each take, so that a change applies to the next one
	last  atomic.Pointer[keyed]
}

type keyed struct {
	Limit
	key string
}

// NewLimiter makes a Limiter. limit gives the present limit.
func NewLimiter(c Coord, key string, limit func() Limit) *Limiter {
	return &Limiter{coord: c, key: key, limit: limit}
}

// Take takes n tokens or none; when it refuses, wait says when to try again.
func (l *Limiter) Take(ctx context.Context, n int64) (wait time.Duration, ok bool, err error) {
	t, err := l.take(ctx, n, 0)
	return t.RetryAfter, t.Granted, err
}

// ahead bounds how far a Wait reserves: a process that dies wastes no more than this.
const ahead = time.Second

// Wait takes n tokens and returns when they may be used; waited says that it took time.
func (l *Limiter) Wait(ctx context.Context, n int64) (waited bool, err error) {
	for {
		t, err := l.take(ctx, n, ahead)
		if err != nil {
			return waited, err
		}
		pause := t.Wait
		if !t.Granted {
			// The limit may be raised meanwhile: look again once a second.
			pause = min(t.RetryAfter, time.Second)
		}
		if pause > 0 {
			waited = true
			if err := sleep(ctx, pause); err != nil {
				return waited, err
			}
		}
		if t.Granted {
			return waited, nil
		}
	}
}

func (l *Limiter) take(ctx context.Context, n int64, ahead time.Duration) (Taken, error) {
	k := l.last.Load()
	if now := l.limit(); k == nil || k.Limit != now {
		k = &keyed{now, fmt.Sprintf("%s/%d/%s", l.key, now.Rate, now.Period)}
		l.last.Store(k)
	}
	return l.coord.Take(ctx, TakeParams{Key: k.key, Rate: k.Rate, Period: k.Period, Burst: k.Burst, N: n, Ahead: ahead})
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
