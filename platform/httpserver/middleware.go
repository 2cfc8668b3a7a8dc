package httpserver

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/fault"
)

// Headers of every answer (contracts.md section 2).
const (
	HeaderCorrelation   = "X-Correlation-ID"
	HeaderAPIKey        = "X-API-KEY"
	HeaderAcceptVersion = "Accept-Version" // of a request: v1, v2, v2.5, also without the v; several with commas
	APIVersion          = "v2.5"
	SupportedVersions   = "v1, v2, v2.5"
)

const (
	keyCorrelation = "mutt.correlation"
	keyIdentity    = "mutt.identity"
	keySession     = "mutt.session"
)

// CorrelationID gives the id of the request: the sender's when it is sane, else a new one.
func CorrelationID(c echo.Context) string {
	id, _ := c.Get(keyCorrelation).(string)
	return id
}

// Identity gives the authenticated caller of the request; the zero Identity on a public route.
func Identity(c echo.Context) authn.Identity {
	if id, ok := c.Get(keyIdentity).(*authn.Identity); ok {
		return *id
	}
	return authn.Identity{}
}

// Session gives the session that the request came by; nil when it came with a key or without anything.
func Session(c echo.Context) *authn.Session {
	s, _ := c.Get(keySession).(*authn.Session)
	return s
}

// SaneID reports whether a correlation id of a sender may be kept: 1 to 128 printable ASCII characters but quotes.
func SaneID(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' {
			return false
		}
	}
	return true
}

// annotate sets the headers that every answer carries.
func (s *Server) annotate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := c.Request().Header.Get(HeaderCorrelation)
		if !SaneID(id) {
			id = uuid.NewString()
		}
		c.Set(keyCorrelation, id)
		h, path := c.Response().Header(), c.Request().URL.Path
		h.Set(HeaderCorrelation, id)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-API-Version", APIVersion)
		h.Set("X-API-Supported-Versions", SupportedVersions)
		if strings.HasPrefix(path, "/api/v1/") {
			h.Set("X-API-Deprecated", "true")
		} else if strings.HasPrefix(path, "/api/v2/") {
			h.Set("X-API-Deprecated", "false")
		}
		return next(c)
	}
}

// negotiate refuses a call that asks for a version of the API that does not exist. The versions differ in nothing but
// the path, so a known one changes nothing.
func negotiate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		asked := strings.Join(c.Request().Header.Values(HeaderAcceptVersion), ",")
		if asked == "" {
			return next(c)
		}
		for v := range strings.SplitSeq(asked, ",") {
			v = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(v)), "v")
			for known := range strings.SplitSeq(SupportedVersions, ", ") {
				if "v"+v == known {
					return next(c)
				}
			}
		}
		return fault.Field(fault.UnsupportedVersion, HeaderAcceptVersion, "asks for no version of this API: there are %s", SupportedVersions)
	}
}

// require lets a call of a route pass whose key or session has at least the route's role.
func (s *Server) require(r Route) echo.MiddlewareFunc {
	least := r.Role
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		if least == authn.Public {
			return func(c echo.Context) error {
				s.stranger(c)
				return next(c)
			}
		}
		return func(c echo.Context) error {
			id, err := s.identify(c, r.Unattended)
			if err == nil && !id.Role.Allows(least) {
				err, id = s.opts.Gate.refuse(refusedRole, fault.New(fault.Forbidden, "this needs the role %s, and %s has %s", least, id.Name, id.Role)), nil
			}
			if id != nil { // with an error, the caller is known but over its rate limit
				c.Set(keyIdentity, id)
			}
			if err != nil {
				return err
			}
			return next(c)
		}
	}
}

