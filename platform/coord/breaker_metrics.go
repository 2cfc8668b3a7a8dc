package coord

import "github.com/prometheus/client_golang/prometheus"

// BreakerMetrics are the metrics of all breakers of a process.
type BreakerMetrics struct {
	state    *prometheus.GaugeVec
	failures *prometheus.GaugeVec
	changes  *prometheus.CounterVec
}

// NewBreakerMetrics creates and registers the metrics.
func NewBreakerMetrics(r prometheus.Registerer) *BreakerMetrics {
	m := &BreakerMetrics{
		state: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "mutt_circuit_breaker_state",
			Help: "State of a circuit breaker: 0 closed, 1 half-open, 2 open."}, []string{"name"}),
		failures: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "mutt_circuit_breaker_failures",
			Help: "Failures in a row that a circuit breaker has seen."}, []string{"name"}),
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mutt_circuit_breaker_state_changes_total",
			Help: "Changes of a circuit breaker's state made by this process."}, []string{"name", "from_state", "to_state"}),
	}
	r.MustRegister(m.state, m.failures, m.changes)
	return m
}

// begin shows a breaker from its creation on: Prometheus misses the first increment of a counter that appears with it.
func (m *BreakerMetrics) begin(name string, c circuit) {
	m.show(name, c)
	for _, change := range [][2]State{{StateClosed, StateOpen}, {StateOpen, StateHalfOpen}, {StateHalfOpen, StateOpen}, {StateHalfOpen, StateClosed}} {
		m.changes.WithLabelValues(name, string(change[0]), string(change[1]))
	}
}

func (m *BreakerMetrics) show(name string, c circuit) {
	m.state.WithLabelValues(name).Set(c.State.gauge())
	m.failures.WithLabelValues(name).Set(float64(c.Failures))
}
