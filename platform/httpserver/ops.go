package httpserver

import (
	"context"
	"net"
	"net/http"
	"net/http/pprof"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/telemetry"
)

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

// OpsRoutes are the routes of the ops listener: health, liveness, readiness, metrics and profiles.
func OpsRoutes(h Reporter, g prometheus.Gatherer) []Route {
	ready := func(c echo.Context) error {
		report, status := h.Report(c.Request().Context())
		return c.String(status, report.Status+"\n")
	}
	routes := append(HealthRoutes(h, g),
		open("/livez", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") }),
		open("/readyz", ready),
	)
	for path, handler := range map[string]http.HandlerFunc{
		"/debug/pprof/": pprof.Index, "/debug/pprof/cmdline": pprof.Cmdline, "/debug/pprof/profile": pprof.Profile,
		"/debug/pprof/symbol": pprof.Symbol, "/debug/pprof/trace": pprof.Trace, "/debug/pprof/:profile": pprof.Index,
	} {
		routes = append(routes, open(path, loopback(handler)))
	}
	return routes
}

// open is a GET that needs no key.
func open(path string, h echo.HandlerFunc) Route {
	return Route{Method: http.MethodGet, Path: path, Role: authn.Public, Handler: h}
}

// loopback lets only callers on this machine see profiles: they show memory.
func loopback(h http.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		ip := net.ParseIP(c.RealIP())
		if ip == nil || !ip.IsLoopback() {
			return fault.New(fault.Forbidden, "profiles are shown on this machine only").WithRemedy("ask from 127.0.0.1")
		}
		h(c.Response(), c.Request())
		return nil
	}
}
