package sqliteq

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muttproject/mutt/platform/connect/sqlite"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

func openTest(t *testing.T, o Options) *Driver {
	t.Helper()
	d, err := Open(t.Context(), filepath.Join(t.TempDir(), "queue.db"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func anEntry(size int) queue.Entry {
	return queue.Entry{ID: queue.NewEntryID(), Queue: queue.Ingest, Events: 1, Body: bytes.Repeat([]byte{'x'}, size)}
}

func (d *Driver) put(t *testing.T, size int) (event.ID, error) {
	t.Helper()
	e := anEntry(size)
	return e.ID, d.Append(t.Context(), queue.AppendParams{Entries: []queue.Entry{e}})
}

func (d *Driver) take(t *testing.T) (queue.Lease, []event.ID) {
	t.Helper()
	l, err := d.Acquire(t.Context(), queue.LeaseParams{Queue: queue.Ingest, Owner: "a", TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.Claim(t.Context(), queue.ClaimParams{Lease: l, Max: 100})
	if err != nil {
		t.Fatal(err)
	}
	var ids []event.ID
	for _, c := range got {
		ids = append(ids, c.Entry)
	}
	return l, ids
}

// stall keeps the writer busy until release is called, and makes sure that it is.
func (d *Driver) stall(t *testing.T) (release func()) {
	t.Helper()
	begun, hold, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		_ = d.do(context.WithoutCancel(t.Context()), true, func(*tx) error {
			close(begun)
			<-hold
			return nil
		})
	}()
	<-begun
	return func() {
		close(hold)
		<-done
	}
}

// queued waits until n operations wait for the writer.
func (d *Driver) queued(t *testing.T, n int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		d.w.mu.Lock()
		have := len(d.w.pending)
		d.w.mu.Unlock()
		if have >= n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d operations are queued", have, n)
		}
	}
}

func (d *Driver) pragma(t *testing.T, text string) string {
	t.Helper()
	var v string
	err := d.do(t.Context(), true, func(x *tx) error { return x.w.conn.QueryRowContext(x.w.ctx, "PRAGMA "+text).Scan(&v) })
	if err != nil {
		t.Fatalf("pragma %s: %v", text, err)
	}
	return v
}

func TestCancelledBeforeItBegan(t *testing.T) {
	t.Parallel()
	d := openTest(t, Options{Now: time.Now})
	release := d.stall(t)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- d.Append(ctx, queue.AppendParams{Entries: []queue.Entry{anEntry(10)}}) }()
	d.queued(t, 1)
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	release()
	if depth, err := d.Depth(t.Context(), queue.Ingest); err != nil || depth.Live() != 0 {
		t.Errorf("%d events, %v", depth.Live(), err)
	}
}

func TestCancelledAfterItBegan(t *testing.T) {
	t.Parallel()
	d := openTest(t, Options{Now: time.Now})
	ctx, cancel := context.WithCancel(t.Context())
	err := d.do(ctx, false, func(x *tx) error {
		cancel()
		return x.insert([]queue.Entry{anEntry(10)})
	})
	if depth, _ := d.Depth(t.Context(), queue.Ingest); err != nil || depth.Live() != 1 {
		t.Errorf("%d events, %v", depth.Live(), err)
	}
}

// TestOneTransactionForMany: what queues up while the disk is busy shares the next commit.
func TestOneTransactionForMany(t *testing.T) {
	t.Parallel()
	d := openTest(t, Options{Now: time.Now})
	const callers = 20
	release := d.stall(t)
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			if _, err := d.put(t, 100); err != nil {
				t.Error(err)
			}
		})
	}
	d.queued(t, callers)
	frames := d.frames(t)
	release()
	wg.Wait()
	// Each commit of its own would write the pages of the lane, the entries, two indexes and the bodies again.
	if grown := d.frames(t) - frames; grown > 20 {
		t.Errorf("%d appends wrote %d pages", callers, grown)
	}
}

