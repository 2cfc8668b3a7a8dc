package redisq

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/trouble"
)

// The reserve of a Redis when none is set, a tenth of its maxmemory.
const reserveShare = 10

const (
	memoryEvery = time.Second
	// memoryShare is the part of what is left that a partition takes in before it looks again: other partitions and other
	// processes fill the same Redis.
	memoryShare = 16
	// entryCost is what Redis needs for an entry beside its body, in bytes, rounded up.
	entryCost = 512
)

// memory watches how near the nodes of Redis are to their limits. The last part, the reserve, is for what works the queue off
// and for everything else that is in Redis: alerts, coordination, the throttle of logins, the snapshot of the configuration.
type memory struct {
	reserve int64 // static.Auto for a share of maxmemory
	ask     func(ctx context.Context, partition int) (used, limit int64, err error)
	board   *trouble.Board
	refused *trouble.State
	parts   []memoryOf
}

// memoryOf is the node that has a partition.
type memoryOf struct {
	left        atomic.Int64 // what may be taken in until the next look
	full        atomic.Bool
	used, limit atomic.Int64 // limit is 0 for none
	unknown     atomic.Bool  // Redis does not show its memory

	looking sync.Mutex
}

const (
	memoryRemedy = "send again after Retry-After; look at why consumers are slow, or give Redis more maxmemory"
	memoryFull   = "Redis is full up to its reserve: no events are taken in; judging, deliveries and changes go on"
	// unbounded is more than a Redis has.
	unbounded = int64(1) << 62
)

func newMemory(d *Driver) *memory {
	m := &memory{reserve: d.opts.Reserve, ask: d.opts.Memory, board: trouble.NewBoard(d.opts.Logger, d.opts.Now), parts: make([]memoryOf, len(d.keys))}
	if m.ask == nil {
		m.ask = d.askMemory
	}
	m.refused = m.board.State(trouble.Kind{Name: "redis_reserve", Bad: true, Begins: memoryFull, Ends: "Redis has room for events again",
		Title: "Events are not taken in: Redis is full", Quiet: time.Second, Advice: trouble.Advice{Consequence: "senders that retry send the refused events again; syslog messages over UDP are lost",
			Remedy: "look at why consumers are slow, or give Redis more maxmemory; limits.redis_reserve sets the reserve", Runbook: "redis"}})
	for i := range m.parts {
		m.parts[i].left.Store(unbounded)
	}
	return m
}

// take reports whether a partition may take in so many bytes.
func (m *memory) take(ctx context.Context, partition int, bytes int64) bool {
	p := &m.parts[partition]
	if p.full.Load() {
		return false
	}
	if p.left.Add(-bytes) >= 0 {
		return true
	}
	m.look(ctx, partition)
	return !p.full.Load()
}

// look asks the node of a partition now. While nothing is known, nothing is refused: Redis itself does then.
func (m *memory) look(ctx context.Context, partition int) {
	p := &m.parts[partition]
	p.looking.Lock()
	defer p.looking.Unlock()
	used, limit, err := m.ask(ctx, partition)
	if err != nil {
		var answer *rueidis.RedisError
		p.unknown.Store(errors.As(err, &answer)) // it answered; a Redis that is away has checks of its own
		p.left.Store(unbounded)
		p.full.Store(false)
		return
	}
	p.unknown.Store(false)
	p.used.Store(used)
	p.limit.Store(limit)
	reserve := m.reserve
	if reserve == static.Auto {
		reserve = limit / reserveShare
	}
	if limit == 0 || reserve == 0 {
		p.left.Store(unbounded)
		p.full.Store(false)
		return
	}
	left := limit - reserve - used
	p.left.Store(left / memoryShare)
	// Once refused, a quarter of the reserve more must be free, so that it does not change with every event.
	full := left <= 0 || p.full.Load() && left <= reserve/4
	p.full.Store(full)
	if full {
		m.refused.Set(true, zap.Int64("used_bytes", used), zap.Int64("maxmemory", limit), zap.Int64("reserve_bytes", reserve))
	}
}

// run looks at all nodes once a second until ctx ends.
func (m *memory) run(ctx context.Context) {
	tick := time.NewTicker(memoryEvery)
	defer tick.Stop()
	for {
		m.lookAll(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (m *memory) lookAll(ctx context.Context) {
	var wg sync.WaitGroup
	for i := range m.parts {
		wg.Go(func() { m.look(ctx, i) })
	}
	wg.Wait()
	m.refused.Set(m.full())
	m.board.Look()
}

func (m *memory) full() bool {
	for i := range m.parts {
		if m.parts[i].full.Load() {
			return true
		}
	}
	return false
}

// nearest returns the memory of the node that is nearest to its limit; limit is 0 when one has none.
func (m *memory) nearest() (used, limit int64) {
	for i := range m.parts {
		u, l := m.parts[i].used.Load(), m.parts[i].limit.Load()
		if i == 0 || l == 0 && limit > 0 || l-u < limit-used && limit > 0 {
			used, limit = u, l
		}
	}
	return used, limit
}

// warnings says, for health, that events are refused, or that nothing bounds Redis.
func (m *memory) warnings() (all []string) {
	unknown, unlimited := false, false
	for i := range m.parts {
		p := &m.parts[i]
		unknown = unknown || p.unknown.Load()
		unlimited = unlimited || p.used.Load() > 0 && p.limit.Load() == 0
	}
	if m.full() {
		all = append(all, memoryFull)
	}
	if unlimited {
		all = append(all, "Redis has no maxmemory: only max_ingest_queue_bytes and max_ingest_queue_size bound what waits in it")
	}
	if unknown {
		all = append(all, "Redis does not show its memory: limits.redis_reserve is not kept; allow the user INFO")
	}
	return all
}

// askMemory asks the node of a partition, which a script on the partition's keys finds in a Cluster too.
func (d *Driver) askMemory(ctx context.Context, partition int) (used, limit int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, memoryEvery)
	defer cancel()
	k := d.keys[partition].lane(queue.Ingest)
	all, err := d.scripts.memory.Exec(ctx, d.client, []string{k.state()}, []string{"0", "0"}).AsIntSlice()
	if err != nil {
		return 0, 0, err
	}
	if len(all) != 2 {
		return 0, 0, fmt.Errorf("ask Redis for its memory: %d numbers", len(all))
	}
	return all[0], all[1], nil
}

// overLimit reports that Redis refused a write because it is over its memory limit.
func overLimit(err error) bool {
	var answer *rueidis.RedisError
	return errors.As(err, &answer) && strings.HasPrefix(answer.Error(), "OOM ")
}
