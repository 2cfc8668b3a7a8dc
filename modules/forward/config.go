package forward

import (
	"errors"
	"time"

	"github.com/muttproject/mutt/modules/forward/internal/dest"
	"github.com/muttproject/mutt/modules/forward/internal/dest/generic"
	"github.com/muttproject/mutt/modules/forward/internal/dest/moogsoft"
	"github.com/muttproject/mutt/modules/forward/internal/httpx"
	"github.com/muttproject/mutt/modules/forward/internal/pipeline"
	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/coord"
)

// Config is the static configuration. Zero values mean the defaults.
type Config struct {
	URL         string        // where alerts go, http or https; "" means that they wait
	Format      string        // moogsoft (default) or generic
	Timeout     time.Duration // of one request; 10 s
	Concurrency int           // requests at a time; 32
	BatchMax    int           // alerts per request, up to 1,000; 1. Above 1 every request carries {"events":[…]}
	Auth        Auth
	TLS         tlsconf.Client // nil for the system's authorities and no client certificate
	Version     string         // of MUTT, told to the destination
	Location    string         // the process's name, told to the destination
}

// Auth says how the destination wants its key (Deps.Key).
type Auth struct {
	Scheme string // bearer (default), basic, header, none
	User   string // of basic
	Header string // of header, the header's name
	Prefix string // of header, before the key
}

// formats is the table of destinations.
func formats() map[string]func(Config) dest.Encoder {
	return map[string]func(Config) dest.Encoder{
		"moogsoft": func(c Config) dest.Encoder {
			return &moogsoft.Encoder{Version: c.Version, Location: c.Location, List: c.BatchMax > 1}
		},
		"generic": func(c Config) dest.Encoder { return &generic.Encoder{List: c.BatchMax > 1} },
	}
}

func (c Config) withDefaults() Config {
	if c.Format == "" {
		c.Format = "moogsoft"
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Concurrency == 0 {
		c.Concurrency = 32
	}
	if c.BatchMax == 0 {
		c.BatchMax = 1
	}
	return c
}

// validate lists every problem.
func (c Config) validate() error {
	var errs []error
	if _, ok := formats()[c.withDefaults().Format]; !ok {
		errs = append(errs, configInvalid("format", "%q is not one of moogsoft, generic", c.Format))
	}
	if c.Timeout < 0 || c.Concurrency < 0 || c.Concurrency > 10_000 {
		errs = append(errs, configInvalid("timeout", "timeout and concurrency are not negative, concurrency is at most 10,000"))
	}
	if c.BatchMax < 0 || c.BatchMax > 1000 {
		errs = append(errs, configInvalid("batch_max", "takes 1 to 1000, not %d", c.BatchMax))
	}
	errs = append(errs, httpx.Auth(c.Auth).Validate())
	if c.URL != "" {
		_, err := httpx.New(httpx.Options{URL: c.URL})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (c Config) encoder() dest.Encoder { return formats()[c.Format](c) }

// What the dynamic keys say.

func (m *Module) limit() coord.Limit {
	return coord.Limit{Rate: m.deps.Dynamic.Int(config.MoogRateLimit), Period: m.deps.Dynamic.Seconds(config.MoogRatePeriod), Burst: 1}
}

func (m *Module) settings() pipeline.Settings {
	return pipeline.Settings{MaxRetries: int(m.deps.Dynamic.Int(config.MoogMaxRetries)),
		BaseDelay: seconds(m.deps.Dynamic.Float(config.MoogRetryBaseDelay)),
		MaxDelay:  seconds(m.deps.Dynamic.Float(config.MoogRetryMaxDelay))}
}

func (m *Module) breakerSettings() coord.BreakerSettings {
	return coord.BreakerSettings{Enabled: m.deps.Dynamic.Bool(config.CircuitBreakerEnabled),
		Threshold: m.deps.Dynamic.Int(config.CircuitBreakerThreshold), Timeout: m.deps.Dynamic.Seconds(config.CircuitBreakerTimeout)}
}

func seconds(f float64) time.Duration { return time.Duration(f * float64(time.Second)) }
