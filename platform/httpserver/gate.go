package httpserver

import (
	"context"
	"crypto/subtle"
	"net/http"
	"net/netip"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/fault"
)

// How a session travels: its token in a cookie that scripts cannot read, and for writes a second token that only the
// site's own scripts know.
const (
	SessionCookie       = "mutt_session"
	SecureSessionCookie = "__Host-mutt_session" // where browsers send it over TLS only
	HeaderCSRF          = "X-CSRF-Token"
)

// SessionCookieOf returns the cookie that carries sessions: over TLS, which a proxy before MUTT may speak, one that a browser takes
// from this very host over TLS only. The other one is not read there, because a site of the same domain, or anyone who can answer in
// clear text for this host, could set it.
func SessionCookieOf(c echo.Context, proxied bool) (name string, secure bool) {
	if proxied || c.Request().TLS != nil {
		return SecureSessionCookie, true
	}
	return SessionCookie, false
}

// Sessions finds the session of a cookie's token. One that is not open is a fault.Unauthorized. Find notes that the session was used, Peek
// does not.
type Sessions interface {
	Find(ctx context.Context, token string) (*authn.Session, error)
	Peek(ctx context.Context, token string) (*authn.Session, error)
}

// Why a call was refused, as the label of mutt_auth_failures_total.
const (
	refusedMissing   = "missing_key"
	refusedUnknown   = "unknown_key"
	refusedDamaged   = "damaged_key"
	refusedExpired   = "expired_key"
	refusedSession   = "no_session"
	refusedCSRF      = "csrf_token"
	refusedRole      = "role"
	refusedRateLimit = "rate_limit"
	refusedThrottled = "throttled"
)

// Gate lets callers in by their keys. It limits failed attempts by source, counts them and logs them. The listeners of
// a process share one.
type Gate struct {
	opts      GateOptions
	attempts  *authn.Attempts
	failures  *prometheus.CounterVec
	throttled prometheus.Counter
}

// GateOptions configure a Gate. All are required.
type GateOptions struct {
	Keys       *authn.Keyring
	Registerer prometheus.Registerer
	Logger     *zap.Logger
	Now        func() time.Time
}

// NewGate makes a Gate.
func NewGate(o GateOptions) *Gate {
	deps.Must(o)
	g := &Gate{opts: o, attempts: authn.NewAttempts(o.Now),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mutt_auth_failures_total",
			Help: "HTTP calls that were refused for who makes them, by reason."}, []string{"reason"}),
		throttled: prometheus.NewCounter(prometheus.CounterOpts{Name: "mutt_auth_throttled_total",
			Help: "Calls that were answered with 429 because their source failed too often: failed attempts, and keys that were not looked at."}),
	}
	for _, reason := range []string{refusedMissing, refusedUnknown, refusedDamaged, refusedExpired, refusedSession, refusedCSRF, refusedRole, refusedRateLimit, refusedThrottled} {
		g.failures.WithLabelValues(reason)
	}
	o.Registerer.MustRegister(g.failures, g.throttled)
	return g
}

// Admit finds the key of a secret. A wrong one is a failed attempt of the caller's address. While that address is throttled only keys
// that MUTT generated are looked at: nobody guesses those, and senders behind one address do not lock each other out.
func (g *Gate) Admit(c echo.Context, secret string) (*authn.Key, error) {
	if g.attempts.Any() && !authn.Generated(secret) {
		if wait, tell := g.attempts.Throttled(source(c)); wait > 0 {
			g.failures.WithLabelValues(refusedThrottled).Inc()
			if tell {
				g.tell(c, refusedThrottled, "")
			}
			return nil, g.throttle(wait)
		}
	}
	key, verdict := g.opts.Keys.Authenticate(secret)
	switch verdict {
	case authn.Accepted:
		return key, nil
	case authn.Damaged:
		return nil, g.failed(c, refusedDamaged, "", fault.New(fault.Unauthorized, "the API key is damaged: a part is missing or mistyped").
			WithRemedy("copy the whole key: mutt_ and 58 characters"))
	case authn.Expired:
		return nil, g.failed(c, refusedExpired, key.Identity.Name, fault.New(fault.Unauthorized, "the API key has expired").
			WithRemedy("have an admin rotate the key or move its expiry"))
	default:
		return nil, g.failed(c, refusedUnknown, "", fault.New(fault.Unauthorized, "the API key is not known"))
	}
}

