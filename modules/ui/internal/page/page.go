// Package page serves the console: the pages that people see in a browser, their components and the static files.
//
// Principles:
//  1. A page has no logic of its own: it shows and changes what the API does, called by httpserver.Inside as the page's reader.
//  2. The server renders everything; a page is read, filtered and paged without JavaScript. The URL is the state.
//  3. A strict content security policy: own scripts, styles and fonts only, nothing inline, no frames.
//  4. What is written by a device or a person is text: escaped where it is rendered, with control characters made visible.
package page

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
)

// Policy is the content security policy of every page.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Listener is one open (or switched off) door of the process.
type Listener struct {
	Name     string // unique: "ingest", "syslog-udp", "syslog-tcp", "admin", "ops"
	Protocol string // "http", "https", "udp", "tcp"
	Address  string // host:port as it is listened on; "" when it is off
	Purpose  string
}

// The listener names from which the page makes its examples.
const (
	IngestListener    = "ingest"
	SyslogUDPListener = "syslog-udp"
	SyslogTCPListener = "syslog-tcp"
	SyslogTLSListener = "syslog-tls"
	AdminListener     = "admin"
)

// Status is what the process says about itself.
type Status struct {
	Version   string
	Commit    string
	Roles     []string
	Storage   string // "embedded (SQLite)", …
	Since     time.Time
	Listeners []Listener
}

// Health is what is wrong in the process, in words, as /health answers it.
type Health struct {
	Errors   []string
	Warnings []string
}

// Deps are the parts that the pages work on. All are required but Environment, which names the installation beside the logo.
type Deps struct {
	Files       fs.FS // package web's
	Environment string
	Status      func() Status
	Health      func(context.Context) Health
	// API lists the routes that the pages read, below Prefix.
	API   []httpserver.Route
	Login Login
	Once  bool // the login takes a key for one login from the fragment of its address
	// Watch follows the judged events that fit a query of the API's /events/stream.
	Watch func(query url.Values) (Tail, error)
	Now   func() time.Time
}

// Prefix is the version of the API that the pages read.
const Prefix = "/api/v2"

// Pages serves the pages.
type Pages struct {
	Deps
	assets *Assets
	api    map[string]*httpserver.Route // the API's routes, by method and path
	hub    hub
	// sealKey seals what a review says of itself, while the process lives.
	sealKey []byte
}

// New reads the static files.
func New(d Deps) (*Pages, error) {
	if err := deps.Check(d, "Environment"); err != nil {
		return nil, err
	}
	assets, err := NewAssets(d.Files)
	if err != nil {
		return nil, err
	}
	p := &Pages{Deps: d, assets: assets, api: map[string]*httpserver.Route{}, sealKey: make([]byte, 32)}
	_, _ = rand.Read(p.sealKey) // never fails
	p.hub = hub{pages: p, feeds: map[string]*feed{}}
	for i := range d.API {
		p.api[d.API[i].Method+" "+d.API[i].Path] = &d.API[i]
	}
	return p, nil
}

