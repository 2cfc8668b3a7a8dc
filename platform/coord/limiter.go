package coord

import (
	"context"
	"fmt"
	"sync"
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
	coord    Coord
	key      string
	limit    func() Limit  // asked at each take, so that a change applies to the next one
	fetching chan struct{} // holds one while a block is asked for; guards failed and failedAt
	failed   error
	failedAt time.Time

	mu    sync.Mutex
	lease block
}

// block is what a limiter has of a limit.
type block struct {
	Limit
	key     string
	tokens  int64
	refused time.Time // when the shared limit said no
	until   time.Time // when it will not any more
}

// NewLimiter makes a Limiter. limit gives the present limit.
func NewLimiter(c Coord, key string, limit func() Limit) *Limiter {
	return &Limiter{coord: c, key: key, limit: limit, fetching: make(chan struct{}, 1)}
}

// recheck is after how long a refusal is asked for again, though nothing should have changed.
const recheck = time.Second

// Take takes n tokens or none; when it refuses, wait says when to try again.
//
// It spends from a block of a hundredth of the burst, which it takes at once and keeps: the shared limit is asked once
// for a block, and in no window can there be more than one block for each Limiter over what Coord.Take allows.
func (l *Limiter) Take(ctx context.Context, n int64) (wait time.Duration, ok bool, err error) {
	if wait, ok = l.Spend(n); ok || wait > 0 {
		return wait, ok, nil
	}
	since := time.Now()
	select {
	case l.fetching <- struct{}{}:
		defer func() { <-l.fetching }()
	case <-ctx.Done():
		return 0, false, ctx.Err()
	}
	// Somebody else asked meanwhile: an answer is everybody's, and a server that hangs is waited for once.
	if wait, ok = l.Spend(n); ok || wait > 0 {
		return wait, ok, nil
	}
	if l.failedAt.After(since) {
		return 0, false, l.failed
	}
	if wait, ok, err = l.fetch(ctx, n); err != nil && ctx.Err() == nil {
		l.failed, l.failedAt = err, time.Now()
	}
	return wait, ok, err
}

// Spend takes n tokens of the block that is there: without I/O, and without allocation while the limit stays the same.
// When it refuses, wait is 0 if only Take can tell.
func (l *Limiter) Spend(n int64) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.present()
	if b.tokens >= n {
		b.tokens -= n
		return 0, true
	}
	if now := time.Now(); now.Before(b.until) && now.Sub(b.refused) < recheck {
		return b.until.Sub(now), false
	}
	return 0, false
}

// fetch asks for what is missing, and for a block at least.
func (l *Limiter) fetch(ctx context.Context, n int64) (wait time.Duration, ok bool, err error) {
	l.mu.Lock()
	b := *l.present()
	l.lease.tokens = 0 // nobody spends them meanwhile
	l.mu.Unlock()
	size := max(1, b.Burst/100)
	p := b.params(max(size, n-b.tokens))
	t, err := l.coord.Take(ctx, p)
	if err == nil && t.Granted {
		b.tokens += p.N - n
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lease.key == b.key { // else the limit was changed meanwhile, and what is left is no good for the new one
		l.lease.tokens = b.tokens
		if err == nil && !t.Granted && p.N == size { // a larger take is refused for itself only
			l.lease.refused = time.Now()
			l.lease.until = l.lease.refused.Add(t.RetryAfter)
		}
	}
	return t.RetryAfter, t.Granted, err
}

// present gives the block of the present limit. The caller holds mu.
func (l *Limiter) present() *block {
	if now := l.limit(); l.lease.key == "" || l.lease.Limit != now {
		l.lease = block{Limit: now, key: fmt.Sprintf("%s/%d/%s", l.key, now.Rate, now.Period)}
	}
	return &l.lease
}

func (b *block) params(n int64) TakeParams {
	return TakeParams{Key: b.key, Rate: b.Rate, Period: b.Period, Burst: b.Burst, N: n}
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
