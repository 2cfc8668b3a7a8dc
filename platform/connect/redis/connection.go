package redis

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/muttproject/mutt/platform/connect"
)

// Connection is a client whose connections can all be replaced while it is used: a new generation of them takes the calls, and
// the old one is closed when its last call has ended. Redis itself would let them live under a password that was removed long ago.
type Connection struct {
	config  Config
	now     atomic.Pointer[generation]
	closing context.Context
	close   context.CancelFunc
	closed  sync.Once
	// replacing is held through a replacement, so that there are two generations at the most.
	replacing sync.Mutex
}

var _ Client = (*Connection)(nil)

// generation is one client of the library, with the number of calls that are under way.
type generation struct {
	client rueidis.Client
	calls  atomic.Int64  // far below zero once it is retired
	done   chan struct{} // gets a value when it is retired and the last call has ended
}

// retiredCalls is below every number of calls.
const retiredCalls = -1 << 40

func newConnection(c Config, client rueidis.Client) *Connection {
	out := &Connection{config: c}
	out.closing, out.close = context.WithCancel(context.Background())
	out.now.Store(newGeneration(client))
	return out
}

func newGeneration(client rueidis.Client) *generation {
	return &generation{client: client, done: make(chan struct{}, 1)}
}

// enter gives the generation that takes calls now; leave it when the call has ended.
func (c *Connection) enter() *generation {
	for {
		g := c.now.Load()
		if g.calls.Add(1) > 0 {
			return g
		}
		g.leave() // it was retired between the two steps: there is a new one
	}
}

func (g *generation) leave() {
	if g.calls.Add(-1) == retiredCalls {
		select {
		case g.done <- struct{}{}:
		default: // a call that came too late was the last one for a moment
		}
	}
}

// retire lets no more calls in, and waits until the last one has left. It is called once.
func (g *generation) retire(ctx context.Context) error {
	if g.calls.Add(retiredCalls) == retiredCalls {
		return nil
	}
	select {
	case <-g.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Replace opens new connections in place of all that there are, and returns when the old ones are closed. No call fails for it: those
// that are under way end on the connections on which they began. When no new connection can be made the old ones stay.
func (c *Connection) Replace(ctx context.Context) error {
	c.replacing.Lock()
	defer c.replacing.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.closing, cancel)()
	client, err := c.config.connect(ctx)
	if err != nil {
		return Fault(err, "connect to Redis anew")
	}
	before := c.now.Swap(newGeneration(client))
	err = before.retire(ctx)
	before.client.Close()
	return err
}

// Recycler replaces the connections after a rotation.
func (c *Connection) Recycler() *connect.Recycler {
	return &connect.Recycler{Credentials: c.config.Credentials, Verify: c.verify, Replace: c.Replace}
}

// verify logs in once.
func (c *Connection) verify(ctx context.Context, addr string) error {
	d := &dialer{credentials: c.config.Credentials, tls: c.config.TLS, sentinels: c.config.Mode == Sentinel}
	conn, err := d.dial(ctx, addr, &net.Dialer{Timeout: answerWithin}, nil)
	if err != nil {
		return err
	}
	return conn.Close()
}

// Close ends all connections, after the calls that are under way.
func (c *Connection) Close() {
	c.closed.Do(func() {
		c.close()
		c.replacing.Lock() // a replacement is given up
		defer c.replacing.Unlock()
		c.now.Load().client.Close()
	})
}

// B gives a builder of commands. All generations have the same.
func (c *Connection) B() rueidis.Builder { return c.now.Load().client.B() }

// Mode tells standalone, Sentinel and Cluster apart.
func (c *Connection) Mode() rueidis.ClientMode { return c.now.Load().client.Mode() }

// Nodes gives the clients of single nodes, as they are now. They are for one question: a replacement closes them.
func (c *Connection) Nodes() map[string]rueidis.Client { return c.now.Load().client.Nodes() }

// Do runs a command.
func (c *Connection) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	g := c.enter()
	defer g.leave()
	return g.client.Do(ctx, cmd)
}

// DoMulti runs several commands.
func (c *Connection) DoMulti(ctx context.Context, multi ...rueidis.Completed) []rueidis.RedisResult {
	g := c.enter()
	defer g.leave()
	return g.client.DoMulti(ctx, multi...)
}

// DoCache is Do: there is no client side cache.
func (c *Connection) DoCache(ctx context.Context, cmd rueidis.Cacheable, ttl time.Duration) rueidis.RedisResult {
	g := c.enter()
	defer g.leave()
	return g.client.DoCache(ctx, cmd, ttl)
}

// DoMultiCache is DoMulti: there is no client side cache.
func (c *Connection) DoMultiCache(ctx context.Context, multi ...rueidis.CacheableTTL) []rueidis.RedisResult {
	g := c.enter()
	defer g.leave()
	return g.client.DoMultiCache(ctx, multi...)
}

// DoStream begins an answer that is read later. A replacement does not wait for that.
func (c *Connection) DoStream(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResultStream {
	g := c.enter()
	defer g.leave()
	return g.client.DoStream(ctx, cmd)
}

// DoMultiStream is DoStream for several commands.
func (c *Connection) DoMultiStream(ctx context.Context, multi ...rueidis.Completed) rueidis.MultiRedisResultStream {
	g := c.enter()
	defer g.leave()
	return g.client.DoMultiStream(ctx, multi...)
}

// Receive subscribes until ctx ends. A replacement waits for that end.
func (c *Connection) Receive(ctx context.Context, subscribe rueidis.Completed, fn func(rueidis.PubSubMessage)) error {
	g := c.enter()
	defer g.leave()
	return g.client.Receive(ctx, subscribe, fn)
}

// Dedicated takes a connection for fn. A replacement waits for its end.
func (c *Connection) Dedicated(fn func(rueidis.DedicatedClient) error) error {
	g := c.enter()
	defer g.leave()
	return g.client.Dedicated(fn)
}

// Dedicate takes a connection until cancel is called. A replacement waits for that.
func (c *Connection) Dedicate() (rueidis.DedicatedClient, func()) {
	g := c.enter()
	client, cancel := g.client.Dedicate()
	return client, sync.OnceFunc(func() { cancel(); g.leave() })
}
