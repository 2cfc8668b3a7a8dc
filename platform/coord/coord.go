// Package coord is what processes share beside the queue: tokens of a rate limit, small versioned values, leases and
// groups of living members.
//
// Principles:
//  1. The primitives are few, and each is one step that a Redis script can do on one hash slot. Limiter, Breaker,
//     Leader and Registry are plain code on top, written once for every implementation.
//  2. Callers give and get durations; only the implementation reads a clock. Local's never steps back; Redis's is the
//     server's, the same for all processes.
//  3. Away is away: an error never means "granted". Nothing fails open.
//  4. An implementation is one that passes coordtest.Run.
package coord

import (
	"context"
	"time"
)

// Coord is implemented by Local (one process) and Redis (any number). Errors carry fault codes: Conflict for a version
// that is not the present one, InvalidField for parameters that make no sense, Closed after Close, QueueUnavailable
// when the server is away; whether that call had an effect is then unknown. A context's error is returned as it is.
type Coord interface {
	// Take takes N tokens of a rate limit, all or none (generic cell rate algorithm, GCRA).
	Take(ctx context.Context, p TakeParams) (Taken, error)
	// Get reads a value. One that was never put, was deleted or is past its TTL is the zero Value.
	Get(ctx context.Context, key string) (Value, error)
	// Put replaces the value whose version is p.Version and gives the new version; else it changes nothing and
	// answers Conflict. Versions of a key grow, also over a time without a value: none is used twice.
	Put(ctx context.Context, p PutParams) (version int64, err error)
	// Lease takes a lease that is free, or renews it.
	Lease(ctx context.Context, p LeaseParams) (Leased, error)
	// Release ends a lease. One that ended, or that another took since, is left alone.
	Release(ctx context.Context, key string, token int64) error
	// Announce makes a member of a group known for a time, with new data each time; nil Data takes it out.
	Announce(ctx context.Context, p AnnounceParams) error
	// Members lists the members of a group whose time is not over, by name.
	Members(ctx context.Context, group string) ([]Member, error)
	// Close releases what the implementation holds. Every later call answers Closed.
	Close() error
}

// TakeParams are the parameters of Take.
//
// With Burst 1 at most Rate+1 tokens have their time in any window of Period, its ends included; with a larger Burst
// at most Rate+Burst. More than Burst tokens at once are granted when none are outstanding, and what they are
// over the burst is waited for by those who come next.
type TakeParams struct {
	Key    string
	Rate   int64 // tokens per Period, at least 1
	Period time.Duration
	Burst  int64 // at least 1
	N      int64 // at least 1
	// Ahead grants a token whose time is at most this far in the future; the caller waits Taken.Wait before it uses
	// it. A limiter that is always late by a timer's slack would otherwise lose that much of every interval.
	Ahead time.Duration
	// Spread gives each token a time of its own, one after the other, of which Taken.Wait is the last one's. Without it
	// all have the same.
	Spread bool
}

// Taken is the answer of Take.
type Taken struct {
	Granted    bool
	Wait       time.Duration // granted: how long until the tokens may be used, at most TakeParams.Ahead
	RetryAfter time.Duration // not granted: when the same Take will be granted if nobody else takes; never 0
}

// Value is a small value with its version.
type Value struct {
	Data    []byte
	Version int64         // 0: there is no value
	TTL     time.Duration // what is left of it; 0 when it does not expire
}

// PutParams are the parameters of Put.
type PutParams struct {
	Key     string
	Data    []byte        // nil deletes
	Version int64         // the present version; 0: there must be no value
	TTL     time.Duration // 0: until it is replaced
}

// LeaseParams are the parameters of Lease.
type LeaseParams struct {
	Key   string
	Owner string        // unique among processes: a repeat by the owner is granted again, with the same token
	TTL   time.Duration // from now
	// Token renews the lease that was granted with it, and nothing else; 0 takes a free lease.
	Token int64
}

// Leased is the answer of Lease.
type Leased struct {
	Granted bool
	// Token is that of a granted lease. The tokens of a key grow with each new lease, also over a restart of the server
	// that lost its last writes: who checks tokens recognises a holder that was passed.
	Token int64
	Owner string        // who holds the lease now; empty when nobody does
	TTL   time.Duration // how long it still lasts
}

// AnnounceParams are the parameters of Announce.
type AnnounceParams struct {
	Group  string
	Member string
	Data   []byte        // nil leaves the group
	TTL    time.Duration // from now; at least 1 ms unless Data is nil
}

// Member is one member of a group.
type Member struct {
	Name string
	Data []byte
}
