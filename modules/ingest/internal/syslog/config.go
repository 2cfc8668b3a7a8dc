package syslog

import (
	"net"
	"runtime"
	"time"

	"github.com/muttproject/mutt/modules/ingest/internal/reverse"
)

// Config configures the listeners. All fields are required but the addresses; Defaults returns the bounds of a process.
type Config struct {
	UDPAddr, TCPAddr string // host:port; "off" or "" disables; port 0 picks a free one
	TLSAddr          string // of syslog over TLS (RFC 5425), likewise
	MaxMessageBytes  int    // longer messages are cut
	UDPSockets       int
	Patience         time.Duration  // how long a datagram waits for the queue before it is dropped
	StopTimeout      time.Duration  // bounds Stop when its context does not
	Location         *time.Location // of timestamps that name no zone
	Host             HostFrom
	Sources          []Source         // whose policies are their own
	Resolver         reverse.Resolver // of names by reverse DNS
	JoinLines        bool             // over TCP, lines that continue a message are joined to it
}

// receiveBuffer is how many bytes each UDP socket asks the kernel for.
const receiveBuffer = 8 << 20

// Defaults returns a Config without listeners. The largest message is held well under the intake's 256 KiB per event, which invalid
// UTF-8 and escaped fields can approach.
func Defaults() Config {
	return Config{MaxMessageBytes: 64 << 10, UDPSockets: min(runtime.GOMAXPROCS(0), 4),
		Patience: 5 * time.Second, StopTimeout: 10 * time.Second, Location: time.Local, Host: HostFromMessage, Resolver: &net.Resolver{PreferGo: true}}
}

func enabled(addr string) bool { return addr != "" && addr != "off" }
