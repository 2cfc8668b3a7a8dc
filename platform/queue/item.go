package queue

import (
	"fmt"

	"github.com/muttproject/mutt/platform/event"
)

// Item is one event on its way into the ingest queue. The writer may read Record until Append returns.
type Item struct {
	Partition int
	Record    []byte // as event.AppendRecord made it
	Source    event.Source
	Key       [16]byte // the sender's idempotency key, when HasKey
	HasKey    bool
}

// PartialError says which items of an Append were not stored, by index; the others are durable.
type PartialError struct{ Failed map[int]error }

// Error tells how many items failed.
func (e *PartialError) Error() string { return fmt.Sprintf("%d items were not stored", len(e.Failed)) }
