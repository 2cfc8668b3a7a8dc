package httpin

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/fault"
)

// itemError is an entry of "errors" in the answer to a batch.
type itemError struct {
	Index     int    `json:"index"`
	Message   string `json:"message"`
	Field     string `json:"field,omitempty"`     // events[3].timestamp
	Retryable bool   `json:"retryable,omitempty"` // the same event may be accepted later
}

// newItemError makes the entry for an event of a batch.
func newItemError(i int, err error) itemError {
	f, ok := fault.As(err)
	if !ok {
		return itemError{Index: i, Message: "a fault inside MUTT", Retryable: true}
	}
	e := itemError{Index: i, Message: f.Message, Field: f.Field, Retryable: f.RetryAfter > 0}
	if _, name, ok := strings.Cut(f.Field, "]."); ok {
		e.Message = name + ": " + f.Message
	}
	return e
}

// batchAnswer is the answer to anything but a lone object.
type batchAnswer struct {
	Status      string      `json:"status"`
	Accepted    int         `json:"accepted"`
	Rejected    int         `json:"rejected"`
	Errors      []itemError `json:"errors"`
	Error       string      `json:"error,omitempty"` // when nothing was accepted: what the predecessor's clients read
	Correlation string      `json:"correlation_id"`
	Depth       int64       `json:"queue_depth"`
}

func (w *work) answerBatch(c echo.Context, accepted int, correlation string) error {
	if len(w.bad) == 0 {
		return w.write(c, correlation, accepted)
	}
	slices.SortFunc(w.bad, func(a, b itemError) int { return cmp.Compare(a.Index, b.Index) })
	a := batchAnswer{Status: "queued", Accepted: accepted, Rejected: len(w.bad), Errors: w.bad,
		Correlation: correlation, Depth: w.h.deps.Intake.Depth()}
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
