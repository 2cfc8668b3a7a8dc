package sqlite

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/fault"
)

// disk is a disk whose space a test sets.
type disk struct {
	mu          sync.Mutex
	free, total int64
	failed      error
}

func (d *disk) space(string) (free, total int64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.free, d.total, d.failed
}

func (d *disk) set(free int64, failed error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.free, d.failed = free, failed
}

const mib = 1 << 20

func newTestRoom(t *testing.T, d *disk, reserve int64, log zapcore.Core) *Room {
	t.Helper()
	return newRoom(RoomOptions{RoomConfig: RoomConfig{Reserve: reserve}, Dir: t.TempDir(), Log: zap.New(log),
		Registerer: prometheus.NewRegistry(), Now: time.Now}, d.space)
}

func TestReserveSuitsTheDisk(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ total, set, want int64 }{
		{64 * mib, static.Auto, 16 * mib},
		{2 << 30, static.Auto, 256 * mib},
		{10 << 30, static.Auto, 512 * mib},
		{10 << 40, static.Auto, 1 << 30},
		{64 * mib, 5 * mib, 5 * mib},
		{64 * mib, 0, 0},
	} {
		if got := newTestRoom(t, &disk{free: c.total, total: c.total}, c.set, zapcore.NewNopCore()).Reserve(); got != c.want {
			t.Errorf("disk of %d MiB, set %d: %d MiB, want %d", c.total/mib, c.set, got/mib, c.want/mib)
		}
	}
}

// TestRoom follows a disk that fills up and gets room again.
func TestRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, log := observer.New(zapcore.InfoLevel)
		d := &disk{free: 100 * mib, total: 1000 * mib}
		r := newTestRoom(t, d, 40*mib, core)
		var demand, spare atomic.Int64
		r.Watch(func() int64 { return demand.Load() }, func(context.Context) (int64, error) { return 500 * mib, nil },
			func(context.Context) (int64, error) { return spare.Load(), nil })
		ctx, cancel := context.WithCancel(t.Context())
		defer func() {
			cancel()
			synctest.Wait()
		}()
		go func() { _ = r.Run(ctx) }()
		takes := func(what string, bytes int64, want bool) {
			t.Helper()
			if got := r.Take(bytes); got != want {
				t.Errorf("%s: %v", what, got)
			}
		}
		takes("there is room", 50*mib, true)
		takes("nobody looked since, and the disk has not shrunk", 50*mib, true)
		d.set(45*mib, nil)
		takes("more than is left", 20*mib, false)
		takes("refused from then on", 1, false)
		if _, err := r.Ready(); !fault.Is(err, fault.QueueUnavailable) || !strings.Contains(err.Error(), "reserve of 40 MiB (45 MiB are free)") {
			t.Errorf("health says %v", err)
		}
		time.Sleep(2 * time.Second)
		takes("a little room is not enough", 1, false)
		d.set(51*mib, nil)
		time.Sleep(2 * time.Second)
		takes("a quarter more than the reserve", 1, true)
		demand.Store(12 * mib)
		r.Look()
		takes("judging what waits needs the rest", 1, false)
		spare.Store(100 * mib)
		r.Look()
		takes("the store has free pages", 1, true)
		if _, err := r.Ready(); err != nil {
			t.Errorf("health says %v", err)
		}
		d.set(0, errors.New("no such disk"))
		r.Look()
		takes("what cannot be known refuses nothing", 1<<50, true)
		if warnings, err := r.Ready(); err != nil || len(warnings) != 1 {
			t.Errorf("health says %v %v", warnings, err)
		}
		time.Sleep(3 * time.Second)
		if n := log.FilterMessageSnippet("up to its reserve").Len(); n != 2 || log.FilterMessageSnippet("room for events again").Len() != 2 {
			t.Errorf("logged %v", log.All())
		}
	})
}

// TestLogsFitTheDisk: the logs of two databases leave room for the databases.
func TestLogsFitTheDisk(t *testing.T) {
	t.Parallel()
	o := Options{CheckpointPages: 8000}.onDiskOf(64 * mib)
	if o.CheckpointPages > 512 || o.logBytes > 4*mib {
		t.Errorf("%+v", o)
	}
	if o := (Options{CheckpointPages: 8000}).onDiskOf(1 << 40); o.CheckpointPages != 8000 || o.logBytes != mostLogBytes {
		t.Errorf("%+v", o)
	}
}
