package remedy

import "github.com/muttproject/mutt/platform/config"

// Dynamic are the dynamic keys of remediation.
type Dynamic struct {
	Enabled    config.Value[bool]
	Interval   config.Duration
	BatchSize  config.Value[int64]
	MaxReplays config.Value[int64]
}

// DeclareDynamic declares the dynamic keys of remediation.
func DeclareDynamic(d config.Declarer) Dynamic {
	return Dynamic{
		Enabled: d.Switch(config.Switch{Name: "remediation_enabled", Default: true,
			About: "replay dead letters automatically, except those that the destination refused"}),
		Interval: config.DurationOf(d.Whole(config.Whole{Name: "remediation_interval", Default: 300, Min: 1, Max: 86400, Unit: "s",
			About: "longest pause between tries; a success after failures starts one at once"})),
		BatchSize: d.Whole(config.Whole{Name: "remediation_batch_size", Default: 100, Min: 1, Max: 1000, Unit: "letters",
			About: "dead letters per step; the next step follows when they are settled"}),
		MaxReplays: d.Whole(config.Whole{Name: "max_poison_retries", Default: 3, Min: 1, Max: 100,
			About: "automatic replays of a dead letter before it is given up; an outage uses up none"}),
	}
}
