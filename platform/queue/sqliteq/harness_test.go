package sqliteq_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/queuetest"
	"github.com/muttproject/mutt/platform/queue/sqliteq"
)

// clock is the time of a rig: the lease clock and the wall clock move together, or the latter alone.
type clock struct {
	mu    sync.Mutex
	lease time.Duration
	wall  time.Time
}

func newClock() *clock { return &clock{wall: time.Now()} }

func (c *clock) monotonic() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lease
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wall
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lease += d
	c.wall = c.wall.Add(d)
}

func (c *clock) step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall = c.wall.Add(d)
}

// storage is the directory of one rig; each crash moves to a copy.
type storage struct {
	t       testing.TB
	clock   *clock
	options sqliteq.Options
	root    string
	copies  int
	path    string
	opened  []*sqliteq.Driver
}

func (s *storage) open() *sqliteq.Driver {
	s.t.Helper()
	d, err := sqliteq.Open(context.WithoutCancel(s.t.Context()), s.path, s.options)
	if err != nil {
		s.t.Fatalf("open: %v", err)
	}
	s.opened = append(s.opened, d)
	return d
}

// crash copies the files as they are: what is not in them yet is lost with the process.
func (s *storage) crash() queue.Driver {
	s.t.Helper()
	s.copies++
	dir := filepath.Join(s.root, strconv.Itoa(s.copies))
	if err := os.Mkdir(dir, 0o700); err != nil {
		s.t.Fatalf("copy: %v", err)
	}
	for _, suffix := range []string{"", "-wal"} {
		if err := copyFile(filepath.Join(dir, "queue.db"+suffix), s.path+suffix); err != nil {
			s.t.Fatalf("copy: %v", err)
		}
	}
	s.path = filepath.Join(dir, "queue.db")
	return s.open()
}

func (s *storage) restart() queue.Driver {
	s.t.Helper()
	if err := s.opened[len(s.opened)-1].Close(); err != nil {
		s.t.Fatalf("close: %v", err)
	}
	return s.open()
}

func (s *storage) close() {
	for _, d := range s.opened {
		if err := d.Close(); err != nil {
			s.t.Errorf("close: %v", err)
		}
	}
	if err := os.RemoveAll(s.root); err != nil {
		s.t.Errorf("remove: %v", err)
	}
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	_, err = io.Copy(out, in)
	return err
}

// room is a disk that is full or not.
type room struct{ full atomic.Bool }

func (r *room) Take(int64) bool { return !r.full.Load() }
func (r *room) Look()           {}

// harness makes rigs of this driver on clocks of their own. A crash here is the end of the process, which needs no fsync;
// TestSyncPolicy holds that there are fsyncs.
func harness() queuetest.Harness {
	return queuetest.Harness{Open: func(t testing.TB) *queuetest.Rig {
		c, disk := newClock(), &room{}
		root, err := os.MkdirTemp(t.TempDir(), "rig")
		if err != nil {
			t.Fatalf("make a directory: %v", err)
		}
		s := &storage{t: t, clock: c, root: root, path: filepath.Join(root, "queue.db"),
			options: sqliteq.Options{Synchronous: "OFF", Monotonic: c.monotonic, Now: c.now, Room: disk}}
		t.Cleanup(s.close)
		return &queuetest.Rig{Driver: s.open(), Crash: s.crash, Restart: s.restart, Advance: c.advance, StepWall: c.step, Fill: disk.full.Store,
			Close: s.close, Unit: time.Second}
	}}
}

func TestMain(m *testing.M) {
	if childMain() {
		return
	}
	goleak.VerifyTestMain(m)
}
