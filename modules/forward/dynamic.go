package forward

import (
	"github.com/muttproject/mutt/modules/forward/internal/pipeline"
	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/coord"
)

// Dynamic are the module's dynamic keys.
type Dynamic struct {
	RateLimit        config.Value[int64]
	RatePeriod       config.Duration
	MaxRetries       config.Value[int64]
	RetryBaseDelay   config.Duration
	RetryMaxDelay    config.Duration
	BreakerEnabled   config.Value[bool]
	BreakerThreshold config.Value[int64]
	BreakerTimeout   config.Duration
}

// DeclareDynamic declares the module's dynamic keys.
func DeclareDynamic(d config.Declarer) Dynamic {
	return Dynamic{
		RateLimit: d.Whole(config.Whole{Name: "moog_rate_limit", Default: 50, Min: 1, Max: 1e6, Unit: "requests",
			About: "requests to the destination per moog_rate_period, over all forwarders"}),
		RatePeriod: config.DurationOf(d.Whole(config.Whole{Name: "moog_rate_period", Default: 1, Min: 1, Max: 3600, Unit: "s",
			About: "period of moog_rate_limit"})),
		MaxRetries: d.Whole(config.Whole{Name: "moog_max_retries", Default: 5, Min: 0, Max: 100,
			About: "retries of an alert that fails while other alerts are delivered, before it is dead-lettered; an outage costs none"}),
		RetryBaseDelay: config.DurationOf(d.Number(config.Number{Name: "moog_retry_base_delay", Default: 1, Min: 0.01, Max: 3600, Unit: "s",
			About: "first retry delay; it doubles with each attempt, with full jitter"})),
		RetryMaxDelay: config.DurationOf(d.Number(config.Number{Name: "moog_retry_max_delay", Default: 60, Min: 0.01, Max: 86400, Unit: "s",
			About: "longest retry delay"})),
		BreakerEnabled: d.Switch(config.Switch{Name: "circuit_breaker_enabled", Default: true, About: "stop sending while the destination fails"}),
		BreakerThreshold: d.Whole(config.Whole{Name: "circuit_breaker_threshold", Default: 10, Min: 1, Max: 1e6,
			About: "failures in a row that open the circuit breaker"}),
		BreakerTimeout: config.DurationOf(d.Whole(config.Whole{Name: "circuit_breaker_timeout", Default: 300, Min: 1, Max: 86400, Unit: "s",
			About: "the longest pause between two probes of an open circuit breaker: 5 s for the first two minutes, then it doubles up to this"})),
	}
}

func (d Dynamic) limit() coord.Limit {
	return coord.Limit{Rate: d.RateLimit.Get(), Period: d.RatePeriod.Get(), Burst: 1}
}

func (d Dynamic) retries() pipeline.Settings {
	return pipeline.Settings{MaxRetries: int(d.MaxRetries.Get()), BaseDelay: d.RetryBaseDelay.Get(), MaxDelay: d.RetryMaxDelay.Get()}
}

func (d Dynamic) breaker() coord.BreakerSettings {
	return coord.BreakerSettings{Enabled: d.BreakerEnabled.Get(), Threshold: d.BreakerThreshold.Get(), Timeout: d.BreakerTimeout.Get()}
}
