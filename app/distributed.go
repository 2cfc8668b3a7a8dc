package app

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/modules/alert"
	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/postgres"
	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/lifecycle"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/redisq"
	"github.com/muttproject/mutt/platform/secret/secrets"
	"github.com/muttproject/mutt/platform/store"
)

// The rows of the distributed mode: the process keeps nothing itself.

// How long start-up waits between two tries to reach a server.
const (
	firstWait = 200 * time.Millisecond
	lastWait  = 5 * time.Second
)

// reach repeats connect while the server is away, with a line for each wait: a dependency that comes later than MUTT
// must not make it exit and be restarted in a loop. Everything else that is wrong ends the start.
func (p *parts) reach(ctx context.Context, what string, connect func(context.Context) error) error {
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		err := connect(ctx)
		away := fault.Is(err, fault.QueueUnavailable) || fault.Is(err, fault.StoreUnavailable) || fault.Is(err, fault.SecretsUnavailable)
		if err == nil || !away || p.opts.FailFast || ctx.Err() != nil {
			return err
		}
		p.opts.Logger.Warn("waiting for "+what, zap.Error(err), zap.Duration("next_try", wait))
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return errors.Join(err, ctx.Err())
		}
	}
}

func openRedis(ctx context.Context, p *parts) (lifecycle.Service, error) {
	cfg, err := p.redisConfig()
	if err != nil {
		return nil, err
	}
	err = p.reach(ctx, "Redis", func(ctx context.Context) (err error) {
		p.redis, err = redis.Open(ctx, cfg)
		return err
	})
	if err != nil {
		return nil, err
	}
	return newConnected("Redis", p.redis.Recycler(), cfg.Exposure, func() error { p.redis.Close(); return nil }), nil
}

func openRedisQueue(ctx context.Context, p *parts) (lifecycle.Service, error) {
	c := p.opts.Config
	var driver *redisq.Driver
	err := p.reach(ctx, "the queue", func(ctx context.Context) (err error) {
		driver, err = redisq.Open(ctx, redisq.Options{Config: c.Queue, Client: p.redis, Logger: p.opts.Logger.Named("queue"), Now: p.opts.Now})
		return err
	})
	if err != nil {
		return nil, err
	}
	p.queue = queue.New(driver, queue.Options{Partitions: c.Queue.Partitions, Process: p.run, Owner: p.run, Now: p.opts.Now, Registerer: p.registry})
	polled := newPolledDepths(p.queue)
	p.depths = polled
	return &redisQueue{Runner: polled.Runner, queue: p.queue, driver: driver}, nil
}

// redisQueue closes the driver after the last reading of depths.
type redisQueue struct {
	*lifecycle.Runner
	queue  *queue.Queue
	driver *redisq.Driver
}

// Ready asks Redis. Its warnings say what the settings of Redis do to the promise that nothing is lost, and how full it is.
func (q *redisQueue) Ready(ctx context.Context) ([]string, error) {
	return append(q.driver.Warnings(), q.driver.MemoryWarnings()...), q.queue.Ping(ctx)
}

// Notes returns the warning about the mode of durability that was chosen.
func (q *redisQueue) Notes() []string { return q.driver.Notes() }

func (q *redisQueue) Stop(ctx context.Context) error {
	return errors.Join(q.Runner.Stop(ctx), q.driver.Close())
}

func openRedisCoord(ctx context.Context, p *parts) (lifecycle.Service, error) {
	shared := coord.NewRedis(p.redis, p.opts.Config.Queue.KeyPrefix+":")
	err := p.reach(ctx, "the number of partitions", func(ctx context.Context) error {
		return agreePartitions(ctx, shared, p.opts.Config.Queue.Partitions)
	})
	if err != nil {
		return nil, err
	}
	p.coord, p.unhandled = shared, alert.ShareUnhandled(coord.NewCounters(shared, "unhandled"))
	return &opened{name: "coord", close: p.coord.Close}, nil
}

// openPostgresStore refuses a schema that is not this program's, or migrates it when that was asked for.
func openPostgresStore(ctx context.Context, p *parts) (lifecycle.Service, error) {
	c := &p.opts.Config.Postgres
	cfg, err := c.Config(p.tls.Open)
	if err != nil {
		return nil, err
	}
	// The credentials outlive a try, so that many tries are not many refusals.
	cfg.Name, cfg.Credentials = clientName(p.process), p.logIn(postgresServer, func(set *secrets.Set) []connect.Credential { return postgresCredentials(c, set) })
	cfg.Exposure = postgres.Exposure(p.opts.Logger.Named("postgres"))
	var svc *connected
	err = p.reach(ctx, "PostgreSQL", func(ctx context.Context) error {
		pool, s, closeAll, err := openPostgres(ctx, cfg, store.Options{Logger: p.opts.Logger.Named("store"), Now: p.opts.Now})
		if err != nil {
			return err
		}
		if err := p.schema(ctx, s); err != nil {
			return errors.Join(err, closeAll())
		}
		recycler, err := postgres.NewRecycler(cfg, pool)
		if err != nil {
			return errors.Join(err, closeAll())
		}
		svc = newConnected("PostgreSQL", recycler, cfg.Exposure, closeAll)
		p.store, svc.ready = s, func(ctx context.Context) ([]string, error) { return storeWarnings(ctx, s) }
		return nil
	})
	if err != nil {
		return nil, err // not svc: a nil *connected in a Service is not nil
	}
	return svc, nil
}

// storeWarnings says what is at risk in PostgreSQL.
func storeWarnings(ctx context.Context, s *store.Store) ([]string, error) {
	warnings, err := s.PartitionWarnings(ctx)
	if err != nil {
		return warnings, err
	}
	role, err := s.RoleWarning(ctx)
	if role != "" {
		warnings = append(warnings, role)
	}
	return warnings, err
}

// schema sees that the store has the schema of this program.
func (p *parts) schema(ctx context.Context, s *store.Store) error {
	if p.opts.Migrate {
		return MakeSchema(ctx, s, p.opts.Now())
	}
	return s.RequireSchema(ctx)
}
