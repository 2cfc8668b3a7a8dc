package app

import (
	"context"
	"slices"

	"github.com/muttproject/mutt/platform/lifecycle"
)

// Changes lists the paths of the settings that differ in next: those that a reload brings into force, and those that
// wait for a restart.
func (c *Config) Changes(next *Config) (live, restart []string) {
	before, after := settings(c), settings(next)
	for i := range before {
		switch {
		case before[i].Value.Same(after[i].Value):
		case before[i].Live:
			live = append(live, before[i].Path)
		default:
			restart = append(restart, before[i].Path)
		}
	}
	return slices.Clip(live), slices.Clip(restart)
}

// Reload brings into force what may change while the process runs: the secrets of next, and then whatever files the
// components read. It names the settings that wait for a restart. A component that cannot reload keeps what it had.
func (a *App) Reload(ctx context.Context, next Config) (live, restart []string, err error) {
	_, restart = a.opts.Config.Changes(&next) // until the restart they are named each time
	live, _ = a.parts.settings().Changes(&next)
	a.parts.live.Store(&next)
	return live, restart, a.sup.Reload(ctx)
}

// settings gives the configuration whose secrets are in force. Everything else in it may wait for a restart.
func (p *parts) settings() *Config {
	if c := p.live.Load(); c != nil {
		return c
	}
	return &p.opts.Config
}

var _ lifecycle.Reloader = (*control)(nil)
