package page

import (
	"fmt"
	"net"
	"strings"
)

// example returns a command that sends a first event, for the name under which the reader reached the page; "" when no listener is open.
// The best one is the shortest: syslog.
func example(s Status, requestHost string) string {
	host, command := hostOnly(requestHost), ""
	for _, l := range s.Listeners {
		_, port, err := net.SplitHostPort(l.Address)
		switch {
		case err != nil:
		case l.Name == SyslogUDPListener:
			return fmt.Sprintf("logger -n %s -P %s -d 'Interface Gi1/0/7, changed state to down'", host, port)
		case l.Name == SyslogTCPListener:
			command = fmt.Sprintf("logger -n %s -P %s -T 'Interface Gi1/0/7, changed state to down'", host, port)
		case l.Name == IngestListener && command == "":
			command = fmt.Sprintf(`curl -H "X-API-KEY: $INGEST_API_KEY" -H 'Content-Type: application/json' -d '{"hostname":"sw1","message":"link down on Gi0/1"}' %s://%s/ingest`,
				l.Protocol, net.JoinHostPort(host, port))
		}
	}
	return command
}

// hostOnly returns the host name under which the reader reached the page, for examples that can be copied. The header is the client's
// word, so anything else than a plain host name or address is not repeated: an example is pasted into a shell.
func hostOnly(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == ':'
	}
	if host == "" || len(host) > 253 || host[0] == '-' || strings.ContainsFunc(host, func(r rune) bool { return !plain(r) }) {
		return "localhost"
	}
	return host
}
