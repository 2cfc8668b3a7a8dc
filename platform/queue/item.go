package queue

import "github.com/muttproject/mutt/platform/event"

// Item is one event on its way into a queue. The writer may read Record until Append returns.
type Item struct {
	Partition int
	Record    []byte // as event.AppendRecord made it
	Source    event.Source
	Key       [16]byte // the sender's idempotency key, when HasKey
	HasKey    bool
}
