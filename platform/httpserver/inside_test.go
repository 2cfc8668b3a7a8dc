package httpserver

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/netguard/netguardtest"
)

// TestInside: a page reads other routes as its reader, shows nobody more than they do, and has errors in its own form.
func TestInside(t *testing.T) {
	t.Parallel()
	ring := authn.NewKeyring(time.Now)
	ring.Swap([]authn.Key{{Identity: authn.Identity{Name: "key:v", Role: authn.Viewer}, Hash: authn.HashSecret("v")},
		{Identity: authn.Identity{Name: "key:a", Role: authn.Admin}, Hash: authn.HashSecret("a")}})
	answer := func(c echo.Context) error {
		if c.QueryParam("q") == "bad" {
			return fault.Field(fault.InvalidField, "q", "must be good")
		}
		return c.String(200, Identity(c).Name+" "+c.QueryParam("q")+" "+CorrelationID(c))
	}
	read, secret := route("/api/read", authn.Viewer, answer), route("/api/secret", authn.Admin, answer)
	page := func(r *Route) echo.HandlerFunc {
		return func(c echo.Context) error {
			answer, err := Inside(c, r, Call{Query: url.Values{"q": {c.QueryParam("q")}}})
			if err != nil {
				return err
			}
			return c.HTML(answer.Status, "<p>"+string(answer.Body))
		}
	}
	failed := func(c echo.Context, status int, e apiclient.Error) error {
		return c.HTML(status, "<h1>"+e.Code+" "+e.Error)
	}
	one, two := route("/page", authn.Viewer, page(&read)), route("/other", authn.Viewer, page(&secret))
	one.Failed, two.Failed = failed, failed
	s := New(Options{Name: "test", Door: netguardtest.HTTP(t), Addr: "127.0.0.1:0", Logger: zap.NewNop(), Gate: newGate(ring)}, read, secret, one, two)
	for _, c := range []struct {
		path, key string
		status    int
		body      string
	}{
		{"/page?q=a%20b", "v", 200, "<p>key:v a b c-1"},
		{"/page?q=bad", "v", 400, "<h1>invalid_field q: must be good"},
		{"/page", "", 401, "<h1>unauthorized no API key was sent"},
		{"/other", "v", 403, "<h1>forbidden this needs the role admin, and key:v has viewer"},
		{"/other", "a", 200, "<p>key:a  c-1"},
		{"/api/read?q=bad", "v", 400, `{"error":"q: must be good"`},
	} {
		req := httptest.NewRequest("GET", c.path, nil)
		req.Header.Set(HeaderAPIKey, c.key)
		req.Header.Set(HeaderCorrelation, "c-1")
		rec := httptest.NewRecorder()
		s.Handler().ServeHTTP(rec, req)
		if rec.Code != c.status || !strings.HasPrefix(rec.Body.String(), c.body) {
			t.Errorf("%s as %q: got %d %s, want %d %s", c.path, c.key, rec.Code, rec.Body, c.status, c.body)
		}
	}
}

// TestInsideWrites: what a call brings arrives as it would from a client, with names that an address would have to escape.
func TestInsideWrites(t *testing.T) {
	t.Parallel()
	written := Route{Method: "PUT", Path: "/api/things/:name/parts/:part", Role: authn.Viewer, Handler: func(c echo.Context) error {
		body, err := io.ReadAll(c.Request().Body)
		if err != nil {
			return err
		}
		c.Response().Header().Set("ETag", c.Request().Header.Get("If-Match"))
		return c.JSON(201, []string{c.Request().Method, c.Param("name"), c.Param("part"), c.Request().URL.RawPath, c.Request().Header.Get("Content-Type"), string(body)})
	}}
	ring := authn.NewKeyring(time.Now)
	ring.Swap([]authn.Key{{Identity: authn.Identity{Name: "key:v", Role: authn.Viewer}, Hash: authn.HashSecret("v")}})
	page := route("/page", authn.Viewer, func(c echo.Context) error {
		answer, err := Inside(c, &written, Call{Params: map[string]string{"part": "b?", "name": "10.0.0.0/8 %"}, Header: http.Header{"if-match": {"12"}}, Body: []byte("{}")})
		if err != nil {
			return err
		}
		return c.String(answer.Status, answer.Header.Get("ETag")+" "+string(answer.Body))
	})
	s := New(Options{Name: "test", Door: netguardtest.HTTP(t), Addr: "127.0.0.1:0", Logger: zap.NewNop(), Gate: newGate(ring)}, page)
	req := httptest.NewRequest("GET", "/page", nil)
	req.Header.Set(HeaderAPIKey, "v")
	rec := httptest.NewRecorder()
	s.Handler().ServeHTTP(rec, req)
	if want := `12 ["PUT","10.0.0.0/8 %","b?","","application/json","{}"]`; rec.Code != 201 || strings.TrimSpace(rec.Body.String()) != want {
		t.Errorf("got %d %s, want 201 %s", rec.Code, rec.Body, want)
	}
}
