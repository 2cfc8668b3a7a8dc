package app

import "github.com/prometheus/client_golang/prometheus"

// Registry returns what /metrics shows, with the descriptions of metrics that have no values.
func (a *App) Registry() *prometheus.Registry { return a.parts.registry }
