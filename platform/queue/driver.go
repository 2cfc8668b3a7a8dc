package queue

import (
	"context"
	"time"

	"github.com/muttproject/mutt/platform/event"
)

// Name names one of the product's queues.
type Name string

// The queues.
const (
	Ingest Name = "ingest" // batches of events, written by ingestors, read by alerters
	Alert  Name = "alert"  // batches of alerts, written by alerters, read by forwarders
)

// Names lists the queues.
func Names() []Name { return []Name{Ingest, Alert} }

// Limits of an entry.
const (
	// TargetEvents and TargetBytes are where a writer closes an entry and begins the next.
	TargetEvents = 500
	TargetBytes  = 256 << 10
	// MaxBody is the hard limit of an entry's body in bytes.
	MaxBody = 1 << 20
)

// Driver is what a storage must do; the Queue on top adds batching, retries and metrics once for all drivers.
//
// Contract (each clause is a test of package queuetest):
//   - Append is durable before it returns and stores each entry whole or not at all.
//   - Entries of a partition are claimed in the order of their appends; a released entry keeps its place,
//     but one released with a delay is passed by others until it is due.
//   - Only the holder of a partition's lease claims and settles there. An entry claimed under a lease that ended
//     (expired, yielded, process gone) is given to the next holder with Deliveries+1, before newer entries.
//   - All entries of one Append are of one queue and partition, so that a storage may keep partitions apart.
//   - Leases run on the storage's or a monotonic clock: a step of the client's wall clock frees none early.
//   - Settle, Requeue and Discard are atomic: all of it or an error and nothing.
//   - Errors carry fault codes: QueueFull, QueueUnavailable, LeaseLost, LeaseHeld, StaleReceipt, DuplicateKey,
//     TooLarge, NotFound, Closed. A context's error is returned as it is. After a context error of Append or
//     Settle the outcome is unknown and repeating the call is safe: an entry id that is stored is not stored again.
type Driver interface {
	Capabilities() Capabilities

	// Append stores entries. When an entry's ID is stored already, the call is a repeat after an unknown outcome:
	// what is stored is skipped, and the counts are not added again. CheckEntries says what is refused. Counts without entries
	// are added at each call.
	Append(ctx context.Context, p AppendParams) error

	// Acquire takes the lease of a partition, or renews it (same token) when owner holds it. LeaseHeld when another does.
	Acquire(ctx context.Context, p LeaseParams) (Lease, error)
	// Renew prolongs a lease; LeaseLost when it ended.
	Renew(ctx context.Context, l Lease, ttl time.Duration) error
	// Yield ends a lease; what it had claimed goes to the next holder. Ending an ended lease is no error.
	Yield(ctx context.Context, l Lease) error

	// Claim takes up to Max entries, waiting up to Wait for the first one. No entries and no error when none came.
	// What was claimed stays claimed until it is settled or released or the lease ends. When ctx ends, either nothing
	// was claimed or it is returned. After a QueueUnavailable that cannot be known, and only the end of the lease frees it.
	Claim(ctx context.Context, p ClaimParams) ([]Claimed, error)
	// Settle is everything that a holder does to its entries, in one atomic, owner-checked step. LeaseLost when the
	// lease ended.
	Settle(ctx context.Context, p SettleParams) error
	// Release gives claimed entries back, all or none: StaleReceipt when one is not claimed under the lease.
	Release(ctx context.Context, p ReleaseParams) error

	// Dead lists dead letters by ID, which is oldest event first, after the cursor After (an item's ID, which may be
	// gone; the zero ID for the start).
	Dead(ctx context.Context, p DeadParams) ([]DeadItem, error)
	// Requeue puts dead letters back as ready entries of one event each, with new entry ids, in the partition that they
	// came from. They keep Reason, Attempts and Replays, see Claimed. It returns how many it moved; unknown IDs are passed over.
	Requeue(ctx context.Context, p RequeueParams) (int, error)
	// GiveUp marks dead letters as given up: they stay, but nothing replays them by itself. It returns how many it
	// marked; unknown IDs and those that are given up already are passed over.
	GiveUp(ctx context.Context, q Name, ids []event.ID) (int, error)
	// Stored returns those of the entries that are not acknowledged yet: ready, claimed or delayed.
	Stored(ctx context.Context, q Name, entries []event.ID) ([]event.ID, error)
	// Discard deletes dead letters. It returns how many it deleted.
	Discard(ctx context.Context, p DiscardParams) (int, error)

	// Depth counts what a queue holds.
	Depth(ctx context.Context, q Name) (Depth, error)
	// Counters lists the counters with a minute at or after Since (Unix minutes). They only grow.
	Counters(ctx context.Context, since int64) ([]Counter, error)
	// Purge deletes the counters before a minute and the idempotency keys that are older than 24 h.
	// It never touches entries.
	Purge(ctx context.Context, before int64) error

	Ping(ctx context.Context) error
	Close() error
}

