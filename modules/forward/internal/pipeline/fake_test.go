package pipeline

import (
	"context"
	"encoding/binary"
	"fmt"
	"github.com/muttproject/mutt/platform/trouble"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/modules/forward/internal/dest"
	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// memory is one partition of the alert queue with the driver's contract, as far as a holder sees it. It outlives the
// pipelines that a test starts and kills.
type memory struct {
	mu        sync.Mutex
	entries   []*stored
	dead      map[event.ID]queue.DeadLetter
	counts    map[string]int64
	latencies []queue.Count // of deliveries
	released  []queue.Giveback
	settles   int
	fail      []error // of the next settles
	appended  chan struct{}
}

type stored struct {
	queue.Claimed
	claimed bool
	due     time.Time
}

func newMemory() *memory {
	return &memory{dead: map[event.ID]queue.DeadLetter{}, counts: map[string]int64{}, appended: make(chan struct{}, 1)}
}

func (m *memory) append(alerts ...event.Alert) {
	m.appendBody(event.EncodeAlerts(alerts), len(alerts))
}

func (m *memory) appendBody(body []byte, events int) event.ID {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := uuid.Must(uuid.NewV7())
	m.entries = append(m.entries, &stored{Claimed: queue.Claimed{Entry: id, Events: events, Body: body, AppendedAt: time.Now()}})
	notify(m.appended)
	return id
}

// Claim implements Holder.
func (m *memory) Claim(ctx context.Context, n int, wait time.Duration) ([]queue.Claimed, error) {
	for range 2 {
		m.mu.Lock()
		var out []queue.Claimed
		for _, e := range m.entries {
			if len(out) < n && !e.claimed && !e.due.After(time.Now()) {
				e.claimed = true
				e.Deliveries++
				out = append(out, e.Claimed)
			}
		}
		m.mu.Unlock()
		if len(out) > 0 {
			return out, nil
		}
		select {
		case <-m.appended:
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return nil, nil
}

func (m *memory) find(id event.ID) *stored {
	for _, e := range m.entries {
		if e.Entry == id && e.claimed {
			return e
		}
	}
	return nil
}

// Settle implements Holder.
func (m *memory) Settle(ctx context.Context, s queue.Settlement) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.settles++
	if len(m.fail) > 0 {
		err := m.fail[0]
		m.fail = m.fail[1:]
		return err
	}
	for _, id := range s.Ack {
		if m.find(id) == nil {
			return fault.New(fault.StaleReceipt, "entry %s is not claimed", id)
		}
	}
	for _, p := range s.Progress {
		e := m.find(p.Entry)
		if e == nil {
			return fault.New(fault.StaleReceipt, "entry %s is not claimed", p.Entry)
		}
		e.Progress = slices.Clone(p.Note)
		e.Events = p.Left
	}
	m.entries = slices.DeleteFunc(m.entries, func(e *stored) bool { return slices.Contains(s.Ack, e.Entry) })
	for _, d := range s.Dead {
		if _, ok := m.dead[d.ID]; !ok {
			m.dead[d.ID] = d
		}
	}
	for _, c := range s.Counts {
		m.counts[c.Kind] += c.N
		if c.Kind == queue.CountDeliveryLatency {
			m.latencies = append(m.latencies, c)
		}
	}
	return nil
}

// live is the depth of the queue.
func (m *memory) live() (n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		n += int64(e.Events)
	}
	return n
}

// Release implements Holder.
func (m *memory) Release(_ context.Context, g queue.Giveback) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range g.Entries {
		e := m.find(id)
		e.claimed, e.due = false, time.Now().Add(g.Delay)
	}
	m.released = append(m.released, g)
	return nil
}

// yield is what the queue does when a holder is gone.
func (m *memory) yield() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		e.claimed = false
	}
}

// noted gives the alerts that storage says are settled.
func (m *memory) noted() map[event.ID]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[event.ID]bool{}
	for _, e := range m.entries {
		alerts, err := event.DecodeAlerts(nil, e.Body)
		if err != nil {
			continue
		}
		marks, _, err := decodeProgress(e.Progress, len(alerts))
		if err != nil {
			panic(err)
		}
		for i, k := range marks {
			out[alerts[i].Event.ID] = k.settled()
		}
	}
	return out
}

func (m *memory) left() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.entries)
}

func (m *memory) count(kind string) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counts[kind]
}

func (m *memory) letters() map[event.ID]queue.DeadLetter {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[event.ID]queue.DeadLetter{}
	for k, v := range m.dead {
		out[k] = v
	}
	return out
}

