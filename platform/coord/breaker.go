package coord

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/fault"
)

// State is the state of a breaker.
type State string

// The states.
const (
	StateClosed   State = "closed"    // work flows
	StateHalfOpen State = "half_open" // one probe is under way
	StateOpen     State = "open"      // nothing flows until the next probe
)

func (s State) gauge() float64 {
	switch s {
	case StateHalfOpen:
		return 1
	case StateOpen:
		return 2
	default:
		return 0
	}
}

// BreakerSettings are what an operator can change while it runs.
type BreakerSettings struct {
	Enabled   bool
	Threshold int64         // failures in a row that open it
	Timeout   time.Duration // the longest pause between two probes
}

// BreakerOptions configure a Breaker. All but the durations are required.
type BreakerOptions struct {
	Name     string
	Settings func() BreakerSettings
	ProbeTTL time.Duration // after which a probe that did not report is taken for dead; 0 means a minute
	Refresh  time.Duration // how old the view of a closed breaker may be; 0 means 250 ms
	Now      func() time.Time
	Metrics  *BreakerMetrics
}

// Breaker is a circuit breaker shared by every process that uses its name.
//
// Its state is one value. While it is not closed a second value, the hold, stands for "not now": it is there during the
// pause before the next probe, and from a probe's start until its result. The process that creates the hold again is the probe.
//
// Pauses are short at first, so that a short outage costs seconds, and then grow with the time since the opening, so that a
// long one costs few requests. That time is part of the state: it holds across processes and restarts of them.
type Breaker struct {
	coord Coord
	opts  BreakerOptions

	mu   sync.Mutex
	view view
}

// What a hold says.
const (
	holdOpen  = "open"  // the pause is not over
	holdProbe = "probe" // one is under way
)

// circuit is the shared state.
type circuit struct {
	State    State `json:"state"`
	Failures int64 `json:"failures"`
	Since    int64 `json:"since,omitempty"` // when it opened, Unix ms by the clock of the process that opened it
}

// The pauses between probes.
const (
	firstPause  = 5 * time.Second // for the first two minutes; then it doubles with each probe
	firstPauses = 2 * time.Minute
)

// pause returns how long an open breaker lets nothing through before its next probe. After n doublings the breaker has been open
// for firstPauses + 2*firstPause*(2^n-1), from which n follows by the time alone.
func (b *Breaker) pause(c circuit) time.Duration {
	longest := b.opts.Settings().Timeout
	pause := firstPause
	open := b.opts.Now().Sub(time.UnixMilli(c.Since)) - firstPauses // a clock that is behind only makes it probe more often
	for next := 2 * firstPause; open >= 0 && pause < longest; next *= 2 {
		pause = next
		open -= next
	}
	return min(pause, longest)
}

type view struct {
	circuit
	version int64
	at      time.Time
}

// NewBreaker returns a Breaker. It does no I/O.
func NewBreaker(c Coord, o BreakerOptions) *Breaker {
	deps.Must(o)
	if o.ProbeTTL <= 0 {
		o.ProbeTTL = time.Minute
	}
	if o.Refresh <= 0 {
		o.Refresh = 250 * time.Millisecond
	}
	b := &Breaker{coord: c, opts: o, view: view{circuit: circuit{State: StateClosed}}}
	o.Metrics.begin(o.Name, b.view.circuit)
	return b
}

// Permit is the right to make one call; the caller reports its result with Done, or calls Cancel when it made no call.
type Permit struct {
	b     *Breaker
	hold  int64 // of a probe
	probe bool
}

// Probe reports whether the call decides over the breaker.
func (p Permit) Probe() bool { return p.probe }

// Allow asks for a permit. Without one (ok is false) wait says when to ask again.
func (b *Breaker) Allow(ctx context.Context) (p Permit, wait time.Duration, ok bool, err error) {
	if !b.opts.Settings().Enabled {
		b.forget()
		return Permit{}, 0, true, nil
	}
	v := b.last()
	if v.at.IsZero() || v.State != StateClosed || b.opts.Now().Sub(v.at) >= b.opts.Refresh {
		if v, err = b.load(ctx); err != nil {
			return Permit{}, 0, false, err
		}
	}
	if v.State == StateClosed {
		return Permit{b: b}, 0, true, nil
	}
	return b.tryProbe(ctx, v)
}

