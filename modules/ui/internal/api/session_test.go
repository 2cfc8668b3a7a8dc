package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/apiclient"
)

// login opens a session with the key of a role.
func (b *bundle) login(role string) (s apiclient.Session, cookie *http.Cookie) {
	b.Helper()
	rec := b.do(request{method: "POST", path: "/session", body: `{"key":"` + role + `"}`, key: "-"})
	if rec.Code != 200 {
		b.Fatalf("login: %d %s", rec.Code, rec.Body)
	}
	b.must(json.Unmarshal(rec.Body.Bytes(), &s))
	return s, rec.Result().Cookies()[0]
}

// byCookie is a call by a session.
func byCookie(method, path, body string, cookie *http.Cookie, header ...string) request {
	return request{method: method, path: path, body: body, key: "-", header: append(header, "Cookie", cookie.Name+"="+cookie.Value)}
}

func TestSession(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	s, cookie := b.login("operator")
	if s.Name != "key:operator" || s.Role != "operator" || s.IdleSeconds != 3600 || s.CSRFToken == "" {
		t.Fatalf("got %+v", s)
	}
	if !cookie.HttpOnly || cookie.Secure || cookie.SameSite != http.SameSiteLaxMode || cookie.MaxAge != 12*3600 || cookie.Path != "/" {
		t.Fatalf("cookie %+v", cookie)
	}
	host := `{"hostname":"lab1"}`
	b.expect(200, byCookie("GET", "/rules", "", cookie))
	b.refuse(403, "X-CSRF-Token", "csrf_token", byCookie("POST", "/dev-hosts", host, cookie))
	b.refuse(403, "X-CSRF-Token", "csrf_token", byCookie("POST", "/dev-hosts", host, cookie, "X-CSRF-Token", s.CSRFToken+"x"))
	b.expect(201, byCookie("POST", "/dev-hosts", host, cookie, "X-CSRF-Token", s.CSRFToken))
	b.refuse(403, "", "role admin", byCookie("GET", "/keys", "", cookie))
	if again := b.expect(200, byCookie("GET", "/session", "", cookie)); again["csrf_token"] != s.CSRFToken {
		t.Errorf("got %v", again)
	}
	b.refuse(404, "", "not by a session", request{method: "GET", path: "/session"})

	out := b.do(byCookie("DELETE", "/session", "", cookie, "X-CSRF-Token", s.CSRFToken))
	if gone := out.Result().Cookies()[0]; out.Code != 200 || gone.MaxAge >= 0 || gone.Value != "" {
		t.Errorf("logout: %d %+v", out.Code, gone)
	}
	b.refuse(401, "", "session has ended", byCookie("GET", "/rules", "", cookie))
}

func TestLoginRefusals(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	login := func(body string, header ...string) request {
		return request{method: "POST", path: "/session", body: body, key: "-", header: header}
	}
	b.refuse(422, "key", "required", login(`{}`))
	b.refuse(403, "", "role viewer", login(`{"key":"ingest"}`))
	b.refuse(403, "", "another site", login(`{"key":"viewer"}`, "Sec-Fetch-Site", "cross-site"))
	b.refuse(415, "", "Content-Type", login(`{"key":"viewer"}`, "Content-Type", "text/plain"))
	for range 10 {
		b.refuse(401, "", "not known", login(`{"key":"guess"}`))
	}
	b.refuse(429, "", "failed attempts", login(`{"key":"guess"}`))
	b.refuse(429, "", "failed attempts", request{method: "GET", path: "/rules", key: "guess"})
	b.refuse(429, "", "failed attempts", login(`{"key":"viewer"}`)) // it might be a guess: MUTT did not generate it
}

// TestLoginEndsTheSessionBefore: a browser has one session.
func TestLoginEndsTheSessionBefore(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	_, first := b.login("viewer")
	rec := b.do(byCookie("POST", "/session", `{"key":"operator"}`, first))
	if rec.Code != 200 || rec.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", rec.Code, rec.Header())
	}
	b.refuse(401, "", "session has ended", byCookie("GET", "/rules", "", first))
}

// TestCookieNeedsTLS where a proxy speaks it, or this process.
func TestCookieNeedsTLS(t *testing.T) {
	t.Parallel()
	b := newBundle(t, func(d *Deps) { d.SecureCookies = true })
	if _, cookie := b.login("viewer"); !cookie.Secure {
		t.Error("behind a proxy with TLS")
	}
	b = newBundle(t)
	req := httptest.NewRequest("POST", "https://mutt.example/api/v2/session", strings.NewReader(`{"key":"viewer"}`))
	rec := httptest.NewRecorder()
	b.handler.ServeHTTP(rec, req)
	if !rec.Result().Cookies()[0].Secure {
		t.Error("with TLS")
	}
}
