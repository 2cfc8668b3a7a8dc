package api

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// slo tells how the service level objectives stand.
func (a *API) slo(c echo.Context) error {
	out, err := a.Objectives(c.Request().Context())
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, out)
}
