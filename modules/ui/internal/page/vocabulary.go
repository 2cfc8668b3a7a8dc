package page

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// components serves the vocabulary of the pages: each component as it is used, for those who build pages and for the test that
// holds it to the golden file.
func (p *Pages) components(c echo.Context) error {
	return p.show(c, http.StatusOK, vocabularyPage(p.frame(c, "components", "Components and states")))
}
