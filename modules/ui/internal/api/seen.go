package api

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
)

// Bounds of the hosts that complete what is typed.
const (
	seenHosts   = 20
	seenWithin  = 24 * time.Hour
	seenTimeout = 2 * time.Second
)

// seen lists hosts whose names begin with what was typed and of which an event came within a day.
func (a *API) seen(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), seenTimeout)
	defer cancel()
	hosts, err := a.Store.HostsSeen(ctx, c.QueryParam("prefix"), a.Now().Add(-seenWithin), seenHosts)
	if err != nil {
		return err
	}
	if hosts == nil {
		hosts = []string{}
	}
	return answer(c, http.StatusOK, apiclient.HostsSeen{Hosts: hosts})
}
