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
	version int64
	puts    int // since the last sweep
	closed  bool
}

type localValue struct {
	data    []byte
	version int64
	expires time.Time // zero: never
}

var _ Coord = (*Local)(nil)

// NewLocal makes a Local. now must be monotonic, as time.Now is; nil means time.Now.
func NewLocal(now func() time.Time) *Local {
	if now == nil {
		now = time.Now
	}
	return &Local{now: now, base: now(), tats: map[string]time.Duration{}, values: map[string]localValue{}}
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
	interval := p.interval()
	tat := max(l.tats[p.Key], now) + time.Duration(p.N)*interval
	wait := tat - time.Duration(max(p.Burst, p.N))*interval - now
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
	if p.Key == "" || p.TTL < 0 {
		return 0, fault.Field(fault.InvalidField, "key", "a value needs a key and no negative TTL")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return 0, err
	}
	v, _ := l.live(p.Key)
	if v.version != p.Version {
		return 0, fault.New(fault.Conflict, "%s has version %d, not %d", p.Key, v.version, p.Version)
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
		return fault.New(fault.Closed, "coordination is closed")
	}
	return nil
}

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

func (p *TakeParams) check() error {
	switch {
	case p.Key == "":
		return fault.Field(fault.InvalidField, "key", "a rate limit needs a key")
	case p.Rate < 1 || p.Period <= 0:
		return fault.Field(fault.InvalidField, "rate", "a rate is at least 1 per a positive period")
	case p.Burst < 1 || p.N < 1 || p.Ahead < 0:
		return fault.Field(fault.InvalidField, "n", "burst and number of tokens are at least 1, ahead is not negative")
	}
	return nil
}

// interval is the time that one token takes, rounded up: the limit errs to the slow side.
func (p *TakeParams) interval() time.Duration {
	return (p.Period + time.Duration(p.Rate) - 1) / time.Duration(p.Rate)
}
