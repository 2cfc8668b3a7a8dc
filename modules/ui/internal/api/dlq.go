package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"
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
	maxReplayIDs = 10_000
	// replayStep is how many dead letters one transaction of the queue moves, so that intake is never held up.
	replayStep = 500
)

// listDead browses the dead letters of a queue, oldest event first.
func (a *API) listDead(c echo.Context) error {
	name, err := queueOf(c)
	if err != nil {
		return err
	}
	p, err := cursorOf(c, deadCursor)
	if err != nil {
		return err
	}
	if p.page > 1 {
		return fault.Field(fault.InvalidField, "page", "dead letters are walked by cursor")
	}
	ctx := c.Request().Context()
	depth, err := a.Queues.Depth(ctx, name)
	if err != nil {
		return err
	}
	items, err := a.Queues.Dead(ctx, queue.DeadParams{Queue: name, After: p.cursor, Limit: p.limit + 1})
	if err != nil {
		return err
	}
	out := apiclient.DeadLetters{Queue: string(name), Items: []apiclient.DeadLetter{}, Pagination: p.pagination(depth.Dead)}
	if len(items) > p.limit {
		items = items[:p.limit]
		out.Pagination.NextCursor = encodeCursor(deadCursor, items[p.limit-1].ID)
	}
	for i := range items {
		out.Items = append(out.Items, deadLetter(name, &items[i]))
	}
	if out.Summary, err = a.deadSummary(ctx, name); err != nil {
		return err
	}
	return answerList(c, 0, out)
}

func (a *API) getDead(c echo.Context) error {
	name, id, err := deadOf(c)
	if err != nil {
		return err
	}
	items, err := a.Queues.Dead(c.Request().Context(), queue.DeadParams{Queue: name, IDs: []event.ID{id}})
	if err != nil {
		return err
	}
	if len(items) == 0 {
		return noDead(name, id)
	}
	return answer(c, http.StatusOK, deadLetter(name, &items[0]))
}

// deadOf reads the queue and the id of the path.
func deadOf(c echo.Context) (name queue.Name, id event.ID, err error) {
	if name, err = queueOf(c); err != nil {
		return name, id, err
	}
	text, err := pathParam(c, "id")
	if err != nil {
		return name, id, err
	}
	if id, err = parseID(text); err != nil {
		return name, id, fault.Field(fault.InvalidField, "id", "is not an id of a dead letter")
	}
	return name, id, nil
}

func noDead(name queue.Name, id event.ID) error {
	return fault.Field(fault.NotFound, "id", "the queue %s has no dead letter %s", name, id)
}

func deadLetter(name queue.Name, item *queue.DeadItem) apiclient.DeadLetter {
	out := apiclient.DeadLetter{
		ID: item.ID.String(), Queue: string(name), Hostname: item.Hostname, Code: item.Code,
		Reason: strings.ToValidUTF8(item.Reason, "\uFFFD"), Attempts: item.Attempts, DiedAt: item.DiedAt.UTC(),
		Replays: item.Replays, GivenUp: item.GivenUp,
		Event: json.RawMessage("null"),
	}
	if !item.First.IsZero() {
		first := item.First.UTC()
		out.FirstTried = &first
	}
	ev, alert, err := decodeDead(name, item.Body)
	if err != nil {
		out.DecodeError = err.Error()
		return out
	}
	out.Event, out.Alert = rawOrNull(string(event.AppendEventJSON(nil, ev))), alert
	return out
}

// decodeDead reads the body of a dead letter: a batch of one. One that does not decode is shown without its event,
// so that it can still be discarded.
func decodeDead(name queue.Name, body []byte) (*event.Event, *apiclient.AlertDecision, error) {
	if name == queue.Ingest {
		events, err := event.DecodeEvents(nil, body)
		if err == nil && len(events) == 0 {
			err = errors.New("the batch is empty")
		}
		if err != nil {
			return nil, nil, err
		}
		return &events[0], nil, nil
	}
	alerts, err := event.DecodeAlerts(nil, body)
	if err == nil && len(alerts) == 0 {
		err = errors.New("the batch is empty")
	}
	if err != nil {
		return nil, nil, err
	}
	d := &alerts[0].Decision
	out := &apiclient.AlertDecision{
		RuleName: d.RuleName, Handling: d.Handling.String(), Team: d.Team, Severity: int(d.Severity),
		Environment: d.Environment(), Signature: d.Signature,
	}
	if d.RuleID != 0 {
		out.RuleID = &d.RuleID
	}
	return &alerts[0].Event, out, nil
}

