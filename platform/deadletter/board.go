package deadletter

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/queue"
)

// Queue is what a Board needs of the queue; *queue.Queue is one.
type Queue interface {
	Depth(ctx context.Context, q queue.Name) (queue.Depth, error)
	Dead(ctx context.Context, p queue.DeadParams) ([]queue.DeadItem, error)
}

// Board shows the dead letters of the queues and what will become of them.
type Board struct {
	queue Queue
	coord coord.Coord
}

// NewBoard returns a Board. It does no I/O.
func NewBoard(q Queue, c coord.Coord) *Board { return &Board{q, c} }

// Summary is what is known of the dead letters of a queue.
type Summary struct {
	Queue  queue.Name
	Count  int64
	Oldest time.Time // when the letter of the oldest event became one
	Census Census    // of the janitor's last try; empty when there is no plan
	Next   time.Time // when the janitor tries next at the latest; zero when it does not
	Plan   string    // a sentence: what the janitor will do by itself
}

// Summary returns what is known of a queue; nil when it has no dead letters.
func (b *Board) Summary(ctx context.Context, q queue.Name) (*Summary, error) {
	depth, err := b.queue.Depth(ctx, q)
	if err != nil || depth.Dead == 0 {
		return nil, err
	}
	first, err := b.queue.Dead(ctx, queue.DeadParams{Queue: q, Limit: 1})
	if err != nil || len(first) == 0 {
		return nil, err
	}
	s := &Summary{Queue: q, Count: depth.Dead, Oldest: first[0].DiedAt.UTC()}
	all, ok, err := Planned(ctx, b.coord)
	plan, planned := all[q]
	switch {
	case err != nil:
		return nil, err
	case !ok:
		s.Plan = "nothing replays them: no process with the role janitor runs"
	case !planned:
		s.Plan = "the janitor has not looked at them yet"
	case plan.Obstacle == Off:
		s.Plan = "nothing replays them: remediation_enabled is false"
	default:
		s.Census, s.Next = plan.Census, plan.Next.UTC()
		s.Plan = plan.sentence(q)
	}
	return s, nil
}

// sentence says what becomes of the letters of a queue. What died since the last try is looked at with the next one.
func (p *QueuePlan) sentence(q queue.Name) string {
	c := p.Census
	next := p.Next.UTC().Format(time.RFC3339)
	var parts []string
	if n := c.Replayed; n > 0 {
		parts = append(parts, fmt.Sprintf("the janitor replays %s%d %s", atLeast(c), n, p.when(q, next)))
	}
	if n := c.Decided + c.GivenUp; n > 0 {
		verb := "need"
		if n == 1 {
			verb = "needs"
		}
		parts = append(parts, fmt.Sprintf("%s%d %s a decision (%d refused or unreadable, %d given up)", atLeast(c), n, verb, c.Decided, c.GivenUp))
	}
	if len(parts) == 0 {
		return "the janitor looks at them at " + next + " at the latest"
	}
	return strings.Join(parts, ", ")
}

func atLeast(c Census) string {
	if c.Partial {
		return "at least "
	}
	return ""
}

func (p *QueuePlan) when(q queue.Name, next string) string {
	if q == queue.Alert {
		switch p.Obstacle {
		case Pressure:
			return "when fewer alerts wait than alerter_queue_warn_threshold, next try " + next
		case Unproven:
			return "when the destination takes alerts: one goes first, next try " + next
		case Unavailable:
			return "when the queue and the coordination answer, next try " + next
		}
	}
	return "at " + next + " at the latest"
}

// Warnings returns a warning for each queue with dead letters, for /health.
func (b *Board) Warnings(ctx context.Context) (warnings []string, err error) {
	for _, q := range queue.Names() {
		s, err := b.Summary(ctx, q)
		if err != nil {
			return warnings, err
		}
		if s != nil {
			warnings = append(warnings, s.warning())
		}
	}
	return warnings, nil
}

func (s *Summary) warning() string {
	letters := "dead letters"
	if s.Count == 1 {
		letters = "dead letter"
	}
	return fmt.Sprintf("%d %s in the queue %s, the oldest since %s: %s; to look at them, run `mutt dlq list --queue %s`",
		s.Count, letters, s.Queue, s.Oldest.Format(time.RFC3339), s.Plan, s.Queue)
}
