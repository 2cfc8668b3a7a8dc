package app

import (
	"context"
	"slices"
	"time"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/lifecycle"
	"github.com/muttproject/mutt/platform/trouble"
)

// problemsEvery is how often a process looks for its own problems, to publish them with its next heartbeat.
const problemsEvery = 5 * time.Second

// buildProblems keeps the list of this process's problems that its heartbeat publishes.
func buildProblems(_ context.Context, p *parts) (lifecycle.Service, error) {
	return lifecycle.NewRunner("problems", p.watchProblems), nil
}

// watchProblems looks until ctx ends. A change of what is wrong is published at once.
func (p *parts) watchProblems(ctx context.Context) error {
	tick := time.NewTicker(problemsEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		now := p.health.Problems(ctx)
		before := p.problems.Swap(&now)
		if before == nil && len(now) > 0 || before != nil && !sameProblems(*before, now) {
			p.registered.Tell()
		}
	}
}

// sameProblems reports whether two lists name the same problems; counts do not matter.
func sameProblems(a, b []trouble.Problem) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Code != b[i].Code || !a[i].Since.Equal(b[i].Since) {
			return false
		}
	}
	return true
}

// listProblems returns what is wrong in all processes: of this one as it is now, of the others as of their last look.
func (p *parts) listProblems(ctx context.Context) (apiclient.Problems, error) {
	own, out := p.health.Problems(ctx), apiclient.Problems{Problems: []apiclient.Problem{}}
	all := map[string][]trouble.Problem{p.process: own}
	live, err := p.registered.List(ctx)
	if err != nil {
		all[p.process] = append(own, trouble.Problem{Code: "registry", Severity: trouble.Warn, Since: p.opts.Now(),
			Fact: "the other processes cannot be asked: their problems are not in this list", Advice: adviceOf("registry", p.mode()).Warned})
	}
	for _, other := range live {
		if other.ID == p.run {
			continue
		}
		all[other.Name] = append(all[other.Name], other.Problems...)
		out.LeftOut += other.ProblemsLeftOut
	}
	merged, in := trouble.Merged(all)
	open := slices.ContainsFunc(merged, func(m trouble.Problem) bool { return m.Code == "breaker_open" })
	for i, m := range merged {
		if open && m.Code == "destination_fails" { // which is why the breaker opened
			continue
		}
		out.Problems = append(out.Problems, apiclient.Problem{Code: m.Code, Severity: string(m.Severity), Since: m.Since.UTC(), Title: m.Title, Fact: m.Fact, Count: m.Count, Unit: m.Unit,
			Consequence: m.Consequence, Remedy: m.Remedy, Promise: m.Promise, Runbook: m.Runbook, Processes: in[i]})
	}
	return out, nil
}
