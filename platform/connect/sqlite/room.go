package sqlite

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/trouble"
)

// The reserve of a disk when none is set: a twentieth of the disk within these bounds, and at most a quarter of a small disk.
// It is for the logs of two databases (64 MiB each at most) and for what people and the pipeline write; what judging the
// waiting events will write is counted in addition to it, so that it need not grow with the disk.
const (
	leastReserve = 256 << 20
	mostReserve  = 1 << 30
)

const (
	roomEvery = time.Second
	roomBound = 2 * time.Second // of one look into the files
)

// unbounded is more than a disk has.
const unbounded = int64(1) << 62

// RoomConfig holds the static settings of a Room.
type RoomConfig struct {
	Reserve int64 // bytes; static.Auto for what suits the disk
}

// Settings declares the settings.
func (c *RoomConfig) Settings() []static.Setting {
	return []static.Setting{{Path: "limits.disk_reserve", Default: "auto", Variables: static.Variables("MUTT_LIMITS_DISK_RESERVE"),
		About: "What events that come in leave free on the disk of the data directory, for everything else; 0 for nothing, " +
			"auto for 5 % of the disk, from 256MiB to 1GiB and at most a quarter of a small disk", Value: static.AutoSize(&c.Reserve, 0, 1<<50)}}
}

// RoomOptions configure a Room.
type RoomOptions struct {
	RoomConfig
	Dir        string
	Log        *zap.Logger
	Registerer prometheus.Registerer
	Now        func() time.Time
}

// Room says how much of the disk of a data directory is left for events that come in. The last part, the reserve, is for what
// works them off and for people: judging, deliveries, logins, changes of the configuration. Safe for concurrent use.
type Room struct {
	o       RoomOptions
	space   func(dir string) (free, total int64, err error)
	board   *trouble.Board
	refused *trouble.State
	left    atomic.Int64 // what may be taken in until the next look
	full    atomic.Bool  // nothing is taken in
	free    atomic.Int64
	reserve atomic.Int64

	mu      sync.Mutex // one look at a time; guards the rest
	demand  func() int64
	files   []func(context.Context) (int64, error)
	unknown error // why the disk cannot be looked at
}

// NewRoom returns a Room as the disk is now.
func NewRoom(o RoomOptions) *Room { return newRoom(o, space) }

func newRoom(o RoomOptions, space func(dir string) (free, total int64, err error)) *Room {
	deps.Must(o)
	r := &Room{o: o, space: space, board: trouble.NewBoard(o.Log, o.Now)}
	r.refused = r.board.State(trouble.Kind{Name: "disk_reserve", Bad: true, Quiet: time.Second, Title: "Events are not taken in: the disk is full",
		Begins: "the disk is full up to its reserve: no events are taken in; judging, deliveries and changes go on",
		Ends:   "the disk has room for events again", Advice: trouble.Advice{Consequence: "senders that retry send the refused events again; syslog messages over UDP are lost", Remedy: roomRemedy, Runbook: "intake"}})
	gauge := func(name, help string, value *atomic.Int64) {
		o.Registerer.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return float64(value.Load()) }))
	}
	gauge("mutt_disk_free_bytes", "Free bytes on the disk of the data directory.", &r.free)
	gauge("mutt_disk_reserve_bytes", "Bytes that incoming events leave free on the disk of the data directory (limits.disk_reserve).", &r.reserve)
	r.Look()
	return r
}

const roomRemedy = "free space on the disk of the data directory, or give it more; limits.disk_reserve sets the reserve"

// Watch names what else decides: demand returns what the events that wait will need when they are judged, files return the
// bytes that are free within a database, which its own writes use first. The room is that of the file that has least.
func (r *Room) Watch(demand func() int64, files ...func(context.Context) (int64, error)) {
	r.mu.Lock()
	r.demand, r.files = demand, files
	r.mu.Unlock()
	r.Look()
}

