package coord

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/muttproject/mutt/platform/connect/redis"
)

// callTimeout bounds one call of Redis: a server that hangs is away.
const callTimeout = 2 * time.Second

// Redis is the Coord of any number of processes that use one Redis and prefix. Each key has its own hash slot, and
// each step is one script on it, so that a Cluster spreads them.
//
// Time is the server's. Versions and tokens are the larger of its Unix microseconds and the last one plus 1: they grow
// also where the last one was forgotten, because a value was deleted or the server lost its last writes.
type Redis struct {
	client  rueidis.Client
	prefix  string
	scripts scripts
	closed  atomic.Bool
}

var _ Coord = (*Redis)(nil)

// NewRedis makes a Redis. Keys begin with prefix. The client stays the caller's, who closes it.
func NewRedis(client rueidis.Client, prefix string) *Redis {
	return &Redis{client: client, prefix: prefix, scripts: newScripts()}
}

// Take implements Coord.
func (r *Redis) Take(ctx context.Context, p TakeParams) (Taken, error) {
	if err := p.check(); err != nil {
		return Taken{}, err
	}
	m, err := r.eval(ctx, "take from a rate limit", r.scripts.take, []string{r.key("take", p.Key)},
		number(p.cost()), number(p.slack()), number(p.Ahead))
	if err != nil {
		return Taken{}, err
	}
	d := time.Duration(integer(m, 1))
	if integer(m, 0) == 0 {
		return Taken{RetryAfter: d}, nil
	}
	return Taken{Granted: true, Wait: d}, nil
}

// Get implements Coord.
func (r *Redis) Get(ctx context.Context, key string) (Value, error) {
	m, err := r.eval(ctx, "read a shared value", r.scripts.get, []string{r.key("value", key)})
	if err != nil || len(m) == 0 {
		return Value{}, err
	}
	v := Value{Version: integer(m, 0), Data: []byte(text(m, 1))}
	if left := integer(m, 2); left >= 0 { // less than a millisecond is still not "for ever"
		v.TTL = max(1, time.Duration(left)) * time.Millisecond
	}
	return v, nil
}

// Put implements Coord.
func (r *Redis) Put(ctx context.Context, p PutParams) (int64, error) {
	if err := p.check(); err != nil {
		return 0, err
	}
	args := []string{number(p.Version), number(millis(p.TTL))}
	if p.Data != nil {
		args = append(args, string(p.Data))
	}
	m, err := r.eval(ctx, "write a shared value", r.scripts.put, []string{r.key("value", p.Key)}, args...)
	if err != nil {
		return 0, err
	}
	if integer(m, 0) == 0 {
		return 0, p.conflict(integer(m, 1))
	}
	return integer(m, 1), nil
}

// Close implements Coord. It leaves the client open.
func (r *Redis) Close() error {
	r.closed.Store(true)
	return nil
}

// key is the Redis key of a thing; its name is the hash tag.
func (r *Redis) key(kind, name string) string { return r.prefix + kind + ":{" + name + "}" }

// eval runs a script, which answers with an array.
func (r *Redis) eval(ctx context.Context, doing string, s *rueidis.Lua, keys []string, args ...string) ([]rueidis.RedisMessage, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.closed.Load() {
		return nil, errClosed()
	}
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	m, err := s.Exec(call, r.client, keys, args).ToArray()
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return m, redis.Fault(err, doing)
}

// integer reads an answer's element; the scripts answer in the form that is read.
func integer(m []rueidis.RedisMessage, i int) int64 {
	n, _ := m[i].AsInt64()
	return n
}

func text(m []rueidis.RedisMessage, i int) string {
	s, _ := m[i].ToString()
	return s
}

func number[T ~int | ~int64](n T) string { return strconv.FormatInt(int64(n), 10) }

// millis rounds up to whole milliseconds, the unit of Redis's expiry.
func millis(d time.Duration) int64 { return int64((d + time.Millisecond - 1) / time.Millisecond) }
