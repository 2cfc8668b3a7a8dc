package api

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/modules/ui/internal/session"
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
)

// Gate checks the key of a login as it does those of other calls.
type Gate interface {
	Admit(c echo.Context, secret string) (*authn.Key, error)
	AttemptsLeft(c echo.Context) int
}

// login opens a session for the holder of a key.
func (a *API) login(c echo.Context) error {
	// Another site's script could otherwise log a browser in as somebody else.
	if err := http.NewCrossOriginProtection().Check(c.Request()); err != nil {
		return fault.Wrap(fault.Forbidden, err, "a login from another site is refused").WithRemedy("log in from MUTT's own pages")
	}
	var in apiclient.Login
	if err := readJSON(c, &in); err != nil {
		return err
	}
	if in.Key == "" {
		return fault.Field(fault.Unprocessable, "key", "is required")
	}
	opened, err := a.LogIn(c, in.Key)
	if err != nil {
		return err
	}
	return a.answerSession(c, opened)
}

// LogIn opens a session for the holder of a key and sets its cookie. It ends the session that the browser had.
func (a *API) LogIn(c echo.Context, secret string) (*authn.Session, error) {
	who, err := a.principal(c, secret)
	if err != nil {
		return nil, err
	}
	if err := a.endSession(c); err != nil {
		return nil, err
	}
	token, opened, err := a.Sessions.Open(c.Request().Context(), who)
	if err != nil {
		return nil, err
	}
	a.Logger.Info("session opened", zap.String("name", opened.Identity.Name), zap.String("source", c.RealIP()), zap.String("correlation_id", httpserver.CorrelationID(c)))
	a.setCookie(c, token.Reveal(), opened.ExpiresAt)
	return opened, nil
}

// principal returns for whom a key opens a session.
func (a *API) principal(c echo.Context, secret string) (who session.Principal, err error) {
	if a.Once != nil {
		if id, ok := a.Once.Redeem(secret); ok {
			return session.OfIdentity(id), nil
		}
	}
	key, err := a.Gate.Admit(c, secret)
	if err != nil {
		return who, err
	}
	if !key.Identity.Role.Allows(authn.Viewer) {
		return who, fault.New(fault.Forbidden, "a session needs at least the role viewer, and %s has %s", key.Identity.Name, key.Identity.Role)
	}
	return session.OfKey(key), nil
}

// LogOut ends the session whose cookie the request brings, everywhere, and removes the cookie. A request without one is fine.
func (a *API) LogOut(c echo.Context) error {
	if err := a.endSession(c); err != nil {
		return err
	}
	a.setCookie(c, "", time.Time{})
	return nil
}

// Forget removes the cookie of a session that is not open and reports whether the request brought one.
func (a *API) Forget(c echo.Context) bool {
	name, _ := httpserver.SessionCookieOf(c, a.SecureCookies)
	if _, err := c.Cookie(name); err != nil {
		return false
	}
	a.setCookie(c, "", time.Time{})
	return true
}

// Watched returns a function that reports whether the session of a request is still open, without prolonging it; nil for a request that came
// with a key.
func (a *API) Watched(c echo.Context) func(context.Context) error {
	if httpserver.Session(c) == nil {
		return nil
	}
	name, _ := httpserver.SessionCookieOf(c, a.SecureCookies)
	cookie, err := c.Cookie(name)
	if err != nil {
		return nil
	}
	return func(ctx context.Context) error {
		s, err := a.Sessions.Peek(ctx, cookie.Value)
		if err == nil && !s.Identity.Role.Allows(authn.Viewer) {
			err = fault.New(fault.Forbidden, "the console needs at least the role viewer, and %s has %s", s.Identity.Name, s.Identity.Role)
		}
		return err
	}
}

// AttemptsLeft returns how many wrong keys the caller's address may still send before it has to wait.
func (a *API) AttemptsLeft(c echo.Context) int { return a.Gate.AttemptsLeft(c) }

func (a *API) endSession(c echo.Context) error {
	name, _ := httpserver.SessionCookieOf(c, a.SecureCookies)
	if cookie, err := c.Cookie(name); err == nil {
		return a.Sessions.End(c.Request().Context(), cookie.Value)
	}
	return nil
}

func (a *API) getSession(c echo.Context) error {
	s, err := sessionOf(c)
	if err != nil {
		return err
	}
	return a.answerSession(c, s)
}

// logout ends the session everywhere.
func (a *API) logout(c echo.Context) error {
	if _, err := sessionOf(c); err != nil {
		return err
	}
	if err := a.LogOut(c); err != nil {
		return err
	}
	return answer(c, http.StatusOK, apiclient.Done{Message: "the session has ended"})
}

func sessionOf(c echo.Context) (*authn.Session, error) {
	if s := httpserver.Session(c); s != nil {
		return s, nil
	}
	return nil, fault.New(fault.NotFound, "this call came with a key, not by a session").WithRemedy("POST /session opens one; GET /whoami tells who a key is")
}

func (a *API) answerSession(c echo.Context, s *authn.Session) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	return answer(c, http.StatusOK, apiclient.Session{Name: s.Identity.Name, Role: s.Identity.Role.String(), ExpiresAt: s.ExpiresAt.UTC(),
		IdleSeconds: int64(a.SessionIdle.Seconds()), CSRFToken: s.CSRF})
}

// setCookie gives the browser a token; an empty one takes it away. Lax lets a link from a ticket open the console with the
// session; what changes something needs the CSRF token besides.
func (a *API) setCookie(c echo.Context, token string, expires time.Time) {
	name, secure := httpserver.SessionCookieOf(c, a.SecureCookies)
	cookie := &http.Cookie{Name: name, Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: secure, MaxAge: -1}
	if token != "" {
		cookie.MaxAge = max(1, int(expires.Sub(a.Now()).Seconds()))
	}
	c.SetCookie(cookie)
}
