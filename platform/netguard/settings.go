package netguard

import (
	"net/netip"
	"strings"
	"time"

	"github.com/muttproject/mutt/platform/config/static"
)

// Config holds the limits of what peers can take.
type Config struct {
	IngestAllow, SyslogAllow, AdminAllow, OpsAllow []netip.Prefix // who may connect; empty for everybody
	TrustedRelays                                  []netip.Prefix // the bounds of a source do not apply to them

	Connections          int // of a listener
	ConnectionsPerSource int // of a listener
	SourcesTracked       int // whose rate is remembered

	FirstByteTimeout  time.Duration // until the first byte; over HTTP, until the headers are there
	IdleTimeout       time.Duration // of HTTP, between requests
	SyslogIdleTimeout time.Duration
	ReadTimeout       time.Duration // of a request over HTTP
	WriteTimeout      time.Duration // until the peer takes some of an answer
}

// allowed returns who may send to a listener, and the setting that says so.
func (c *Config) allowed(listener string) (setting string, list []netip.Prefix) {
	switch kind, _, _ := strings.Cut(listener, "_"); kind {
	case "ingest":
		return "limits.ingest_allow", c.IngestAllow
	case "syslog":
		return "limits.syslog_allow", c.SyslogAllow
	case "admin":
		return "limits.admin_allow", c.AdminAllow
	default:
		return "limits.ops_allow", c.OpsAllow
	}
}

// Settings declares the settings.
func (c *Config) Settings() []static.Setting {
	list := func(path, variable, about string, field *[]netip.Prefix) static.Setting {
		return static.Setting{Path: path, Default: static.EmptyList, Variables: static.Variables(variable), About: about, Value: networksValue(field)}
	}
	span := func(path, preset, variable, about string, field *time.Duration) static.Setting {
		return static.Setting{Path: path, Default: preset, Variables: static.Variables(variable), About: about, Value: static.Span(field)}
	}
	return []static.Setting{
		list("limits.ingest_allow", "MUTT_LIMITS_INGEST_ALLOW", "Addresses and CIDRs that may connect to the ingest HTTP listener; [] for everybody", &c.IngestAllow),
		list("limits.syslog_allow", "MUTT_LIMITS_SYSLOG_ALLOW", "Addresses and CIDRs that may send syslog; [] for everybody", &c.SyslogAllow),
		list("limits.admin_allow", "MUTT_LIMITS_ADMIN_ALLOW", "Addresses and CIDRs that may connect to the admin HTTP listener; [] for everybody", &c.AdminAllow),
		list("limits.ops_allow", "MUTT_LIMITS_OPS_ALLOW", "Addresses and CIDRs that may connect to the ops HTTP listener; [] for everybody", &c.OpsAllow),
		list("limits.trusted_relays", "MUTT_LIMITS_TRUSTED_RELAYS",
			"Addresses and CIDRs of relays that send for many devices: the bounds of one source do not apply to them", &c.TrustedRelays),
		{Path: "limits.connections", Default: "2048", Variables: static.Variables("MUTT_LIMITS_CONNECTIONS"),
			About: "Open connections of each listener; when all are in use, the longest idle one of the source that has most is closed", Value: static.Whole(&c.Connections, 1, 1_000_000)},
		{Path: "limits.connections_per_source", Default: "64", Variables: static.Variables("MUTT_LIMITS_CONNECTIONS_PER_SOURCE"),
			About: "Open connections of one address (IPv6: one /64 network) to each listener", Value: static.Whole(&c.ConnectionsPerSource, 1, 1_000_000)},
		span("limits.first_byte_timeout", "10s", "MUTT_LIMITS_FIRST_BYTE_TIMEOUT",
			"A connection that sends nothing for this long after it was opened is closed; over HTTP, one whose headers are not complete", &c.FirstByteTimeout),
		span("limits.idle_timeout", "2m", "MUTT_LIMITS_IDLE_TIMEOUT", "An HTTP connection without a request for this long is closed", &c.IdleTimeout),
		span("limits.syslog_idle_timeout", "24h", "MUTT_LIMITS_SYSLOG_IDLE_TIMEOUT",
			"A syslog connection that is silent for this long is closed; many devices lose the message by which they learn of that", &c.SyslogIdleTimeout),
		span("limits.read_timeout", "2m", "MUTT_LIMITS_READ_TIMEOUT", "Longest time for a whole HTTP request, its body included", &c.ReadTimeout),
		span("limits.write_timeout", "30s", "MUTT_LIMITS_WRITE_TIMEOUT", "A peer that takes nothing of an answer for this long is disconnected", &c.WriteTimeout),
		{Path: "limits.sources_tracked", Default: "65536", Variables: static.Variables("MUTT_LIMITS_SOURCES_TRACKED"),
			About: "Sources whose rate is remembered for source_max_rate; beyond it the one that was not seen longest is forgotten", Value: static.Whole(&c.SourcesTracked, 1, 10_000_000)},
	}
}