// Routes lists the routes of the pages.
func (p *Pages) Routes() []httpserver.Route {
	routes := []httpserver.Route{
		{Method: http.MethodGet, Path: "/", Role: authn.Viewer, Handler: p.overview},
		{Method: http.MethodGet, Path: "/events", Role: authn.Viewer, Handler: p.events},
		{Method: http.MethodGet, Path: "/events/:id", Role: authn.Viewer, Handler: p.passport},
		{Method: http.MethodGet, Path: "/rules", Role: authn.Viewer, Handler: p.rules},
		{Method: http.MethodGet, Path: "/rules/new", Role: authn.Viewer, Handler: p.newRule},
		{Method: http.MethodGet, Path: "/rules/:id", Role: authn.Viewer, Handler: p.editRule},
		{Method: http.MethodPost, Path: "/rules/matches", Role: authn.Viewer, Handler: p.ruleMatches},
		{Method: http.MethodPost, Path: "/rules/review", Role: authn.Viewer, Handler: p.reviewRule},
		{Method: http.MethodPost, Path: "/rules/save", Role: authn.Operator, Handler: p.saveRule},
		{Method: http.MethodGet, Path: "/done", Role: authn.Viewer, Handler: p.done},
		{Method: http.MethodPost, Path: "/undo", Role: authn.Operator, Handler: p.undo},
		{Method: http.MethodGet, Path: "/components", Role: authn.Viewer, Handler: p.components},
		{Method: http.MethodGet, Path: "/login", Role: authn.Public, Handler: p.showLogin},
		{Method: http.MethodPost, Path: "/login", Role: authn.Public, Handler: p.login},
		{Method: http.MethodPost, Path: "/logout", Role: authn.Public, Handler: p.logout},
		{Method: http.MethodGet, Path: "/find", Role: authn.Viewer, Handler: p.find},
		{Method: http.MethodGet, Path: "/session", Role: authn.Viewer, Handler: p.session},
	}
	for i := range routes {
		routes[i].Failed = p.failed
	}
	return append(routes,
		httpserver.Route{Method: http.MethodGet, Path: "/ui/stream", Role: authn.Viewer, Handler: p.stream, Unattended: true},
		httpserver.Route{Method: http.MethodGet, Path: "/static/:file", Role: authn.Public, Handler: p.assets.serve})
}

// read asks the API for what has no parameters in its path, as the reader of the page.
func (p *Pages) read(c echo.Context, path string, query url.Values, out any) error {
	body, err := remembered(c, path, query, func() ([]byte, error) {
		answer, err := p.ask(c, http.MethodGet, path, httpserver.Call{Query: query})
		if err != nil {
			return nil, err
		}
		return answer.Body, nil
	})
	if err != nil {
		return err
	}
	return decode(http.MethodGet, path, body, out)
}

// call calls an operation of the API as the reader of the page; path is as the route declares it, "/rules/:id". out may be nil. The header
// is that of the answer, for its ETag.
func (p *Pages) call(c echo.Context, method, path string, call httpserver.Call, out any) (http.Header, error) {
	answer, err := p.ask(c, method, path, call)
	if err != nil {
		return nil, err
	}
	return answer.Header, decode(method, path, answer.Body, out)
}

func (p *Pages) ask(c echo.Context, method, path string, call httpserver.Call) (*httpserver.Answer, error) {
	r := p.api[method+" "+Prefix+path]
	if r == nil {
		return nil, fmt.Errorf("the API has no %s %s", method, path)
	}
	return httpserver.Inside(c, r, call)
}

func decode(method, path string, body []byte, out any) error {
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("read the answer of %s %s: %w", method, path, err)
	}
	return nil
}

// frame is what surrounds every page.
type frame struct {
	*Assets
	Title, Page, Env, Version, Theme string
	Name, Role, CSRF                 string // of the reader; "" where nobody is logged in
	Change                           int64  // row of the change audit that the reader's last write left, which a toast says
	Now                              time.Time
	Pulse                            templ.Component // nil on pages that show more of the same
	Live                             int             // processes; 0 where nobody is logged in, or where they are not known
	Ruleset                          int64           // the newest version that one of them works by
	Pauses                           bool            // the page has a button of its own that pauses it
}

func (p *Pages) frame(c echo.Context, page, title string) frame {
	f := frame{Assets: p.assets, Title: title, Page: page, Env: visible(p.Environment), Version: p.Status().Version, Now: p.Now().UTC()}
	id := httpserver.Identity(c)
	if id.Role != authn.Public {
		f.Name, f.Role = visible(id.Name), id.Role.String()
		var live apiclient.Processes
		if p.read(c, "/processes", nil, &live) == nil { // the foot of the side bar goes without
			f.Live = len(live.Processes)
			for i := range live.Processes {
				f.Ruleset = max(f.Ruleset, live.Processes[i].RulesetVersion)
			}
		}
	}
	if n, err := strconv.ParseInt(c.QueryParam("change"), 10, 64); err == nil && n > 0 {
		f.Change = n
	}
	if s := httpserver.Session(c); s != nil {
		f.CSRF = s.CSRF
	}
	if f.Name != "" && page != "overview" {
		f.Pulse = p.newestPulse(c)
	}
	if cookie, err := c.Cookie("mutt_theme"); err == nil && (cookie.Value == "light" || cookie.Value == "dark") {
		f.Theme = cookie.Value
	}
	return f
}

