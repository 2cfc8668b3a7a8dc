// Package reverse knows the names of addresses by reverse DNS.
//
// Principles:
//  1. Name never waits and Await waits for a bounded time: a slow or broken name server delays no message for long.
//  2. What is kept is bounded, and so are the lookups that run: addresses of datagrams are the sender's choice.
//  3. A name is kept while it cannot be looked up again, so that an outage of DNS renames no host.
//  4. A PTR record is the word of anyone who runs the address's zone. It is taken only when it can be a hostname.
package reverse

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bounds. The resolver does not report the TTL of a record, so that names are looked up again after a fixed time.
const (
	MaxNames   = 10_000
	MaxLookups = 16               // at once
	Deadline   = 2 * time.Second  // of a lookup
	Fresh      = 15 * time.Minute // a name is looked up again after
	Nameless   = time.Minute      // an address without a name is looked up again after
	sampled    = 16               // entries of which one makes room for another
)

// Resolver looks the names of an address up; *net.Resolver is one.
type Resolver interface {
	LookupAddr(ctx context.Context, addr string) (names []string, err error)
}

// Names remembers the names of addresses. Safe for concurrent use.
type Names struct {
	resolver Resolver
	valid    func(name string) bool
	now      func() time.Time
	turns    chan struct{} // one is taken by each lookup

	mu      sync.Mutex
	known   map[string]*entry
	ctx     context.Context // ends lookups
	end     context.CancelFunc
	running sync.WaitGroup
}

// entry is what is known of an address.
type entry struct {
	name    string
	until   time.Time
	used    time.Time
	looking chan struct{} // closed when the lookup that runs ends; nil when none does
}

// New returns an empty Names. valid reports whether a name may be a hostname.
func New(r Resolver, valid func(name string) bool, now func() time.Time) *Names {
	ctx, end := context.WithCancel(context.Background())
	return &Names{resolver: r, valid: valid, now: now, turns: make(chan struct{}, MaxLookups), known: map[string]*entry{}, ctx: ctx, end: end}
}

// Name returns the name of an address, "" when none is known. An address that is new, or was looked up too long ago, is
// looked up meanwhile.
func (n *Names) Name(addr string) string {
	name, _ := n.look(addr)
	return name
}

// Await is Name that waits for the lookup of an address without a name, at most until ctx ends.
func (n *Names) Await(ctx context.Context, addr string) string {
	name, looking := n.look(addr)
	if name != "" || looking == nil {
		return name
	}
	select {
	case <-looking:
	case <-ctx.Done():
	}
	return n.Name(addr)
}

// Close ends the lookups.
func (n *Names) Close() {
	n.mu.Lock()
	n.end()
	n.mu.Unlock()
	n.running.Wait()
}

func (n *Names) look(addr string) (name string, looking <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	e := n.known[addr]
	if e == nil || e.looking == nil && !now.Before(e.until) {
		e = n.begin(addr, e)
	}
	if e == nil {
		return "", nil
	}
	e.used = now
	return e.name, e.looking
}

// begin starts the lookup of an address, unless as many run as may: then it is tried again at the next message. It returns
// the address's entry, nil when there is none.
func (n *Names) begin(addr string, e *entry) *entry {
	if n.ctx.Err() != nil {
		return e
	}
	select {
	case n.turns <- struct{}{}:
	default:
		return e
	}
	if e == nil {
		e = &entry{}
		if len(n.known) >= MaxNames {
			n.makeRoom()
		}
		n.known[addr] = e
	}
	e.looking = make(chan struct{})
	n.running.Go(func() {
		name, found := n.lookup(addr)
		n.mu.Lock()
		defer n.mu.Unlock()
		if found {
			e.name = name
		}
		age := Nameless
		if found && name != "" {
			age = Fresh
		}
		e.until = n.now().Add(age)
		close(e.looking)
		e.looking = nil
		<-n.turns
	})
	return e
}

// makeRoom forgets one of a few entries: one without a name, or the one that was not used for longest. Addresses that were
// made up push out each other before they push out a device.
func (n *Names) makeRoom() {
	victim, tried := "", 0
	for addr, e := range n.known { // in random order
		if tried++; tried > sampled && victim != "" {
			break
		}
		if e.looking != nil {
			continue
		}
		if e.name == "" {
			victim = addr
			break
		}
		if victim == "" || e.used.Before(n.known[victim].used) {
			victim = addr
		}
	}
	delete(n.known, victim)
}

// lookup asks the resolver. found is false when it could not say; "" is an answer, too.
func (n *Names) lookup(addr string) (name string, found bool) {
	ctx, cancel := context.WithTimeout(n.ctx, Deadline)
	defer cancel()
	names, err := n.resolver.LookupAddr(ctx, addr)
	var failed *net.DNSError
	if err != nil && !(errors.As(err, &failed) && failed.IsNotFound) {
		return "", false
	}
	slices.Sort(names) // servers answer in any order: the name must not change with it
	for _, name := range names {
		name = strings.TrimSuffix(name, ".")
		if _, err := netip.ParseAddr(name); err != nil && n.valid(name) {
			return name, true
		}
	}
	return "", true
}
