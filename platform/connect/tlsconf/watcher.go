package tlsconf

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/lifecycle"
	"github.com/muttproject/mutt/platform/trouble"
)

// lookEvery is how often the files are looked at.
const lookEvery = 10 * time.Second

// Watcher follows the files of all servers and listeners of a process.
type Watcher struct {
	*lifecycle.Runner
	o     WatcherOptions
	board *trouble.Board // of the listeners

	mu       sync.Mutex
	sources  []*Source
	exposed  []string           // what was logged of keys that others may read
	metrics  *listenerMetrics   // nil until a listener speaks TLS
	expiring map[*Source]string // the listener of a source
}

// WatcherOptions configure a Watcher. All are required.
type WatcherOptions struct {
	Log        *zap.Logger
	Registerer prometheus.Registerer
	Now        func() time.Time
}

var (
	_ lifecycle.Service      = (*Watcher)(nil)
	_ lifecycle.Reloader     = (*Watcher)(nil)
	_ lifecycle.ReadyChecker = (*Watcher)(nil)
)

// NewWatcher returns a Watcher without files.
func NewWatcher(o WatcherOptions) *Watcher {
	deps.Must(o)
	w := &Watcher{o: o, board: trouble.NewBoard(o.Log, o.Now), expiring: map[*Source]string{}}
	w.Runner = lifecycle.NewRunner("tls files", w.run)
	return w
}

// Open reads the files of a client and follows them from then on.
func (w *Watcher) Open(p Peer, c Config) (*Source, error) {
	s, err := New(p, c)
	if err != nil {
		return nil, err
	}
	w.warnExposed(s)
	if c.any() {
		w.mu.Lock()
		w.sources = append(w.sources, s)
		w.mu.Unlock()
	}
	return s, nil
}

// Listen returns the endpoint of a listener, "ingest", with its own settings and the default ones, and follows their files.
// protocols are those that ALPN offers, the preferred first.
func (w *Watcher) Listen(listener string, own, common ListenerConfig, protocols ...string) (*Endpoint, error) {
	state := func(name, begins, ends, remedy string) *trouble.State {
		return w.board.State(trouble.Kind{Name: name, Unit: "connections", Begins: begins, Ends: ends, Advice: trouble.Advice{
			Consequence: "nothing of these peers is taken in or answered on the " + listener + " listener; other peers are not affected", Remedy: remedy, Runbook: "access"}})
	}
	if !own.Over(common).On() {
		return &Endpoint{mistaken: state("tls_to_clear_text", "TLS was sent to the "+listener+" listener, which speaks clear text",
			"no more TLS is sent to the "+listener+" listener", "set listeners.tls.cert_file and key_file, or let the sender speak clear text")}, nil
	}
	s, err := newListenerSource(listener, own, common, protocols)
	if err != nil {
		return nil, err
	}
	w.warnExposed(s)
	e := &Endpoint{source: s,
		mistaken: state("clear_text_to_tls", "clear text was sent to the "+listener+" listener, which speaks TLS: nothing of it was taken",
			"no more clear text is sent to the "+listener+" listener", "let the sender speak TLS"),
		failed: state("tls_handshake", "TLS handshakes with the "+listener+" listener fail", "TLS handshakes with the "+listener+" listener work again",
			"the field error says why: the sender does not trust the certificate, shows none of its own, or is older than TLS 1.2")}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.metrics == nil {
		w.metrics = newListenerMetrics(w.o.Registerer)
	}
	e.clearText, e.shake = w.metrics.failures.WithLabelValues(listener, "clear_text"), w.metrics.failures.WithLabelValues(listener, "handshake")
	w.sources = append(w.sources, s)
	w.expiring[s] = listener
	w.metrics.show(listener, s)
	return e, nil
}

// listenerMetrics are registered with the first listener that speaks TLS.
type listenerMetrics struct {
	expires  *prometheus.GaugeVec
	failures *prometheus.CounterVec
}

func newListenerMetrics(r prometheus.Registerer) *listenerMetrics {
	m := &listenerMetrics{
		expires: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "mutt_tls_certificate_expiry_timestamp_seconds",
			Help: "When the certificate of a listener expires, in Unix time."}, []string{"listener"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mutt_tls_handshake_failures_total",
			Help: "Connections to a listener with TLS that came to nothing: the peer sent clear text, or the handshake failed."}, []string{"listener", "reason"}),
	}
	r.MustRegister(m.expires, m.failures)
	return m
}

func (m *listenerMetrics) show(listener string, s *Source) {
	m.expires.WithLabelValues(listener).Set(float64(s.now.Load().expires.Unix()))
}

// warnExposed logs once for each file that others may read the key in it.
func (w *Watcher) warnExposed(s *Source) {
	why := s.now.Load().exposed
	w.mu.Lock()
	fresh := why != "" && !slices.Contains(w.exposed, why)
	if fresh {
		w.exposed = append(w.exposed, why)
	}
	w.mu.Unlock()
	if fresh {
		w.o.Log.Warn("the key of a certificate can be read by others", s.about, zap.String("reason", why))
	}
}

func (w *Watcher) run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var reports sync.WaitGroup
	reports.Go(func() { w.board.Run(ctx) })
	defer reports.Wait()
	for {
		select {
		case <-tick.C:
			_ = w.Reload(ctx) // it is logged, and in health
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Reload looks at the files now. Those that do not fit are logged once.
func (w *Watcher) Reload(context.Context) error {
	for _, s := range w.all() {
		logged := s.bad.Load() != nil
		changed, err := s.Refresh()
		switch {
		case err != nil && !logged:
			w.o.Log.Warn("changed certificates are not used, the last good ones stay in force", s.about, zap.Error(err))
		case changed:
			w.o.Log.Info("new certificates are in force for new connections", s.about)
			w.changed(s)
		}
	}
	return nil
}

func (w *Watcher) changed(s *Source) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if listener, ok := w.expiring[s]; ok {
		w.metrics.show(listener, s)
	}
}

// Ready warns of files that are not in force, of certificates that end soon, and of peers that cannot speak to a listener. Listeners
// with the same certificate have one warning.
func (w *Watcher) Ready(context.Context) (warnings []string, err error) {
	for _, s := range w.all() {
		for _, warning := range s.Warnings(w.o.Now()) {
			if !slices.Contains(warnings, warning) {
				warnings = append(warnings, warning)
			}
		}
	}
	return append(warnings, w.board.Warnings()...), nil
}

// Problems returns the states of trouble that last.
func (w *Watcher) Problems() []trouble.Problem { return w.board.Problems() }

func (w *Watcher) all() []*Source {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.sources)
}