// target is a destination whose answers a test decides.
type target struct {
	answer func(ctx context.Context, alerts []event.ID) dest.Result
	mu     sync.Mutex
	log    []sent
}

type sent struct {
	at     time.Time
	alerts []event.ID
	result dest.Result
}

// Send implements dest.Destination.
func (d *target) Send(ctx context.Context, alerts []*event.Alert) dest.Result {
	s := sent{at: time.Now()}
	for _, a := range alerts {
		s.alerts = append(s.alerts, a.Event.ID)
	}
	s.result = d.answer(ctx, s.alerts)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.log = append(d.log, s)
	return s.result
}

func (d *target) sent() []sent {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.log)
}

// delivered lists what was taken, in order, repeats included.
func (d *target) delivered() []event.ID {
	var out []event.ID
	for _, s := range d.sent() {
		if s.result.Class == dest.Delivered {
			out = append(out, s.alerts...)
		}
	}
	return out
}

func ok() dest.Result {
	return dest.Result{Class: dest.Delivered, Alive: true, Status: 200, Reason: dest.ReasonOK}
}
func status(code int) dest.Result {
	r := dest.Result{Class: dest.Rejected, Alive: true, Status: code, Reason: dest.ReasonClient, Detail: fmt.Sprint("HTTP ", code)}
	if code >= 500 {
		r.Class, r.Alive, r.Reason = dest.Retry, false, dest.ReasonServer
	}
	return r
}
func unreachable() dest.Result {
	return dest.Result{Class: dest.Deferred, Reason: dest.ReasonUnreachable, Detail: "no route"}
}

// alert makes the nth alert, of a signature.
func alert(n int, signature string) event.Alert {
	return event.Alert{Event: event.Event{ID: number(n), Hostname: "host", Message: fmt.Sprint("message ", n)},
		Decision: event.Decision{Fate: event.FateForwarded, Signature: signature}}
}

func number(n int) (id event.ID) {
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	return id
}

// bench is one test's world. The zero limits mean none.
type bench struct {
	t       testing.TB
	cfg     Config
	queue   *memory
	target  *target
	dest    dest.Destination // instead of target
	coord   *coord.Local
	limit   coord.Limit
	breaker coord.BreakerSettings
	refresh time.Duration // of the breaker; rare looks for tests of days
	set     Settings
}

func newBench(t testing.TB, answer func(ctx context.Context, alerts []event.ID) dest.Result) *bench {
	return &bench{t: t, cfg: Config{Workers: 32, BatchMax: 1, MaxAlerts: MaxAlerts}, queue: newMemory(), target: &target{answer: answer}, coord: coord.NewLocal(time.Now),
		limit: coord.Limit{Rate: 1e6, Period: time.Second, Burst: 1},
		set:   Settings{MaxRetries: 5, BaseDelay: time.Second, MaxDelay: time.Minute}}
}

// process is a running pipeline.
type process struct {
	engine *Engine
	stop   func()     // in order
	kill   func()     // as a lost lease or kill -9 does it: nothing is written any more
	done   chan error // of Work
	ended  chan struct{}
}

func (b *bench) start() *process {
	reg := prometheus.NewRegistry()
	to := b.dest
	if to == nil {
		to = b.target
	}
	e := New(b.cfg, Deps{Destination: to, Settings: func() Settings { return b.set }, Metrics: NewMetrics(reg),
		Limiter: coord.NewLimiter(b.coord, "rate", func() coord.Limit { return b.limit }),
		Taken:   coord.NewPulse(b.coord, "moog"),
		Breaker: coord.NewBreaker(b.coord, coord.BreakerOptions{Name: "moog", Refresh: b.refresh,
			Settings: func() coord.BreakerSettings { return b.breaker }, Now: time.Now, Metrics: coord.NewBreakerMetrics(prometheus.NewRegistry())}),
		Trouble: trouble.NewBoard(zap.NewNop(), time.Now), Now: time.Now})
	work, cancel := context.WithCancelCause(b.t.Context())
	run, stopRun := context.WithCancel(context.WithoutCancel(work))
	p := &process{engine: e, done: make(chan error, 1), ended: make(chan struct{})}
	var running sync.WaitGroup
	running.Go(func() { e.Run(run) })
	go func() {
		defer close(p.ended)
		p.done <- e.Work(work, b.queue)
		stopRun()
		running.Wait()
		b.queue.yield()
	}()
	end := func(cause error) func() {
		return func() {
			cancel(cause)
			<-p.ended
		}
	}
	p.stop, p.kill = end(context.Canceled), end(fault.New(fault.LeaseLost, "test"))
	return p
}

// seen returns what is known of the destination.
func (e *Engine) seen() health {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.health
}
