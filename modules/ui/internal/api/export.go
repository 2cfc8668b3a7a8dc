package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/store"
)

// Bounds of exports.
const (
	maxExport  = 10_000           // rows
	exportTime = 30 * time.Second // after which an export ends where it is, because a search may find little in much
	exportPage = 200              // rows that are held at once
	maxExports = 2                // at once, in a process
	ndjson     = "application/x-ndjson"
)

// exportAuditLogs writes judged events, newest first, one JSON object a line, as it reads them. The header of the first rows is sent when they
// were read, so that what is wrong with the call is an error; a failure after that breaks the connection, so that no part passes for the whole.
func (a *API) exportAuditLogs(c echo.Context) error {
	f, err := auditFilterOf(c)
	if err != nil {
		return err
	}
	p, err := cursorOf(c, auditCursor)
	if err != nil {
		return err
	}
	select {
	case a.exporting <- struct{}{}:
		defer func() { <-a.exporting }()
	default:
		return fault.New(fault.Busy, "%d exports are in progress, as many as may run at once", maxExports).WithRetryAfter(5 * time.Second)
	}
	f.Limit, f.Before, f.WithoutTotal = exportPage, p.cursor, true
	ctx := c.Request().Context()
	page, err := a.Store.AuditLogs(ctx, f)
	if err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set("Content-Type", ndjson)
	h.Set("Content-Disposition", `attachment; filename="mutt-events.ndjson"`)
	h.Set("Cache-Control", "no-store")
	h.Set("Trailer", apiclient.NextCursorTrailer)
	c.Response().WriteHeader(http.StatusOK)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	next, err := a.writeRows(c, f, page)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	h.Set(apiclient.NextCursorTrailer, encodeCursor(auditCursor, next))
	return nil
}

// writeRows writes page and what follows it, and returns where the rest begins; zero when there is none.
func (a *API) writeRows(c echo.Context, f store.AuditFilter, page store.Page[store.AuditLog]) (next event.ID, err error) {
	ctx, began, written := c.Request().Context(), time.Now(), 0
	out, lines := http.NewResponseController(c.Response()), json.NewEncoder(c.Response())
	lines.SetEscapeHTML(false)
	for {
		_ = out.SetWriteDeadline(time.Now().Add(streamDeadline)) // a recorder of a test has none
		for i := range page.Items {
			if err := lines.Encode(auditLog(&page.Items[i])); err != nil {
				return next, fmt.Errorf("write an event: %w", err)
			}
		}
		written += len(page.Items)
		if next = page.Next; next == (event.ID{}) || written >= maxExport || time.Since(began) > exportTime {
			return next, nil
		}
		f.Before, f.Limit = next, min(exportPage, maxExport-written)
		if page, err = a.Store.AuditLogs(ctx, f); err != nil {
			return next, err
		}
	}
}
