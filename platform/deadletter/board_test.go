package deadletter_test

import (
	"context"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/deadletter"
	"github.com/muttproject/mutt/platform/queue"
)

// letters is a queue with so many dead letters of alerts.
type letters int64

func (n letters) Depth(_ context.Context, q queue.Name) (queue.Depth, error) {
	if q == queue.Alert {
		return queue.Depth{Dead: int64(n)}, nil
	}
	return queue.Depth{}, nil
}

func (n letters) Dead(context.Context, queue.DeadParams) ([]queue.DeadItem, error) {
	return []queue.DeadItem{{DiedAt: time.Date(2026, 11, 30, 2, 3, 4, 0, time.UTC)}}, nil
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	next := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	const look = "; to look at them, run `mutt dlq list --queue alert`"
	for name, c := range map[string]struct {
		letters letters
		plan    *deadletter.QueuePlan
		want    string
	}{
		"none": {0, nil, ""},
		"no janitor": {1, nil, "1 dead letter in the queue alert, the oldest since 2026-11-30T02:03:04Z: " +
			"nothing replays them: no process with the role janitor runs" + look},
		"off": {2, &deadletter.QueuePlan{Obstacle: deadletter.Off}, "2 dead letters in the queue alert, the oldest since 2026-11-30T02:03:04Z: " +
			"nothing replays them: remediation_enabled is false" + look},
		"healthy": {3, &deadletter.QueuePlan{Next: next, Census: deadletter.Census{Replayed: 3}},
			"3 dead letters in the queue alert, the oldest since 2026-11-30T02:03:04Z: " +
				"the janitor replays 3 at 2026-11-30T03:00:00Z at the latest" + look},
		"outage": {9, &deadletter.QueuePlan{Next: next, Obstacle: deadletter.Unproven, Census: deadletter.Census{Replayed: 5, Decided: 3, GivenUp: 1}},
			"9 dead letters in the queue alert, the oldest since 2026-11-30T02:03:04Z: " +
				"the janitor replays 5 when the destination takes alerts: one goes first, next try 2026-11-30T03:00:00Z, " +
				"4 need a decision (3 refused or unreadable, 1 given up)" + look},
		"many": {20_000, &deadletter.QueuePlan{Next: next, Obstacle: deadletter.Pressure, Census: deadletter.Census{Replayed: 10_000, Partial: true}},
			"20000 dead letters in the queue alert, the oldest since 2026-11-30T02:03:04Z: the janitor replays at least 10000 " +
				"when fewer alerts wait than alerter_queue_warn_threshold, next try 2026-11-30T03:00:00Z" + look},
		"refused": {1, &deadletter.QueuePlan{Next: next, Census: deadletter.Census{Decided: 1}},
			"1 dead letter in the queue alert, the oldest since 2026-11-30T02:03:04Z: 1 needs a decision (1 refused or unreadable, 0 given up)" + look},
		"new": {1, &deadletter.QueuePlan{Next: next}, "1 dead letter in the queue alert, the oldest since 2026-11-30T02:03:04Z: " +
			"the janitor looks at them at 2026-11-30T03:00:00Z at the latest" + look},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shared := coord.NewLocal(time.Now)
			if c.plan != nil {
				for range 2 { // it replaces the one before
					if err := deadletter.Publish(t.Context(), shared, deadletter.Plan{queue.Alert: *c.plan}); err != nil {
						t.Fatal(err)
					}
				}
			}
			got, err := deadletter.NewBoard(c.letters, shared).Warnings(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if c.want == "" && len(got) == 0 {
				return
			}
			if len(got) != 1 || got[0] != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// A plan without its janitor is worth nothing after a short time.
func TestAPlanExpires(t *testing.T) {
	t.Parallel()
	now := time.Now()
	shared := coord.NewLocal(func() time.Time { return now })
	if err := deadletter.Publish(t.Context(), shared, deadletter.Plan{}); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := deadletter.Planned(t.Context(), shared); !ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	now = now.Add(deadletter.PlanLife)
	if _, ok, err := deadletter.Planned(t.Context(), shared); ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
}

// A plan for one queue says nothing about the other.
func TestAPlanWithoutTheQueue(t *testing.T) {
	t.Parallel()
	shared := coord.NewLocal(time.Now)
	plan := deadletter.Plan{queue.Ingest: {Next: time.Now()}}
	if err := deadletter.Publish(t.Context(), shared, plan); err != nil {
		t.Fatal(err)
	}
	s, err := deadletter.NewBoard(letters(1), shared).Summary(t.Context(), queue.Alert)
	if err != nil || s.Plan != "the janitor has not looked at them yet" || !s.Next.IsZero() {
		t.Errorf("got %+v, %v", s, err)
	}
}
