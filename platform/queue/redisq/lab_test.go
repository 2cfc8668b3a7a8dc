package redisq_test

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/redisq"
	"github.com/muttproject/mutt/platform/testkit"
)

// lab is a Redis with one or more drivers on it, each with connections of its own like a process.
type lab struct {
	t     *testing.T
	s     *testkit.RedisServer
	clock clock
}

func newLab(t *testing.T, settings ...string) *lab {
	t.Helper()
	t.Parallel()
	return &lab{t: t, s: testkit.Redis(t, testkit.RedisOptions{AOF: "everysec", Settings: settings})}
}

func (l *lab) driver(partitions int) *redisq.Driver {
	l.t.Helper()
	return open(l.t, redisq.Options{Client: connect(l.t, redis.Standalone, l.s), Config: config("mutt", partitions),
		Timeout: time.Second, Shift: l.clock.shift, Logger: zap.NewNop(), Now: time.Now})
}

func (l *lab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) refused(err error, code fault.Code) {
	l.t.Helper()
	if !fault.Is(err, code) {
		l.t.Fatalf("want %s, got %v", code, err)
	}
}

func (l *lab) acquire(d *redisq.Driver, q queue.Name, partition int) queue.Lease {
	l.t.Helper()
	got, err := d.Acquire(l.t.Context(), queue.LeaseParams{Queue: q, Partition: partition, Owner: "a", TTL: time.Hour})
	l.must(err)
	return got
}

func (l *lab) append(d *redisq.Driver, partition int, entries ...queue.Entry) []event.ID {
	l.t.Helper()
	var ids []event.ID
	for i := range entries {
		entries[i].Partition = partition
		ids = append(ids, entries[i].ID)
	}
	l.must(d.Append(l.t.Context(), queue.AppendParams{Entries: entries, Process: "p"}))
	return ids
}

func (l *lab) claim(d *redisq.Driver, lease queue.Lease, most int) []event.ID {
	l.t.Helper()
	got, err := d.Claim(l.t.Context(), queue.ClaimParams{Lease: lease, Max: most})
	l.must(err)
	var ids []event.ID
	for _, c := range got {
		ids = append(ids, c.Entry)
	}
	return ids
}

func (l *lab) ack(d *redisq.Driver, lease queue.Lease, ids ...event.ID) {
	l.t.Helper()
	l.must(d.Settle(l.t.Context(), queue.SettleParams{Lease: lease, Ack: ids}))
}

func (l *lab) same(want, got any) {
	l.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		l.t.Fatalf("(-want +got):\n%s", diff)
	}
}

// info reads a number of INFO.
func (l *lab) info(section, field string) int64 {
	l.t.Helper()
	for line := range strings.Lines(l.s.Do("INFO", section)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), field); ok {
			value, _, _ = strings.Cut(value, ",")
			n, err := strconv.ParseInt(value, 10, 64)
			l.must(err)
			return n
		}
	}
	return 0
}

func (l *lab) card(key string) int {
	l.t.Helper()
	n, err := strconv.Atoi(l.s.Do("ZCARD", key))
	l.must(err)
	return n
}

func entry(events, size int) queue.Entry {
	return queue.Entry{ID: queue.NewEntryID(), Queue: queue.Ingest, Events: events, Body: bytes.Repeat([]byte{'x'}, size)}
}

func entries(n int) []queue.Entry {
	all := make([]queue.Entry, n)
	for i := range all {
		all[i] = entry(1, 10)
	}
	return all
}

// claimed claims what was appended.
func (l *lab) claimed(d *redisq.Driver, lease queue.Lease, want []event.ID) []event.ID {
	l.t.Helper()
	got := l.claim(d, lease, len(want))
	l.same(want, got)
	return got
}
