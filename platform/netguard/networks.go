package netguard

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/muttproject/mutt/platform/config/static"
)

// maxNetworks bounds a list of networks.
const maxNetworks = 4096

// Networks is a set of addresses, in which an address is found in logarithmic time. The zero value is empty.
type Networks struct{ ranges []span }

// span is a range of addresses, both ends included.
type span struct{ first, last netip.Addr }

// NewNetworks returns the set of the addresses of some prefixes.
func NewNetworks(prefixes []netip.Prefix) Networks {
	spans := make([]span, 0, len(prefixes))
	for _, p := range prefixes {
		spans = append(spans, span{p.Addr(), lastOf(p)})
	}
	slices.SortFunc(spans, func(a, b span) int { return a.first.Compare(b.first) })
	merged := spans[:0]
	for _, s := range spans {
		if n := len(merged); n > 0 && s.first.Compare(merged[n-1].last) <= 0 {
			if merged[n-1].last.Less(s.last) {
				merged[n-1].last = s.last
			}
			continue
		}
		merged = append(merged, s)
	}
	return Networks{merged}
}

// lastOf returns the last address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	bytes := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(bytes)
	return last
}

// Empty reports whether there is no address in the set.
func (n Networks) Empty() bool { return len(n.ranges) == 0 }

// Contains reports whether an address is in the set. IPv4 within IPv6 is IPv4.
func (n Networks) Contains(a netip.Addr) bool {
	if len(n.ranges) == 0 || !a.IsValid() {
		return false
	}
	a = a.Unmap().WithZone("")
	i, exact := slices.BinarySearchFunc(n.ranges, a, func(s span, a netip.Addr) int { return s.first.Compare(a) })
	return exact || i > 0 && a.Compare(n.ranges[i-1].last) <= 0
}

// ParseNetwork reads an address or a CIDR. A CIDR with bits beyond its length is refused: which network it means is not clear.
func ParseNetwork(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a CIDR such as 10.0.0.0/8 or 2001:db8::/32", text)
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, fmt.Errorf("%q holds more than IPv4 addresses: write 0.0.0.0/0 for all of them", text)
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if p.Masked() != p {
		return netip.Prefix{}, fmt.Errorf("%q has bits beyond the /%d: write %s, or %s for the address alone", text, p.Bits(), p.Masked(), p.Addr())
	}
	return p, nil
}

// networksValue takes a list of addresses and CIDRs, which may be empty.
func networksValue(field *[]netip.Prefix) static.Value {
	return static.NewValue("a list of addresses and CIDRs, or []", func(text string) error {
		if text == static.EmptyList {
			*field = nil
			return nil
		}
		var prefixes []netip.Prefix
		for word := range strings.SplitSeq(text, ",") {
			if word = strings.TrimSpace(word); word == "" {
				continue
			}
			p, err := ParseNetwork(word)
			if err != nil {
				return err
			}
			prefixes = append(prefixes, p)
		}
		switch {
		case len(prefixes) == 0:
			return fmt.Errorf("is empty: write [] for an empty list")
		case len(prefixes) > maxNetworks:
			return fmt.Errorf("has %d networks: at most %d are taken", len(prefixes), maxNetworks)
		}
		*field = prefixes
		return nil
	}, func() any {
		texts := make([]string, len(*field))
		for i, p := range *field {
			texts[i] = p.String()
		}
		return texts
	}).OrEmpty()
}
