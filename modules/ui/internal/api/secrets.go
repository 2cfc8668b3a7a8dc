package api

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/openapi"
)

func (a *API) listSecrets(c echo.Context) error {
	got, err := a.Secrets(c.Request().Context())
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, got)
}

func opListSecrets() openapi.Operation {
	return openapi.Op(tagAbout, "listSecrets", "Show which secrets are in use", "Which version of each secret every process has loaded, which of them its open connections use, "+
		"and whether the old one is safe to retire. Never a secret.", openapi.Gives(ok, "the secrets", apiclient.Secrets{}))
}
