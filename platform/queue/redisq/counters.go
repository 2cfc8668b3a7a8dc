package redisq

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muttproject/mutt/platform/queue"
)

// purgeStep bounds how many minutes one script deletes.
const purgeStep = 500

// Depth sums up the partitions of a queue.
func (d *Driver) Depth(ctx context.Context, q queue.Name) (queue.Depth, error) {
	all := make([]reply, len(d.keys))
	err := d.each(func(p int) (err error) {
		all[p], err = d.run(ctx, d.scripts.depth, "ask for the depth", d.call().key(d.keys[p].lane(q)...))
		return err
	})
	if err != nil {
		return queue.Depth{}, err
	}
	var sum queue.Depth
	var oldest int64
	for _, r := range all {
		sum.Ready += r.int(0)
		sum.Claimed += r.int(1)
		sum.Delayed += r.int(2)
		sum.Dead += r.int(3)
		sum.Entries += r.int(4)
		sum.Consumers += int(r.int(5))
		sum.Bytes += r.int(7)
		if at := r.int(6); at > 0 && (oldest == 0 || at < oldest) {
			oldest = at
		}
	}
	if oldest > 0 {
		sum.Oldest = time.UnixMicro(oldest).UTC()
	}
	return sum, nil
}

const fieldSeparator = "\x00"

func counterField(process, kind, label string) string {
	return process + fieldSeparator + kind + fieldSeparator + label
}

// Counters lists what was counted, the partitions added up.
func (d *Driver) Counters(ctx context.Context, since int64) ([]queue.Counter, error) {
	perPartition := make([][]queue.Counter, len(d.keys))
	err := d.each(func(p int) error {
		minutes, err := d.minutes(ctx, p, strconv.FormatInt(since, 10), "+inf", math.MaxInt32)
		if err != nil {
			return err
		}
		for _, m := range minutes {
			if perPartition[p], err = d.minute(ctx, p, m, perPartition[p]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return merge(slices.Concat(perPartition...)), nil
}

// minutes lists the minutes that a partition has counters of, oldest first.
func (d *Driver) minutes(ctx context.Context, p int, from, to string, limit int64) ([]int64, error) {
	cmd := d.client.B().Zrangebyscore().Key(d.keys[p].minutes).Min(from).Max(to).Limit(0, limit).Build()
	r, err := d.command(ctx, "list the counters", cmd)
	if err != nil {
		return nil, err
	}
	minutes, err := r.AsIntSlice()
	if err != nil {
		return nil, unavailable(err, "list the counters")
	}
	return minutes, nil
}

// minute reads a partition's counters of a minute.
func (d *Driver) minute(ctx context.Context, p int, minute int64, into []queue.Counter) ([]queue.Counter, error) {
	r, err := d.command(ctx, "read the counters", d.client.B().Hgetall().Key(d.keys[p].counters(minute)).Build())
	if err != nil {
		return nil, err
	}
	fields, err := r.AsIntMap()
	if err != nil {
		return nil, unavailable(err, "read the counters")
	}
	for field, n := range fields {
		parts := strings.SplitN(field, fieldSeparator, 3)
		if len(parts) == 3 {
			into = append(into, queue.Counter{Minute: minute, Process: parts[0], Kind: parts[1], Label: parts[2], N: n})
		}
	}
	return into, nil
}

// merge sorts counters and adds up those of different partitions.
func merge(all []queue.Counter) []queue.Counter {
	order := func(a, b queue.Counter) int {
		return cmp.Or(cmp.Compare(a.Minute, b.Minute), cmp.Compare(a.Process, b.Process), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Label, b.Label))
	}
	slices.SortFunc(all, order)
	var sums []queue.Counter
	for _, c := range all {
		if last := len(sums) - 1; last >= 0 && order(sums[last], c) == 0 {
			sums[last].N += c.N
			continue
		}
		sums = append(sums, c)
	}
	return sums
}

// Purge deletes old counters. Idempotency keys expire by themselves.
func (d *Driver) Purge(ctx context.Context, before int64) error {
	return d.each(func(p int) error {
		for {
			minutes, err := d.minutes(ctx, p, "-inf", "("+strconv.FormatInt(before, 10), purgeStep)
			if err != nil || len(minutes) == 0 {
				return err
			}
			c := d.call().key(d.keys[p].minutes).num(int64(len(minutes)))
			for _, m := range minutes {
				c.key(d.keys[p].counters(m)).num(m)
			}
			if _, err := d.run(ctx, d.scripts.purge, "delete old counters", c); err != nil {
				return err
			}
		}
	})
}
