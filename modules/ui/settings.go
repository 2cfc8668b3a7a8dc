package ui

import (
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
)

// Config holds the static settings of the module.
type Config struct {
	Addr string // of the admin listener, which is the process's; see Routes
	TLS  tlsconf.ListenerConfig
	// SessionIdle and SessionMax are how long a session lives without a call, and in all.
	SessionIdle, SessionMax time.Duration
	// SecureCookies is set where a proxy before MUTT speaks TLS, so that the cookie needs TLS although this process sees none.
	SecureCookies bool
	Prometheus    Prometheus
	// Tryouts is how many calls that try rules out run at once, and TryoutTime how long each may take.
	Tryouts    int
	TryoutTime time.Duration
	// Environment names the installation beside the logo of the console, such as prod-eu.
	Environment string
}

// Prometheus says where the objectives are measured. Without a URL they are measured by MUTT's own counters.
type Prometheus struct {
	URL string
	TLS tlsconf.Config
}

// Settings declares the settings.
func (c *Config) Settings() []static.Setting {
	return slices.Concat([]static.Setting{
		{Path: "listeners.admin", Default: "127.0.0.1:8090", About: "Address of the admin HTTP listener",
			Variables: []static.Variable{{Name: "MUTT_ADMIN_ADDR"}, {Name: "SERVER_PORT_WEBUI", About: "its port alone; 0 picks a free one", Value: static.ListenerPort(&c.Addr)}},
			Value:     static.Listener(&c.Addr, 8090)},
	}, tlsconf.ListenerSettings("admin", &c.TLS), []static.Setting{
		{Path: "admin.session_idle_timeout", Default: "1h", Variables: static.Variables("MUTT_SESSION_IDLE_TIMEOUT"),
			About: "A session of the user interface ends when it was not used for so long", Value: static.Span(&c.SessionIdle)},
		{Path: "admin.session_max_age", Default: "12h", Variables: static.Variables("MUTT_SESSION_MAX_AGE"),
			About: "A session of the user interface ends so long after the login", Value: static.Span(&c.SessionMax)},
		{Path: "admin.secure_cookies", Default: "false", Variables: static.Variables("MUTT_SECURE_COOKIES"),
			About: "Browsers send the session's cookie over TLS only; set it where a proxy before MUTT speaks TLS", Value: static.Bool(&c.SecureCookies)},
		{Path: "prometheus.url", Example: "http://127.0.0.1:9090", Variables: static.Variables("PROMETHEUS_URL"),
			About: "Prometheus that scrapes every process, from which the objectives are measured; by default MUTT's own counters",
			Value: static.URL(&c.Prometheus.URL, "MUTT shows none to Prometheus")},
		{Path: "limits.tryouts", Default: "2", Variables: static.Variables("MUTT_LIMITS_TRYOUTS"),
			About: "Calls of /rules/test and /rules/preview that this process runs at once, one for each caller", Value: static.Whole(&c.Tryouts, 1, 64)},
		{Path: "limits.tryout_time", Default: "10s", Variables: static.Variables("MUTT_LIMITS_TRYOUT_TIME"),
			About: "Longest time of one call of /rules/test or /rules/preview", Value: static.Span(&c.TryoutTime)},
		{Path: "ui.environment", Example: "prod-eu", Variables: static.Variables("MUTT_UI_ENVIRONMENT"),
			About: "Name of this installation, which the console shows beside the logo", Value: environment(&c.Environment)},
	}, peer().Settings(&c.Prometheus.TLS))
}

// peer names the settings of TLS to Prometheus.
func peer() tlsconf.Peer {
	return tlsconf.Peer{Name: "Prometheus", Section: "prometheus", Sample: "prometheus", Enabled: "PROMETHEUS_URL", URL: true, CA: "PROMETHEUS_CA_CERT_PATH"}
}

// environment takes a name that fits beside the logo.
func environment(field *string) static.Value {
	return static.NewValue("a name of at most 40 characters", func(text string) error {
		if len([]rune(text)) > 40 || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return errors.New("must be at most 40 printable characters, such as prod-eu")
		}
		*field = text
		return nil
	}, func() any { return *field })
}
