package coord

import (
	"context"
	"sync"
	"time"

	"github.com/muttproject/mutt/platform/fault"
)

// Local is the Coord of a single process.
type Local struct {
	now func() time.Time

	mu      sync.Mutex
	base    time.Time // theoretical arrival times count from here, on the monotonic clock
	tats    map[string]time.Duration
	values  map[string]localValue
	leases  map[string]localLease
	groups  map[string]map[string]localMember
	version int64 // the last version or token that was given out
	puts    int   // since the last sweep
	closed  bool
}

type localValue struct {
	data    []byte
	version int64
	expires time.Time // zero: never
}

var _ Coord = (*Local)(nil)

// NewLocal makes a Local. now must be monotonic, as time.Now is. Versions and tokens begin at its
// Unix time in microseconds, so that they grow over restarts of the process.
func NewLocal(now func() time.Time) *Local {
	return &Local{now: now, base: now(), version: now().UnixMicro(), tats: map[string]time.Duration{},
		values: map[string]localValue{}, leases: map[string]localLease{}, groups: map[string]map[string]localMember{}}
}

// Take implements Coord.
func (l *Local) Take(ctx context.Context, p TakeParams) (Taken, error) {
	if err := p.check(); err != nil {
		return Taken{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return Taken{}, err
	}
	now := l.now().Sub(l.base)
	tat := max(l.tats[p.Key], now) + p.cost()
	wait := tat - p.slack() - now
	if wait > p.Ahead {
		return Taken{RetryAfter: wait - p.Ahead}, nil
	}
	l.tats[p.Key] = tat
	return Taken{Granted: true, Wait: max(wait, 0)}, nil
}

// Get implements Coord.
func (l *Local) Get(ctx context.Context, key string) (Value, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return Value{}, err
	}
	v, ok := l.live(key)
	if !ok {
		return Value{}, nil
	}
	out := Value{Data: append([]byte{}, v.data...), Version: v.version}
	if !v.expires.IsZero() {
		out.TTL = v.expires.Sub(l.now())
	}
	return out, nil
}

// Put implements Coord.
func (l *Local) Put(ctx context.Context, p PutParams) (int64, error) {
	if err := p.check(); err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return 0, err
	}
	v, _ := l.live(p.Key)
	if v.version != p.Version {
		return 0, p.conflict(v.version)
	}
	l.version++
	if p.Data == nil {
		delete(l.values, p.Key)
		return l.version, nil
	}
	next := localValue{data: append([]byte{}, p.Data...), version: l.version}
	if p.TTL > 0 {
		next.expires = l.now().Add(p.TTL)
	}
	l.values[p.Key] = next
	l.sweep()
	return l.version, nil
}

// Close implements Coord.
func (l *Local) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return nil
}

func (l *Local) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.closed {
		return errClosed()
	}
	return nil
}

func errClosed() error { return fault.New(fault.Closed, "coordination is closed") }

func (l *Local) live(key string) (localValue, bool) {
	v, ok := l.values[key]
	if ok && !v.expires.IsZero() && !l.now().Before(v.expires) {
		return localValue{}, false
	}
	return v, ok
}

// sweep forgets what nobody asks for any more, after each 1,024 puts.
func (l *Local) sweep() {
	if l.puts++; l.puts < 1024 {
		return
	}
	l.puts = 0
	for key := range l.values {
		if _, ok := l.live(key); !ok {
			delete(l.values, key)
		}
	}
	now := l.now().Sub(l.base)
	for key, tat := range l.tats {
		if tat <= now {
			delete(l.tats, key)
		}
	}
}
