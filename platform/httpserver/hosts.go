package httpserver

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/terminal"
)

// Hosts are the names by which listeners that are bound to loopback are called, in addition to localhost and loopback addresses. Any page
// that a browser of this machine shows can make its own name resolve to 127.0.0.1 (DNS rebinding) and then reads the answers of such a
// listener as its own; the header Host still has the page's name.
type Hosts struct {
	Names []string // folded, without a port
}

// Settings declares the setting.
func (h *Hosts) Settings() []static.Setting {
	return []static.Setting{{Path: "admin.hosts", Example: "mutt.example.net", Variables: static.Variables("MUTT_ADMIN_HOSTS"),
		About: "Names that listeners on loopback answer to, in addition to localhost and loopback addresses, such as that of a proxy in front", Value: h.value()}}
}

func (h *Hosts) value() static.Value {
	return static.NewValue("names of hosts, separated by commas", func(text string) error {
		var names []string
		for word := range strings.SplitSeq(text, ",") {
			name := foldHost(strings.TrimSpace(word))
			if name == "" || strings.ContainsAny(name, "/:*@ ") {
				return fmt.Errorf("takes names such as mutt.example.net, without a scheme or port, not %q", word)
			}
			names = append(names, name)
		}
		h.Names = names
		return nil
	}, func() any { return h.Names })
}

// foldHost returns the form of a name in which two spellings of one host are equal.
func foldHost(name string) string { return strings.TrimSuffix(strings.ToLower(name), ".") }

// check refuses a host that a loopback listener does not answer to. A request of HTTP/1.0 may have none; browsers send one.
func (h Hosts) check(host string) error {
	name := host
	if n, _, err := net.SplitHostPort(host); err == nil {
		name = n
	}
	name = foldHost(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]"))
	if ip, err := netip.ParseAddr(name); err == nil && ip.Unmap().IsLoopback() {
		return nil
	}
	if host == "" || name == "localhost" || slices.Contains(h.Names, name) {
		return nil
	}
	return fault.New(fault.WrongHost, "this listener is bound to loopback and does not answer to the host %q", terminal.Cut(terminal.Line(host), 300)).
		WithRemedy("ask for localhost or 127.0.0.1; behind a proxy that keeps the host, set admin.hosts (MUTT_ADMIN_HOSTS) to the proxy's name")
}

// knownHost refuses requests by other names where the listener is bound to loopback. One that is bound beyond loopback answers to every
// name: anyone who reaches it needs no browser of this machine for that. Before routing, so that nothing is left out, and the path as it is
// sent: another spelling of it is not the route.
func (s *Server) knownHost(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		// Only what came by the listener has a local address: a handler that a test calls in its process has none.
		r := c.Request()
		if r.Context().Value(http.LocalAddrContextKey) != nil && s.loopback.Load() && !s.anyHost[r.Method+" "+r.URL.Path] {
			if err := s.opts.Hosts.check(r.Host); err != nil {
				return err
			}
		}
		return next(c)
	}
}

// boundToLoopback reports whether a listener can be reached from this machine only.
func boundToLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
