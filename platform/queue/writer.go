package queue

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muttproject/mutt/platform/fault"
)

// Limits of a Writer.
const (
	// maxEntries and maxWrite bound one append to the storage, in entries and bytes of records.
	maxEntries = 16
	maxWrite   = 4 << 20
	// maxPending is the default of WriterOptions.MaxPending.
	maxPending = 64 << 20
	// pendingRetry is what a caller is told when too much is pending.
	pendingRetry = time.Second
)

// WriterOptions configure a Writer.
type WriterOptions struct {
	Queue      Name         // Ingest by default; on Alert the records are alerts and counted as meta-alerts
	Cap        func() int64 // how many events the queue may hold, asked at every append; nil or 0 for no cap
	CapBytes   func() int64 // how many bytes it may hold, likewise; see SizeOf
	MaxPending int64        // bytes of records that may wait or be on their way; 64 MiB by default
}

// Writer makes entries of single events from many callers. One append per partition is on its way at a time, and
// what comes in the meantime shares the next one: a lone caller waits for nobody, a thousand share an fsync.
// Its goroutines live only while there is something to write.
type Writer struct {
	q    *Queue
	opts WriterOptions
	// ctx is that of the appends: they serve many callers, so none of their contexts may end them. Stop does.
	ctx    context.Context
	cancel context.CancelFunc

	pending atomic.Int64 // bytes
	calls   atomic.Int64 // submissions in hand

	mu     sync.Mutex
	lanes  []writeLane // by partition
	closed bool
	busy   sync.WaitGroup // running lanes
}

// writeLane is what waits for one partition, in the order of arrival.
type writeLane struct {
	waiting []*submission
	running bool
	press   press // used by the goroutine that runs the lane
}

// Writer makes a Writer.
func (q *Queue) Writer(o WriterOptions) *Writer {
	if o.Queue == "" {
		o.Queue = Ingest
	}
	if o.MaxPending <= 0 {
		o.MaxPending = maxPending
	}
	ctx, cancel := context.WithCancel(context.Background()) // see Writer.ctx
	w := &Writer{q: q, opts: o, ctx: ctx, cancel: cancel, lanes: make([]writeLane, q.opts.Partitions)}
	for i := range w.lanes {
		w.lanes[i].press = press{queue: o.Queue, partition: i}
	}
	return w
}

// Append stores items and returns when they are durable. The order of one caller's items of a partition is kept.
// The error is the fault that befell all of them, or a *PartialError. When ctx ends before the items were taken up, nothing
// is stored and the error is the context's; from then on the outcome is awaited. Records are not used after the return.
func (w *Writer) Append(ctx context.Context, items []Item) error {
	if err := ctx.Err(); err != nil || len(items) == 0 {
		return err
	}
	subs, err := w.submissions(items)
	if err != nil {
		return err
	}
	for _, s := range subs {
		if err := w.submit(s); err != nil {
			s.failAll(err)
			s.done <- struct{}{}
		}
	}
	for _, s := range subs {
		w.await(ctx, s)
	}
	return outcome(subs, len(items))
}

// await waits until a submission is written, refused or withdrawn.
func (w *Writer) await(ctx context.Context, s *submission) {
	select {
	case <-s.done:
	case <-ctx.Done():
		if !s.state.CompareAndSwap(subWaiting, subWithdrawn) {
			<-s.done
			return
		}
		w.letGo(s)
		s.failAll(ctx.Err())
	}
}

// Waiting gives how many calls (one for each partition that a call touches) are not answered yet.
func (w *Writer) Waiting() int { return int(w.calls.Load()) }

// submit hands a submission to its lane and sets that going.
func (w *Writer) submit(s *submission) error {
	if w.pending.Add(s.bytes) > w.opts.MaxPending && w.pending.Load() > s.bytes { // one alone always may
		w.pending.Add(-s.bytes)
		return fault.New(fault.QueueFull, "more events arrive than can be written").WithRetryAfter(pendingRetry)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls.Add(1)
	if w.closed {
		w.letGo(s)
		return fault.New(fault.Closed, "the queue is closing")
	}
	l := &w.lanes[s.partition]
	l.waiting = append(l.waiting, s)
	if !l.running {
		l.running = true
		w.busy.Add(1)
		go w.run(l)
	}
	return nil
}

// letGo gives back the room of a submission.
func (w *Writer) letGo(s *submission) {
	w.pending.Add(-s.bytes)
	w.calls.Add(-1)
}

// run writes what waits in a lane until nothing does.
func (w *Writer) run(l *writeLane) {
	defer w.busy.Done()
	var subs []*submission
	for {
		subs = w.take(l, subs[:0])
		if len(subs) == 0 {
			return
		}
		w.write(l.press.entries(subs), &l.press)
		for _, s := range subs {
			w.letGo(s)
			s.done <- struct{}{}
		}
		clear(subs)
	}
}

// take gives what one append can carry, nothing when the lane is to rest.
func (w *Writer) take(l *writeLane, into []*submission) []*submission {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, bytes := 0, int64(0)
	for n < len(l.waiting) && bytes < maxWrite && len(into) < maxEntries*TargetEvents {
		s := l.waiting[n]
		n++
		if s.state.CompareAndSwap(subWaiting, subTaken) {
			into = append(into, s)
			bytes += s.bytes
		}
	}
	left := copy(l.waiting, l.waiting[n:])
	clear(l.waiting[left:])
	l.waiting = l.waiting[:left]
	l.running = len(into) > 0
	return into
}

// write appends drafts, as many at a time as the storage likes.
func (w *Writer) write(drafts []*draft, p *press) {
	for len(drafts) > 0 {
		n, bytes := 0, 0
		for n < len(drafts) && n < maxEntries && (n == 0 || bytes+drafts[n].size <= maxWrite) {
			bytes += drafts[n].size
			n++
		}
		w.append(drafts[:n], p)
		drafts = drafts[n:]
	}
}

// append is one append. What a sender sent before is taken out, and the rest tried again.
func (w *Writer) append(drafts []*draft, p *press) {
	for len(drafts) > 0 {
		params := AppendParams{Counts: p.counts(drafts, w.q.Minute()), Intake: w.opts.Queue == Ingest}
		if w.opts.Cap != nil {
			params.Cap = w.opts.Cap()
		}
		if w.opts.CapBytes != nil {
			params.CapBytes = w.opts.CapBytes()
		}
		for _, d := range drafts {
			params.Entries = append(params.Entries, d.entry)
		}
		err := w.q.append(w.ctx, params)
		if err == nil {
			return
		}
		rest, ok := p.withoutRepeats(drafts, err)
		if !ok {
			for _, d := range drafts {
				d.fail(err)
			}
			return
		}
		drafts = rest
	}
}

// Stop refuses new items and waits until the accepted ones are written. When ctx ends first, the appends are cancelled.
func (w *Writer) Stop(ctx context.Context) error {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	defer w.cancel()
	idle := make(chan struct{})
	go func() {
		w.busy.Wait()
		close(idle)
	}()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		w.cancel()
		<-idle
		return ctx.Err()
	}
}
