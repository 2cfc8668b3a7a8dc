package intake

import (
	"encoding/binary"
	"math/rand/v2"
	"sync/atomic"

	"github.com/muttproject/mutt/platform/event"
)

// idSource makes UUIDv7 (RFC 9562 section 5.7) that grow strictly within a process: the 12 bits after the
// milliseconds count (section 6.2, method 1), the last 62 are random (the runtime's ChaCha8, seeded by the kernel).
type idSource struct{ last atomic.Uint64 } // milliseconds << 12 | counter

func (s *idSource) next(unixMicro int64) event.ID {
	at := uint64(unixMicro/1000) << 12
	for {
		last := s.last.Load()
		next := max(at, last+1)
		if s.last.CompareAndSwap(last, next) {
			var id event.ID
			binary.BigEndian.PutUint64(id[:8], next>>12<<16|0x7000|next&0xfff)
			binary.BigEndian.PutUint64(id[8:], 1<<63|rand.Uint64()>>2)
			return id
		}
	}
}
