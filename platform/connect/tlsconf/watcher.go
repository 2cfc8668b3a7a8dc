package tlsconf

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/lifecycle"
)

// lookEvery is how often the files are looked at.
const lookEvery = 10 * time.Second

// Watcher follows the files of all servers of a process.
type Watcher struct {
	*lifecycle.Runner
	log *zap.Logger

	mu      sync.Mutex
	sources []*Source
}

var (
	_ lifecycle.Service      = (*Watcher)(nil)
	_ lifecycle.Reloader     = (*Watcher)(nil)
	_ lifecycle.ReadyChecker = (*Watcher)(nil)
)

// NewWatcher returns a Watcher without files.
func NewWatcher(log *zap.Logger) *Watcher {
	w := &Watcher{log: log}
	w.Runner = lifecycle.NewRunner("tls files", w.run)
	return w
}

// Open reads files and follows them from then on.
func (w *Watcher) Open(p Peer, c Config) (*Source, error) {
	s, err := New(p, c)
	if err != nil {
		return nil, err
	}
	if c.any() {
		w.mu.Lock()
		w.sources = append(w.sources, s)
		w.mu.Unlock()
	}
	return s, nil
}

func (w *Watcher) run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			_ = w.Reload(ctx) // it is logged, and in health
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Reload looks at the files now. Those that do not fit are told once.
func (w *Watcher) Reload(context.Context) error {
	for _, s := range w.all() {
		told := s.bad.Load() != nil
		changed, err := s.Refresh()
		switch {
		case err != nil && !told:
			w.log.Warn("changed certificates are not used, the last good ones stay in force", zap.String("server", s.peer.Name), zap.Error(err))
		case changed:
			w.log.Info("new certificates are in force for new connections", zap.String("server", s.peer.Name))
		}
	}
	return nil
}

// Ready warns of files that are not in force, and of certificates that end soon.
func (w *Watcher) Ready(context.Context) (warnings []string, err error) {
	for _, s := range w.all() {
		warnings = append(warnings, s.Warnings(time.Now())...)
	}
	return warnings, nil
}

func (w *Watcher) all() []*Source {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.sources)
}
