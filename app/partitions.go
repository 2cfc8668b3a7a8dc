package app

import (
	"context"
	"fmt"
	"strconv"

	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/fault"
)

// partitionsKey is where the number of partitions stands by which every process works. It is never changed by a
// process: only an operator knows that nothing waits in the partitions that would be left out.
const partitionsKey = "partitions"

// agreePartitions refuses a number of partitions that is not that of the processes before: events in a partition that the
// consumers do not know would wait for ever, and no book would show them. The first process sets the number.
func agreePartitions(ctx context.Context, c coord.Coord, want int) error {
	for {
		v, err := c.Get(ctx, partitionsKey)
		if err != nil {
			return fmt.Errorf("look up the number of partitions: %w", err)
		}
		if v.Version != 0 {
			return samePartitions(string(v.Data), want)
		}
		_, err = c.Put(ctx, coord.PutParams{Key: partitionsKey, Data: []byte(strconv.Itoa(want))})
		if fault.Is(err, fault.Conflict) {
			continue // another process was first
		}
		if err != nil {
			return fmt.Errorf("set the number of partitions: %w", err)
		}
		return nil
	}
}

func samePartitions(have string, want int) error {
	if have == strconv.Itoa(want) {
		return nil
	}
	return fault.New(fault.ConfigInvalid, "the queues in Redis have %s partitions, and queue.partitions of this process is %d", have, want).
		WithRemedy("set MUTT_QUEUE_PARTITIONS to %s as in every other process; docs/guides/scaling.md says how to change the number", have)
}
