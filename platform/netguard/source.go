package netguard

import (
	"encoding/binary"
	"net"
	"net/netip"
)

// Source is what counts as one sender: an IPv4 address, or one customer's IPv6 network (/64). It is comparable and has no pointers.
type Source struct {
	network uint64
	six     bool
}

// SourceOf returns the source of an address. IPv4 within IPv6 is IPv4; the zero Addr is a source like any other.
func SourceOf(a netip.Addr) Source {
	switch a = a.Unmap(); {
	case a.Is4():
		b := a.As4()
		return Source{network: uint64(binary.BigEndian.Uint32(b[:]))}
	case a.Is6():
		b := a.As16()
		return Source{network: binary.BigEndian.Uint64(b[:8]), six: true}
	}
	return Source{six: true}
}

// String returns the address, or the network.
func (s Source) String() string {
	if !s.six {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(s.network))
		return netip.AddrFrom4(b).String()
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], s.network)
	return netip.PrefixFrom(netip.AddrFrom16(b), 64).String()
}

// Peer is what the limits say of an address.
type Peer struct {
	Source Source
	Relay  bool // one of limits.trusted_relays: the bounds of a source do not apply
}

// Peer returns what the limits say of an address.
func (g *Guard) Peer(a netip.Addr) Peer {
	return Peer{Source: SourceOf(a), Relay: g.relays.Contains(a)}
}

// addrOf returns the address of a peer, without its port; the zero Addr for what has none, as a net.Pipe.
func addrOf(a net.Addr) netip.Addr {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.AddrPort().Addr().Unmap().WithZone("")
	case nil:
		return netip.Addr{}
	}
	ap, _ := netip.ParseAddrPort(a.String())
	return ap.Addr().Unmap().WithZone("")
}
