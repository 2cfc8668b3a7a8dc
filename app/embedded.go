package app

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/connect/sqlite"
	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/lifecycle"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/sqliteq"
	"github.com/muttproject/mutt/platform/store"
)

// The rows of the embedded mode: two SQLite files and a lock in the data directory, and no other process.

func openDataDir(_ context.Context, p *parts) (lifecycle.Service, error) {
	lock, err := sqlite.Lock(p.opts.Config.DataDir)
	if err != nil {
		return nil, err
	}
	if warning := lock.Warning(); warning != "" {
		p.opts.Logger.Warn("the data directory can be read by others", zap.String("reason", warning))
	}
	return &opened{name: "datadir", close: lock.Unlock}, nil
}

// openSQLiteStore migrates the store too, after a backup.
func openSQLiteStore(ctx context.Context, p *parts) (lifecycle.Service, error) {
	s, err := store.Open(ctx, store.Options{Path: storePath(&p.opts.Config),
		Logger: p.opts.Logger.Named("store"), Now: p.opts.Now})
	if err != nil {
		return nil, err
	}
	if err := s.Migrate(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	p.store, p.unhandled = s, s
	return &opened{name: "store", ready: silently(s.Ping), close: s.Close}, nil
}

func openSQLiteQueue(ctx context.Context, p *parts) (lifecycle.Service, error) {
	room := sqlite.NewRoom(sqlite.RoomOptions{RoomConfig: p.opts.Config.Room, Dir: p.opts.Config.DataDir, Log: p.opts.Logger.Named("disk"),
		Registerer: p.registry, Now: p.opts.Now})
	d, err := sqliteq.Open(ctx, filepath.Join(p.opts.Config.DataDir, "queue.db"), sqliteq.Options{Now: p.opts.Now, Room: room})
	if err != nil {
		return nil, err
	}
	room.Watch(d.Demand, d.Spare, p.store.Spare)
	p.queue = queue.New(d, queue.Options{Partitions: 1, Process: p.run, Owner: p.process, Now: p.opts.Now, Registerer: p.registry})
	p.depths = directDepths{p.queue}
	return &diskQueue{Runner: lifecycle.NewRunner("queue", room.Run), queue: p.queue, driver: d, room: room}, nil
}

// diskQueue looks at the disk until the driver is closed.
type diskQueue struct {
	*lifecycle.Runner
	queue  *queue.Queue
	driver *sqliteq.Driver
	room   *sqlite.Room
}

// Ready reads from the queue, and fails while the disk has no room for events.
func (q *diskQueue) Ready(ctx context.Context) ([]string, error) {
	warnings, err := q.room.Ready()
	return warnings, errors.Join(q.queue.Ping(ctx), err)
}

func (q *diskQueue) Stop(ctx context.Context) error {
	return errors.Join(q.Runner.Stop(ctx), q.driver.Close())
}

// openLocalCoord makes the in-process coordination; it holds nothing that would have to be closed.
func openLocalCoord(_ context.Context, p *parts) (lifecycle.Service, error) {
	p.coord = coord.NewLocal(time.Now) // leases and limits go by the time that passes, wherever the clock of events stands
	return nil, nil
}
