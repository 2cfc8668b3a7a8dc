package api

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

func (a *API) listQueues(c echo.Context) error {
	out := apiclient.Queues{Queues: []apiclient.Queue{}}
	for _, name := range queue.Names() {
		q, err := a.queue(c.Request().Context(), name)
		if err != nil {
			return err
		}
		out.Queues = append(out.Queues, q)
	}
	return answer(c, http.StatusOK, out)
}

func (a *API) queue(ctx context.Context, name queue.Name) (apiclient.Queue, error) {
	d, err := a.Queues.Depth(ctx, name)
	if err != nil {
		return apiclient.Queue{}, err
	}
	q := apiclient.Queue{
		Name: string(name), Ready: d.Ready, Claimed: d.Claimed, Delayed: d.Delayed, Dead: d.Dead,
		Depth: d.Live(), Entries: d.Entries, Bytes: d.Bytes, Consumers: d.Consumers,
	}
	if d.Dead > 0 {
		if q.DeadLetters, err = a.deadSummary(ctx, name); err != nil {
			return apiclient.Queue{}, err
		}
	}
	if !d.Oldest.IsZero() {
		q.OldestAgeSeconds = max(0, a.Now().Sub(d.Oldest).Round(time.Millisecond).Seconds())
	}
	return q, nil
}

// queueOf reads the queue of the path.
func queueOf(c echo.Context) (queue.Name, error) {
	text, err := pathParam(c, "queue")
	if err != nil {
		return "", err
	}
	for _, name := range queue.Names() {
		if string(name) == text {
			return name, nil
		}
	}
	return "", fault.Field(fault.NotFound, "queue", "there is no queue %q", printable(text)).WithRemedy("the queues are ingest and alert")
}
