// Package sqliteq keeps the queues in one SQLite file, for one process.
//
// Principles:
//  1. One goroutine writes. It takes every waiting operation, runs each in a savepoint of one transaction and
//     commits once: the price of the fsync is shared, and a failing operation spoils no other.
//  2. An operation either never began (its caller's context ended first) or its outcome is awaited.
//  3. Leases live in memory on a monotonic clock and end with the process. Their tokens are stored and only grow.
//  4. Counts are kept in memory and rebuilt when the file is opened; they are published after the commit.
//  5. Nobody polls: waiting claims are woken by the commit that gives them something.
package sqliteq

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/muttproject/mutt/platform/connect/sqlite"
	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// Options configure a Driver. Now is required.
type Options struct {
	// Synchronous as in sqlite.Options: FULL by default.
	Synchronous string
	// Monotonic is the clock of leases: it only grows. By default the time since Open.
	Monotonic func() time.Duration
	// Now is the wall clock, for times that are stored and for delays.
	Now func() time.Time
	// Room is the disk's, for events that come in; by default there is always some.
	Room Room
}

// Room decides whether events may be taken in. *sqlite.Room is one.
type Room interface {
	// Take reports whether events that need so many bytes may be taken in.
	Take(bytes int64) bool
	// Look is called when a write failed because the disk is full.
	Look()
}

// endless is a Room without an end.
type endless struct{}

func (endless) Take(int64) bool { return true }
func (endless) Look()           {}

// Driver is the queue driver of the embedded mode. Its file must not be open elsewhere (sqlite.Lock guards that).
type Driver struct {
	db   *sqlite.DB
	conn *sql.Conn // the writer's
	opts Options
	w    *writer

	mu    sync.Mutex
	view  []lane // as of the last commit
	wakes map[laneKey]chan struct{}

	closing   chan struct{} // closed by the first Close
	closeOnce sync.Once
	closeErr  error
}

type laneKey struct {
	queue     queue.Name
	partition int
}

var _ queue.Driver = (*Driver)(nil)

// Open opens or creates the queue's file. Whatever a former process had claimed is ready again.
func Open(ctx context.Context, path string, o Options) (*Driver, error) {
	if o.Monotonic == nil {
		start := time.Now()
		o.Monotonic = func() time.Duration { return time.Since(start) }
	}
	if o.Room == nil {
		o.Room = endless{}
	}
	if err := deps.Check(o); err != nil {
		return nil, fmt.Errorf("open the queue: %w", err)
	}
	const pageSize, checkpointPages = 8192, 2000 // a log of about 16 MiB
	db, err := sqlite.Open(ctx, path, sqlite.Options{Synchronous: o.Synchronous, PageSize: pageSize, CheckpointPages: checkpointPages})
	if err != nil {
		return nil, sqlite.Fault(err, fault.QueueUnavailable, "open the queue")
	}
	d := &Driver{db: db, opts: o, wakes: map[laneKey]chan struct{}{}, closing: make(chan struct{})}
	if err := d.start(ctx); err != nil {
		return nil, errors.Join(sqlite.Fault(err, fault.QueueUnavailable, "open the queue"), db.Close())
	}
	return d, nil
}

func (d *Driver) start(ctx context.Context) error {
	conn, err := d.db.Writer.Conn(ctx)
	if err != nil {
		return fmt.Errorf("take the writing connection: %w", err)
	}
	if err := migrate(ctx, conn); err != nil {
		return errors.Join(err, conn.Close())
	}
	lanes, seq, err := load(ctx, conn)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	// The writer outlives the context of Open, and its statements are never interrupted half-way.
	w, err := newWriter(context.WithoutCancel(ctx), conn, d)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	w.lanes, w.nextSeq = lanes, seq
	d.conn, d.w, d.view = conn, w, append([]lane(nil), lanes...)
	go w.loop()
	return nil
}

// Capabilities says what this driver can do.
func (d *Driver) Capabilities() queue.Capabilities {
	durability := "fsync"
	if d.opts.Synchronous != "" && d.opts.Synchronous != "FULL" {
		durability = d.opts.Synchronous
	}
	return queue.Capabilities{Name: "sqlite", Durability: durability}
}

// Ping reads from the file.
func (d *Driver) Ping(ctx context.Context) error {
	if err := d.open(); err != nil {
		return err
	}
	var one int
	err := d.db.Reader.QueryRowContext(ctx, "SELECT count(*) FROM lanes").Scan(&one)
	return sqlite.Fault(err, fault.QueueUnavailable, "read the queue")
}

// Depth counts what a queue holds, from memory.
func (d *Driver) Depth(_ context.Context, q queue.Name) (queue.Depth, error) {
	if err := d.open(); err != nil {
		return queue.Depth{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return depth(d.view, q, d.opts.Monotonic()), nil
}

// Demand returns what the events of the ingest queue need on the disk until they are judged.
func (d *Driver) Demand() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := depth(d.view, queue.Ingest, 0)
	return demand(tally{events: now.Live(), bytes: now.Bytes})
}

// Spare returns the bytes within the file that its next writes use before the file grows.
func (d *Driver) Spare(ctx context.Context) (int64, error) { return d.db.Spare(ctx) }

// Close lets what has begun end, refuses everything after, and closes the file.
func (d *Driver) Close() error {
	d.closeOnce.Do(func() {
		close(d.closing)
		d.w.stop()
		d.closeErr = errors.Join(d.w.stmts.close(), d.conn.Close(), d.db.Close())
	})
	return d.closeErr
}

// open refuses what comes after Close.
func (d *Driver) open() error {
	select {
	case <-d.closing:
		return fault.New(fault.Closed, "the queue is closed")
	default:
		return nil
	}
}

// publish shows the writer's lanes to everybody and wakes those who wait for what is new in them.
func (d *Driver) publish(lanes []lane) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range lanes {
		l := &lanes[i]
		key := laneKey{l.queue, l.partition}
		wake, waited := d.wakes[key]
		if !waited {
			continue
		}
		old := find(d.view, l.queue, l.partition)
		if l.ready.entries > 0 || old == nil || old.token != l.token || old.owner != l.owner || old.nextDue != l.nextDue {
			close(wake)
			delete(d.wakes, key)
		}
	}
	d.view = append(d.view[:0], lanes...)
}

// watch gives the channel that closes when a lane has something new.
func (d *Driver) watch(key laneKey) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.wakes[key]
	if !ok {
		c = make(chan struct{})
		d.wakes[key] = c
	}
	return c
}

// laneView gives the published state of a lane; ok is false when there is no such lane yet.
func (d *Driver) laneView(key laneKey) (l lane, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p := find(d.view, key.queue, key.partition); p != nil {
		return *p, true
	}
	return lane{}, false
}