func (a *API) replayDead(c echo.Context) error {
	name, err := queueOf(c)
	if err != nil {
		return err
	}
	var in apiclient.ReplayRequest
	if err := readJSON(c, &in); err != nil {
		return err
	}
	ids, err := checkReplay(&in)
	if err != nil {
		return err
	}
	reason, err := requiredReason(c, in.Reason, fault.Unprocessable)
	if err != nil {
		return err
	}
	what, count, err := a.selected(c, name, ids, &in)
	if err != nil {
		return err
	}
	moved := 0
	if count > 0 {
		moved, err = a.recorded(c, what, reason, func(ctx context.Context) (int, error) { return a.requeue(ctx, name, ids, count) })
	}
	if moved > 0 {
		a.logOperation(c, "dead letters were replayed", name, moved, reason)
	}
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, apiclient.Replayed{Queue: string(name), Replayed: moved,
		Message: "replayed " + letters(moved)})
}

func letters(n int) string {
	if n == 1 {
		return "1 dead letter"
	}
	return strconv.Itoa(n) + " dead letters"
}

// checkReplay wants exactly one of ids, all and count.
func checkReplay(in *apiclient.ReplayRequest) ([]event.ID, error) {
	ways := 0
	for _, given := range []bool{len(in.IDs) > 0, in.All, in.Count != 0} {
		if given {
			ways++
		}
	}
	switch {
	case ways != 1:
		return nil, fault.Field(fault.Unprocessable, "ids", `want exactly one of "ids":[…], "all":true and "count":N`)
	case in.Count < 0:
		return nil, fault.Field(fault.Unprocessable, "count", "is a whole number from 1")
	case len(in.IDs) > maxReplayIDs:
		return nil, fault.Field(fault.Unprocessable, "ids", "takes at most %d at a time", maxReplayIDs)
	}
	ids := make([]event.ID, len(in.IDs))
	for i, text := range in.IDs {
		id, err := parseID(text)
		if err != nil {
			return nil, fault.Field(fault.Unprocessable, fmt.Sprintf("ids[%d]", i), "is not an id of a dead letter")
		}
		ids[i] = id
	}
	return ids, nil
}

// requeue moves dead letters step by step: those with ids, or the oldest count.
func (a *API) requeue(ctx context.Context, name queue.Name, ids []event.ID, count int) (moved int, err error) {
	for done := 0; done < count; done += replayStep {
		p := queue.RequeueParams{Queue: name, Limit: min(replayStep, count-done)}
		if len(ids) > 0 {
			p.IDs = ids[done:min(done+replayStep, len(ids))]
		}
		n, err := a.Queues.Requeue(ctx, p)
		if err != nil {
			return moved, err
		}
		moved += n
		if n == 0 && len(ids) == 0 {
			break
		}
	}
	return moved, nil
}

func (a *API) discardDead(c echo.Context) error {
	name, id, err := deadOf(c)
	if err != nil {
		return err
	}
	reason, err := requiredReason(c, "", fault.InvalidField)
	if err != nil {
		return err
	}
	items, err := a.Queues.Dead(c.Request().Context(), queue.DeadParams{Queue: name, IDs: []event.ID{id}})
	if err != nil {
		return err
	}
	if len(items) == 0 {
		return noDead(name, id)
	}
	what := operation{op: store.OpDelete, record: recordOf(name, id), values: map[string]any{
		"hostname": items[0].Hostname, "code": items[0].Code, "died_at": items[0].DiedAt.UTC()}}
	n, err := a.recorded(c, what, reason, func(ctx context.Context) (int, error) {
		return a.Queues.Discard(ctx, queue.DiscardParams{Queue: name, IDs: []event.ID{id}})
	})
	if err != nil {
		return err
	}
	if n == 0 {
		return noDead(name, id)
	}
	a.logOperation(c, "a dead letter was discarded", name, n, reason, zap.Stringer("event_id", id))
	return answer(c, http.StatusOK, apiclient.Done{Message: fmt.Sprintf("dead letter %s discarded", id)})
}

// parseID reads a UUID in its usual form only (RFC 9562 section 4): 36 characters.
func parseID(text string) (event.ID, error) {
	if len(text) != 36 {
		return event.ID{}, errors.New("not 36 characters")
	}
	return uuid.Parse(text)
}

// logOperation logs who did what to the dead letters.
func (a *API) logOperation(c echo.Context, message string, name queue.Name, n int, reason string, more ...zap.Field) {
	a.Logger.Info(message, append(more, zap.String("queue", string(name)), zap.Int("count", n), zap.String("reason", reason),
		zap.String("identity", httpserver.Identity(c).Name), zap.String("correlation_id", httpserver.CorrelationID(c)))...)
}
