package queue

import (
	"fmt"

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
