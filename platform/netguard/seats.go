package netguard

import (
	"container/heap"
	"sync"
	"time"
)

// searchAgain is how long a search for an idle connection that found none is not repeated: it may have looked at all of them.
const searchAgain = int64(100 * time.Millisecond)

// seats accounts for the open connections of a listener. Connections are ordered by a lower bound of when they were last used, which a
// search brings up to date as far as it needs: using a connection costs an atomic store, and each correction is paid for by a use.
type seats struct {
	total, perSource int
	quiet            int64 // a connection that spoke is idle when it was not used for this long, in nanoseconds

	mu      sync.Mutex
	taken   int
	holders map[Source]*holder
	most    byCount
	barren  int64 // no search before this moment
}

// holder is a source with its open connections.
type holder struct {
	source Source
	relay  bool // it has no bound of its own
	conns  byAge
	place  int // in seats.most
}

func newSeats(total, perSource int, quiet time.Duration) *seats {
	return &seats{total: total, perSource: perSource, quiet: int64(quiet), holders: map[Source]*holder{}}
}

// take gives a connection a seat. When its source or the listener is full, it takes the seat of an idle connection, which the caller must
// close; cause says which of them was full. Without an idle one it returns false.
func (s *seats) take(c *Conn, now int64) (evicted *Conn, why cause, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.holders[c.peer.Source]
	switch {
	case h != nil && !h.relay && len(h.conns) >= s.perSource:
		evicted, why = h.idlest(now, s.quiet), causeSourceFull
		if s.fix(h); evicted == nil {
			return nil, why, false
		}
	case s.taken >= s.total:
		if evicted, why = s.search(now), causeListenerFull; evicted == nil {
			return nil, why, false
		}
	}
	if evicted != nil {
		s.drop(evicted)
		h = s.holders[c.peer.Source] // it may be gone
	}
	if h == nil {
		h = &holder{source: c.peer.Source, relay: c.peer.Relay}
		s.holders[h.source] = h
		heap.Push(&s.most, h)
	}
	c.stamp, c.holder = 2*(now-s.quiet), h
	heap.Push(&h.conns, c)
	s.fix(h)
	s.taken++
	return evicted, why, true
}

// open returns the number of open connections.
func (s *seats) open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}

// leave frees the seat of a connection that has one.
func (s *seats) leave(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.holder != nil {
		s.drop(c)
	}
}

func (s *seats) drop(c *Conn) {
	h := c.holder
	heap.Remove(&h.conns, c.place)
	c.holder = nil
	s.taken--
	if len(h.conns) == 0 {
		heap.Remove(&s.most, h.place)
		delete(s.holders, h.source)
		return
	}
	s.fix(h)
}

func (s *seats) fix(h *holder) { heap.Fix(&s.most, h.place) }

// search returns the connection that is idle for longest among those of the source that has most connections and an idle one, and claims
// it; of sources with equally many, the one whose connection is idle for longest.
func (s *seats) search(now int64) *Conn {
	if now < s.barren {
		return nil
	}
	var busy []*holder
	defer func() {
		for _, h := range busy {
			heap.Push(&s.most, h)
		}
	}()
	for len(s.most) > 0 {
		h := s.most[0]
		h.update(now)
		if s.fix(h); s.most[0] != h {
			continue // its connections were used later than those of another source with as many
		}
		if c := h.idlest(now, s.quiet); c != nil {
			return c
		}
		busy = append(busy, heap.Pop(&s.most).(*holder))
	}
	s.barren = now + searchAgain
	return nil
}

// update brings the stamps up to date until the least one is exact.
func (h *holder) update(now int64) {
	for {
		c := h.conns[0]
		used := c.used(now)
		if used == c.stamp {
			return
		}
		c.stamp = used
		heap.Fix(&h.conns, 0)
	}
}

// idlest claims the connection of the source that is idle for longest; nil when none is idle.
func (h *holder) idlest(now, quiet int64) *Conn {
	for {
		h.update(now)
		c := h.conns[0]
		if c.stamp > 2*(now-quiet) {
			return nil
		}
		if c.state.CompareAndSwap(stateIdle, stateClosing) {
			return c
		}
	}
}

// byAge orders the connections of a source by their stamps, the longest unused one first.
type byAge []*Conn

func (b byAge) Len() int           { return len(b) }
func (b byAge) Less(i, j int) bool { return b[i].stamp < b[j].stamp }
func (b byAge) Swap(i, j int) {
	b[i], b[j] = b[j], b[i]
	b[i].place, b[j].place = i, j
}

func (b *byAge) Push(x any) {
	c := x.(*Conn)
	c.place = len(*b)
	*b = append(*b, c)
}

func (b *byAge) Pop() any {
	last := len(*b) - 1
	c := (*b)[last]
	(*b)[last] = nil
	*b = (*b)[:last]
	return c
}

// byCount orders sources by their number of connections, most first, then by the least stamp of those.
type byCount []*holder

func (b byCount) Len() int { return len(b) }
func (b byCount) Less(i, j int) bool {
	if n, m := len(b[i].conns), len(b[j].conns); n != m || n == 0 {
		return n > m
	}
	return b[i].conns[0].stamp < b[j].conns[0].stamp
}
func (b byCount) Swap(i, j int) {
	b[i], b[j] = b[j], b[i]
	b[i].place, b[j].place = i, j
}

func (b *byCount) Push(x any) {
	h := x.(*holder)
	h.place = len(*b)
	*b = append(*b, h)
}

func (b *byCount) Pop() any {
	last := len(*b) - 1
	h := (*b)[last]
	(*b)[last] = nil
	*b = (*b)[:last]
	return h
}
