package httpserver

import (
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
			body, err := Inside(c, r, url.Values{"q": {c.QueryParam("q")}})
			if err != nil {
				return err
			}
			return c.HTML(200, "<p>"+string(body))
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
