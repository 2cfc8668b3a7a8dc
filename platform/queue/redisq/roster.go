package redisq

import (
	"context"
	"strconv"
	"strings"

	"github.com/muttproject/mutt/platform/queue"
)

var _ queue.Roster = (*Driver)(nil)

// Announce keeps a consumer on the roster of a queue, by Redis's clock.
func (d *Driver) Announce(ctx context.Context, p queue.AnnounceParams) ([]queue.Member, error) {
	c := d.call().text(p.Member.Name, joined(p.Member.Holds)).num(p.TTL.Microseconds())
	r, err := d.run(ctx, d.scripts.roster, "announce a consumer", c.key(d.opts.KeyPrefix+":roster:"+string(p.Queue)))
	if err == nil {
		err = r.refused(queue.Lease{})
	}
	if err != nil {
		return nil, err
	}
	members := make([]queue.Member, len(r.rest)/2)
	for i := range members {
		members[i] = queue.Member{Name: r.text(2 * i), Holds: split(r.text(2*i + 1))}
	}
	return members, nil
}

// joined gives partitions as a script stores them.
func joined(partitions []int) string {
	var b strings.Builder
	for i, p := range partitions {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(p))
	}
	return b.String()
}

// split is the reverse of joined; what is no number is passed over.
func split(list string) (partitions []int) {
	for word := range strings.SplitSeq(list, ",") {
		if p, err := strconv.Atoi(word); err == nil {
			partitions = append(partitions, p)
		}
	}
	return partitions
}
