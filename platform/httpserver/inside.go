package httpserver

import (
	"bytes"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/fault"
)

// Inside calls a GET route of the process on behalf of the caller of c and returns the body of the answer. A page shows in this way what
// the API answers: it holds no logic of its own, and shows nobody more than the API does. The route's path has no parameters.
func Inside(c echo.Context, r *Route, query url.Values) ([]byte, error) {
	id := Identity(c)
	if !id.Role.Allows(r.Role) {
		return nil, fault.New(fault.Forbidden, "this needs the role %s, and %s has %s", r.Role, id.Name, id.Role)
	}
	u := url.URL{Path: r.Path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(c.Request().Context(), http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	w := &kept{header: http.Header{}}
	inner := c.Echo().NewContext(req, w)
	inner.SetPath(r.Path)
	for _, key := range []string{keyIdentity, keySession, keyCorrelation} {
		inner.Set(key, c.Get(key))
	}
	if err := r.Handler(inner); err != nil {
		return nil, err
	}
	return w.body.Bytes(), nil
}

// kept is a http.ResponseWriter that keeps the answer.
type kept struct {
	header http.Header
	body   bytes.Buffer
}

func (k *kept) Header() http.Header         { return k.header }
func (k *kept) Write(p []byte) (int, error) { return k.body.Write(p) }
func (k *kept) WriteHeader(int)             {}