// Take reports whether events that need so many bytes may be taken in.
func (r *Room) Take(bytes int64) bool {
	if r.full.Load() {
		return false
	}
	if r.left.Add(-bytes) >= 0 {
		return true
	}
	r.Look() // much was taken in since the last one
	if !r.full.Load() && r.left.Add(-bytes) >= 0 {
		return true
	}
	r.setFull(true)
	return false
}

// Reserve returns the reserve in force, in bytes.
func (r *Room) Reserve() int64 { return r.reserve.Load() }

// Look looks at the disk now. Run does it once a second; who sees a write fail for want of space does it at once.
func (r *Room) Look() {
	r.mu.Lock()
	defer r.mu.Unlock()
	free, total, err := r.space(r.o.Dir)
	if r.unknown = err; err != nil {
		r.setFull(false)
		r.left.Store(unbounded) // what cannot be known refuses nothing
		return
	}
	reserve := r.o.Reserve
	if reserve == static.Auto {
		reserve = min(max(total/20, leastReserve), mostReserve, total/4)
	}
	r.free.Store(free)
	r.reserve.Store(reserve)
	left := r.leftIn(free) - reserve
	if reserve == 0 {
		left = unbounded
	}
	r.left.Store(left)
	// Once refused, a quarter more must be free, so that it does not change with every event.
	r.setFull(left <= 0 || r.full.Load() && left <= reserve/4)
}

// leftIn returns the space that the file with the least of it may use. The last of the files is the one that judging fills.
func (r *Room) leftIn(free int64) int64 {
	ctx, cancel := context.WithTimeout(context.Background(), roomBound)
	defer cancel()
	least := free
	if len(r.files) > 0 {
		least = unbounded
	}
	for i, file := range r.files {
		spare, err := file(ctx)
		if err != nil {
			spare = 0 // it is being closed, or cannot be read, which its own check reports
		}
		if i == len(r.files)-1 {
			spare -= r.demand()
		}
		least = min(least, free+spare)
	}
	return least
}

func (r *Room) setFull(full bool) {
	r.full.Store(full)
	r.refused.Set(full, zap.Int64("free_bytes", r.free.Load()), zap.Int64("reserve_bytes", r.reserve.Load()))
}

// Run looks at the disk once a second until ctx ends.
func (r *Room) Run(ctx context.Context) error {
	tick := time.NewTicker(roomEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.Look()
			r.board.Look()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Ready fails while nothing is taken in.
func (r *Room) Ready() (warnings []string, err error) {
	r.mu.Lock()
	unknown := r.unknown
	r.mu.Unlock()
	switch {
	case unknown != nil:
		return []string{"the free space of the data directory's disk cannot be read: limits.disk_reserve is not kept"}, nil
	case r.full.Load():
		return nil, fault.New(fault.QueueUnavailable, "the disk is full up to its reserve of %d MiB (%d MiB are free): no events are taken in; "+
			"judging, deliveries and changes go on", r.reserve.Load()>>20, r.free.Load()>>20).WithRemedy(roomRemedy)
	}
	return nil, nil
}

// space returns the bytes of a directory's disk that this user may write, and the size of the disk.
func space(dir string) (free, total int64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, fmt.Errorf("ask for the free space of the data directory: %w", err)
	}
	return int64(s.Bavail) * int64(s.Bsize), int64(s.Blocks) * int64(s.Bsize), nil
}

// Spare returns the bytes within the file that its next writes use before the file grows.
func (db *DB) Spare(ctx context.Context) (int64, error) {
	var pages, size int64
	const ask = "SELECT f.freelist_count, s.page_size FROM pragma_freelist_count f, pragma_page_size s"
	if err := db.Reader.QueryRowContext(ctx, ask).Scan(&pages, &size); err != nil {
		return 0, fmt.Errorf("ask for the free pages: %w", err)
	}
	return pages * size, nil
}