// Capabilities says where drivers differ.
type Capabilities struct {
	Name         string
	MultiProcess bool // several processes may use it at once
	Durability   string
}

// Entry is what an Append stores: one batch of one partition.
type Entry struct {
	ID        event.ID // UUIDv7, made once by the writer, kept through everything
	Queue     Name
	Partition int
	Events    int // how many events or alerts the body holds; what Depth counts
	Body      []byte
	Keys      []Key // senders' idempotency keys of its events, none for most
}

// Key is a sender's idempotency key of one event.
type Key struct {
	Index int      // which event of the entry
	Hash  [16]byte // UUIDv5 of the identity and the sender's id
}

// Count adds N to a counter in the same transaction as the step that it is part of.
type Count struct {
	Minute int64  // Unix minutes
	Kind   string // CountReceived, ...
	Label  string // the source for received, else ""
	N      int64
}

// The kinds of Count. Together with the ledger of judging they make the two books (architecture.md).
const (
	CountReceived  = "received"  // events appended to the ingest queue, by source
	CountMeta      = "meta"      // meta-alerts appended to the alert queue
	CountDelivered = "delivered" // alerts that the destination took
	CountParked    = "parked"    // alerts moved to the dead letters by the forwarder or by shedding
	CountUnparked  = "unparked"  // alerts requeued from the dead letters
	CountDiscarded = "discarded" // alerts deleted from the dead letters
)

// The kinds of Count beside the books, see package slo. Their labels are buckets, or fault codes.
const (
	CountJudgingLatency  = "judging_latency"  // judged events, by time since receipt
	CountDeliveryLatency = "delivery_latency" // delivered alerts, by time since receipt
	CountRefused         = "refused"          // events that MUTT was not there to take: senders try again, or they are lost
	CountRejected        = "rejected"         // events that are wrong, or over the rate limit
)

// Counter is the running total of one kind, label, minute and process run.
type Counter struct {
	Minute  int64
	Process string // the process run that counted, see AppendParams.Process
	Kind    string
	Label   string
	N       int64
}

// AppendParams are the parameters of Append.
type AppendParams struct {
	Entries []Entry // of one queue and partition
	Cap     int64   // QueueFull when the queue would hold more events than this (ready, claimed and delayed); 0 for no cap
	// CapBytes refuses likewise, with the reason FullBytes, when the queue would hold more bytes than this; see SizeOf.
	CapBytes int64
	// Intake marks events that come in. A storage that has no more than its reserve refuses them with QueueFull and the reason,
	// and goes on with everything else.
	Intake  bool
	Process string
	Counts  []Count
}

// DuplicateError says which events of which entry came with a key that was seen within 24 h.
// Nothing of the Append was stored.
type DuplicateError struct {
	Entry   event.ID
	Indexes []int
}

// LeaseParams are the parameters of Acquire.
type LeaseParams struct {
	Queue     Name
	Partition int
	Owner     string
	TTL       time.Duration
}

// Lease is the right to work on a partition. Token grows with each new holder (a fencing token).
type Lease struct {
	Queue     Name
	Partition int
	Owner     string
	Token     int64
}

