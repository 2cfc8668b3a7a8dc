// Package queue carries batches between modules and loses none.
//
// Principles:
//  1. Modules hold the concrete Queue, Writer and Holder of this package; a Driver is small and storage-only.
//  2. The unit is an entry that carries a batch of one partition; FIFO is promised per partition.
//  3. No timer makes a batch: the next write starts when the previous one ends.
//  4. At-least-once: whoever reads must recognise an entry id that it has seen.
//  5. What belongs together (ack, publication, dead letters, counts) is one Settle.
package queue

import (
	"time"
)

// Options configure a Queue.
type Options struct {
	Partitions int    // the same in every process: 1 embedded, 4 by default distributed
	Process    string // the process run, for counters: unique per start
	Owner      string // the process, for leases
	Now        func() time.Time
}

// Queue is what modules hold.
type Queue struct {
	driver Driver
	opts   Options
}

// New makes a Queue on a driver. It does no I/O.
func New(d Driver, o Options) *Queue {
	if o.Partitions < 1 {
		o.Partitions = 1
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Queue{driver: d, opts: o}
}

// Partition gives the partition of a hostname: FNV-1a, the same in every process and version.
func (q *Queue) Partition(hostname string) int {
	if q.opts.Partitions == 1 {
		return 0
	}
	h := uint32(2166136261)
	for i := range len(hostname) {
		h = (h ^ uint32(hostname[i])) * 16777619
	}
	return int(h % uint32(q.opts.Partitions))
}
