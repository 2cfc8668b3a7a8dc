package api

import (
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
	key, err := a.Gate.Admit(c, in.Key)
	if err != nil {
		return err
	}
	if !key.Identity.Role.Allows(authn.Viewer) {
		return fault.New(fault.Forbidden, "a session needs at least the role viewer, and %s has %s", key.Identity.Name, key.Identity.Role)
	}
	ctx := c.Request().Context()
	name, _ := httpserver.SessionCookieOf(c, a.SecureCookies)
	if old, err := c.Cookie(name); err == nil {
		if err := a.Sessions.End(ctx, old.Value); err != nil {
			return err
		}
	}
	token, opened, err := a.Sessions.Open(ctx, session.OfKey(key))
	if err != nil {
		return err
	}
	a.Logger.Info("session opened", zap.String("name", opened.Identity.Name), zap.String("source", c.RealIP()), zap.String("correlation_id", httpserver.CorrelationID(c)))
	a.setCookie(c, token.Reveal(), opened.ExpiresAt)
	return a.answerSession(c, opened)
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
	name, _ := httpserver.SessionCookieOf(c, a.SecureCookies)
	cookie, err := c.Cookie(name)
	if err != nil {
		return err
	}
	if err := a.Sessions.End(c.Request().Context(), cookie.Value); err != nil {
		return err
	}
	a.setCookie(c, "", time.Time{})
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
