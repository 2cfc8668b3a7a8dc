package api

import (
	"cmp"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
)

func (a *API) version(c echo.Context) error { return answer(c, http.StatusOK, a.Version()) }

func (a *API) listProcesses(c echo.Context) error {
	live, err := a.Processes(c.Request().Context())
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, apiclient.Processes{Processes: live})
}

func (a *API) listProblems(c echo.Context) error {
	out, err := a.Problems(c.Request().Context())
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, out)
}

func (a *API) top(c echo.Context) error {
	by := cmp.Or(c.QueryParam("by"), apiclient.TopHosts)
	if by != apiclient.TopHosts && by != apiclient.TopRules {
		return fault.Field(fault.InvalidField, "by", "must be host or rule")
	}
	out, err := a.Top(c.Request().Context(), by)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, out)
}

func (a *API) whoami(c echo.Context) error {
	id := httpserver.Identity(c)
	return answer(c, http.StatusOK, apiclient.Whoami{Name: id.Name, Role: id.Role.String()})
}
