package secrets

import (
	"github.com/prometheus/client_golang/prometheus"
)

// How a reading ended: the label values of mutt_secrets_reads_total.
const (
	statusOK     = "ok"
	statusFailed = "failed"
)

// metrics tell of versions and of failures, never of values. Their labels are names of keys and of providers.
type metrics struct {
	changes  *prometheus.CounterVec
	readings *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer, providers []Provider, current func() *Set) *metrics {
	m := &metrics{
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mutt_secrets_changes_total",
			Help: "Changes of a secret that were noticed while the process ran."}, []string{"secret"}),
		readings: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mutt_secrets_reads_total",
			Help: "Readings of a provider of secrets, by provider and status (ok, failed)."}, []string{"provider", "status"}),
	}
	// Every counter exists from the start, at 0: Prometheus misses the first increment of a counter that appears with it.
	for _, k := range Keys() {
		m.changes.WithLabelValues(string(k))
	}
	for _, p := range providers {
		for _, status := range []string{statusOK, statusFailed} {
			m.readings.WithLabelValues(p.Name(), status)
		}
	}
	r.MustRegister(m.changes, m.readings, &versions{current, prometheus.NewDesc("mutt_secrets_version",
		"Version of a secret that is in force: of Vault its number, of a file its time of change in ms.", []string{"secret", "provider"}, nil)})
	return m
}

func (m *metrics) asked(provider string, err error) {
	status := statusOK
	if err != nil {
		status = statusFailed
	}
	m.readings.WithLabelValues(provider, status).Inc()
}

// versions shows what is in force at the moment of the scrape.
type versions struct {
	current func() *Set
	desc    *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (v *versions) Describe(ch chan<- *prometheus.Desc) { ch <- v.desc }

// Collect implements prometheus.Collector.
func (v *versions) Collect(ch chan<- prometheus.Metric) {
	set := v.current()
	for _, k := range Keys() {
		if s, version := set.Get(k); !s.Empty() {
			ch <- prometheus.MustNewConstMetric(v.desc, prometheus.GaugeValue, float64(version.Number), string(k), version.Provider)
		}
	}
}
