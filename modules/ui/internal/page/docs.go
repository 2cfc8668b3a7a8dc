package page

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"html/template"
	"io/fs"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/openapi"
)

// Docs renders the API's document as a page of our own: no script, nothing from elsewhere, under the same policy as the
// other pages (docs/adr/0013). It is rendered once: the document of a process does not change.
func Docs(files fs.FS, guide openapi.Guide) (httpserver.Handler, error) {
	assets, err := NewAssets(files)
	if err != nil {
		return nil, err
	}
	t, err := template.New("docs.html").Option("missingkey=error").Funcs(template.FuncMap{"asset": assets.Path}).ParseFS(files, "templates/docs.html")
	if err != nil {
		return nil, fmt.Errorf("parse the template of the API's page: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, guide); err != nil {
		return nil, fmt.Errorf("render the API's page: %w", err)
	}
	body, hash := b.Bytes(), fnv.New64a()
	_, _ = hash.Write(body) // never fails
	tag := fmt.Sprintf(`"%016x"`, hash.Sum64())
	return func(c echo.Context) error {
		secure(c.Response().Header())
		c.Response().Header().Set("Cache-Control", "no-cache")
		c.Response().Header().Set("ETag", tag)
		if strings.Contains(c.Request().Header.Get("If-None-Match"), tag) {
			return c.NoContent(http.StatusNotModified)
		}
		return c.HTMLBlob(http.StatusOK, body)
	}, nil
}
