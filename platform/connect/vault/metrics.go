package vault

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// How a login or a renewal ended: the label values of the counters.
const (
	statusOK     = "ok"
	statusFailed = "failed"
)

// metrics tell how the process stands with Vault.
type metrics struct {
	logins, renewals *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer, expiry func() time.Time) *metrics {
	m := &metrics{
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mutt_secrets_vault_logins_total",
			Help: "Logins at Vault as the AppRole, by status (ok, failed)."}, []string{"status"}),
		renewals: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mutt_secrets_vault_renewals_total",
			Help: "Renewals of the token of Vault, by status (ok, failed)."}, []string{"status"}),
	}
	for _, status := range []string{statusOK, statusFailed} { // from the start, at 0, so that Prometheus sees the first increment
		m.logins.WithLabelValues(status)
		m.renewals.WithLabelValues(status)
	}
	r.MustRegister(m.logins, m.renewals, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "mutt_secrets_vault_token_expiry_timestamp_seconds",
		Help: "When the token of Vault ends unless it is renewed, in seconds since 1970; 0 when that is not known."}, func() float64 {
		if t := expiry(); !t.IsZero() {
			return float64(t.Unix())
		}
		return 0
	}))
	return m
}

func (m *metrics) login(err error)   { m.logins.WithLabelValues(result(err)).Inc() }
func (m *metrics) renewal(err error) { m.renewals.WithLabelValues(result(err)).Inc() }

func result(err error) string {
	if err != nil {
		return statusFailed
	}
	return statusOK
}
