package syslog

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/muttproject/mutt/modules/ingest/internal/reverse"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/netguard"
)

// HostFrom is the policy that decides the hostname of the events of a source.
type HostFrom string

// The policies.
const (
	HostFromMessage HostFrom = "message" // the hostname that the message names
	HostFromPeer    HostFrom = "peer"    // the address of the sender
	HostFromDNS     HostFrom = "dns"     // the name of that address by reverse DNS, or the address while none is known
)

// Policy is how the messages of a source are read.
type Policy struct {
	Zone *time.Location // of timestamps that name no zone
	Host HostFrom
}

// Source is a network whose messages are read by a policy of its own: what its policy leaves out is that of the next larger
// network, and in the end that of the listener.
type Source struct {
	Network netip.Prefix
	Policy
}

// MaxSources bounds the list: a new sender is compared with each.
const MaxSources = 1000

// ParseSources reads "NETWORK zone=ZONE hostname=POLICY" for each source. The error says which entry is wrong, and what would be right.
func ParseSources(entries []string) (sources []Source, err error) {
	if len(entries) > MaxSources {
		return nil, fmt.Errorf("takes at most %d entries, not %d", MaxSources, len(entries))
	}
	for _, entry := range entries {
		s, err := parseSource(entry)
		if err != nil {
			return nil, fmt.Errorf("takes entries such as '10.1.0.0/16 zone=Europe/Berlin hostname=peer'; in %q: %w", entry, err)
		}
		if slices.ContainsFunc(sources, func(o Source) bool { return o.Network == s.Network }) {
			return nil, fmt.Errorf("takes one entry for each network; %s has two: write their settings into one", s.Network)
		}
		sources = append(sources, s)
	}
	return sources, nil
}

func parseSource(entry string) (s Source, err error) {
	words := strings.Fields(entry)
	if len(words) == 0 {
		return s, fmt.Errorf("the entry is empty")
	}
	if s.Network, err = netguard.ParseNetwork(words[0]); err != nil {
		return s, err
	}
	if len(words) == 1 {
		return s, fmt.Errorf("the network has no setting: add zone=… or hostname=…")
	}
	for _, word := range words[1:] {
		key, value, found := strings.Cut(word, "=")
		switch {
		case !found || key != "zone" && key != "hostname":
			return s, fmt.Errorf("%q is not a setting of a source: use zone=… or hostname=…", word)
		case key == "zone" && s.Zone != nil, key == "hostname" && s.Host != "":
			return s, fmt.Errorf("%s is given twice", key)
		case key == "zone":
			if s.Zone, err = ParseZone(value); err != nil {
				return s, fmt.Errorf("zone %w", err)
			}
		default:
			s.Host = HostFrom(strings.ToLower(value))
			if !slices.Contains(HostPolicies(), s.Host) {
				return s, fmt.Errorf("%q is not a policy of hostnames: use message, peer or dns", value)
			}
		}
	}
	return s, nil
}

// ParseZone reads the name of a time zone.
func ParseZone(name string) (*time.Location, error) {
	switch name {
	case "UTC":
		return time.UTC, nil
	case "local":
		return time.Local, nil
	case "", "Local":
	default:
		if loc, err := time.LoadLocation(name); err == nil {
			return loc, nil
		}
	}
	return nil, fmt.Errorf("takes the name of a time zone such as Europe/Berlin, or UTC, or local for that of the process, not %q", name)
}

// ZoneName returns what ParseZone reads.
func ZoneName(zone *time.Location) string {
	if zone == time.Local {
		return "local"
	}
	return zone.String()
}

// HostPolicies lists the policies.
func HostPolicies() []HostFrom { return []HostFrom{HostFromMessage, HostFromPeer, HostFromDNS} }

// String returns the source as ParseSources reads it.
func (s Source) String() string {
	text := s.Network.String()
	if s.Zone != nil {
		text += " zone=" + ZoneName(s.Zone)
	}
	if s.Host != "" {
		text += " hostname=" + string(s.Host)
	}
	return text
}

