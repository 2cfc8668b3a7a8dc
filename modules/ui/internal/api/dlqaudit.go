package api

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/labstack/echo/v4"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

const (
	// mostNamed bounds the ids in a row of the change audit.
	mostNamed = 200
	// lookStep is how many dead letters are looked for at once: they come with their bodies.
	lookStep = 100
	// outcomeWait bounds the writing of an outcome, which the end of the request does not cut off.
	outcomeWait = 10 * time.Second
)

// operation is something that is done to dead letters, as the change audit names it.
type operation struct {
	op, record string
	values     map[string]any
}

// recordOf names one dead letter in the change audit.
func recordOf(name queue.Name, id event.ID) string { return string(name) + "/" + id.String() }

// requiredReason returns the reason of a write that needs one, in which something can be seen; code is that of the refusal.
func requiredReason(c echo.Context, body string, code fault.Code) (string, error) {
	reason, err := reasonOf(c, body)
	seen := func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }
	if err == nil && !strings.ContainsFunc(reason, seen) {
		err = fault.Field(code, "reason", "is required: say why, for the change audit").
			WithRemedy("give it in the header X-Reason, or in the member reason where there is a body")
	}
	return reason, err
}

// selected describes a replay for the change audit and returns how many letters it is about at most. "All" means those that are
// dead now: what dies again meanwhile does not go around in circles.
func (a *API) selected(c echo.Context, name queue.Name, ids []event.ID, in *apiclient.ReplayRequest) (operation, int, error) {
	ctx := c.Request().Context()
	what := operation{op: store.OpUpdate, record: string(name), values: map[string]any{}}
	if len(ids) == 0 {
		depth, err := a.Queues.Depth(ctx, name)
		if err != nil {
			return what, 0, err
		}
		count := int(depth.Dead)
		if in.All {
			what.values["all"] = true
		} else {
			count = min(count, in.Count)
			what.values["oldest"] = in.Count
		}
		what.values["requested"] = count
		return what, count, nil
	}
	found := false
	for some := range slices.Chunk(ids, lookStep) {
		there, err := a.Queues.Dead(ctx, queue.DeadParams{Queue: name, IDs: some})
		if err != nil {
			return what, 0, err
		}
		if found = len(there) > 0; found {
			break
		}
	}
	if !found {
		return what, 0, fault.Field(fault.NotFound, "ids", "no dead letter of the queue %s has one of these ids", name)
	}
	what.values["requested"] = len(ids)
	if len(ids) == 1 {
		what.record = recordOf(name, ids[0])
	} else {
		what.values["ids"] = in.IDs[:min(len(in.IDs), mostNamed)]
	}
	return what, len(ids), nil
}

// recorded does something to dead letters, with a row of the change audit before it and one with the outcome after it: the store
// and the queue are two systems, and no letter may go without a row. When the process dies in between, the first row says what was
// to be done, by whom and why. It returns what fn does.
func (a *API) recorded(c echo.Context, what operation, reason string, fn func(context.Context) (int, error)) (int, error) {
	ctx := c.Request().Context()
	note := func(ctx context.Context, values map[string]any) (id int64, err error) {
		_, err = a.Store.Change(ctx, a.actor(c), reason, func(tx *store.Tx) error {
			if err := tx.RecordOperation(what.op, store.TableDeadLetters, what.record, values); err != nil {
				return err
			}
			id = tx.AuditID()
			return nil
		})
		return id, err
	}
	intent, err := note(ctx, what.values)
	if err != nil {
		return 0, err
	}
	n, err := fn(ctx)
	outcome := map[string]any{"outcome_of": intent, "count": n}
	if err != nil {
		outcome["failed"] = string(fault.CodeOf(err))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outcomeWait)
	defer cancel()
	if _, unwritten := note(ctx, outcome); unwritten != nil {
		a.Logger.Error("the outcome of an operation on dead letters is not in the change audit; its beginning is", zap.Int64("audit_id", intent),
			zap.Int("count", n), zap.String("correlation_id", httpserver.CorrelationID(c)), zap.Error(unwritten))
	}
	return n, err
}

// deadSummary says what will become of the dead letters of a queue; nil when there are none.
func (a *API) deadSummary(ctx context.Context, name queue.Name) (*apiclient.DeadSummary, error) {
	s, err := a.Letters.Summary(ctx, name)
	if err != nil || s == nil {
		return nil, err
	}
	out := &apiclient.DeadSummary{Count: s.Count, Oldest: s.Oldest, Replayed: s.Census.Replayed, Undecided: s.Census.Decided,
		GivenUp: s.Census.GivenUp, Partial: s.Census.Partial, Plan: s.Plan}
	if !s.Next.IsZero() {
		out.NextReplay = &s.Next
	}
	return out, nil
}
