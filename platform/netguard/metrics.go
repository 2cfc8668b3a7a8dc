package netguard

import "github.com/prometheus/client_golang/prometheus"

// cause says why a connection was refused or closed, or a datagram dropped.
type cause uint8

const (
	causeNotAllowed   cause = iota // the address is not in the listener's list
	causeListenerFull              // all connections of the listener are in use
	causeSourceFull                // all connections of the source are in use
	causeFirstByte                 // nothing came after the connection was opened
	causeIdle                      // the peer was silent for too long
	causeWriteTimeout              // the peer did not take an answer
	causes
)

var causeNames = [causes]string{"not_allowed", "listener_full", "source_full", "first_byte_timeout", "idle_timeout", "write_timeout"}

// metrics are those of all listeners of a process.
type metrics struct {
	registerer               prometheus.Registerer
	refused, closed, dropped *prometheus.CounterVec
	errors                   *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		registerer: r,
		refused: counter("mutt_listener_refused_total", "Connections closed at once, by listener and cause: not_allowed (limits.…_allow), "+
			"listener_full or source_full (all connections of the listener or of the source are in use and none is idle).", "listener", "cause"),
		closed: counter("mutt_listener_closed_total", "Connections closed by a limit, by listener and cause: listener_full or source_full (idle, to make room), "+
			"first_byte_timeout, idle_timeout, write_timeout.", "listener", "cause"),
		dropped: counter("mutt_listener_datagrams_refused_total", "Datagrams dropped because their address is not in limits.syslog_allow, by listener.", "listener"),
		errors:  counter("mutt_listener_errors_total", "Attempts to accept a connection, or to read datagrams, that failed, as when no file descriptor is left, by listener.", "listener"),
	}
	r.MustRegister(m.refused, m.closed, m.dropped, m.errors)
	return m
}

// open exports the number of open connections of a listener.
func (m *metrics) open(listener string, count func() int) {
	m.registerer.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "mutt_listener_connections", Help: "Open connections, by listener.",
		ConstLabels: prometheus.Labels{"listener": listener}}, func() float64 { return float64(count()) }))
}
