package page

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
)

// Login opens and ends the sessions of browsers, in the same way as the API does.
type Login interface {
	LogIn(c echo.Context, key string) (*authn.Session, error)
	LogOut(c echo.Context) error
	// Forget removes the cookie of a session that is not open and reports whether there was one.
	Forget(c echo.Context) bool
	// Watched returns a function that reports whether the session of a request is still open, without prolonging it; nil for a request that
	// came with a key.
	Watched(c echo.Context) func(context.Context) error
	// AttemptsLeft is how many wrong keys the reader's address may still send before it has to wait.
	AttemptsLeft(c echo.Context) int
}

// maxForm bounds the form of the login, in bytes.
const maxForm = 16 << 10

// loginView is what the login page shows.
type loginView struct {
	Next, Message, Health, Tone string
	Ended, Once                 bool
	Over                        bool // it stands over a page
}

// field is the id of the field of the key.
func (v loginView) field() string {
	if v.Over {
		return "ended-key"
	}
	return "key"
}

func (p *Pages) showLogin(c echo.Context) error {
	return p.showLoginWith(c, http.StatusOK, loginView{Next: ownPath(c.QueryParam("next")), Ended: c.QueryParam("ended") != ""})
}

func (p *Pages) showLoginWith(c echo.Context, status int, v loginView) error {
	if v.Over {
		return p.show(c, status, loginForm(v))
	}
	v.Once = p.Once
	switch h := p.Health(c.Request().Context()); {
	case len(h.Errors) > 0:
		v.Health, v.Tone = "MUTT has "+counted(int64(len(h.Errors)), "failure", "failures"), "bad"
	case len(h.Warnings) > 0:
		v.Health, v.Tone = "MUTT runs, with "+counted(int64(len(h.Warnings)), "warning", "warnings"), "warn"
	default:
		v.Health = "MUTT runs"
	}
	return p.show(c, status, loginPage(p.frame(c, "login", "Log in"), v))
}

// login opens a session and goes to where the reader wanted to be.
func (p *Pages) login(c echo.Context) error {
	// Another site's page could otherwise log a browser in as somebody else.
	if err := http.NewCrossOriginProtection().Check(c.Request()); err != nil {
		return fault.Wrap(fault.Forbidden, err, "a login from another site is refused").WithRemedy("log in from MUTT's own page")
	}
	form, err := formOf(c, maxForm)
	if err != nil {
		return err
	}
	v := loginView{Next: ownPath(form.Get("next")), Over: c.Request().Header.Get("HX-Request") != ""}
	key := strings.TrimSpace(form.Get("key"))
	if key == "" {
		v.Message = "Paste an API key."
		return p.showLoginWith(c, http.StatusUnprocessableEntity, v)
	}
	_, err = p.Login.LogIn(c, key)
	f, refused := fault.As(err)
	switch {
	case err == nil && v.Over:
		secure(c.Response().Header())
		return c.NoContent(http.StatusNoContent)
	case err == nil:
		secure(c.Response().Header())
		return c.Redirect(http.StatusSeeOther, v.Next)
	case !refused:
		return err
	case f.Code == fault.Unauthorized:
		v.Message = fmt.Sprintf("%s %s", wrongKey(key, f), attempts(p.Login.AttemptsLeft(c)))
		if p.Once {
			v.Message += " The link of the demonstration logs in once, within two minutes; after that, use the key in the file that it printed."
		}
	case f.Code == fault.RateLimited:
		v.Message = fmt.Sprintf("Too many wrong keys came from this address. Wait %s, then try again.", span(f.RetryAfter))
		c.Response().Header().Set("Retry-After", fmt.Sprint(max(1, int(f.RetryAfter.Seconds()+0.5))))
	case f.Code == fault.Forbidden:
		v.Message = "This key has the role ingest: it can send events, but cannot log in. Use a key of role viewer or above."
	case v.Over:
		v.Message = sentenceCase(f.Message) + " " + sentenceCase(cmp.Or(f.Remedy, fault.Describe(f.Code).Remedy))
	default:
		return err
	}
	return p.showLoginWith(c, fault.Describe(f.Code).Status, v)
}

// wrongKey says what is wrong with a key that is not accepted.
func wrongKey(key string, f *fault.Error) string {
	const whole = 63
	switch {
	case !authn.IsDamaged(key):
		return strings.ToUpper(f.Message[:1]) + f.Message[1:] + "."
	case len(key) < whole:
		return fmt.Sprintf("This key was cut off: it has %d of %d characters. Paste the whole key.", len(key), whole)
	case len(key) > whole:
		return fmt.Sprintf("This key is too long: it has %d characters, and a key has %d. Paste the key alone.", len(key), whole)
	}
	return "This key is damaged: a character is mistyped or missing. Paste it again."
}

func attempts(left int) string {
	switch left {
	case 0:
		return "No attempt is left for now."
	case 1:
		return "1 attempt is left."
	}
	return fmt.Sprintf("%d attempts are left.", left)
}

// logout ends the session. It takes no token, because a browser sends the session's cookie with own forms only and what another site
// sends is refused.
func (p *Pages) logout(c echo.Context) error {
	if err := http.NewCrossOriginProtection().Check(c.Request()); err != nil {
		return fault.Wrap(fault.Forbidden, err, "a logout from another site is refused").WithRemedy("log out from MUTT's own pages")
	}
	if err := p.Login.LogOut(c); err != nil {
		return err
	}
	secure(c.Response().Header())
	return c.Redirect(http.StatusSeeOther, "/login")
}

// session tells a page's script whose session the browser has, and the token that its writes must bring.
func (p *Pages) session(c echo.Context) error {
	var s apiclient.Session
	if _, err := p.call(c, http.MethodGet, "/session", httpserver.Call{}, &s); err != nil {
		return err
	}
	return p.show(c, http.StatusOK, sessionIs(visible(s.Name), s.CSRFToken))
}

// formOf reads a form of bounded size.
func formOf(c echo.Context, most int64) (url.Values, error) {
	r := c.Request()
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.ContentLength != 0 && kind != "application/x-www-form-urlencoded" {
		return nil, fault.New(fault.UnsupportedType, "this takes a form").WithRemedy("send application/x-www-form-urlencoded")
	}
	r.Body = http.MaxBytesReader(c.Response().Writer, r.Body, most)
	if err := r.ParseForm(); err != nil {
		if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
			return nil, fault.New(fault.TooLarge, "the form is larger than %d bytes", most)
		}
		return nil, fault.New(fault.BadRequest, "the form is not well formed")
	}
	return r.PostForm, nil
}

// ownPath returns where a login leads: a path of this server, else Overview. Browsers take a backslash for a slash, drop tabs and line
// breaks, and take // for another host.
func ownPath(next string) string {
	u, err := url.Parse(next)
	odd := strings.ContainsFunc(next, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f })
	if err != nil || odd || u.Scheme != "" || u.Host != "" || u.User != nil || len(next) > 2000 ||
		!strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || u.Path == "/login" || u.Path == "/logout" {
		return "/"
	}
	return next
}
