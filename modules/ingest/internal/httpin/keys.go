package httpin

import (
	"crypto/sha1" // not for secrecy: UUIDv5 is defined by it
	"encoding/hex"
	"strconv"
	"unsafe"

	"github.com/google/uuid"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
)

const headerIdempotency = "Idempotency-Key"

// keys makes the idempotency keys of one request: a sender's id (its own, or UUIDv5 of the request's header and
// the event's index) within the identity of its API key, so that two senders never meet.
type keys struct {
	scope  uuid.UUID // of the identity
	header uuid.UUID // of the request's header, zero without one
	name   [20]byte
	text   [36]byte
	key    [16]byte
}

// newKeys reads the Idempotency-Key header: a UUID, or any text that a correlation id may be.
func newKeys(identity string, header []string) (keys, error) {
	k := keys{scope: nameUUID(uuid.NameSpaceURL, []byte("mutt:"+identity))}
	switch {
	case len(header) == 0:
		return k, nil
	case len(header) > 1 || !httpserver.SaneID(header[0]):
		return k, fault.Field(fault.InvalidField, headerIdempotency, "must be one UUID, or 1 to 128 printable ASCII characters")
	}
	var err error
	if k.header, err = uuid.Parse(header[0]); err != nil {
		k.header = nameUUID(uuid.NameSpaceURL, []byte("mutt:idempotency:"+header[0]))
	}
	return k, nil
}

// of gives the key of event i of the request, nil for none, and completes its SenderID. Both are valid until the
// next call.
func (k *keys) of(e *event.Event, i int) *[16]byte {
	if e.SenderID == "" {
		if k.header == uuid.Nil {
			return nil
		}
		e.SenderID = k.textOf(nameUUID(k.header, strconv.AppendInt(k.name[:0], int64(i), 10)))
	}
	k.key = nameUUID(k.scope, unsafe.Slice(unsafe.StringData(e.SenderID), len(e.SenderID)))
	return &k.key
}

// textOf writes an id's text form into k.
func (k *keys) textOf(id uuid.UUID) string {
	at := 0
	for i, part := range [...][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			k.text[at] = '-'
			at++
		}
		at += hex.Encode(k.text[at:], part)
	}
	return unsafe.String(&k.text[0], len(k.text))
}

// nameUUID makes a UUIDv5 (RFC 9562 section 5.5) without the allocations of a hash.Hash.
func nameUUID(space uuid.UUID, name []byte) uuid.UUID {
	var buf [160]byte
	sum := sha1.Sum(append(append(buf[:0], space[:]...), name...))
	id := uuid.UUID(sum[:16])
	id[6] = id[6]&0x0f | 0x50
	id[8] = id[8]&0x3f | 0x80
	return id
}
