package rule

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
)

// CheckHostEntry checks an entry of the development hosts or teams: a name, a glob of * and ?, an address or a CIDR.
func CheckHostEntry(s string) error {
	if _, err := parseHostPattern(s); err != nil {
		return fault.Field(fault.Unprocessable, "hostname", "%q is not a name, a glob of * and ?, an address, or a CIDR such as 10.1.0.0/16", cut(s, 80))
	}
	return nil
}

// hostTables answers what depends on the host alone.
type hostTables struct {
	dev   hostTable[struct{}]
	teams hostTable[string]
}

// newHostTables enters the entries in the order of their text, so that equal entries always have the same winner.
func newHostTables(t Tables) hostTables {
	var h hostTables
	for _, entry := range slices.Sorted(slices.Values(t.DevHosts)) {
		h.dev.add(entry, struct{}{})
	}
	for _, entry := range slices.Sorted(maps.Keys(t.Teams)) {
		h.teams.add(entry, t.Teams[entry])
	}
	h.dev.order()
	h.teams.order()
	return h
}

// hostTable finds a value by hostname and source address. An exact name wins over a glob, and a glob over an address or
// a CIDR. Of several globs the one with the most characters that are not wildcards wins (then the one with fewer stars),
// of several CIDRs the longest.
type hostTable[V any] struct {
	names map[string]V // folded
	globs []globEntry[V]
	nets  map[netip.Prefix]V // an address is a CIDR of one
	bits  []int              // prefix lengths of nets, longest first
}

type globEntry[V any] struct {
	text            string // folded
	literals, stars int
	value           V
}

// add enters the value of an entry; an equal entry that is there already wins. A text that CheckHostEntry refuses was
// stored by an older version: it is compared as a name, so that it cannot keep the ruleset from loading.
func (t *hostTable[V]) add(entry string, value V) {
	entry = strings.TrimSpace(entry)
	p, err := parseHostPattern(entry)
	if err == nil && p.kind == hostAny {
		return
	}
	if err == nil && p.kind == hostGlob {
		stars := strings.Count(p.text, "*")
		literals := utf8.RuneCountInString(p.text) - stars - strings.Count(p.text, "?")
		t.globs = append(t.globs, globEntry[V]{p.text, literals, stars, value})
		return
	}
	if err == nil && p.kind == hostNet {
		if t.nets == nil {
			t.nets = map[netip.Prefix]V{}
		}
		if _, known := t.nets[p.net]; !known {
			t.nets[p.net] = value
		}
		if !slices.Contains(t.bits, p.net.Bits()) {
			t.bits = append(t.bits, p.net.Bits())
		}
		if strings.Contains(entry, "/") {
			return
		}
	}
	if t.names == nil {
		t.names = map[string]V{}
	}
	name := event.FoldHost(entry)
	if _, known := t.names[name]; !known {
		t.names[name] = value
	}
}

// order sorts what find walks over.
func (t *hostTable[V]) order() {
	slices.SortStableFunc(t.globs, func(a, b globEntry[V]) int {
		return cmp.Or(b.literals-a.literals, a.stars-b.stars, cmp.Compare(a.text, b.text))
	})
	slices.SortFunc(t.bits, func(a, b int) int { return b - a })
}

// find returns the value for the host of the event in sc.
func (t *hostTable[V]) find(sc *Scratch) (value V, ok bool) {
	if len(t.names) > 0 {
		if value, ok = t.names[sc.hostname()]; ok {
			return value, true
		}
	}
	for i := range t.globs {
		if globMatch(t.globs[i].text, sc.hostname()) {
			return t.globs[i].value, true
		}
	}
	if len(t.nets) == 0 {
		return value, false
	}
	addrs, n := sc.addresses()
	for _, bits := range t.bits {
		for _, a := range addrs[:n] {
			p, err := a.Prefix(bits) // fails where an IPv4 address has fewer bits
			if err != nil {
				continue
			}
			if value, ok = t.nets[p]; ok {
				return value, true
			}
		}
	}
	return value, false
}