// State returns the state as this process last saw it.
func (b *Breaker) State() State {
	if !b.opts.Settings().Enabled {
		return StateClosed
	}
	return b.last().State
}

func (b *Breaker) tryProbe(ctx context.Context, v view) (Permit, time.Duration, bool, error) {
	hold, err := b.coord.Put(ctx, PutParams{Key: b.holdKey(), Data: []byte(holdProbe), TTL: b.opts.ProbeTTL})
	if fault.Is(err, fault.Conflict) {
		held, err := b.coord.Get(ctx, b.holdKey())
		if pause := b.pause(v.circuit); err == nil && string(held.Data) == holdOpen && held.TTL > pause {
			err = b.setHold(ctx, held.Version, held.Data, pause) // an operator has shortened it
		}
		// Another process's probe may end the wait: look at least once a Refresh.
		return Permit{}, max(time.Millisecond, min(held.TTL, b.opts.Refresh)), false, err
	}
	if err != nil {
		return Permit{}, 0, false, err
	}
	p := Permit{b: b, probe: true, hold: hold}
	// Also when it is half-open already, because the probe before this one died: that it still is must be sure.
	switch err := b.change(ctx, v, circuit{StateHalfOpen, v.Failures, v.Since}); {
	case fault.Is(err, fault.Conflict): // somebody else moved it; see what it is now
		return Permit{}, time.Millisecond, false, p.Cancel(ctx)
	case err != nil:
		return Permit{}, 0, false, err
	}
	return p, 0, true, nil
}

// Cancel returns a permit without a call.
func (p Permit) Cancel(ctx context.Context) error {
	if !p.probe {
		return nil
	}
	return p.b.setHold(ctx, p.hold, nil, 0)
}

// Done reports the result of the call.
func (p Permit) Done(ctx context.Context, success bool) error {
	if p.b == nil {
		return nil
	}
	if success && !p.probe {
		if v := p.b.last(); v.State == StateClosed && v.Failures == 0 {
			return nil
		}
	}
	if err := p.b.record(ctx, p, success); err != nil {
		return fmt.Errorf("record a result of breaker %s: %w", p.b.opts.Name, err)
	}
	return nil
}

// record applies one result to the shared state, again when others were faster.
func (b *Breaker) record(ctx context.Context, p Permit, success bool) error {
	for {
		v, err := b.load(ctx)
		if err != nil {
			return err
		}
		next, hold := b.next(v.circuit, p.probe, success)
		if hold > 0 { // before the state, so that nobody probes in between
			if err := b.restHold(ctx, p, hold); err != nil {
				return err
			}
		}
		if next != v.circuit {
			if err = b.change(ctx, v, next); fault.Is(err, fault.Conflict) {
				continue
			} else if err != nil {
				return err
			}
		}
		if p.probe && success {
			return b.setHold(ctx, p.hold, nil, 0)
		}
		return nil
	}
}

// next is the state machine. hold is how long nothing may flow, 0 for no change of that.
func (b *Breaker) next(c circuit, probe, success bool) (next circuit, hold time.Duration) {
	switch {
	case probe && success:
		return circuit{State: StateClosed}, 0
	case probe:
		next = circuit{StateOpen, c.Failures + 1, c.Since}
		return next, b.pause(next)
	case c.State != StateClosed: // a late answer of before: only the probe decides
		return c, 0
	case success:
		return circuit{State: StateClosed}, 0
	case c.Failures+1 >= b.opts.Settings().Threshold:
		next = circuit{StateOpen, c.Failures + 1, b.opts.Now().UnixMilli()}
		return next, b.pause(next)
	default:
		return circuit{State: StateClosed, Failures: c.Failures + 1}, 0
	}
}

// restHold sets the hold for an open breaker: a probe's own, else whatever is there.
func (b *Breaker) restHold(ctx context.Context, p Permit, d time.Duration) error {
	version := p.hold
	if !p.probe {
		held, err := b.coord.Get(ctx, b.holdKey())
		if err != nil {
			return err
		}
		version = held.Version
	}
	return b.setHold(ctx, version, []byte(holdOpen), d)
}

