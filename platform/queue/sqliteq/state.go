package sqliteq

import (
	"time"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// The states of an entry, as they are stored.
const (
	ready   = 0
	claimed = 1
	delayed = 2
)

// tally counts entries, the events in them, and their bytes (queue.SizeOf).
type tally struct{ entries, events, bytes int64 }

func (t *tally) add(entries, events, bytes int64) {
	t.entries += entries
	t.events += events
	t.bytes += bytes
}

// move takes all of t over to another tally.
func (t *tally) move(to *tally) {
	to.add(t.entries, t.events, t.bytes)
	*t = tally{}
}

// lane is what is known of a partition without asking the file. The writer works on its own lanes and publishes
// a copy after each commit, so what others see is always durable.
type lane struct {
	id        int64
	queue     queue.Name
	partition int

	token int64         // of the current or last lease; grows
	owner string        // "" when nobody holds it
	until time.Duration // when the lease ends, on the monotonic clock

	ready, claimed, delayed tally
	dead                    int64
	nextDue                 int64 // when the first delayed entry becomes ready, Unix µs; 0 for none
	oldest                  int64 // when the first ready or claimed entry was appended, Unix µs; 0 for none
	stale                   bool  // oldest must be read again before the commit
}

// held reports whether somebody's lease is alive.
func (l *lane) held(at time.Duration) bool { return l.owner != "" && at < l.until }

// check refuses a lease that is not the lane's.
func (l *lane) check(q queue.Lease, at time.Duration) error {
	if l == nil || l.token != q.Token || l.owner != q.Owner || !l.held(at) {
		return fault.New(fault.LeaseLost, "the lease of partition %d of queue %s ended", q.Partition, q.Queue)
	}
	return nil
}

func find(lanes []lane, q queue.Name, partition int) *lane {
	for i := range lanes { // two queues and a handful of partitions
		if lanes[i].queue == q && lanes[i].partition == partition {
			return &lanes[i]
		}
	}
	return nil
}

// depth sums up a queue, at a monotonic time.
func depth(lanes []lane, q queue.Name, at time.Duration) queue.Depth {
	var d queue.Depth
	var oldest int64
	for i := range lanes {
		l := &lanes[i]
		if l.queue != q {
			continue
		}
		if l.held(at) {
			d.Consumers++
		}
		d.Ready += l.ready.events
		d.Claimed += l.claimed.events
		d.Delayed += l.delayed.events
		d.Dead += l.dead
		d.Entries += l.ready.entries + l.claimed.entries + l.delayed.entries
		d.Bytes += l.ready.bytes + l.claimed.bytes + l.delayed.bytes
		if l.oldest > 0 && (oldest == 0 || l.oldest < oldest) {
			oldest = l.oldest
		}
	}
	if oldest > 0 {
		d.Oldest = time.UnixMicro(oldest).UTC()
	}
	return d
}