// identify finds who calls: by a key when one is sent, else by the session's cookie.
func (s *Server) identify(c echo.Context, unattended bool) (*authn.Identity, error) {
	gate := s.opts.Gate
	if secret := secretOf(c.Request()); secret != "" {
		return gate.byKey(c, secret)
	}
	if s.opts.Sessions != nil {
		name, _ := SessionCookieOf(c, s.opts.ProxiedTLS)
		if cookie, err := c.Cookie(name); err == nil && cookie.Value != "" {
			find := s.opts.Sessions.Find
			if unattended {
				find = s.opts.Sessions.Peek
			}
			return gate.bySession(c, find, cookie.Value)
		}
	}
	missing := fault.New(fault.Unauthorized, "no API key was sent")
	if c.Request().URL.Query().Has("api_key") { // as v2.5 took it
		missing = fault.Field(fault.Unauthorized, "api_key", "is not read: a key in a URL is kept by proxies and logs").WithRemedy("send the key as the header X-API-KEY")
	}
	return nil, gate.refuse(refusedMissing, missing)
}

func secretOf(r *http.Request) string {
	if key := r.Header.Get(HeaderAPIKey); key != "" {
		return key
	}
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return bearer
	}
	return ""
}

// recoverPanic turns a panic into a 500 with a log line that holds the stack.
func (s *Server) recoverPanic(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p) // net/http's own way to drop a connection
				}
				err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		return next(c)
	}
}

// renderError writes the one error form of every listener.
func (s *Server) renderError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	if c.Get(keyIdentity) == nil {
		dismiss(c)
	}
	f := toFault(err)
	entry := fault.Describe(f.Code)
	if entry.Status >= 500 && f.Code == fault.Internal {
		s.opts.Logger.Error("request failed", zap.String("correlation_id", CorrelationID(c)),
			zap.String("method", c.Request().Method), zap.String("route", c.Path()), zap.Error(err))
	}
	if f.RetryAfter > 0 || entry.Status == http.StatusServiceUnavailable {
		secs := max(1, int(math.Ceil(f.RetryAfter.Seconds())))
		c.Response().Header().Set("Retry-After", strconv.Itoa(secs))
	}
	body := apiclient.Error{Error: f.Message, Message: f.Message, Code: string(f.Code), Field: f.Field, Remedy: f.Remedy,
		CorrelationID: CorrelationID(c)}
	if body.Remedy == "" {
		body.Remedy = entry.Remedy
	}
	if f.Field != "" {
		body.Error = f.Field + ": " + f.Message
	}
	if failed := s.errorPage(c, err); failed != nil {
		err = failed(c, entry.Status, body)
	} else {
		err = c.JSON(entry.Status, body)
	}
	if err != nil {
		s.opts.Logger.Debug("cannot write an error answer", zap.Error(err))
	}
}

// errorPage returns what writes err as a page; nil where the caller is a program.
func (s *Server) errorPage(c echo.Context, err error) ErrorPage {
	if failed := s.pages[c.Request().Method+" "+c.Path()]; failed != nil {
		return failed
	}
	unrouted := (*echo.HTTPError)(nil) // the framework's own
	if s.opts.Missing == nil || !errors.As(err, &unrouted) || strings.HasPrefix(c.Request().URL.Path, "/api/") ||
		!strings.Contains(c.Request().Header.Get("Accept"), "text/html") {
		return nil
	}
	return s.opts.Missing
}

// toFault finds the fault in err, translates the framework's own errors, and hides everything else.
func toFault(err error) *fault.Error {
	if f, ok := fault.As(err); ok {
		return f
	}
	var he *echo.HTTPError
	if errors.As(err, &he) {
		switch he.Code {
		case http.StatusNotFound:
			return fault.New(fault.NotFound, "there is nothing at this path").WithRemedy("see the API reference")
		case http.StatusMethodNotAllowed:
			return fault.New(fault.MethodNotAllowed, "this path does not take this method").WithRemedy("use one of those in the header Allow")
		case http.StatusBadRequest:
			return fault.New(fault.BadRequest, "the request is not well formed")
		}
	}
	return fault.New(fault.Internal, "a fault inside MUTT")
}
