package redisq

import (
	"strconv"

	"github.com/muttproject/mutt/platform/event"
)

// The values of a reply, by position. What is missing or of another kind is zero: scripts and this code are of one
// version, and the tests of the contract hold them together.

func (r reply) bytes(i int) []byte {
	if i >= len(r.rest) {
		return nil
	}
	b, err := r.rest[i].AsBytes()
	if err != nil {
		return nil
	}
	return b
}

func (r reply) text(i int) string { return string(r.bytes(i)) }

// int reads a number, which scripts give as one or as text.
func (r reply) int(i int) int64 {
	if i >= len(r.rest) {
		return 0
	}
	if n, err := r.rest[i].AsInt64(); err == nil {
		return n
	}
	n, err := strconv.ParseInt(r.text(i), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (r reply) id(i int) event.ID {
	var id event.ID
	copy(id[:], r.bytes(i))
	return id
}
