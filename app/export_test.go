package app

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// Registry returns what /metrics shows, with the descriptions of metrics that have no values.
func (a *App) Registry() *prometheus.Registry { return a.parts.registry }

// Quiet returns o with all roles, no log and nobody who listens, where o does not say otherwise.
func Quiet(o Options) Options {
	if o.Roles == nil {
		o.Roles = Roles()
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	o.Level, o.Getenv, o.Now = zap.NewAtomicLevel(), func(string) string { return "" }, time.Now
	o.OnAdmin, o.Started = func(string, string) {}, func(map[string]string) {}
	return o
}