// ClaimParams are the parameters of Claim.
type ClaimParams struct {
	Lease Lease
	Max   int
	Wait  time.Duration
}

// Claimed is an entry in the hands of a holder.
type Claimed struct {
	Entry      event.ID
	Events     int // of its body, or those that were left by the last Progress.Left
	Body       []byte
	Deliveries int       // how often it was claimed, this time included
	Attempts   int       // how often it was released with CountAttempt; of a requeued one, those of the dead letter too
	Replays    int       // of a requeued one: those of the dead letter, see Revival
	Reason     string    // of the last release, or of the dead letter that it was
	Progress   []byte    // what the last Settle left beside it, nil for nothing
	AppendedAt time.Time // by the clock of the process that appended it
}

// Progress is a note stored with an entry, for the next holder that claims it.
type Progress struct {
	Entry event.ID
	Note  []byte
	// Left is how many events of the entry are not settled yet: from now on Depth counts the entry as that many. 0 leaves the
	// number as it is; an entry with nothing left is acked instead.
	Left int
}

// DeadLetter is one event or alert on its way to the dead letters.
type DeadLetter struct {
	ID       event.ID // of the event
	Queue    Name     // whose dead letters: Ingest or Alert
	Body     []byte   // a batch of one
	Hostname string
	Code     string // one of DeadRejected, …
	Reason   string // for people: status, first kilobyte of the answer, the error
	Attempts int
	Replays  int       // how many automatic replays it has used up, see Revival
	First    time.Time // when it was first tried
}

// SettleParams are the parameters of Settle. All parts belong to one queue and partition's lease, but Publish
// and Dead may name the other queue: the step is atomic over both.
// StaleReceipt, and nothing done, when an entry of Ack or Progress is not claimed under the lease.
type SettleParams struct {
	Lease    Lease
	Op       event.ID // when not zero: a settlement with this id that was done before under the lease is not done again, and is no error
	Ack      []event.ID
	Progress []Progress
	Publish  []Entry
	Dead     []DeadLetter
	Process  string
	Counts   []Count
}

// ReleaseParams are the parameters of Release.
type ReleaseParams struct {
	Lease        Lease
	Entries      []event.ID
	Delay        time.Duration
	Reason       string
	CountAttempt bool // the entry itself is to blame
}

// DeadItem is a dead letter as it is listed.
type DeadItem struct {
	DeadLetter
	Partition int
	DiedAt    time.Time
	GivenUp   bool // see GiveUp
}

// DeadParams are the parameters of Dead.
type DeadParams struct {
	Queue Name
	After event.ID
	Limit int
	IDs   []event.ID // when not nil: only these, in this order and each once; After and Limit do not apply
}

// RequeueParams are the parameters of Requeue.
type RequeueParams struct {
	Queue   Name
	IDs     []event.ID // nil for the oldest Limit ones
	Limit   int
	Revive  []Revival // when not nil: these, instead of IDs and Limit
	Process string
	Minute  int64 // for the counts: received{replay} on Ingest, unparked on Alert, one for each item
}

// Revival is one dead letter of an automatic replay. Its sender chooses the id of the new entry, by which Stored reports
// when the replay is settled, and says how many replays the letter has used up with this one.
type Revival struct {
	ID      event.ID
	Entry   event.ID
	Replays int
}

// DiscardParams are the parameters of Discard.
type DiscardParams struct {
	Queue   Name
	IDs     []event.ID
	Process string
	Minute  int64 // for the counts: discarded on Alert
}

// Depth is what a queue holds, in events but for Entries and Consumers.
type Depth struct {
	Ready, Claimed, Delayed int64
	Dead                    int64
	Entries                 int64
	Bytes                   int64     // of the entries, see SizeOf
	Consumers               int       // partitions that somebody holds
	Oldest                  time.Time // when the oldest ready or claimed entry was appended; zero when empty
}

// Live is what waits or is being worked on, in events.
func (d Depth) Live() int64 { return d.Ready + d.Claimed + d.Delayed }
