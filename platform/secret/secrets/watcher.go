package secrets

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
	Providers []Provider    // the first one that has a key gives it; a Keeper among them is kept while the Watcher runs
	Every     time.Duration // between looks for new versions
	// Refuse returns the keys of a Set that must not come into force in it, and why: the start stops, and a running process keeps what it
	// has of them. RefuseNone is for commands.
	Refuse     func(*Set) map[Key]error
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
	kept   []error          // the secrets whose value in force stays, as the next one is refused: why

	// Owned by the reading on its way:
	given []Values        // the last that each provider gave, settled; nil before
	unfit []map[Key]error // of each provider: the keys of its last answer that are unfit
	told  map[string]bool // providers whose exposed secrets were logged
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

// RefuseNone lets every key of a Set into force.
func RefuseNone(*Set) map[Key]error { return nil }

// NewWatcher makes a Watcher that has nothing yet.
func NewWatcher(o Options) *Watcher {
	deps.Must(o)
	w := &Watcher{o: o, away: map[string]error{}, given: make([]Values, len(o.Providers)), unfit: make([]map[Key]error, len(o.Providers)),
		told: map[string]bool{}}
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
	var errs, refused []error
	for i, p := range w.o.Providers {
		values, err := p.Read(within)
		w.asked(p.Name(), err, ctx.Err() != nil)
		if err != nil {
			errs = append(errs, fmt.Errorf("read secrets from %s: %w", p.Name(), err))
			continue
		}
		w.warnExposed(p.Name(), values)
		w.take(i, values)
	}
	for _, unfit := range w.unfit {
		refused = append(refused, sorted(unfit)...)
	}
	news := false
	if !slices.ContainsFunc(w.given, func(v Values) bool { return v == nil }) {
		next, more := w.permitted(join(w.given))
		refused = append(refused, more...)
		news = next != nil && w.enforce(next)
	}
	w.note(refused)

	w.mu.Lock()
	defer w.mu.Unlock()
	// A refused secret comes first: it is what to correct, while a provider that is away comes back by itself.
	f.err, f.cut, w.flight = errors.Join(append(refused, errs...)...), ctx.Err() != nil, nil
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

// warnExposed logs once for each provider that others may read its secrets. A volume of Kubernetes has the same modes after each of its
// changes, so repeating the warning would add nothing.
func (w *Watcher) warnExposed(provider string, values Values) {
	if w.told[provider] {
		return
	}
	for _, k := range namesOf(Keys()) {
		if why := values[k].Exposed; why != "" {
			w.told[provider] = true
			w.o.Log.Warn("secrets can be read by others", zap.String("provider", provider), zap.String("secret", string(k)), zap.String("reason", why))
			return
		}
	}
}

// take keeps what a provider gave. Of a key that is unfit it keeps what was there before; in the first answer of all there must be none.
func (w *Watcher) take(i int, values Values) {
	fit, unfit := settle(values)
	w.unfit[i] = unfit
	if w.given[i] == nil && len(unfit) > 0 {
		return
	}
	for k := range unfit {
		if old, ok := w.given[i][k]; ok {
			fit[k] = old
		}
	}
	w.given[i] = renumber(w.given[i], fit)
}

// permitted returns next with the values in force of those keys that Refuse refuses, and why they are refused. Before there is a Set in
// force a refusal leaves nothing.
func (w *Watcher) permitted(next *Set) (_ *Set, refused []error) {
	before, reasons := w.now.Load(), map[Key]error{}
	for again := true; again; {
		values := maps.Clone(next.values)
		again = false
		for k, why := range w.o.Refuse(next) {
			old := before.value(k)
			if before != nil && old.Secret.Equal(values[k].Secret) {
				continue // in force already: what it does not go together with is refused
			}
			if reasons[k] == nil {
				reasons[k] = why
			}
			if before == nil {
				continue
			}
			again = true
			if values[k] = old; old.Secret.Empty() {
				delete(values, k)
			}
		}
		next = &Set{values}
	}
	if before == nil && len(reasons) > 0 {
		next = nil
	}
	return next, sorted(reasons)
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
		if next.Secret(k).Empty() {
			w.o.Log.Warn("a secret is gone", zap.String("secret", string(k)), zap.String("former", before.Origin(k)))
		} else {
			w.o.Log.Info("a secret has changed", zap.String("secret", string(k)), zap.String("version", next.Origin(k)), zap.String("former", before.Origin(k)))
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

// note keeps why secrets are refused, and logs what is new in that while there are values in force.
func (w *Watcher) note(refused []error) {
	w.mu.Lock()
	before := w.kept
	w.kept = refused
	w.mu.Unlock()
	if w.now.Load() == nil {
		return // the start fails with the errors
	}
	same := func(a error) func(error) bool { return func(b error) bool { return a.Error() == b.Error() } }
	for _, why := range refused {
		if !slices.ContainsFunc(before, same(why)) {
			w.o.Log.Warn("a secret is refused: the value in force stays", zap.Error(why))
		}
	}
	if len(before) > 0 && len(refused) == 0 {
		w.o.Log.Info("no secret is refused any more")
	}
}

// Ready warns while a provider cannot be asked, or gives what is refused: the process works on with what it has.
func (w *Watcher) Ready(context.Context) (warnings []string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.o.Providers {
		away := w.away[p.Name()]
		if away == nil {
			continue
		}
		warnings = append(warnings, "they cannot be read from "+p.Name()+", the last ones stay in force"+because(": ", away))
	}
	for _, why := range w.kept {
		warnings = append(warnings, "the value in force stays: "+because("", why))
	}
	return warnings, nil
}

// because returns what a fault says and what to do about it, after a text that leads to it; "" for another error.
func because(lead string, err error) string {
	f, ok := fault.As(err)
	if !ok {
		return ""
	}
	if f.Code == fault.FileUnsafe { // its message names a path, and anybody may read /health
		return lead + fault.Describe(f.Code).Meaning + "; the log names it"
	}
	if f.Remedy == "" {
		return lead + f.Message
	}
	return lead + f.Message + " (" + f.Remedy + ")"
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
