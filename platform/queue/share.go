package queue

import (
	"slices"
	"sync"
	"time"
)

// A share decides which partitions one consumer holds. The rules:
//   - The roster lists the living consumers in the order of joining. Each has a quota: the partitions divided by the
//     consumers, and those who joined first have one of what is left over. So a death takes nothing from the living, and a
//     newcomer takes no more than its own share.
//   - Who is below its quota takes whatever lease is free. Who is above it gives up what it took last, and nothing else.
//   - A partition that nobody holds for long, though somebody should, is taken by anyone, over the quota and for a while.
//   - Leases alone keep a partition exclusive: a wrong or old roster costs evenness, never order.
type share struct {
	name       string
	partitions int
	grace      time.Duration // how long a partition may lie idle before it is taken over the quota
	keep       time.Duration // and for how long it is kept then

	changed chan struct{} // gets a token when a lease was taken: the others must not think for long that it is idle

	mu     sync.Mutex
	seeing bool // quota is known
	unsure bool // the last look failed: others may not be on the roster again yet
	quota  int
	held   []*tenure   // in the order of taking
	idle   []time.Time // by partition: since when the roster names no holder, zero when it does
}

// tenure is the hold on a partition, from the wish to the end of the lease.
type tenure struct {
	partition int
	leave     func() // ends the work in good order; nil as long as there is no lease
	leaving   bool
	extra     time.Time // over the quota until then, zero for within it
}

// newShare makes the share of a consumer that is alone as far as it knows; rostered ones take nothing before they learn more.
func newShare(name string, partitions int, ttl time.Duration, rostered bool) *share {
	return &share{name: name, partitions: partitions, grace: 2 * ttl, keep: 12 * ttl,
		changed: make(chan struct{}, 1), seeing: !rostered, quota: partitions, idle: make([]time.Time, partitions)}
}

// quotaOf gives how many partitions a consumer is to hold.
func quotaOf(members []Member, name string, partitions int) int {
	rank := slices.IndexFunc(members, func(m Member) bool { return m.Name == name })
	if rank < 0 {
		return 0
	}
	n := partitions / len(members)
	if rank < partitions%len(members) {
		n++
	}
	return n
}

// take makes room for a partition, or gives nil when it is not for this consumer. It is followed by drop.
func (s *share) take(partition int, now time.Time) *tenure {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &tenure{partition: partition}
	switch {
	case !s.seeing:
		return nil
	case s.within() < s.quota:
	case !s.idle[partition].IsZero() && now.Sub(s.idle[partition]) >= s.grace:
		t.extra = now.Add(s.keep)
	default:
		return nil
	}
	s.held = append(s.held, t)
	return t
}

// began notes that a tenure has its lease. leave is called when it is to be given up.
func (s *share) began(t *tenure, leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.leave = leave
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// drop ends a tenure.
func (s *share) drop(t *tenure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = slices.DeleteFunc(s.held, func(h *tenure) bool { return h == t })
}

// within counts the tenures that fill the quota.
func (s *share) within() int {
	n := 0
	for _, t := range s.held {
		if !t.leaving && t.extra.IsZero() {
			n++
		}
	}
	return n
}

// learn takes in the roster and gives what is to be given up.
func (s *share) learn(members []Member, now time.Time) (leave []*tenure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seeing, s.unsure = !s.unsure, false
	s.quota = quotaOf(members, s.name, s.partitions)
	s.watch(members, now)
	within := s.within()
	for _, t := range s.held {
		if !t.extra.IsZero() && (within < s.quota || now.After(t.extra)) {
			t.extra = time.Time{}
			within++
		}
	}
	for _, t := range slices.Backward(s.held) {
		if within > s.quota && t.leave != nil && !t.leaving && t.extra.IsZero() {
			t.leaving = true
			within--
			leave = append(leave, t)
		}
	}
	return leave
}

// watch notes since when nobody holds a partition.
func (s *share) watch(members []Member, now time.Time) {
	held := make([]bool, s.partitions)
	for _, m := range members {
		for _, p := range m.Holds {
			if p >= 0 && p < s.partitions {
				held[p] = true
			}
		}
	}
	for p := range s.idle {
		switch {
		case held[p]:
			s.idle[p] = time.Time{}
		case s.idle[p].IsZero():
			s.idle[p] = now
		}
	}
}

// blind notes that the roster could not be seen. What is held stays so. Nothing more is taken until the second look that
// succeeds: by then the others had time to be back on the roster.
func (s *share) blind() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seeing, s.unsure = false, true
	clear(s.idle)
}

// member is how the consumer announces itself.
func (s *share) member() Member {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := Member{Name: s.name}
	for _, t := range s.held {
		if t.leave != nil {
			m.Holds = append(m.Holds, t.partition)
		}
	}
	return m
}
