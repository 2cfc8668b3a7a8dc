package page

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/fault"
)

// Assets are the static files. Each is served under a name that holds a hash of its content, so that browsers keep it for good and
// never have an old one.
type Assets struct {
	served map[string]asset  // by hashed name
	names  map[string]string // hashed names by plain name
}

type asset struct {
	kind string
	body []byte
}

// fontNames are replaced in the style sheet by the hashed names.
func fontNames() []string { return []string{"sans.woff2", "mono.woff2"} }

// NewAssets reads the directory static of the files that are served; see package web.
func NewAssets(files fs.FS) (*Assets, error) {
	entries, err := fs.ReadDir(files, "static")
	if err != nil {
		return nil, fmt.Errorf("open the static files: %w", err)
	}
	kinds := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".woff2": "font/woff2"}
	a := &Assets{served: map[string]asset{}, names: map[string]string{}}
	bodies := map[string][]byte{}
	for _, e := range entries {
		if kinds[path.Ext(e.Name())] == "" {
			return nil, fmt.Errorf("static file %s: its type is unknown", e.Name())
		}
		if bodies[e.Name()], err = fs.ReadFile(files, "static/"+e.Name()); err != nil {
			return nil, fmt.Errorf("read a static file: %w", err)
		}
	}
	add := func(name string, body []byte) {
		sum := sha256.Sum256(body)
		ext := path.Ext(name)
		hashed := strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext
		a.served[hashed], a.names[name] = asset{kinds[ext], body}, hashed
	}
	for name, body := range bodies {
		if path.Ext(name) != ".css" {
			add(name, body)
		}
	}
	for name, body := range bodies { // last, because style sheets name fonts
		if path.Ext(name) == ".css" {
			text := string(body)
			for _, font := range fontNames() {
				text = strings.ReplaceAll(text, `"`+font+`"`, `"`+a.names[font]+`"`)
			}
			add(name, []byte(text))
		}
	}
	return a, nil
}

// Path returns the path under which a file is served. An unknown name is a mistake in the code, which the pages' tests find.
func (a *Assets) Path(name string) string { return "/static/" + a.names[name] }

// serve answers with one file. It is public: it holds no data.
func (a *Assets) serve(c echo.Context) error {
	file, known := a.served[c.Param("file")]
	if !known {
		return fault.New(fault.NotFound, "there is no such file")
	}
	secure(c.Response().Header())
	c.Response().Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	return c.Blob(http.StatusOK, file.kind, file.body)
}
