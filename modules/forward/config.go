package forward

import (
	"slices"
	"time"

	"github.com/muttproject/mutt/modules/forward/internal/dest"
	"github.com/muttproject/mutt/modules/forward/internal/dest/generic"
	"github.com/muttproject/mutt/modules/forward/internal/dest/moogsoft"
	"github.com/muttproject/mutt/modules/forward/internal/pipeline"
	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/coord"
)

// format is a form of payload.
type format struct {
	name    string
	encoder func(Config, Deps) dest.Encoder
}

// formats is the table of destinations.
func formats() []format {
	return []format{
		{"moogsoft", func(c Config, d Deps) dest.Encoder {
			return &moogsoft.Encoder{Version: d.Version, Location: d.Location, List: c.BatchMax > 1}
		}},
		{"generic", func(c Config, _ Deps) dest.Encoder { return &generic.Encoder{List: c.BatchMax > 1} }},
	}
}

func formatNames() (names []string) {
	for _, f := range formats() {
		names = append(names, f.name)
	}
	return names
}

func (m *Module) encoder() dest.Encoder {
	i := slices.IndexFunc(formats(), func(f format) bool { return f.name == m.cfg.Format }) // New checked that it is there
	return formats()[i].encoder(m.cfg, m.deps)
}

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
