package sqliteq

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muttproject/mutt/platform/connect/sqlite"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// maxOps bounds a transaction, and so how long the first of its operations waits for the last.
const maxOps = 128

// op is one call of a caller, to be run by the writer.
type op struct {
	at    time.Duration   // on the monotonic clock, when it was submitted: a slow disk ends no lease
	run   func(*tx) error // may run more than once; then everything of the former run was rolled back
	light bool            // need not survive a power cut, only the end of the process
	state atomic.Int32
	done  chan error
}

const (
	opQueued int32 = iota
	opStarted
	opDropped
)

// writer owns the writing connection.
type writer struct {
	ctx   context.Context // never ends
	conn  *sql.Conn
	d     *Driver
	stmts *statements

	mu      sync.Mutex
	pending []*op
	closed  bool
	kick    chan struct{} // holds one token when pending is not empty or closed is true
	stopped chan struct{}

	// The rest belongs to the loop.
	lanes   []lane
	nextSeq int64
	saved   []lane // of the last commit
	relaxed bool   // synchronous is NORMAL just now
}

func newWriter(ctx context.Context, conn *sql.Conn, d *Driver) (*writer, error) {
	s, err := prepare(ctx, conn)
	if err != nil {
		return nil, err
	}
	return &writer{ctx: ctx, conn: conn, d: d, stmts: s, kick: make(chan struct{}, 1), stopped: make(chan struct{})}, nil
}

// do has an operation run by the writer and waits for its outcome. When ctx ends before it began, it never will.
func (d *Driver) do(ctx context.Context, light bool, run func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o := &op{at: d.opts.Monotonic(), run: run, light: light, done: make(chan error, 1)}
	if !d.w.submit(o) {
		return fault.New(fault.Closed, "the queue is closed")
	}
	select {
	case err := <-o.done:
		return err
	case <-ctx.Done():
		if o.state.CompareAndSwap(opQueued, opDropped) {
			return ctx.Err()
		}
		return <-o.done
	}
}

func (w *writer) submit(o *op) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.pending = append(w.pending, o)
	w.wake()
	return true
}

func (w *writer) wake() {
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

// stop ends the loop after what is pending.
func (w *writer) stop() {
	w.mu.Lock()
	w.closed = true
	w.wake()
	w.mu.Unlock()
	<-w.stopped
}

// take gives the operations of the next transaction; none, and last, when the writer is to end.
func (w *writer) take(into []*op) (ops []*op, last bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := min(len(w.pending), maxOps)
	for _, o := range w.pending[:n] {
		if o.state.CompareAndSwap(opQueued, opStarted) {
			into = append(into, o)
		}
	}
	left := copy(w.pending, w.pending[n:])
	clear(w.pending[left:])
	w.pending = w.pending[:left]
	if left > 0 || w.closed {
		w.wake()
	}
	return into, w.closed && left == 0 && len(into) == 0
}

func (w *writer) loop() {
	defer close(w.stopped)
	var ops []*op
	for range w.kick {
		var last bool
		if ops, last = w.take(ops[:0]); last {
			return
		}
		w.commit(ops)
		clear(ops)
	}
}

// commit runs operations in one transaction. When the file refuses one, each runs in a transaction of its own, so that
// one that cannot be written (too large for the disk, on a damaged page) takes no other along.
func (w *writer) commit(ops []*op) {
	if len(ops) == 0 {
		return
	}
	outcomes, err := w.attempt(ops)
	if err != nil && len(ops) > 1 {
		for i := range ops {
			w.commit(ops[i : i+1])
		}
		return
	}
	for i, o := range ops {
		if err != nil {
			if sqlite.IsFull(err) {
				w.d.opts.Room.Look()
			}
			outcomes[i] = sqlite.Fault(err, fault.QueueUnavailable, "write the queue")
		}
		o.done <- outcomes[i]
	}
}

// attempt gives each operation's outcome, or an error when nothing of any was stored.
func (w *writer) attempt(ops []*op) (outcomes []error, err error) {
	outcomes = make([]error, len(ops))
	w.saved = append(w.saved[:0], w.lanes...)
	seq := w.nextSeq
	t := &tx{w: w, alone: len(ops) == 1}
	for _, o := range ops {
		t.durable = t.durable || !o.light
	}
	for i, o := range ops {
		outcomes[i], err = t.step(o)
		if err != nil {
			break
		}
	}
	if err == nil {
		err = t.commit()
	}
	if err != nil {
		t.rollback()
		w.lanes = append(w.lanes[:0], w.saved...)
		w.nextSeq = seq
		return outcomes, err
	}
	w.d.publish(w.lanes)
	return outcomes, nil
}

// sync sets whether the next commit waits for the disk. It cannot be changed within a transaction.
func (w *writer) sync(durable bool) error {
	if w.d.Capabilities().Durability != "fsync" || durable == !w.relaxed {
		return nil
	}
	text := "PRAGMA synchronous=NORMAL"
	if durable {
		text = "PRAGMA synchronous=FULL"
	}
	if _, err := w.conn.ExecContext(w.ctx, text); err != nil {
		return fmt.Errorf("set synchronous: %w", err)
	}
	w.relaxed = !durable
	return nil
}

// isOutcome tells an answer to the caller from a failure of the file.
func isOutcome(err error) bool {
	var dup *queue.DuplicateError
	if errors.As(err, &dup) {
		return true
	}
	_, ok := fault.As(err)
	return ok
}