// setHold changes the hold. It returns nil also when another process has changed it meanwhile.
func (b *Breaker) setHold(ctx context.Context, version int64, data []byte, ttl time.Duration) error {
	_, err := b.coord.Put(ctx, PutParams{Key: b.holdKey(), Data: data, Version: version, TTL: ttl})
	if fault.Is(err, fault.Conflict) {
		return nil
	}
	return err
}

// load reads the shared state.
func (b *Breaker) load(ctx context.Context) (view, error) {
	v, err := readCircuit(ctx, b.coord, b.opts.Name, b.opts.Now())
	if err != nil {
		return view{}, err
	}
	b.keep(v)
	return v, nil
}

// BreakerState returns the shared state of a breaker, for a process that only looks at it.
func BreakerState(ctx context.Context, c Coord, name string) (State, error) {
	v, err := readCircuit(ctx, c, name, time.Time{})
	return v.State, err
}

// BreakerStatus is what a process that only looks at a breaker sees of it.
type BreakerStatus struct {
	State     State
	Failures  int64         // in a row
	Since     time.Time     // when it opened, by the clock of the process that opened it; zero when it is closed
	NextProbe time.Duration // how long until the next probe may be made; 0 unless it is open
}

// ReadBreaker returns the shared state of a breaker.
func ReadBreaker(ctx context.Context, c Coord, name string) (BreakerStatus, error) {
	v, err := readCircuit(ctx, c, name, time.Time{})
	if err != nil {
		return BreakerStatus{}, err
	}
	out := BreakerStatus{State: v.State, Failures: v.Failures}
	if v.State == StateClosed {
		return out, nil
	}
	if v.Since != 0 {
		out.Since = time.UnixMilli(v.Since)
	}
	held, err := c.Get(ctx, breakerHoldKey(name))
	if err != nil {
		return BreakerStatus{}, err
	}
	if string(held.Data) == holdOpen {
		out.NextProbe = held.TTL
	}
	return out, nil
}

func readCircuit(ctx context.Context, c Coord, name string, at time.Time) (view, error) {
	raw, err := c.Get(ctx, breakerKey(name))
	if err != nil {
		return view{}, err
	}
	v := view{circuit: circuit{State: StateClosed}, version: raw.Version, at: at}
	if raw.Version != 0 {
		if err := json.Unmarshal(raw.Data, &v.circuit); err != nil {
			return view{}, fault.Wrap(fault.Corrupt, err, "state of breaker %s", name)
		}
	}
	return v, nil
}

// change replaces the state v with next; Conflict when it is no longer v.
func (b *Breaker) change(ctx context.Context, v view, next circuit) error {
	data, err := json.Marshal(next)
	if err != nil {
		return err
	}
	version, err := b.coord.Put(ctx, PutParams{Key: b.stateKey(), Data: data, Version: v.version})
	if err != nil {
		return err
	}
	if next.State != v.State {
		b.opts.Metrics.changes.WithLabelValues(b.opts.Name, string(v.State), string(next.State)).Inc()
	}
	b.keep(view{circuit: next, version: version, at: b.opts.Now()})
	return nil
}

func (b *Breaker) last() view {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.view
}

// keep remembers a view unless a newer one is known.
func (b *Breaker) keep(v view) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if v.at.Before(b.view.at) || v.at.Equal(b.view.at) && v.version < b.view.version {
		return
	}
	b.view = v
	b.opts.Metrics.show(b.opts.Name, v.circuit)
}

// forget shows a breaker that is switched off as closed. Its shared state stays, and is read again when it is switched on.
func (b *Breaker) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.view.State != StateClosed || b.view.Failures > 0 {
		b.view = view{circuit: circuit{State: StateClosed}}
		b.opts.Metrics.show(b.opts.Name, b.view.circuit)
	}
}

func breakerKey(name string) string { return "breaker/" + name }

func breakerHoldKey(name string) string { return breakerKey(name) + "/hold" }

func (b *Breaker) stateKey() string { return breakerKey(b.opts.Name) }
func (b *Breaker) holdKey() string  { return breakerHoldKey(b.opts.Name) }
