package forward

import (
	"slices"
	"time"

	"github.com/muttproject/mutt/modules/forward/internal/httpx"
	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/secret"
)

// Config holds the static settings of the module.
type Config struct {
	URL         string        // where alerts go; "" means that they wait
	APIKey      secret.Secret // as it is set; the one in force is Deps.Key
	TLS         tlsconf.Config
	Timeout     time.Duration // of one request
	Format      string        // of formats
	BatchMax    int           // alerts in one request; above 1 every request carries {"events":[…]}
	Concurrency int           // requests at a time
	Auth        Auth
}

// Auth says how the destination takes its key (Deps.Key).
type Auth = httpx.Auth

// Settings declares the settings.
func (c *Config) Settings() []static.Setting {
	return slices.Concat([]static.Setting{
		{Path: "forward.url", Example: "https://moog.example.net/events", Variables: static.Variables("MOOG_WEBHOOK_URL"),
			About: "Where alerts are delivered; they wait in the queue while it is not set", Value: static.URL(&c.URL, "the key belongs into MOOG_API_KEY")},
		{Path: "forward.api_key_file", Example: "/run/secrets/moog_api_key", Variables: static.Variables("MOOG_API_KEY"), Live: true,
			About: "Key for the destination; forward.auth_scheme says how it is sent", Value: static.Password(&c.APIKey)},
	}, c.Auth.Settings(), peer().Settings(&c.TLS), []static.Setting{
		{Path: "forward.timeout", Default: "10s", Variables: static.Variables("MOOG_WEBHOOK_TIMEOUT"),
			About: "Bound of one request to the destination", Value: static.Span(&c.Timeout)},
		{Path: "forward.format", Default: "moogsoft", Variables: static.Variables("MUTT_FORWARD_FORMAT"),
			About: "Payload of the destination", Value: static.OneOf(&c.Format, formatNames()...)},
		{Path: "forward.batch_max", Default: "1", Variables: static.Variables("MUTT_FORWARD_BATCH_MAX"),
			About: "Alerts in one request to the destination at the most", Value: static.Whole(&c.BatchMax, 1, 1000)},
		{Path: "forward.concurrency", Default: "32", Variables: static.Variables("MUTT_FORWARD_CONCURRENCY"),
			About: "Requests to the destination that each process has in flight, at most", Value: static.Whole(&c.Concurrency, 1, 1000)},
	})
}

// Check lists what contradicts itself or is missing.
func (c *Config) Check() []string { return c.Auth.Check() }

// peer names the settings of TLS.
func peer() tlsconf.Peer {
	return tlsconf.Peer{Name: "the destination", Section: "forward", Sample: "moog", Enabled: "MOOG_WEBHOOK_URL", URL: true,
		CA: "MOOG_CA_CERT_PATH", Cert: "MOOG_CLIENT_CERT", Key: "MOOG_CLIENT_KEY"}
}
