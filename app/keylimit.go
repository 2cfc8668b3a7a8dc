package app

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/coord"
)

// What the rate limit of a key does when it is shared and the others cannot be asked.
const (
	keyLimitPatience = 250 * time.Millisecond
	keyLimitRest     = time.Second
)

// keyLimits are the rate limits of the API keys of one keyring.
type keyLimits struct {
	shared, own  coord.Coord
	before, byID map[int64]*keyLimit
}

func newKeyLimits(shared coord.Coord) *keyLimits {
	return &keyLimits{shared: shared, own: coord.NewLocal(time.Now), byID: map[int64]*keyLimit{}}
}

// next makes those of the next keyring. A key that is in both goes on where it was.
func (l *keyLimits) next() *keyLimits {
	return &keyLimits{shared: l.shared, own: l.own, before: l.byID, byID: map[int64]*keyLimit{}}
}

// of gives the limit of a key; nil for none.
func (l *keyLimits) of(id, perMinute int64) authn.Limiter {
	if id == 0 || perMinute <= 0 {
		return nil
	}
	k := l.before[id]
	if k == nil {
		k = &keyLimit{}
		name := "apikey/" + strconv.FormatInt(id, 10)
		k.shared, k.own = coord.NewLimiter(l.shared, name, k.limit), coord.NewLimiter(l.own, name, k.limit)
	}
	l.byID[id] = k
	k.perMinute.Store(perMinute)
	return k
}

// keyLimit is the rate limit of one API key, in requests. All processes share it; it spends from a block that it asked
// for before. While the others cannot be asked it is this process's alone: a Redis that is away takes nobody's access.
type keyLimit struct {
	perMinute atomic.Int64
	shared    *coord.Limiter
	own       *coord.Limiter
	alone     atomic.Int64 // until then (Unix nanoseconds) the others are not asked
}

// limit lets ten seconds' worth come at once.
func (k *keyLimit) limit() coord.Limit {
	n := k.perMinute.Load()
	return coord.Limit{Rate: n, Period: time.Minute, Burst: max(1, n/6)}
}

// Take implements authn.Limiter.
func (k *keyLimit) Take(ctx context.Context) (wait time.Duration, ok bool) {
	if wait, ok = k.shared.Spend(1); ok || wait > 0 {
		return wait, ok
	}
	if time.Now().UnixNano() >= k.alone.Load() {
		ask, done := context.WithTimeout(ctx, keyLimitPatience)
		defer done()
		wait, ok, err := k.shared.Take(ask, 1)
		if err == nil || ctx.Err() != nil {
			return wait, ok
		}
		k.alone.Store(time.Now().Add(keyLimitRest).UnixNano())
	}
	wait, ok, _ = k.own.Take(ctx, 1) // in memory: it fails only when ctx has ended
	return wait, ok
}
