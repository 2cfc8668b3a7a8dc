package connect

import (
	"crypto/tls"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"

	"go.uber.org/zap"
)

// ExposureOptions name a server and the settings that protect the way to it.
type ExposureOptions struct {
	People   string // name of the server in messages
	TLS      string // what turns TLS on, as a request: "set REDIS_TLS_ENABLED=true"
	Password string // what sets the password, as a request; "" if the server is not asked for without one
	Log      *zap.Logger
}

// Exposure notes whether a process reaches a server beyond this machine without TLS or without a password. What decides is
// the address that was connected to, whatever name the settings have for it. It is a warning from then on: the
// settings that it names change with a restart only. A nil Exposure notes nothing.
type Exposure struct {
	o                 ExposureOptions
	open, anyoneEnter atomic.Bool
}

// NewExposure returns an Exposure that has seen no connection.
func NewExposure(o ExposureOptions) *Exposure { return &Exposure{o: o} }

// Connected notes a connection: with which TLS, nil for none, and whether a password was used. A client certificate counts
// as one.
func (e *Exposure) Connected(to net.Addr, t *tls.Config, password bool) {
	if e == nil || onThisMachine(to) {
		return
	}
	if t == nil {
		e.note(&e.open, e.withoutTLS())
	}
	certified := t != nil && (len(t.Certificates) > 0 || t.GetClientCertificate != nil)
	if !password && !certified && e.o.Password != "" {
		e.note(&e.anyoneEnter, e.withoutPassword())
	}
}

func (e *Exposure) note(which *atomic.Bool, text string) {
	if !which.Swap(true) {
		e.o.Log.Warn(text)
	}
}

func (e *Exposure) withoutTLS() string {
	return e.o.People + " is reached beyond this machine without TLS: who can read or change the traffic has its passwords and data; " + e.o.TLS
}

func (e *Exposure) withoutPassword() string {
	return e.o.People + " is reached beyond this machine without a password: who can reach it can change keys, rules and events; " + e.o.Password
}

// Warnings says what was noted. It names no address: anybody may read /health.
func (e *Exposure) Warnings() (warnings []string) {
	if e.open.Load() {
		warnings = append(warnings, e.withoutTLS())
	}
	if e.anyoneEnter.Load() {
		warnings = append(warnings, e.withoutPassword())
	}
	return warnings
}

// onThisMachine reports whether an address is loopback or a Unix socket. A server that listens on another address of this
// machine can be reached from beyond it.
func onThisMachine(a net.Addr) bool {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	default:
		return false
	}
}

// ThisMachine reports whether an address of the settings, a host or host:port, leads to this machine by its form alone: a loopback
// address, localhost, or the directory of a Unix socket. The machine's own name does not count, as it may resolve to any of its addresses.
func ThisMachine(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.Trim(address, "[]")
	}
	ip, err := netip.ParseAddr(host)
	return strings.HasPrefix(host, "/") || strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}
