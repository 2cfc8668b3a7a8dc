// Package page serves the plain page at "/" and the static files: what runs, where, and how to begin.
//
// Principles:
//  1. What is shown needs no key, so it holds no data: names, addresses and the way to the rest.
//  2. Templates are parsed at start; a page that does not render is a start error, not a 500.
//  3. A strict content security policy: own styles only, no scripts, no frames.
package page

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"net"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
)

// Policy is the content security policy of every page.
const Policy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

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

// view is what the template gets.
type view struct {
	Product, Tagline, Version, Commit, Storage, Since, Example string
	Roles                                                      []string
	Listeners                                                  []Listener
	IngestURL, AdminURL, SyslogHost, SyslogPort                string
	SyslogTCP                                                  bool
}

// Page serves the pages.
type Page struct {
	home   *template.Template
	static fs.FS
	status func() Status
	now    func() time.Time
}

// New parses the templates of assets (see package web) and renders the page once to see that it can.
func New(assets fs.FS, status func() Status, now func() time.Time) (*Page, error) {
	home, err := template.New("home.html").Option("missingkey=error").ParseFS(assets, "templates/home.html")
	if err != nil {
		return nil, fmt.Errorf("parse the templates: %w", err)
	}
	static, err := fs.Sub(assets, "static")
	if err != nil {
		return nil, fmt.Errorf("open the static files: %w", err)
	}
	p := &Page{home: home, static: static, status: status, now: now}
	if _, err := p.render(Status{}, "localhost"); err != nil {
		return nil, err
	}
	return p, nil
}

// Routes lists the page's routes. They need no key.
func (p *Page) Routes() []httpserver.Route {
	return []httpserver.Route{
		{Method: http.MethodGet, Path: "/", Role: authn.Public, Handler: p.serveHome},
		{Method: http.MethodGet, Path: "/static/:file", Role: authn.Public, Handler: p.serveStatic},
	}
}

func (p *Page) serveHome(c echo.Context) error {
	body, err := p.render(p.status(), c.Request().Host)
	if err != nil {
		return err
	}
	secure(c.Response().Header())
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.HTMLBlob(http.StatusOK, body)
}

// serveStatic serves one embedded file. Names are single path elements, so nothing outside can be named.
func (p *Page) serveStatic(c echo.Context) error {
	name := c.Param("file")
	types := map[string]string{".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".png": "image/png"}
	kind, known := types[path.Ext(name)]
	if !known || !fs.ValidPath(name) || strings.ContainsAny(name, `/\`) {
		return fault.New(fault.NotFound, "there is no such file")
	}
	body, err := fs.ReadFile(p.static, name)
	if err != nil {
		return fault.Wrap(fault.NotFound, err, "there is no such file")
	}
	secure(c.Response().Header())
	c.Response().Header().Set("Cache-Control", "public, max-age=300")
	return c.Blob(http.StatusOK, kind, body)
}

func secure(h http.Header) {
	h.Set("Content-Security-Policy", Policy)
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
}

func (p *Page) render(s Status, host string) ([]byte, error) {
	v := view{Product: "MUTT", Tagline: "takes in syslog and HTTP events, matches them against rules, and alerts",
		Version: s.Version, Commit: s.Commit, Storage: s.Storage, Since: s.Since.UTC().Format(time.RFC3339),
		Example: p.now().UTC().Format(time.RFC3339), Roles: s.Roles, Listeners: s.Listeners}
	name := hostOnly(host)
	v.AdminURL = "http://" + net.JoinHostPort(name, "8090")
	for _, l := range s.Listeners {
		port := portOf(l.Address)
		switch {
		case port == "":
		case l.Name == IngestListener:
			v.IngestURL = l.Protocol + "://" + net.JoinHostPort(name, port) + "/ingest"
		case l.Name == AdminListener:
			v.AdminURL = l.Protocol + "://" + net.JoinHostPort(name, port)
		case l.Name == SyslogUDPListener, l.Name == SyslogTCPListener && v.SyslogPort == "":
			v.SyslogHost, v.SyslogPort, v.SyslogTCP = name, port, l.Name == SyslogTCPListener
		}
	}
	var out bytes.Buffer
	if err := p.home.Execute(&out, v); err != nil {
		return nil, fmt.Errorf("render the page: %w", err)
	}
	return out.Bytes(), nil
}

// hostOnly takes the host name under which the reader reached this page, for examples that can be copied.
// The header is the client's word, so anything that is no plain host name or address is not repeated: an example
// is pasted into a shell.
func hostOnly(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == ':'
	}
	if host == "" || len(host) > 253 || host[0] == '-' || strings.ContainsFunc(host, func(r rune) bool { return !plain(r) }) {
		return "localhost"
	}
	return host
}

func portOf(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	return port
}
