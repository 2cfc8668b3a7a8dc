package app

import (
	"context"
	"time"

	"github.com/muttproject/mutt/platform/apiclient"
)

// self is what this process says about itself.
func (p *parts) self(now time.Time) apiclient.Process {
	out := apiclient.Process{ID: p.run, Name: p.process, Version: Version, StartedAt: p.started, SeenAt: now,
		SecretVersions: map[string]int64{}, Listeners: map[string]string{}, Revision: p.control.inForce()}
	for _, r := range p.opts.Roles {
		out.Roles = append(out.Roles, string(r))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, addr := range p.listeners {
		out.Listeners[name] = addr
	}
	return out
}

// processes lists the live processes.
func (p *parts) processes(context.Context) ([]apiclient.Process, error) {
	return []apiclient.Process{p.self(p.opts.Now())}, nil
}
