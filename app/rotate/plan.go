package rotate

import (
	"context"
	"slices"

	"github.com/muttproject/mutt/platform/rotation"
)

// Plan is what Run would do now.
type Plan struct {
	Secret    string      `json:"secret"`
	Path      string      `json:"path"`
	Version   int64       `json:"version"`  // of the path, now
	Rotation  string      `json:"rotation"` // that is under way, "" for none
	Steps     []PlanStep  `json:"steps"`    // that are left
	Processes []PlanState `json:"processes"`
}

// PlanStep is a step that is left.
type PlanStep struct {
	Step  rotation.Step `json:"step"`
	About string        `json:"about"`
}

// PlanState is what a process has of the secret.
type PlanState struct {
	Process string            `json:"process"`
	Loaded  map[string]string `json:"loaded"`            // version by key
	Sources map[string]string `json:"sources,omitempty"` // where each is and in which version, for people
	Safe    bool              `json:"safe_to_retire"`
	Reason  string            `json:"reason"`
}

// Plan says what Run would do, after all the checks that Run begins with. It changes nothing.
func (r *Rotation) Plan(ctx context.Context) (p Plan, err error) {
	if err := r.load(ctx); err != nil {
		return p, err
	}
	p = Plan{Secret: string(r.o.Subject), Path: r.o.Vault.Path.String(), Steps: []PlanStep{}, Processes: []PlanState{}}
	step := rotation.Stage
	if r.state.Open() {
		step, p.Rotation = r.state.Step, r.state.ID
	} else if _, err := r.ready(ctx); err != nil {
		return p, err
	}
	now, err := r.o.Vault.Latest(ctx)
	if err != nil {
		return p, err
	}
	p.Version = now.Version
	steps := r.o.Subject.Steps()
	for _, s := range steps[slices.Index(steps, step) : len(steps)-1] {
		p.Steps = append(p.Steps, PlanStep{s, about(r.o.Subject, s)})
	}
	all, err := r.o.API.Processes(ctx, r.o.Subject)
	for _, one := range all {
		state := PlanState{Process: one.Name, Loaded: map[string]string{}, Sources: map[string]string{}, Safe: one.SafeToRetire, Reason: one.Reason}
		for _, l := range one.Loaded {
			state.Loaded[l.Key] = l.Version
			if l.Source != "" {
				state.Sources[l.Key] = l.Source
			}
		}
		p.Processes = append(p.Processes, state)
	}
	return p, err
}
