package connect

import "github.com/prometheus/client_golang/prometheus"

// The results of a login: the label values of mutt_connect_logins_total.
const (
	accepted = "accepted"
	refused  = "refused" // the credential
	failed   = "failed"  // for another reason
)

// Metrics counts logins and connections, for all kinds of servers of a process.
type Metrics struct {
	logins   *prometheus.CounterVec
	replaced *prometheus.CounterVec
	open     *prometheus.GaugeVec
}

// NewMetrics returns and registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mutt_connect_logins_total",
			Help: "Logins that were tried, by server and result: accepted, refused (the credential), failed (anything else)."}, []string{"server", "result"}),
		replaced: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mutt_connect_recycled_total",
			Help: "Connections that were replaced because their credential is an old one."}, []string{"server"}),
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "mutt_connect_connections",
			Help: "Open connections."}, []string{"server"}),
	}
	r.MustRegister(m.logins, m.replaced, m.open)
	return m
}

// server shows the metrics of a server from the start, at 0: Prometheus misses the first increment of a counter that appears with it.
func (m *Metrics) server(name string) {
	for _, result := range []string{accepted, refused, failed} {
		m.logins.WithLabelValues(name, result)
	}
	m.replaced.WithLabelValues(name)
	m.open.WithLabelValues(name)
}

func (m *Metrics) login(server, result string) {
	m.logins.WithLabelValues(server, result).Inc()
}

func (m *Metrics) opened(server string, n int) {
	m.open.WithLabelValues(server).Set(float64(n))
}

func (m *Metrics) closed(server string, n int, replaced bool) {
	m.opened(server, n)
	if replaced {
		m.replaced.WithLabelValues(server).Inc()
	}
}