// sources finds the policy of a sender. Safe for concurrent use.
type sources struct {
	policy Policy         // of the listener
	list   []Source       // the longest prefix first
	names  *reverse.Names // nil when no policy needs them
}

// newSources returns nil when all senders are read alike, by the hostname of the message.
func newSources(cfg *Config) *sources {
	s := &sources{policy: Policy{Zone: cfg.Location, Host: cfg.Host}, list: slices.Clone(cfg.Sources)}
	slices.SortStableFunc(s.list, func(a, b Source) int { return b.Network.Bits() - a.Network.Bits() })
	uses := func(h HostFrom) bool {
		return s.policy.Host == h || slices.ContainsFunc(s.list, func(o Source) bool { return o.Host == h })
	}
	if uses(HostFromDNS) {
		s.names = reverse.New(cfg.Resolver, canBeHost, time.Now)
	}
	if len(s.list) == 0 && !uses(HostFromPeer) && !uses(HostFromDNS) {
		return nil
	}
	return s
}

func (s *sources) close() {
	if s != nil && s.names != nil {
		s.names.Close()
	}
}

// of returns the policy of a sender: of each part the one of the smallest network that has it.
func (s *sources) of(addr netip.Addr) (p Policy) {
	for i := range s.list {
		if s.list[i].Network.Contains(addr) {
			p = p.or(s.list[i].Policy)
		}
	}
	return p.or(s.policy)
}

func (p Policy) or(o Policy) Policy {
	if p.Zone == nil {
		p.Zone = o.Zone
	}
	if p.Host == "" {
		p.Host = o.Host
	}
	return p
}

// Bounds of what a parser remembers of senders, and keeps of what they say.
const (
	maxOrigins  = 4096
	maxClaimed  = 8 << 10                // bytes of a hostname that are kept: escaped, an absurd one would be more than an event may hold
	nameRecheck = 100 * time.Millisecond // how old the name that a parser uses may be
)

// origin is what a parser knows of the sender of messages.
type origin struct {
	Policy
	name   string    // by reverse DNS
	looked time.Time // when name was asked for
}

// turnTo makes the policy of a sender that of the parser.
func (p *Parser) turnTo(peer string) {
	p.peer = peer
	known, ok := p.origins[peer]
	if !ok {
		if p.origins == nil || len(p.origins) == maxOrigins {
			p.origins = map[string]*origin{}
		}
		addr, _ := netip.ParseAddr(peer) // the zero address is in no network
		known = &origin{Policy: p.sources.of(addr)}
		p.origins[peer] = known
	}
	p.origin, p.loc = known, known.Zone
}

// Expect prepares for messages of a sender. It waits for its name where that is its hostname, at most until ctx ends.
func (p *Parser) Expect(ctx context.Context, peer string) {
	if p.sources == nil {
		return
	}
	if p.turnTo(peer); p.origin.Host == HostFromDNS {
		p.sources.names.Await(ctx, peer)
	}
}

// rename makes the name in the certificate of the sender, or else its name by its policy, the hostname of its event.
func (p *Parser) rename(l *Line, e *event.Event) {
	o := p.origin
	switch {
	case l.Verified != "":
		p.claim(e, l.Verified)
	case o.Host == HostFromPeer:
		p.claim(e, l.Peer)
	case o.Host == HostFromDNS:
		if age := l.At.Sub(o.looked); age > nameRecheck || age < 0 {
			o.name, o.looked = p.sources.names.Name(l.Peer), l.At
		}
		p.claim(e, cmp.Or(o.name, l.Peer))
	}
}

// claim makes name the hostname of an event, unless the line has it in another spelling. What the line says instead is kept.
func (p *Parser) claim(e *event.Event, name string) {
	if event.SameHost(e.Hostname, name) {
		return
	}
	if e.Hostname != e.SourceIP {
		p.object.key("claimed_hostname").quoted(e.Hostname[:min(len(e.Hostname), maxClaimed)])
	}
	e.Hostname = name
}