// show writes a page. It is rendered whole before the first byte, so that a failure is an error page and not half of this one.
func (p *Pages) show(c echo.Context, status int, page templ.Component) error {
	var body bytes.Buffer
	if err := page.Render(c.Request().Context(), &body); err != nil {
		return fmt.Errorf("render the page: %w", err)
	}
	secure(c.Response().Header())
	return c.HTMLBlob(status, body.Bytes())
}

// failed answers a page that is refused or fails: without a login the reader goes to the login and comes back, else a page has the
// sentence, the remedy and the code of the API's error. A page that is open stays: its script gets the status, and opens a login over it.
func (p *Pages) failed(c echo.Context, status int, e apiclient.Error) error {
	script := c.Request().Header.Get("HX-Request") != ""
	reads := c.Request().Method == http.MethodGet || c.Request().Method == http.MethodHead
	if e.Code == string(fault.Unauthorized) && (script || reads) {
		ended := p.Login.Forget(c)
		secure(c.Response().Header())
		if script {
			return c.NoContent(http.StatusUnauthorized)
		}
		to := "/login?" + url.Values{"next": {c.Request().URL.RequestURI()}}.Encode()
		if ended {
			to += "&ended=1"
		}
		return c.Redirect(http.StatusSeeOther, to)
	}
	if script && !reads {
		if part := refusedPart(c.Request().Header.Get("HX-Target"), &problem{Message: strings.TrimSpace(e.Field + " " + e.Message), Remedy: e.Remedy, Code: e.Code, Correlation: e.CorrelationID}); part != nil {
			return p.show(c, status, part)
		}
	}
	return p.show(c, status, errorPage(p.frame(c, "", "Not shown"), e))
}

// refusedPart returns what says on an open page that a request was refused, in the place where its answer would have stood; nil where the
// page has no such place.
func refusedPart(target string, p *problem) templ.Component {
	switch target {
	case "overlay":
		return refusedDialog(p)
	case "refusal": // of a dialog, which stays with what was typed into it
		return wrongFields([]fieldError{{"why", refusal(p.Message, p.Remedy)}})
	case "matches":
		return matchesPanel(&matchesView{failed: p})
	case "toasts":
		return doneToast(&doneView{failed: p})
	}
	return nil
}

// Missing answers a browser that asks for what is not there.
func (p *Pages) Missing(c echo.Context, status int, e apiclient.Error) error {
	e.Remedy = "check the address"
	return p.show(c, status, errorPage(p.frame(c, "", "Not found"), e))
}

// problem is an error of one panel; the rest of the page stays.
type problem struct{ Message, Remedy, Code, Correlation string }

// problemOf renders the error of a read. A fault inside MUTT is not shown in its words.
func problemOf(c echo.Context, err error) *problem {
	if err == nil {
		return nil
	}
	f, ok := fault.As(err)
	if !ok {
		f = fault.New(fault.Internal, "a fault inside MUTT")
	}
	out := &problem{Message: f.Message, Remedy: f.Remedy, Code: string(f.Code), Correlation: httpserver.CorrelationID(c)}
	if f.Field != "" {
		out.Message = f.Field + " " + f.Message
	}
	if out.Remedy == "" {
		out.Remedy = fault.Describe(f.Code).Remedy
	}
	return out
}

// secure sets the headers of every answer. What may be kept says so afterwards.
func secure(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", Policy)
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin") // with no-referrer a browser hides the origin of a form, and the login over plain HTTP is refused
	h.Set("X-Content-Type-Options", "nosniff")
}
