package secrets

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/lifecycle"
)

// Options are what a Watcher is made of.
type Options struct {
	Providers  []Provider    // the first one that has a key gives it; a Keeper among them is kept while the Watcher runs
	Every      time.Duration // between looks for new versions
	Log        *zap.Logger
	Registerer prometheus.Registerer
}

// Keeper is a Provider with something to keep alive between readings, such as a token.
type Keeper interface {
	Provider
	// Keep works until ctx ends.
	Keep(ctx context.Context)
}

// Bounds of asking the providers. Connections that are refused everywhere at once must not become a storm of questions:
// after a Refresh that brought nothing the next one that asks is firstPause later, and each further one twice as late.
const (
	firstPause = time.Second
	lastPause  = 30 * time.Second
	readWithin = 15 * time.Second // one reading of all providers
)

// Watcher keeps the secrets in force. As a Service it looks for new versions; Reload loads them before.
type Watcher struct {
	*lifecycle.Runner
	o       Options
	now     atomic.Pointer[Set] // nil before the first successful Reload
	metrics *metrics

	mu     sync.Mutex
	flight *flight // the reading that is on its way; nil for none
	next   time.Time
	pause  time.Duration
	err    error // of the last reading
	heard  []func(*Set)
	away   map[string]error // of providers that could not be asked the last time: why

	given []Values // the last that each provider gave, nil before; of the reading on its way
}

// flight is one reading, which everybody who asks meanwhile waits for.
type flight struct {
	done chan struct{}
	err  error
	cut  bool // by the context of who reads: it says nothing to others
}

var (
	_ lifecycle.Service      = (*Watcher)(nil)
	_ lifecycle.Reloader     = (*Watcher)(nil)
	_ lifecycle.ReadyChecker = (*Watcher)(nil)
)

// NewWatcher makes a Watcher that has nothing yet.
func NewWatcher(o Options) *Watcher {
	deps.Must(o)
	w := &Watcher{o: o, away: map[string]error{}, given: make([]Values, len(o.Providers))}
	w.metrics = newMetrics(o.Registerer, o.Providers, w.Current)
	w.Runner = lifecycle.NewRunner("secrets", w.run)
	return w
}

// Current gives the secrets in force; nil before the first Reload, which is an empty Set.
func (w *Watcher) Current() *Set { return w.now.Load() }

// OnChange has fn called with each later Set, one after the other, by the goroutine that read it: fn is quick and does not call
// the Watcher's Refresh or Reload.
func (w *Watcher) OnChange(fn func(*Set)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard = append(w.heard, fn)
}

// Refresh is for who was refused with every secret it had: the providers are asked now, unless that was done a moment ago, and
// the Set in force is as fresh as may be when it returns. Who asks while others do gets their result. The error says that a
// provider cannot be asked; what it gave last stays in force.
func (w *Watcher) Refresh(ctx context.Context) error { return w.ask(ctx, false) }

// Reload asks the providers now, however short ago that was.
func (w *Watcher) Reload(ctx context.Context) error { return w.ask(ctx, true) }

func (w *Watcher) ask(ctx context.Context, always bool) error {
	for {
		w.mu.Lock()
		f := w.flight
		if f == nil && !always && time.Now().Before(w.next) {
			defer w.mu.Unlock()
			return w.err
		}
		if f == nil {
			f = &flight{done: make(chan struct{})}
			w.flight = f
			w.mu.Unlock()
			return w.read(ctx, f, always)
		}
		w.mu.Unlock()
		select {
		case <-f.done:
			if !f.cut && !always { // one that reloads wants a reading that began after its call
				return f.err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// read asks every provider and brings what they gave into force.
func (w *Watcher) read(ctx context.Context, f *flight, always bool) error {
	within, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	var errs []error
	for i, p := range w.o.Providers {
		values, err := p.Read(within)
		w.asked(p.Name(), err, ctx.Err() != nil)
		if err != nil {
			errs = append(errs, fmt.Errorf("read secrets from %s: %w", p.Name(), err))
			continue
		}
		w.given[i] = renumber(w.given[i], settle(values))
	}
	news := false
	if !slices.ContainsFunc(w.given, func(v Values) bool { return v == nil }) {
		news = w.enforce(NewSet(w.given...))
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	f.err, f.cut, w.flight = errors.Join(errs...), ctx.Err() != nil, nil
	defer close(f.done)
	switch {
	case f.cut && !news: // who comes next asks again
		return f.err
	case news:
		w.pause = 0
	case !always:
		w.pause = min(max(2*w.pause, firstPause), lastPause)
	}
	w.next, w.err = time.Now().Add(max(w.pause, firstPause)), f.err
	return f.err
}

// renumber sees that a value that is another has another version, also where a file changed twice within a tick of its clock.
func renumber(before, next Values) Values {
	for k, v := range next {
		if old, ok := before[k]; ok && old.Version == v.Version && !old.Secret.Equal(v.Secret) {
			v.Version.Number++
			next[k] = v
		}
	}
	return next
}

// enforce brings a Set into force and tells of what is new in it.
func (w *Watcher) enforce(next *Set) (news bool) {
	before := w.now.Load()
	w.now.Store(next)
	if before == nil {
		return true
	}
	changed := before.changed(next)
	for _, k := range changed {
		w.metrics.changes.WithLabelValues(string(k)).Inc()
		_, was := before.Get(k)
		if secret, is := next.Get(k); secret.Empty() {
			w.o.Log.Warn("a secret is gone", zap.String("secret", string(k)), zap.Stringer("former", was))
		} else {
			w.o.Log.Info("a secret has changed", zap.String("secret", string(k)), zap.Stringer("version", is), zap.Stringer("former", was))
		}
	}
	if len(changed) == 0 && before.sameVersions(next) {
		return false
	}
	w.mu.Lock()
	heard := slices.Clone(w.heard)
	w.mu.Unlock()
	for _, fn := range heard {
		fn(next)
	}
	return len(changed) > 0
}

// asked notes whether a provider could be asked. A caller that gave up says nothing of the provider.
func (w *Watcher) asked(name string, err error, cut bool) {
	if err != nil && cut {
		return
	}
	w.metrics.asked(name, err)
	w.mu.Lock()
	was := w.away[name] != nil
	w.away[name] = err
	w.mu.Unlock()
	switch {
	case err != nil && !was && w.now.Load() != nil:
		w.o.Log.Warn("secrets cannot be read: the last ones stay in force", zap.String("provider", name), zap.Error(err))
	case err == nil && was:
		w.o.Log.Info("secrets can be read again", zap.String("provider", name))
	}
}

// Ready warns while a provider cannot be asked: the process works on with what it has.
func (w *Watcher) Ready(context.Context) (warnings []string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.o.Providers {
		away := w.away[p.Name()]
		if away == nil {
			continue
		}
		text := "they cannot be read from " + p.Name() + ", the last ones stay in force"
		if f, ok := fault.As(away); ok {
			text += ": " + f.Message
			if f.Remedy != "" {
				text += " (" + f.Remedy + ")"
			}
		}
		warnings = append(warnings, text)
	}
	return warnings, nil
}

// run looks for new versions, and keeps what needs keeping, until ctx ends.
func (w *Watcher) run(ctx context.Context) error {
	var keeping sync.WaitGroup
	defer keeping.Wait()
	for _, p := range w.o.Providers {
		if k, ok := p.(Keeper); ok {
			keeping.Go(func() { k.Keep(ctx) })
		}
	}
	tick := time.NewTicker(w.o.Every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			_ = w.Reload(ctx) // it is logged, counted and in the health
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