// frames gives the length of the log in pages.
func (d *Driver) frames(t *testing.T) int64 {
	t.Helper()
	info, err := os.Stat(d.db.Path() + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	return info.Size() / (8192 + 24)
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	d := openTest(t, Options{Now: time.Now})
	kept, err := d.put(t, 1000)
	if err != nil {
		t.Fatal(err)
	}
	l, claimed := d.take(t)
	d.pragma(t, "max_page_count="+d.pragma(t, "page_count"))

	// In one transaction: what needs room fails, what needs none is done.
	release := d.stall(t)
	large, ack := make(chan error, 1), make(chan error, 1)
	go func() { _, err := d.put(t, 500_000); large <- err }()
	d.queued(t, 1)
	go func() { ack <- d.Settle(t.Context(), queue.SettleParams{Lease: l, Ack: claimed}) }()
	d.queued(t, 2)
	release()
	if err := <-large; !fault.Is(err, fault.QueueUnavailable) {
		t.Errorf("append to a full disk: %v", err)
	}
	if err := <-ack; err != nil {
		t.Errorf("ack of %s beside it: %v", kept, err)
	}
	if depth, err := d.Depth(t.Context(), queue.Ingest); err != nil || depth.Live() != 0 || depth.Entries != 0 {
		t.Errorf("depth %+v, %v", depth, err)
	}

	d.pragma(t, "max_page_count=1000000")
	if _, err := d.put(t, 500_000); err != nil {
		t.Errorf("append when there is room again: %v", err)
	}
}

func TestSyncPolicy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		configured, afterAppend, afterClaim string
	}{{"", "2", "1"}, {"FULL", "2", "1"}, {"NORMAL", "1", "1"}, {"OFF", "0", "0"}} {
		d := openTest(t, Options{Synchronous: c.configured, Now: time.Now})
		for range 2 {
			if _, err := d.put(t, 10); err != nil {
				t.Fatal(err)
			}
			if got := d.pragma(t, "synchronous"); got != c.afterAppend {
				t.Errorf("configured %q: append with %s", c.configured, got)
			}
			l, ids := d.take(t)
			if got := d.pragma(t, "synchronous"); got != c.afterClaim {
				t.Errorf("configured %q: claim with %s", c.configured, got)
			}
			if err := d.Settle(t.Context(), queue.SettleParams{Lease: l, Ack: ids}); err != nil {
				t.Fatal(err)
			}
			if got := d.pragma(t, "synchronous"); got != c.afterAppend {
				t.Errorf("configured %q: settle with %s", c.configured, got)
			}
		}
	}
}

