package rule

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/muttproject/mutt/platform/event"
)

type hostKind uint8

const (
	hostAny hostKind = iota
	hostExact
	hostGlob
	hostNet
)

// hostPattern is a host_pattern, or an entry of the development hosts.
type hostPattern struct {
	kind hostKind
	text string       // name or glob, folded as hostnames are
	net  netip.Prefix // masked, IPv4 in its own form
}

// parseHostPattern reads a name, a glob of * and ?, a CIDR, or an address (which is a CIDR of one).
func parseHostPattern(s string) (hostPattern, error) {
	if s == "" {
		return hostPattern{}, nil
	}
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return hostPattern{}, fmt.Errorf("%q is not a CIDR such as 10.1.0.0/16", s)
		}
		if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
		}
		return hostPattern{kind: hostNet, net: p.Masked()}, nil
	}
	if a, ok := parseAddr(s); ok {
		return hostPattern{kind: hostNet, net: netip.PrefixFrom(a, a.BitLen())}, nil
	}
	if i := strings.IndexAny(s, "[]{} \t\r\n"); i >= 0 {
		return hostPattern{}, fmt.Errorf("%q has a %q: a host pattern is a name, a glob of * and ?, or a CIDR", s, s[i])
	}
	if strings.ContainsAny(s, "*?") {
		return hostPattern{kind: hostGlob, text: event.FoldHost(s)}, nil
	}
	return hostPattern{kind: hostExact, text: event.FoldHost(s)}, nil
}

// holds compares names with the hostname and networks with the source address, and with the hostname when
// that is an address.
func (h *hostPattern) holds(sc *Scratch) bool {
	switch h.kind {
	case hostAny:
		return true
	case hostExact:
		return sc.hostname() == h.text
	case hostGlob:
		return globMatch(h.text, sc.hostname())
	default:
		addrs, n := sc.addresses()
		for _, a := range addrs[:n] {
			if h.net.Contains(a) {
				return true
			}
		}
		return false
	}
}

// parseAddr is netip.ParseAddr without its allocation for what is no address: most hostnames are none.
// A zone is dropped, an IPv4 address in IPv6 form becomes IPv4.
func parseAddr(s string) (netip.Addr, bool) {
	s, _, _ = strings.Cut(s, "%")
	if !isIPv4(s) && !isIPv6(s) {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(s)
	return a.Unmap(), err == nil
}

// isIPv4 reports whether s is four decimal numbers up to 255, without leading zeros.
func isIPv4(s string) bool {
	parts, digits, value := 1, 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case isDigit(c):
			if digits > 0 && value == 0 {
				return false
			}
			digits, value = digits+1, value*10+int(c-'0')
			if value > 255 {
				return false
			}
		case c == '.' && digits > 0:
			parts, digits, value = parts+1, 0, 0
		default:
			return false
		}
	}
	return parts == 4 && digits > 0
}

// isIPv6 follows RFC 4291 section 2.2: up to eight groups of up to four hex digits, one "::" at most, the last
// two groups possibly an IPv4 address.
func isIPv6(s string) bool {
	groups, gap := 0, false
	if strings.HasPrefix(s, "::") {
		gap, s = true, s[2:]
	}
	for s != "" {
		n := 0
		for n < len(s) && isHex(s[n]) {
			n++
		}
		rest := s[n:]
		if strings.HasPrefix(rest, ".") {
			groups, rest = groups+2, ""
			if !isIPv4(s) {
				return false
			}
		} else if n == 0 || n > 4 {
			return false
		} else {
			groups++
		}
		switch {
		case rest == "":
		case strings.HasPrefix(rest, "::"):
			if gap {
				return false
			}
			gap, rest = true, rest[2:]
		case rest[0] == ':' && len(rest) > 1:
			rest = rest[1:]
		default:
			return false
		}
		s = rest
	}
	return groups == 8 && !gap || groups < 8 && gap
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' }
