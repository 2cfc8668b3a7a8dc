package coord

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/lifecycle"
	"github.com/muttproject/mutt/platform/trouble"
)

// A process that dies without a word is listed for at most alive after its last beat.
const (
	beatEvery = 3 * time.Second
	alive     = 12 * time.Second
)

const registryGroup = "processes"

// Process is what a process tells of itself.
type Process struct {
	ID        string    `json:"id"`   // of this run, unique
	Name      string    `json:"name"` // of the pod or host
	Roles     []string  `json:"roles"`
	Version   string    `json:"version"`
	StartedAt time.Time `json:"started_at"`
	Listeners []string  `json:"listeners,omitempty"` // such as "http 0.0.0.0:8080"
	// ConfigRevision is the revision of the configuration that it works by, ConfigEpoch the store's epoch that it belongs to.
	ConfigRevision int64 `json:"config_revision"`
	ConfigEpoch    int64 `json:"config_epoch,omitempty"`
	RulesetVersion int64 `json:"ruleset_version,omitempty"`
	// Secrets gives the version that was loaded of each secret; never a secret.
	Secrets map[string]string `json:"secrets,omitempty"`
	// SecretSources says for people where each of them is and in which version.
	SecretSources map[string]string `json:"secret_sources,omitempty"`
	// Logins tells for each server with passwords which of them its connections use.
	Logins map[string]connect.Status `json:"logins,omitempty"`
	// Busiest are the hosts and rules with the most events of an alerter's last 15 minutes; nil for a process that judges nothing.
	Busiest *Busiest `json:"busiest,omitempty"`
	// Delivery is what a forwarder knows of the destination's last answers; nil for a process that is none, or sent nothing yet.
	Delivery *Delivery `json:"delivery,omitempty"`
	// Problems are the worst that this process has now, and ProblemsLeftOut how many more there are; see trouble.Bounded.
	Problems        []trouble.Problem `json:"problems,omitempty"`
	ProblemsLeftOut int               `json:"problems_left_out,omitempty"`
}

// Busiest are the hosts and rules with the most events that a process judged in 15 minutes, with how many.
type Busiest struct {
	Hosts   map[string]int64 `json:"hosts"`
	Rules   map[string]int64 `json:"rules"`
	Bounded bool             `json:"bounded"` // counts may be too high, or there are more
}

// Delivery is what a forwarder knows of the destination's last answers.
type Delivery struct {
	Status    int       `json:"status"`           // of the last request, 0 without an answer
	Same      int       `json:"same,omitempty"`   // status of every request that failed since the last delivery; 0 when they differ
	Failed    bool      `json:"failed,omitempty"` // requests failed since the last delivery
	Sent      time.Time `json:"sent"`
	Delivered time.Time `json:"delivered"` // zero for never
}

// Registry keeps this process among the living, and lists them.
type Registry struct {
	*lifecycle.Runner
	coord  Coord
	self   func() Process
	log    *zap.Logger
	silent bool // the last beat failed; of run
	news   chan struct{}
}

var _ lifecycle.Service = (*Registry)(nil)

// NewRegistry makes a Registry. self gives the present state of this process, at each beat; its ID never changes.
func NewRegistry(c Coord, self func() Process, log *zap.Logger) *Registry {
	r := &Registry{coord: c, self: self, log: log, news: make(chan struct{}, 1)}
	r.Runner = lifecycle.NewRunner("process registry", r.run)
	return r
}

// Tell makes the next beat come now: the state of this process has changed.
func (r *Registry) Tell() {
	select {
	case r.news <- struct{}{}:
	default:
	}
}

// List returns the living processes by name.
func (r *Registry) List(ctx context.Context) ([]Process, error) { return Processes(ctx, r.coord) }

// Processes returns the living processes by name.
func Processes(ctx context.Context, c Coord) ([]Process, error) {
	members, err := c.Members(ctx, registryGroup)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	out := make([]Process, len(members))
	for i, m := range members {
		// One of another version may word it otherwise: it is alive all the same.
		if err := json.Unmarshal(m.Data, &out[i]); err != nil {
			out[i] = Process{}
		}
		out[i].ID = m.Name
	}
	slices.SortStableFunc(out, func(a, b Process) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// run beats until ctx ends, and then takes its leave.
func (r *Registry) run(ctx context.Context) error {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		err := r.beat(ctx)
		if err != nil && !r.silent && ctx.Err() == nil {
			r.log.Warn("the process registry cannot be written: this process is not listed", zap.Error(err))
		}
		r.silent = err != nil
		select {
		case <-tick.C:
		case <-r.news:
		case <-ctx.Done():
			return r.leave(context.WithoutCancel(ctx))
		}
	}
}

func (r *Registry) beat(ctx context.Context) error {
	p := r.self()
	data, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode the state of this process: %w", err)
	}
	return r.coord.Announce(ctx, AnnounceParams{Group: registryGroup, Member: p.ID, Data: data, TTL: alive})
}

// leave is for the case that the process stops: nobody waits for it.
func (r *Registry) leave(ctx context.Context) error {
	if err := r.coord.Announce(ctx, AnnounceParams{Group: registryGroup, Member: r.self().ID}); err != nil {
		r.log.Warn("this process could not leave the process registry, it is listed a little longer", zap.Error(err))
	}
	return nil
}
