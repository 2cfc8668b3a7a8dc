package ruleset

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muttproject/mutt/platform/rule"
)

// Metrics are the figures of loading; their names are the predecessor's (contracts.md section 8).
type Metrics struct {
	latency             prometheus.Histogram
	failures            prometheus.Counter
	rules, hosts, teams prometheus.Gauge
}

// NewMetrics makes and registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	m := &Metrics{
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "mutt_alerter_cache_reload_latency_seconds",
			Help: "Time to load and compile the rules.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 8)}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{Name: "mutt_alerter_cache_reload_failures_total",
			Help: "Looks at the rules that failed; the last good ones stayed in use."}),
		rules: gauge("mutt_alerter_cache_rules_count", "Rules in use."),
		hosts: gauge("mutt_alerter_cache_dev_hosts_count", "Development hosts in use."),
		teams: gauge("mutt_alerter_cache_teams_count", "Hosts with a team of their own."),
	}
	r.MustRegister(m.latency, m.failures, m.rules, m.hosts, m.teams)
	return m
}

func (m *Metrics) observe(set *rule.Set, tables *rule.Tables, took time.Duration) {
	m.latency.Observe(took.Seconds())
	m.rules.Set(float64(set.Len()))
	m.hosts.Set(float64(len(tables.DevHosts)))
	m.teams.Set(float64(len(tables.Teams)))
}
