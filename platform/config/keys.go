package config

import "slices"

// Names of the dynamic keys, for their readers.
const (
	CacheReloadInterval         = "cache_reload_interval"
	UnhandledThreshold          = "unhandled_threshold"
	UnhandledExpirySeconds      = "unhandled_expiry_seconds"
	UnhandledDefaultTeam        = "unhandled_default_team"
	MaxIngestQueueSize          = "max_ingest_queue_size"
	IngestRateLimitEnabled      = "ingest_rate_limit_enabled"
	IngestMaxRate               = "ingest_max_rate"
	IngestRateWindow            = "ingest_rate_window"
	AlerterQueueWarnThreshold   = "alerter_queue_warn_threshold"
	AlerterQueueShedThreshold   = "alerter_queue_shed_threshold"
	AlerterShedMode             = "alerter_shed_mode"
	AlerterDeferSleepMS         = "alerter_defer_sleep_ms"
	AuditUnhandledSamplePercent = "audit_unhandled_sample_percent"
	AlerterMaxRetries           = "alerter_max_retries"
	MoogRateLimit               = "moog_rate_limit"
	MoogRatePeriod              = "moog_rate_period"
	MoogMaxRetries              = "moog_max_retries"
	MoogRetryBaseDelay          = "moog_retry_base_delay"
	MoogRetryMaxDelay           = "moog_retry_max_delay"
	CircuitBreakerEnabled       = "circuit_breaker_enabled"
	CircuitBreakerThreshold     = "circuit_breaker_threshold"
	CircuitBreakerTimeout       = "circuit_breaker_timeout"
	LogLevel                    = "log_level"
)

// Keys declares the dynamic keys that exist by now (contracts.md section 5), each read by the roles it names.
func Keys() []Key {
	ingestor, alerter, forwarder := []string{"ingestor"}, []string{"alerter"}, []string{"forwarder"}
	all := []string{"ingestor", "alerter", "forwarder", "ui", "janitor"}
	return append([]Key{
		{CacheReloadInterval, Int, int64(300), 1, 86400, "s", nil, "full reload of rules, hosts and teams, as a net under the revision poll", alerter},
		{UnhandledThreshold, Int, int64(100), 1, 1e9, "events", nil, "unhandled events of one host and message template that raise a meta-alert", alerter},
		{UnhandledExpirySeconds, Int, int64(86400), 1, 30 * 86400, "s", nil, "length of the window in which unhandled events are counted", alerter},
		{UnhandledDefaultTeam, String, "NETO", 0, 128, "", nil, "team of a meta-alert whose host has no team", alerter},
		{MaxIngestQueueSize, Int, int64(1_000_000), 1, 1e9, "events", nil, "events that the ingest queue holds before it answers 503", ingestor},
		{IngestRateLimitEnabled, Bool, false, 0, 0, "", nil, "limit the rate of accepted events", ingestor},
		{IngestMaxRate, Int, int64(1000), 1, 1e9, "events", nil, "events accepted per ingest_rate_window, over all ingestors", ingestor},
		{IngestRateWindow, Int, int64(60), 1, 86400, "s", nil, "window of ingest_max_rate", ingestor},
		{AlerterQueueWarnThreshold, Int, int64(100_000), 1, 1e9, "alerts", nil, "waiting alerts that raise a warning", alerter},
		{AlerterQueueShedThreshold, Int, int64(1_000_000), 1, 1e9, "alerts", nil, "waiting alerts above which alerter_shed_mode acts", alerter},
		{AlerterShedMode, String, "dlq", 0, 16, "", []string{"dlq", "defer"}, "dlq: park what would be forwarded in the dead letters; defer: pause reading", alerter},
		{AlerterDeferSleepMS, Int, int64(250), 10, 60_000, "ms", nil, "pause between looks at the alert queue in defer mode", alerter},
		{AuditUnhandledSamplePercent, Float, 100.0, 0, 100, "%", nil, "share of unhandled events that get an audit row; the books count all", alerter},
		{AlerterMaxRetries, Int, int64(3), 1, 100, "", nil, "attempts at judging one event before it is dead-lettered", alerter},
		{MoogRateLimit, Int, int64(50), 1, 1e6, "requests", nil, "requests to the destination per moog_rate_period, over all forwarders", forwarder},
		{MoogRatePeriod, Int, int64(1), 1, 3600, "s", nil, "period of moog_rate_limit", forwarder},
		{MoogMaxRetries, Int, int64(5), 0, 100, "", nil, "retries of an alert after failures that count, before it is dead-lettered", forwarder},
		{MoogRetryBaseDelay, Float, 1.0, 0.01, 3600, "s", nil, "first retry delay; it doubles with each attempt, with full jitter", forwarder},
		{MoogRetryMaxDelay, Float, 60.0, 0.01, 86400, "s", nil, "longest retry delay", forwarder},
		{CircuitBreakerEnabled, Bool, true, 0, 0, "", nil, "stop sending while the destination fails", forwarder},
		{CircuitBreakerThreshold, Int, int64(10), 1, 1e6, "", nil, "failures in a row that open the circuit breaker", forwarder},
		{CircuitBreakerTimeout, Int, int64(300), 1, 86400, "s", nil, "time after which an open circuit breaker lets one probe through", forwarder},
		{LogLevel, String, "info", 0, 16, "", []string{"debug", "info", "warn", "error"}, "least level that is logged", all},
	}, slices.Concat(retentionKeys(), sloKeys())...)
}
