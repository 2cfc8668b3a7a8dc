package redisq

import (
	"strconv"

	"github.com/muttproject/mutt/platform/queue"
)

// laneKeys are the keys of one queue of one partition, in the order in which scripts read them (lib.lua). The first five
// are what appends and the dead letters need, the others are for holders.
type laneKeys []string

func newLaneKeys(base string, q queue.Name) laneKeys {
	base += string(q) + ":"
	return laneKeys{
		base + "state",   // hash: the lease, the last place, the cursor, how much is in which state
		base + "stream",  // the entries, by place
		base + "ids",     // sorted set of entry ids: the stored ones with score inf, and for a while the gone with their time
		base + "letters", // hash: dead letters by event id
		base + "dead",    // sorted set of their ids, in the order of ids
		base + "meta",    // hash: notes on entries that were claimed before
		base + "claimed", // sorted set of entry ids by place: what the holder has
		base + "back",    // likewise: what is to be claimed again
		base + "delayed", // sorted set of entry ids by the time when they are due
	}
}

func (k laneKeys) state() string    { return k[0] }
func (k laneKeys) stream() string   { return k[1] }
func (k laneKeys) entryIDs() string { return k[2] }
func (k laneKeys) letters() string  { return k[3] }
func (k laneKeys) light() []string  { return k[:5] }

// partitionKeys are the keys of a partition. The braces make a Cluster keep all of them in one slot.
type partitionKeys struct {
	base    string
	lanes   map[queue.Name]laneKeys
	minutes string // sorted set of the minutes that have counters
}

func newPartitionKeys(prefix string, partition int) partitionKeys {
	k := partitionKeys{base: prefix + ":{" + strconv.Itoa(partition) + "}:", lanes: map[queue.Name]laneKeys{}}
	k.minutes = k.base + "minutes"
	for _, q := range queue.Names() {
		k.lanes[q] = newLaneKeys(k.base, q)
	}
	return k
}

func (k *partitionKeys) lane(q queue.Name) laneKeys { return k.lanes[q] }

// counters is the hash of a minute's counters, by process, kind and label.
func (k *partitionKeys) counters(minute int64) string {
	return k.base + "counters:" + strconv.FormatInt(minute, 10)
}

// key is where a sender's idempotency key is remembered.
func (k *partitionKeys) key(hash [16]byte) string { return k.base + "key:" + string(hash[:]) }

// mark is where a process stands with its appends to a lane.
func (k *partitionKeys) mark(q queue.Name, process string) string {
	return k.base + string(q) + ":mark:" + process
}
