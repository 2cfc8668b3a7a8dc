// Package deadletter says what becomes of dead letters: by which rule they are replayed automatically, and what the janitor
// plans, for whoever shows them.
//
// Principles:
//  1. The rule is one function, Class; the janitor acts by it, and what is shown follows from it.
//  2. The janitor that leads publishes its plan with a short life: without a plan, no janitor works.
//  3. What is shown names no host and no address.
package deadletter

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// Class says what is to become of a dead letter.
type Class uint8

// The classes.
const (
	Replayed Class = iota // it is replayed automatically
	Decided               // a person decides: sent again unchanged, it would fail again
	GivenUp               // a person decides: it used up its automatic replays
)

// ClassOf returns the class of a letter. A code that this version does not know is left to people.
func ClassOf(item *queue.DeadItem) Class {
	switch {
	case item.GivenUp:
		return GivenUp
	case item.Queue == queue.Ingest && item.Code == queue.DeadPoison:
		return Replayed
	case item.Queue == queue.Alert && (Innocent(item.Code) || item.Code == queue.DeadExhausted):
		return Replayed
	default:
		return Decided
	}
}

// Innocent reports whether a letter with this code did not fail by itself: its next replay is not held against it.
func Innocent(code string) bool { return code == queue.DeadOutage || code == queue.DeadShed }

// Census counts the dead letters of a queue by what is to become of them.
type Census struct {
	Replayed int  `json:"replayed"` // those that are replayed automatically
	Decided  int  `json:"decided"`
	GivenUp  int  `json:"given_up"`
	Partial  bool `json:"partial,omitempty"` // there are more than were counted
}

// Add counts a letter.
func (c *Census) Add(class Class) {
	switch class {
	case Replayed:
		c.Replayed++
	case Decided:
		c.Decided++
	case GivenUp:
		c.GivenUp++
	}
}

// Obstacle is what keeps the janitor from replaying.
type Obstacle string

// The obstacles.
const (
	None        Obstacle = ""
	Off         Obstacle = "off"         // remediation_enabled is false
	Pressure    Obstacle = "pressure"    // too many alerts wait
	Unproven    Obstacle = "unproven"    // the destination took nothing lately, or its circuit breaker is not closed
	Unavailable Obstacle = "unavailable" // the queue or the coordination does not answer
)

// Plan is what the janitor that leads says of its work.
type Plan map[queue.Name]QueuePlan

// QueuePlan is the plan for the dead letters of one queue.
type QueuePlan struct {
	Next     time.Time `json:"next"` // when it tries next at the latest
	Obstacle Obstacle  `json:"obstacle,omitempty"`
	Census   Census    `json:"census"` // as of the last try
}

// PlanLife is how long a plan is valid.
const PlanLife = 30 * time.Second

const planKey = "remediation"

// Publish publishes the plan for PlanLife.
func Publish(ctx context.Context, c coord.Coord, p Plan) error {
	data, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode the plan of remediation: %w", err)
	}
	for {
		last, err := c.Get(ctx, planKey)
		if err != nil {
			return err
		}
		_, err = c.Put(ctx, coord.PutParams{Key: planKey, Data: data, Version: last.Version, TTL: PlanLife})
		if !fault.Is(err, fault.Conflict) {
			return err
		}
	}
}

// Planned returns the published plan; ok is false when there is none.
func Planned(ctx context.Context, c coord.Coord) (p Plan, ok bool, err error) {
	v, err := c.Get(ctx, planKey)
	if err != nil || v.Version == 0 {
		return Plan{}, false, err
	}
	if err := json.Unmarshal(v.Data, &p); err != nil {
		return Plan{}, false, fault.Wrap(fault.Corrupt, err, "decode the plan of remediation")
	}
	return p, true, nil
}