func TestDeletedPagesAreUsedAgain(t *testing.T) {
	t.Parallel()
	d := openTest(t, Options{Synchronous: "OFF", Now: time.Now})
	for range 150 { // 60 MB in all
		if _, err := d.put(t, 400_000); err != nil {
			t.Fatal(err)
		}
		l, ids := d.take(t)
		if err := d.Settle(t.Context(), queue.SettleParams{Lease: l, Ack: ids}); err != nil {
			t.Fatal(err)
		}
	}
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(d.db.Path() + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > 24<<20 {
			t.Errorf("queue.db%s has %d bytes", suffix, info.Size())
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	newer := filepath.Join(t.TempDir(), "queue.db")
	db, err := sqlite.Open(t.Context(), newer, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Writer.ExecContext(t.Context(), fmt.Sprintf("PRAGMA user_version=%d", version+1)); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	garbage := filepath.Join(t.TempDir(), "queue.db")
	if err := os.WriteFile(garbage, bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fault.Code{newer: fault.NewerVersion, garbage: fault.Corrupt,
		filepath.Join(t.TempDir(), "no", "such", "queue.db"): fault.QueueUnavailable} {
		if d, err := Open(t.Context(), path, Options{Now: time.Now}); !fault.Is(err, want) {
			t.Errorf("want %s, got %v, %v", want, d, err)
		}
	}
}

// TestOpenBringsAnOlderFileUpToDate opens a file as version 1 made it, with an entry and a dead letter.
func TestOpenBringsAnOlderFileUpToDate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "queue.db")
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var old []string
	for line := range strings.Lines(schema) {
		if !strings.Contains(line, "replays ") && !strings.Contains(line, "  size ") && !strings.Contains(line, "given_up ") {
			old = append(old, line)
		}
	}
	letter, entry := queue.NewEntryID(), queue.NewEntryID()
	for _, step := range []struct {
		text string
		args []any
	}{
		{strings.Join(old, "") + "PRAGMA user_version=1;", nil},
		{"INSERT INTO lanes VALUES (1, 'alert', 0, 3)", nil},
		{"INSERT INTO entries VALUES (1, $1, 1, 0, 1, 0, 0, 1, 0, '', NULL)", []any{entry[:]}},
		{"INSERT INTO bodies VALUES (1, 'body')", nil},
		{"INSERT INTO dead VALUES (1, 'alert', $1, 1, 'letter', 'sw-1', 'exhausted', 'HTTP 503', 6, 1, 2)", []any{letter[:]}},
	} {
		if _, err := db.Writer.ExecContext(t.Context(), step.text, step.args...); err != nil {
			t.Fatalf("%s: %v", step.text, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // and once more, as it is then
		d, err := Open(t.Context(), path, Options{Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		items, err := d.Dead(t.Context(), queue.DeadParams{Queue: queue.Alert})
		if err != nil || len(items) != 1 || items[0].ID != letter || items[0].Replays != 0 || items[0].GivenUp {
			t.Fatalf("%+v, %v", items, err)
		}
		if stored, err := d.Stored(t.Context(), queue.Alert, []event.ID{entry}); err != nil || len(stored) != 1 {
			t.Fatalf("%v, %v", stored, err)
		}
		if depth, err := d.Depth(t.Context(), queue.Alert); err != nil || depth.Bytes != queue.SizeOf([]byte("body")) {
			t.Fatalf("%+v, %v", depth, err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	d, err := Open(t.Context(), path, Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if n, err := d.Requeue(t.Context(), queue.RequeueParams{Queue: queue.Alert, Revive: []queue.Revival{{ID: letter, Entry: queue.NewEntryID(), Replays: 1}}}); err != nil || n != 1 {
		t.Fatalf("requeued %d, %v", n, err)
	}
}

func TestMissingBodyBlocksNothing(t *testing.T) {
	t.Parallel()
	d := openTest(t, Options{Now: time.Now})
	var want []event.ID
	for range 2 {
		id, err := d.put(t, 10)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, id)
	}
	err := d.do(t.Context(), false, func(x *tx) error { _, err := x.exec(x.w.stmts.removeBody, 1); return err })
	if err != nil {
		t.Fatal(err)
	}
	l, got := d.take(t)
	if !slices.Equal(got, want) {
		t.Errorf("claimed %v of %v", got, want)
	}
	if err := d.Settle(t.Context(), queue.SettleParams{Lease: l, Ack: got}); err != nil {
		t.Error(err)
	}
}

// TestDelayEndsByItself: a waiting claim needs nobody to wake it when a delay ends.
func TestDelayEndsByItself(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "queue.db")
	synctest.Test(t, func(t *testing.T) {
		d, err := Open(t.Context(), path, Options{Synchronous: "OFF", Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if _, err := d.put(t, 10); err != nil {
			t.Fatal(err)
		}
		l, ids := d.take(t)
		const delay = 20 * time.Minute
		if err := d.Release(t.Context(), queue.ReleaseParams{Lease: l, Entries: ids, Delay: delay}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		got, err := d.Claim(t.Context(), queue.ClaimParams{Lease: l, Max: 1, Wait: time.Hour / 2})
		if took := time.Since(start); err != nil || len(got) != 1 || took < delay || took > delay+time.Second {
			t.Errorf("%d entries after %v, %v", len(got), took, err)
		}
		got, err = d.Claim(t.Context(), queue.ClaimParams{Lease: l, Max: 1, Wait: time.Minute})
		if took := time.Since(start); err != nil || len(got) != 0 || took < delay+time.Minute {
			t.Errorf("%d entries after %v, %v", len(got), took, err)
		}
	})
}
