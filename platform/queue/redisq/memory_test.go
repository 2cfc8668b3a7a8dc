package redisq_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/redisq"
	"github.com/muttproject/mutt/platform/testkit"
)

// TestReserve lets two processes fill a real Redis to its reserve: it never has to refuse anything by itself.
func TestReserve(t *testing.T) {
	l := newLab(t, "maxmemory 32mb")
	one, two := l.driver(2), l.driver(2)
	intake := func(d *redisq.Driver, partition int) error {
		e := entry(1, 60_000)
		e.Partition = partition
		return d.Append(t.Context(), queue.AppendParams{Entries: []queue.Entry{e}, Intake: true})
	}
	var err error
	for n := 0; err == nil && n < 1000; n++ {
		for p := range 2 {
			if err = errors.Join(err, intake(one, p)); err == nil {
				err = intake(two, p)
			}
		}
	}
	l.refused(err, fault.QueueFull)
	if why := queue.WhyFull(err); why != queue.FullRedis || !slices.ContainsFunc(one.MemoryWarnings(), func(w string) bool { return strings.Contains(w, "up to its reserve") }) &&
		!slices.ContainsFunc(two.MemoryWarnings(), func(w string) bool { return strings.Contains(w, "up to its reserve") }) {
		t.Errorf("refused because of %s; warnings %q, %q", why, one.MemoryWarnings(), two.MemoryWarnings())
	}
	if used := l.info("memory", "used_memory:"); used < 24<<20 || used > 32<<20 {
		t.Errorf("%d bytes are used", used)
	}
	if stats := l.s.Do("INFO", "errorstats"); strings.Contains(stats, "errorstat_OOM") {
		t.Errorf("Redis refused by itself: %s", stats)
	}
	for p := range 2 {
		lease := l.acquire(one, queue.Ingest, p)
		for ids := l.claim(one, lease, 100); len(ids) > 0; ids = l.claim(one, lease, 100) {
			l.ack(one, lease, ids...)
		}
	}
	one.LookAtMemory()
	l.must(intake(one, 0))
}

// TestOverTheLimit: without a reserve, events that Redis refuses by itself are told to come again.
func TestOverTheLimit(t *testing.T) {
	l := newLab(t, "maxmemory 16mb")
	c := config("mutt", 1)
	c.Reserve = 0
	d := open(t, redisq.Options{Client: connect(t, redis.Standalone, l.s), Config: c, Logger: zap.NewNop(), Now: time.Now})
	var err error
	for n := 0; err == nil && n < 1000; n++ {
		err = d.Append(t.Context(), queue.AppendParams{Entries: []queue.Entry{entry(1, 100_000)}, Intake: true})
	}
	l.refused(err, fault.QueueFull)
	if f, _ := fault.As(err); f.RetryAfter <= 0 || queue.WhyFull(err) != queue.FullRedis {
		t.Errorf("%+v, %s", f, queue.WhyFull(err))
	}
}

// TestNoLimit: a Redis without maxmemory is a warning, one with it is none.
func TestNoLimit(t *testing.T) {
	for settings, want := range map[string]bool{"maxmemory 0": true, "maxmemory 64mb": false} {
		t.Run(settings, func(t *testing.T) {
			l := newLab(t, settings)
			d := l.driver(1)
			if got := slices.ContainsFunc(d.MemoryWarnings(), func(w string) bool { return strings.Contains(w, "no maxmemory") }); got != want {
				t.Errorf("%q", d.MemoryWarnings())
			}
		})
	}
}

// TestMemoryOfACluster asks the node that has the partition, wherever that is.
func TestMemoryOfACluster(t *testing.T) {
	t.Parallel()
	cluster := testkit.RedisCluster(t, testkit.RedisOptions{AOF: "everysec", Settings: []string{"maxmemory 64mb"}})
	d := open(t, redisq.Options{Client: connect(t, redis.Cluster, cluster.Nodes[0], cluster.Addrs()...), Config: config("mutt", 4), Logger: zap.NewNop(), Now: time.Now})
	for partition := range 4 {
		used, limit, err := d.AskMemory(t.Context(), partition)
		if err != nil || used < 1<<10 || limit != 64<<20 {
			t.Errorf("partition %d: %d of %d bytes, %v", partition, used, limit, err)
		}
	}
	if w := d.MemoryWarnings(); slices.ContainsFunc(w, func(w string) bool { return strings.Contains(w, "memory") }) {
		t.Errorf("%q", w)
	}
}
