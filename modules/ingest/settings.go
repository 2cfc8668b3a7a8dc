package ingest

import (
	"fmt"
	"slices"
	"time"

	"github.com/muttproject/mutt/modules/ingest/internal/decode"
	"github.com/muttproject/mutt/modules/ingest/internal/syslog"
	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
)

// Config holds the static settings of the module.
type Config struct {
	Addr            string // of the HTTP listener, which is the process's; see Routes
	SyslogUDPAddr   string
	SyslogTCPAddr   string
	SyslogTLSAddr   string // off unless its certificate is configured
	TLS, SyslogTLS  tlsconf.ListenerConfig
	SyslogZone      *time.Location
	SyslogHostname  syslog.HostFrom
	SyslogSources   []syslog.Source
	SyslogJoinLines bool
	RequiredFields  []string // of an event over HTTP
	Aliases         []decode.Alias
	MaxBodyBytes    int64 // of a request on the wire
	BodyMemory      int64 // that the bodies of all requests hold at the same time
}

// Settings declares the settings.
func (c *Config) Settings() []static.Setting {
	return slices.Concat([]static.Setting{
		{Path: "listeners.ingest", Default: "0.0.0.0:8080", About: "Address of the ingest HTTP listener",
			Variables: []static.Variable{{Name: "MUTT_INGEST_ADDR"}, {Name: "SERVER_PORT_INGESTOR", About: "its port alone; 0 picks a free one", Value: static.ListenerPort(&c.Addr)}},
			Value:     static.Listener(&c.Addr, 8080)},
	}, tlsconf.ListenerSettings("ingest", &c.TLS), []static.Setting{
		{Path: "listeners.syslog_udp", Default: "0.0.0.0:5514", Variables: static.Variables("MUTT_SYSLOG_UDP_ADDR"), About: "Address of the syslog UDP listener",
			Value: static.Listener(&c.SyslogUDPAddr, 5514)},
		{Path: "listeners.syslog_tcp", Default: "0.0.0.0:5514", Variables: static.Variables("MUTT_SYSLOG_TCP_ADDR"), About: "Address of the syslog TCP listener",
			Value: static.Listener(&c.SyslogTCPAddr, 5514)},
		{Path: "listeners.syslog_tls", Default: static.Off, Variables: static.Variables("MUTT_SYSLOG_TLS_ADDR"),
			About: "Address of the listener of syslog over TLS (RFC 5425); by default 0.0.0.0:6514 when a certificate is configured",
			Value: static.Listener(&c.SyslogTLSAddr, 6514)},
	}, tlsconf.ListenerSettings("syslog_tls", &c.SyslogTLS), []static.Setting{
		{Path: "syslog.zone", Default: "local", Variables: static.Variables("MUTT_SYSLOG_ZONE"),
			About: "Time zone of syslog timestamps that name none: a name such as Europe/Berlin, UTC, or local for that of the process (TZ)", Value: zone(&c.SyslogZone)},
		{Path: "syslog.hostname", Default: string(syslog.HostFromMessage), Variables: static.Variables("MUTT_SYSLOG_HOSTNAME"),
			About: "Hostname of syslog events: the one in the message, the address of the peer, or its name by reverse DNS", Value: static.OneOf(&c.SyslogHostname, syslog.HostPolicies()...)},
		{Path: "syslog.join_lines", Default: "false", Variables: static.Variables("MUTT_SYSLOG_JOIN_LINES"),
			About: "True joins lines over TCP that continue a message to it: those without a PRI after one that has it, and indented ones", Value: static.Bool(&c.SyslogJoinLines)},
		{Path: "syslog.sources", Default: static.EmptyList, Variables: static.Variables("MUTT_SYSLOG_SOURCES"),
			About: "Networks whose syslog messages are read differently, 'NETWORK zone=ZONE hostname=POLICY'; of each setting the smallest network that has it counts", Value: sources(&c.SyslogSources)},
		{Path: "ingest.required_fields", Default: "hostname,timestamp,message", Variables: static.Variables("MUTT_INGEST_REQUIRED_FIELDS"),
			About: "Fields that an event over HTTP must have", Value: fields(&c.RequiredFields)},
		{Path: "ingest.aliases", Default: "host=hostname,@timestamp=timestamp,time=timestamp,msg=message,log=message", Variables: static.Variables("MUTT_INGEST_ALIASES"),
			About: "Members of an event over HTTP that are taken for a field where it is absent, member=field; of several for one field the first that is there; [] for none",
			Value: aliases(&c.Aliases)},
		{Path: "ingest.max_body_bytes", Default: "10MiB", Variables: static.Variables("MUTT_INGEST_MAX_BODY_BYTES"),
			About: "Largest request body on the wire", Value: static.Size(&c.MaxBodyBytes, 1<<10, 1<<30)},
		{Path: "limits.body_memory", Default: "256MiB", Variables: static.Variables("MUTT_LIMITS_BODY_MEMORY"),
			About: "Memory that the bodies of all ingest requests hold at the same time, each beyond its first 64 KiB; half of it for one API key",
			Value: static.Size(&c.BodyMemory, 1<<20, 1<<40)},
	})
}

// fields takes a list of fields of an event.
func fields(field *[]string) static.Value {
	var names []string
	list := static.List(&names)
	return static.NewValue(list.Takes(), func(text string) error {
		if err := list.Set(text); err != nil {
			return err
		}
		if err := decode.ValidateRequired(names); err != nil {
			return err
		}
		*field = names
		return nil
	}, static.List(field).Get)
}

// aliases takes a list of member=field.
func aliases(field *[]decode.Alias) static.Value {
	return parsed(field, "a list of member=field, or []", decode.ParseAliases)
}

// sources takes a list of networks with settings.
func sources(field *[]syslog.Source) static.Value {
	return parsed(field, "a list of 'NETWORK zone=ZONE hostname=POLICY', or []", syslog.ParseSources)
}

// parsed takes a list, which may be empty, of what parse reads and String writes.
func parsed[T fmt.Stringer](field *[]T, takes string, parse func(items []string) ([]T, error)) static.Value {
	var items []string
	list := static.List(&items)
	return static.NewValue(takes, func(text string) error {
		if text == static.EmptyList {
			*field = nil
			return nil
		}
		if err := list.Set(text); err != nil {
			return err
		}
		read, err := parse(items)
		if err == nil {
			*field = read
		}
		return err
	}, func() any {
		texts := make([]string, len(*field))
		for i, item := range *field {
			texts[i] = item.String()
		}
		return texts
	}).OrEmpty()
}

// zone takes the name of a time zone.
func zone(field **time.Location) static.Value {
	return static.NewValue("the name of a time zone, UTC or local", func(text string) error {
		read, err := syslog.ParseZone(text)
		if err == nil {
			*field = read
		}
		return err
	}, func() any { return syslog.ZoneName(*field) })
}
