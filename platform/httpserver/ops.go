package httpserver

import (
	"context"
	"net"
	"net/http"
	"net/http/pprof"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/telemetry"
)

// OpsConfig holds the static settings of the ops listener.
type OpsConfig struct {
	Addr           string
	TLS            tlsconf.ListenerConfig
	RemoteProfiles bool
}

// Settings declares the settings.
func (c *OpsConfig) Settings() []static.Setting {
	return slices.Concat([]static.Setting{
		{Path: "listeners.ops", Default: "127.0.0.1:8081", Variables: static.Variables("MUTT_OPS_ADDR"),
			About: "Address of the ops HTTP listener: health, metrics, profiles", Value: static.Listener(&c.Addr, 8081)},
	}, tlsconf.ListenerSettings("ops", &c.TLS), []static.Setting{
		{Path: "ops.remote_profiles", Default: "false", Variables: static.Variables("MUTT_OPS_REMOTE_PROFILES"),
			About: "Other machines may read profiles (/debug/pprof) too; they need an admin key, as this machine does", Value: static.Bool(&c.RemoteProfiles)},
	})
}

// Reporter gives the health of the process and the status to answer with.
type Reporter interface {
	Report(ctx context.Context) (telemetry.Report, int)
}

// HealthRoutes are /health and /metrics, which every listener serves without a key.
func HealthRoutes(h Reporter, g prometheus.Gatherer) []Route {
	return []Route{
		open("/health", func(c echo.Context) error {
			report, status := h.Report(c.Request().Context())
			return c.JSON(status, report)
		}),
		open("/metrics", echo.WrapHandler(promhttp.HandlerFor(g, promhttp.HandlerOpts{}))),
	}
}

// OpsRoutes are the routes of the ops listener: health, liveness, readiness, metrics and profiles. A profile shows memory, and with it
// secrets: it needs an admin key.
func OpsRoutes(c OpsConfig, h Reporter, g prometheus.Gatherer) []Route {
	ready := func(c echo.Context) error {
		report, status := h.Report(c.Request().Context())
		return c.String(status, report.Status+"\n")
	}
	routes := append(HealthRoutes(h, g),
		open("/livez", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") }),
		open("/readyz", ready),
	)
	turn := make(chan struct{}, 1) // one profile at a time
	for path, handler := range map[string]http.HandlerFunc{
		"/debug/pprof/": pprof.Index, "/debug/pprof/cmdline": pprof.Cmdline, "/debug/pprof/profile": pprof.Profile,
		"/debug/pprof/symbol": pprof.Symbol, "/debug/pprof/trace": pprof.Trace, "/debug/pprof/:profile": pprof.Index,
	} {
		routes = append(routes, Route{Method: http.MethodGet, Path: path, Role: authn.Admin, Handler: c.profile(turn, handler)})
	}
	return routes
}

// longestProfile is how many seconds a profile may be collected.
const longestProfile = 60

// open is a GET that needs no key.
func open(path string, h echo.HandlerFunc) Route {
	return Route{Method: http.MethodGet, Path: path, Role: authn.Public, Handler: h}
}

// profile serves a profile to callers on this machine, and to others where that is configured. Collecting one slows the process down, so
// its length is bounded, and a second one is refused meanwhile.
func (c OpsConfig) profile(turn chan struct{}, h http.HandlerFunc) echo.HandlerFunc {
	return func(e echo.Context) error {
		ip := net.ParseIP(e.RealIP())
		if !c.RemoteProfiles && (ip == nil || !ip.IsLoopback()) {
			return fault.New(fault.Forbidden, "profiles are shown on this machine only").WithRemedy("ask from 127.0.0.1, or set MUTT_OPS_REMOTE_PROFILES=true")
		}
		if text := e.QueryParam("seconds"); text != "" {
			if seconds, err := strconv.ParseFloat(text, 64); err != nil || !(seconds > 0 && seconds <= longestProfile) {
				return fault.Field(fault.InvalidField, "seconds", "must be a number above 0 and at most %d", longestProfile)
			}
		}
		select {
		case turn <- struct{}{}:
			defer func() { <-turn }()
		default:
			return fault.New(fault.RateLimited, "another profile is being collected").WithRetryAfter(longestProfile * time.Second).
				WithRemedy("wait until it is complete; one profile is collected at a time")
		}
		h(e.Response(), e.Request())
		return nil
	}
}
