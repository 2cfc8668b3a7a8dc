package queue

import (
	"errors"
	"fmt"
	"time"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
)

// Error tells how many events came twice.
func (e *DuplicateError) Error() string {
	return fmt.Sprintf("%d events of entry %s were accepted before", len(e.Indexes), e.Entry)
}

// PartialError says which items of a Writer's Append were not stored, by index; all others are durable. An item with
// code DuplicateKey is a repeat within 24 h: to its sender a success.
type PartialError struct{ Failed map[int]error }

// Error tells how many items were not stored, and why one of them was not.
func (e *PartialError) Error() string {
	for _, err := range e.Failed {
		return fmt.Sprintf("%d events were not stored: %v", len(e.Failed), err)
	}
	return "no event failed"
}

// FullReason says which bound made an append fail with QueueFull. It is the cause of the fault.
type FullReason string

// The reasons of QueueFull, as metrics and the books name them.
const (
	FullEvents FullReason = "queue_full"       // the queue holds as many events as it may, or more arrive than can be written
	FullBytes  FullReason = "queue_bytes_full" // the queue holds as many bytes as it may
	FullDisk   FullReason = "disk_reserve"     // the disk has no more than its reserve
	FullRedis  FullReason = "redis_reserve"    // Redis has no more than its reserve
)

// FullReasons lists the reasons of QueueFull.
func FullReasons() []FullReason { return []FullReason{FullEvents, FullBytes, FullDisk, FullRedis} }

// Error returns the name of the reason.
func (r FullReason) Error() string { return string(r) }

// WhyFull returns the reason of a QueueFull.
func WhyFull(err error) FullReason {
	why := FullEvents
	errors.As(err, &why)
	return why
}

// fullRetry is how long a client waits before it sends again what a full queue refused.
const fullRetry = 5 * time.Second

// OverEvents returns the refusal of an append of more events to a queue that holds `live` of them.
func OverEvents(q Name, live, more, most int64) error {
	return fault.Wrap(fault.QueueFull, FullEvents, "queue %s holds %d events, with %d more it would exceed %d", q, live, more, most).
		WithRetryAfter(fullRetry)
}

// OverBytes returns the refusal of an append of more bytes to a queue that holds `live` of them.
func OverBytes(q Name, live, more, most int64) error {
	return fault.Wrap(fault.QueueFull, FullBytes, "queue %s holds events of %d bytes, with %d more it would exceed %d", q, live, more, most).
		WithRetryAfter(fullRetry).
		WithRemedy("send again after Retry-After; look at why consumers are slow, or raise max_ingest_queue_bytes")
}

// NoRoom returns the refusal of an intake by a storage that has no more than its reserve, of which it says so.
func NoRoom(why FullReason, says, remedy string) error {
	return fault.Wrap(fault.QueueFull, why, "%s", says).WithRetryAfter(fullRetry).WithRemedy("%s", remedy)
}

// entryOverhead is what storages need for an entry beside its body, in bytes: places, ids, indexes.
const entryOverhead = 256

// SizeOf returns the size of an entry for the cap in bytes: its events uncompressed, because that is what they take from
// the moment when they are judged, and what the storage needs beside them. It depends on the body only.
func SizeOf(body []byte) int64 {
	size := len(body)
	if n, err := event.DecodedLen(body); err == nil {
		size = max(size, n)
	}
	return int64(size + entryOverhead)
}

// CheckEntries is what every driver refuses before it stores anything: a body over MaxBody, an entry without an ID
// (all such would be taken for repeats of one), entries of several queues or partitions in one call.
func CheckEntries(entries []Entry) error {
	for i := range entries {
		e, first := &entries[i], &entries[0]
		switch {
		case len(e.Body) > MaxBody:
			return fault.New(fault.TooLarge, "an entry of %d bytes is over the limit of %d", len(e.Body), MaxBody)
		case e.ID == event.ID{}:
			return fault.New(fault.Internal, "an entry for the queue has no id")
		case e.Queue != first.Queue || e.Partition != first.Partition:
			return fault.New(fault.Internal, "entries of several partitions in one append")
		}
	}
	return nil
}
