package app

import (
	"context"
	"maps"
	"slices"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/lifecycle"
	"github.com/muttproject/mutt/platform/secret/secrets"
	"github.com/muttproject/mutt/platform/trouble"
)

func buildRegistry(_ context.Context, p *parts) (lifecycle.Service, error) {
	p.registered = coord.NewRegistry(p.coord, p.self, p.opts.Logger.Named("registry"))
	p.secrets.OnChange(func(*secrets.Set) { p.registered.Tell() }) // a rotation waits for the versions
	return p.registered, nil
}

// self is what this process tells of itself.
func (p *parts) self() coord.Process {
	at := p.control.inForce()
	out := coord.Process{ID: p.run, Name: p.process, Version: Version, StartedAt: p.started, ConfigRevision: at.Revision, ConfigEpoch: at.Epoch, RulesetVersion: at.Ruleset,
		Secrets: p.secrets.Current().Versions(), SecretSources: p.secrets.Current().Origins(), Logins: p.logged()}
	out.Busiest = p.busiest()
	if f := p.forward.Load(); f != nil {
		if a := f.Answers(); !a.Sent.IsZero() {
			out.Delivery = &coord.Delivery{Status: a.Status, Same: a.Same, Failed: a.Failed, Sent: a.Sent, Delivered: a.Delivered}
		}
	}
	if problems := p.problems.Load(); problems != nil {
		out.Problems, out.ProblemsLeftOut = trouble.Bounded(*problems)
	}
	for _, r := range p.opts.Roles {
		out.Roles = append(out.Roles, string(r))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, addr := range p.listeners {
		out.Listeners = append(out.Listeners, name+" "+addr)
	}
	slices.Sort(out.Listeners)
	return out
}

// processes lists the live processes by name.
func (p *parts) processes(ctx context.Context) ([]apiclient.Process, error) {
	live, err := p.registered.List(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]apiclient.Process, len(live))
	for i, l := range live {
		out[i] = apiclient.Process{ID: l.ID, Name: l.Name, Roles: l.Roles, Version: l.Version, StartedAt: l.StartedAt,
			ConfigRevision: l.ConfigRevision, RulesetVersion: l.RulesetVersion, Listeners: append([]string{}, l.Listeners...), SecretVersions: map[string]string{}}
		maps.Copy(out[i].SecretVersions, l.Secrets) // none is {}, as the API says, not null
	}
	return out, nil
}