// AttemptsLeft returns how many attempts the caller's address may still fail before it has to wait.
func (g *Gate) AttemptsLeft(c echo.Context) int { return g.attempts.Left(source(c)) }

// failed counts a failed attempt; err is what it is answered with unless there were too many.
func (g *Gate) failed(c echo.Context, reason, name string, err *fault.Error) error {
	g.failures.WithLabelValues(reason).Inc()
	wait, tell := g.attempts.Failed(source(c))
	if tell {
		g.tell(c, reason, name)
	}
	if wait > 0 {
		return g.throttle(wait)
	}
	return err
}

// tell logs a refusal. The caller sees that no source fills the log.
func (g *Gate) tell(c echo.Context, reason, name string) {
	g.opts.Logger.Warn("a call was refused for its key; more from this source are not logged for a minute", zap.String("source", c.RealIP()),
		zap.String("reason", reason), zap.String("name", name), zap.String("route", c.Path()), zap.String("correlation_id", CorrelationID(c)))
}

// throttle returns the answer to a source that has failed too often.
func (g *Gate) throttle(wait time.Duration) error {
	g.throttled.Inc()
	return fault.New(fault.RateLimited, "too many failed attempts from this address").WithRetryAfter(wait).
		WithRemedy("wait as long as Retry-After says, or use a key that MUTT generated, which is let in at once")
}

// source returns the address of the caller; the zero Addr is a source like any other.
func source(c echo.Context) netip.Addr {
	from, _ := netip.ParseAddr(c.RealIP())
	return from
}

// refuse counts a refusal that is no failed attempt.
func (g *Gate) refuse(reason string, err *fault.Error) error {
	g.failures.WithLabelValues(reason).Inc()
	return err
}

// pass asks the rate limit of an identity.
func (g *Gate) pass(ctx context.Context, id *authn.Identity, limit authn.Limiter) error {
	if limit == nil {
		return nil
	}
	if wait, ok := limit.Take(ctx); !ok {
		return g.refuse(refusedRateLimit, fault.New(fault.RateLimited, "%s makes more requests than its rate limit allows", id.Name).WithRetryAfter(wait))
	}
	return nil
}

// byKey identifies the holder of a key.
func (g *Gate) byKey(c echo.Context, secret string) (*authn.Identity, error) {
	key, err := g.Admit(c, secret)
	if err != nil {
		return nil, err
	}
	return &key.Identity, g.pass(c.Request().Context(), &key.Identity, key.Limit)
}

// bySession identifies the owner of a session. What changes something must bring the session's CSRF token: a browser
// sends the cookie along with requests that other sites make. find is Find or Peek of Sessions.
func (g *Gate) bySession(c echo.Context, find func(context.Context, string) (*authn.Session, error), token string) (*authn.Identity, error) {
	ctx := c.Request().Context()
	s, err := find(ctx, token)
	if f, ok := fault.As(err); ok && f.Code == fault.Unauthorized {
		return nil, g.failed(c, refusedSession, "", f)
	}
	if err != nil {
		return nil, err
	}
	switch c.Request().Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
	default:
		if subtle.ConstantTimeCompare([]byte(c.Request().Header.Get(HeaderCSRF)), []byte(s.CSRF)) != 1 {
			return nil, g.refuse(refusedCSRF, fault.Field(fault.CSRFToken, HeaderCSRF, "is missing or not that of the session"))
		}
	}
	c.Set(keySession, s)
	return &s.Identity, g.pass(ctx, &s.Identity, s.Limit)
}
