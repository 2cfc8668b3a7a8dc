package httpserver

import (
	"bytes"
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/fault"
)

// Apart returns the context of calls of Inside that no single request causes: one call by id whose answer many readers get. It ends with ctx.
func Apart(ctx context.Context, id authn.Identity) echo.Context {
	req := (&http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/"}, Header: http.Header{}}).WithContext(ctx)
	c := echo.New().NewContext(req, &kept{header: http.Header{}})
	c.Set(keyIdentity, &id)
	c.Set(keyCorrelation, uuid.NewString())
	return c
}

// Call is what one call of a route brings. The zero Call is a plain GET.
type Call struct {
	Params map[string]string // the values of the path's parameters, not escaped
	Query  url.Values
	Header http.Header // If-Match, X-Reason, Content-Type
	Body   []byte      // JSON, unless the header says otherwise
}

// Answer is what a route answered.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Inside calls a route of the process on behalf of the caller of c. A page shows and changes in this way what the API does: it holds no
// logic of its own, and can do nothing for anybody that the API would not. A refusal is the route's fault, unwritten.
func Inside(c echo.Context, r *Route, call Call) (*Answer, error) {
	id := Identity(c)
	if !id.Role.Allows(r.Role) {
		return nil, fault.New(fault.Forbidden, "this needs the role %s, and %s has %s", r.Role, id.Name, id.Role)
	}
	var names, values []string
	path := r.Path
	for name, value := range call.Params {
		names, values = append(names, name), append(values, value)
		path = strings.Replace(path, ":"+name, url.PathEscape(value), 1)
	}
	u, err := url.Parse(path)
	if err != nil {
		return nil, err
	}
	u.RawPath = "" // the parameters are unescaped already
	u.RawQuery = call.Query.Encode()
	req, err := http.NewRequestWithContext(c.Request().Context(), r.Method, u.String(), bytes.NewReader(call.Body))
	if err != nil {
		return nil, err
	}
	req.URL = u
	for name, value := range call.Header {
		req.Header[http.CanonicalHeaderKey(name)] = value
	}
	if call.Body != nil && req.Header.Get(echo.HeaderContentType) == "" {
		req.Header.Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	}
	w := &kept{header: http.Header{}}
	inner := c.Echo().NewContext(req, w)
	inner.SetPath(r.Path)
	inner.SetParamNames(names...)
	inner.SetParamValues(values...)
	for _, key := range []string{keyIdentity, keySession, keyCorrelation} {
		inner.Set(key, c.Get(key))
	}
	if err := r.Handler(inner); err != nil {
		return nil, err
	}
	return &Answer{Status: cmp.Or(w.status, http.StatusOK), Header: w.header, Body: w.body.Bytes()}, nil
}

// kept is a http.ResponseWriter that keeps the answer.
type kept struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (k *kept) Header() http.Header         { return k.header }
func (k *kept) Write(p []byte) (int, error) { return k.body.Write(p) }

func (k *kept) WriteHeader(status int) {
	if k.status == 0 {
		k.status = status
	}
}
