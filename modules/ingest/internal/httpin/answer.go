package httpin

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
)

// newItemError makes the entry for an event of a batch.
func newItemError(i int, err error) apiclient.EventError {
	f, ok := fault.As(err)
	if !ok {
		return apiclient.EventError{Index: i, Message: "a fault inside MUTT", Retryable: true}
	}
	e := apiclient.EventError{Index: i, Message: f.Message, Field: f.Field, Retryable: f.RetryAfter > 0}
	if _, name, ok := strings.Cut(f.Field, "]."); ok {
		e.Message = name + ": " + f.Message
	}
	return e
}

func (w *work) answerBatch(c echo.Context, accepted int, correlation string) error {
	if len(w.bad) == 0 {
		return w.write(c, correlation, accepted)
	}
	slices.SortFunc(w.bad, func(a, b apiclient.EventError) int { return cmp.Compare(a.Index, b.Index) })
	a := apiclient.QueuedBatch{Status: "queued", Accepted: accepted, Rejected: len(w.bad), Errors: w.bad,
		CorrelationID: correlation, QueueDepth: w.h.deps.Intake.Depth()}
	status := http.StatusOK
	if accepted == 0 {
		status, a.Status, a.Error = http.StatusBadRequest, "rejected", "every event was refused: "+w.bad[0].Message
	}
	body, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return c.JSONBlob(status, append(body, '\n'))
}

func (w *work) answerOne(c echo.Context, correlation string) error {
	return w.write(c, correlation, -1)
}

// write answers a success; accepted is negative for a lone object. A correlation id needs no escapes (SaneID).
func (w *work) write(c echo.Context, correlation string, accepted int) error {
	b := append(w.out[:0], `{"status":"queued",`...)
	if accepted >= 0 {
		b = strconv.AppendInt(append(b, `"accepted":`...), int64(accepted), 10)
		b = append(b, `,"rejected":0,"errors":[],`...)
	}
	b = append(append(b, `"correlation_id":"`...), correlation...)
	b = strconv.AppendInt(append(b, `","queue_depth":`...), w.h.deps.Intake.Depth(), 10)
	w.out = append(b, '}', '\n')
	return c.JSONBlob(http.StatusOK, w.out)
}
