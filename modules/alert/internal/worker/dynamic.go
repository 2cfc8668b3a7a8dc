package worker

import "github.com/muttproject/mutt/platform/config"

// Dynamic are the dynamic keys of judging.
type Dynamic struct {
	UnhandledThreshold config.Value[int64]
	UnhandledExpiry    config.Duration
	UnhandledTeam      config.Value[string]
	QueueWarn          config.Value[int64]
	QueueShed          config.Value[int64]
	ShedMode           config.Value[string]
	DeferSleep         config.Duration
	SamplePercent      config.Value[float64]
	MaxRetries         config.Value[int64]
}

// The values of alerter_shed_mode, and of the label of mutt_alerter_shed_events_total.
const (
	shedDeadLetter = "dlq"   // alerts become dead letters
	shedDefer      = "defer" // reading pauses
)

// DeclareDynamic declares the dynamic keys of judging.
func DeclareDynamic(d config.Declarer) Dynamic {
	return Dynamic{
		UnhandledThreshold: d.Whole(config.Whole{Name: "unhandled_threshold", Default: 100, Min: 1, Max: 1e9, Unit: "events",
			About: "unhandled events of one host and message template that raise a meta-alert"}),
		UnhandledExpiry: config.DurationOf(d.Whole(config.Whole{Name: "unhandled_expiry_seconds", Default: 86400, Min: 1, Max: 30 * 86400, Unit: "s",
			About: "length of the window in which unhandled events are counted"})),
		UnhandledTeam: d.Text(config.Text{Name: "unhandled_default_team", Default: "NETO", Longest: 128,
			About: "team of a meta-alert whose host has no team"}),
		QueueWarn: d.Whole(config.Whole{Name: "alerter_queue_warn_threshold", Default: 100_000, Min: 1, Max: 1e9, Unit: "alerts",
			About: "waiting alerts that raise a warning"}),
		QueueShed: d.Whole(config.Whole{Name: "alerter_queue_shed_threshold", Default: 1_000_000, Min: 1, Max: 1e9, Unit: "alerts",
			About: "waiting alerts above which alerter_shed_mode acts"}),
		ShedMode: d.Text(config.Text{Name: "alerter_shed_mode", Default: shedDeadLetter, Options: []string{shedDeadLetter, shedDefer},
			About: "dlq: park what would be forwarded in the dead letters; defer: pause reading"}),
		DeferSleep: config.DurationOf(d.Whole(config.Whole{Name: "alerter_defer_sleep_ms", Default: 250, Min: 10, Max: 60_000, Unit: "ms",
			About: "pause between looks at the alert queue in defer mode"})),
		SamplePercent: d.Number(config.Number{Name: "audit_unhandled_sample_percent", Default: 100, Max: 100, Unit: "%",
			About: "share of unhandled events that get an audit row; the books count all"}),
		MaxRetries: d.Whole(config.Whole{Name: "alerter_max_retries", Default: 3, Min: 1, Max: 100,
			About: "attempts at judging one event before it is dead-lettered"}),
	}
}
