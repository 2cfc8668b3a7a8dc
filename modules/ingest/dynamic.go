package ingest

import "github.com/muttproject/mutt/platform/config"

// Dynamic are the module's dynamic keys.
type Dynamic struct {
	MaxQueue   config.Value[int64] // this and MaxBytes are read by the builder of the writer
	MaxBytes   config.Value[int64]
	Limited    config.Value[bool]
	MaxRate    config.Value[int64]
	RateWindow config.Duration
	SourceRate config.Value[int64]
}

// DeclareDynamic declares the module's dynamic keys.
func DeclareDynamic(d config.Declarer) Dynamic {
	return Dynamic{
		MaxQueue: d.Whole(config.Whole{Name: "max_ingest_queue_size", Default: 1_000_000, Min: 1, Max: 1e9, Unit: "events",
			About: "events that the ingest queue holds before it answers 503"}),
		MaxBytes: d.Whole(config.Whole{Name: "max_ingest_queue_bytes", Default: 4 << 30, Min: 1 << 20, Max: 1e15, Unit: "bytes",
			About: "bytes of events, uncompressed, that the ingest queue holds before it answers 503; 256 more count for each batch"}),
		Limited: d.Switch(config.Switch{Name: "ingest_rate_limit_enabled", About: "limit the rate of accepted events"}),
		MaxRate: d.Whole(config.Whole{Name: "ingest_max_rate", Default: 1000, Min: 1, Max: 1e9, Unit: "events",
			About: "events accepted per ingest_rate_window, over all ingestors"}),
		RateWindow: config.DurationOf(d.Whole(config.Whole{Name: "ingest_rate_window", Default: 60, Min: 1, Max: 86400, Unit: "s",
			About: "window of ingest_max_rate"})),
		SourceRate: d.Whole(config.Whole{Name: "source_max_rate", Default: 0, Min: 0, Max: 1e9, Unit: "events/s",
			About: "events per second of one address (IPv6: one /64 network) to one ingestor, 0 for no limit; limits.trusted_relays are exempt"}),
	}
}
