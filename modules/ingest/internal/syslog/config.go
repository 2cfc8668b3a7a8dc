package syslog

import (
	"errors"
	"net"
	"runtime"
	"time"

	"github.com/muttproject/mutt/platform/fault"
)

// Config of the listeners. Zero values mean the defaults.
type Config struct {
	UDPAddr, TCPAddr string         // "host:port"; "off" or "" disables; port 0 picks a free one
	MaxMessageBytes  int            // longer messages are cut; 480 (RFC 5424 section 6.1) to 65536, the default
	MaxConnections   int            // further ones are closed at once; default 2048
	UDPSockets       int            // default: GOMAXPROCS, at most 4
	ReceiveBuffer    int            // bytes asked of the kernel per UDP socket; default 8 MiB
	Patience         time.Duration  // how long a datagram waits for the queue before it is dropped; default 5 s
	StopTimeout      time.Duration  // bounds Stop when its context does not; default 10 s
	Location         *time.Location // of RFC 3164 timestamps; nil: the machine's zone
}

// Bounds of the configuration. The largest message is held well under the intake's 256 KiB per event, which invalid
// UTF-8 and escaped fields can approach.
const (
	minMessageBytes = 480
	maxMessageBytes = 64 << 10
	maxSockets      = 4
)

// withDefaults fills in the zero values.
func (c Config) withDefaults() Config {
	set(&c.MaxMessageBytes, maxMessageBytes)
	set(&c.MaxConnections, 2048)
	set(&c.UDPSockets, min(runtime.GOMAXPROCS(0), maxSockets))
	set(&c.ReceiveBuffer, 8<<20)
	set(&c.Patience, 5*time.Second)
	set(&c.StopTimeout, 10*time.Second)
	return c
}

func set[T int | time.Duration](p *T, value T) {
	if *p == 0 {
		*p = value
	}
}

// validate names every setting that is wrong.
func (c *Config) validate() error {
	var errs []error
	bad := func(wrong bool, field, format string, args ...any) {
		if wrong {
			errs = append(errs, fault.Field(fault.ConfigInvalid, field, format, args...))
		}
	}
	for _, a := range [...]struct{ field, addr string }{{"syslog.udp_addr", c.UDPAddr}, {"syslog.tcp_addr", c.TCPAddr}} {
		if enabled(a.addr) {
			_, _, err := net.SplitHostPort(a.addr)
			bad(err != nil, a.field, "must be host:port, :port or off")
		}
	}
	bad(c.MaxMessageBytes < minMessageBytes || c.MaxMessageBytes > maxMessageBytes, "syslog.max_message_bytes",
		"must be %d to %d", minMessageBytes, maxMessageBytes)
	bad(c.MaxConnections < 0, "syslog.max_connections", "must not be negative")
	bad(c.UDPSockets < 0, "syslog.udp_sockets", "must not be negative")
	bad(c.ReceiveBuffer < 0, "syslog.receive_buffer", "must not be negative")
	bad(c.Patience < 0, "syslog.patience", "must not be negative")
	return errors.Join(errs...)
}

func enabled(addr string) bool { return addr != "" && addr != "off" }
