package redisq_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// TestWakes measures from the append in one process to the end of a claim that waits in another.
func TestWakes(t *testing.T) {
	l := newLab(t)
	here, there := l.driver(1), l.driver(1)
	lease := l.acquire(here, queue.Ingest, 0)
	var took []time.Duration
	for range 100 {
		woken := make(chan time.Time, 1)
		go func() {
			got, err := here.Claim(t.Context(), queue.ClaimParams{Lease: lease, Max: 1, Wait: 10 * time.Second})
			if err != nil || len(got) != 1 {
				t.Errorf("claimed %d, %v", len(got), err)
			}
			woken <- time.Now()
			if len(got) == 1 {
				l.ack(here, lease, got[0].Entry)
			}
			close(woken)
		}()
		start := time.Now()
		l.append(there, 0, entry(1, 10))
		took = append(took, (<-woken).Sub(start))
		<-woken
	}
	slices.Sort(took)
	t.Logf("median %v, p99 %v", took[50], took[99])
	if took[50] > 100*time.Millisecond {
		t.Errorf("a waiting claim took %v (median) to see an append", took[50])
	}
}

// TestWaitingDoesNotPoll counts what a claim that waits asks of Redis.
func TestWaitingDoesNotPoll(t *testing.T) {
	l := newLab(t)
	d := l.driver(1)
	lease := l.acquire(d, queue.Ingest, 0)
	l.claim(d, lease, 1) // the scripts are known now
	before := l.info("commandstats", "cmdstat_evalsha:calls=")
	got, err := d.Claim(t.Context(), queue.ClaimParams{Lease: lease, Max: 1, Wait: 500 * time.Millisecond})
	if err != nil || len(got) > 0 {
		t.Fatal(len(got), err)
	}
	if n := l.info("commandstats", "cmdstat_evalsha:calls=") - before; n > 2 {
		t.Errorf("%d looks in half a second", n)
	}
}

// TestAckedMemoryIsFreed compares what Redis uses before and after many entries went through.
func TestAckedMemoryIsFreed(t *testing.T) {
	l := newLab(t)
	d := l.driver(1)
	lease := l.acquire(d, queue.Ingest, 0)
	l.ack(d, lease, l.claimed(d, lease, l.append(d, 0, entry(1, 10)))...)
	before := l.info("memory", "used_memory:")
	const n, size = 2000, 4096
	for range n / 20 {
		var batch []queue.Entry
		for range 20 {
			batch = append(batch, entry(1, size))
		}
		l.ack(d, lease, l.claimed(d, lease, l.append(d, 0, batch...))...)
	}
	l.same("0", l.s.Do("XLEN", "mutt:{0}:ingest:stream"))
	for _, key := range []string{"meta", "claimed", "back", "delayed"} {
		l.same("0", l.s.Do("EXISTS", "mutt:{0}:ingest:"+key))
	}
	if grown := l.info("memory", "used_memory:") - before; grown > n*size/10 {
		t.Errorf("%d bytes are left of %d", grown, n*size)
	}
}

// TestGoneIsRemembered appends again what was acked: after an unknown outcome, or after Redis came back older.
func TestGoneIsRemembered(t *testing.T) {
	l := newLab(t)
	d := l.driver(1)
	lease := l.acquire(d, queue.Ingest, 0)
	e := entry(3, 10)
	count := []queue.Count{{Minute: 1, Kind: queue.CountReceived, N: 3}}
	again := func() {
		l.must(d.Append(t.Context(), queue.AppendParams{Entries: []queue.Entry{e}, Process: "p", Counts: count}))
	}
	again()
	l.ack(d, lease, l.claim(d, lease, 1)...)
	again()
	l.same(0, len(l.claim(d, lease, 1)))
	got, err := d.Counters(t.Context(), 0)
	l.must(err)
	l.same([]queue.Counter{{Minute: 1, Process: "p", Kind: queue.CountReceived, N: 3}}, got)

	// What is old or too much is forgotten, with the next ack.
	const ids = "mutt:{0}:ingest:ids"
	l.ack(d, lease, l.claimed(d, lease, l.append(d, 0, entries(100)...))...)
	l.same(101, l.card(ids))
	stored := l.append(d, 0, entries(3)...)
	l.clock.step(16 * time.Minute)
	l.ack(d, lease, l.claim(d, lease, 1)...)
	l.same(3, l.card(ids))
	l.s.Do("EVAL", "for i = 1, 70000 do redis.call('ZADD', KEYS[1], i * 1e11, 'filler ' .. i) end", "1", ids)
	l.ack(d, lease, l.claim(d, lease, 1)...)
	l.same(65536+1, l.card(ids))
	l.must(d.Append(t.Context(), queue.AppendParams{Entries: []queue.Entry{{ID: stored[2], Queue: queue.Ingest, Events: 1}}}))
	l.same(stored[2:], l.claim(d, lease, 5)) // never forgotten while it is stored
}

// TestFullMemoryOnlyRefusesAppends fills Redis to its memory limit and works it off.
func TestFullMemoryOnlyRefusesAppends(t *testing.T) {
	l := newLab(t, "maxmemory 16mb")
	d := l.driver(1)
	var err error
	n := 0
	for ; err == nil && n < 1000; n++ {
		err = d.Append(t.Context(), queue.AppendParams{Entries: []queue.Entry{entry(1, 100_000)}})
	}
	l.refused(err, fault.QueueUnavailable)
	if f, _ := fault.As(err); !strings.Contains(f.Error(), "memory") || !strings.Contains(f.Remedy, "maxmemory") {
		t.Errorf("the operator is told %v, remedy %q", f, f.Remedy)
	}
	lease := l.acquire(d, queue.Ingest, 0)
	ids := l.claim(d, lease, 2)
	l.must(d.Release(t.Context(), queue.ReleaseParams{Lease: lease, Entries: ids[:1], Delay: time.Hour}))
	l.must(d.Renew(t.Context(), lease, time.Hour))
	alert := entry(1, 1000)
	alert.Queue = queue.Alert
	l.must(d.Settle(t.Context(), queue.SettleParams{Lease: lease, Ack: ids[1:], Publish: []queue.Entry{alert}}))
	for len(ids) > 0 {
		ids = l.claim(d, lease, 10)
		l.ack(d, lease, ids...)
	}
	l.append(d, 0, entry(1, 100_000))
}

// TestEverythingLost empties Redis under a working process.
func TestEverythingLost(t *testing.T) {
	l := newLab(t)
	d := l.driver(1)
	lease := l.acquire(d, queue.Ingest, 0)
	ids := l.claimed(d, lease, l.append(d, 0, entries(3)...))
	l.s.Do("FLUSHALL")
	l.refused(d.Settle(t.Context(), queue.SettleParams{Lease: lease, Ack: ids}), fault.LeaseLost)
	next := l.acquire(d, queue.Ingest, 0)
	if next.Token <= lease.Token {
		t.Errorf("token %d after %d", next.Token, lease.Token)
	}
	l.s.Do("SCRIPT", "FLUSH")
	all := l.append(d, 0, entries(1)...)
	got := l.claim(d, next, 10)
	if !slices.Contains(got, all[0]) { // what was lost may have been appended again
		t.Errorf("claimed %v without %v", got, all)
	}
	l.ack(d, next, got...)
}

// TestOldest looks at the age of what is claimed, came back, or is new.
func TestOldest(t *testing.T) {
	l := newLab(t)
	d := l.driver(1)
	lease := l.acquire(d, queue.Ingest, 0)
	l.append(d, 0, entries(1)...)
	l.append(d, 0, entries(1)...)
	l.append(d, 0, entries(1)...)
	got, err := d.Claim(t.Context(), queue.ClaimParams{Lease: lease, Max: 2})
	l.must(err)
	oldest := func(want time.Time) {
		t.Helper()
		depth, err := d.Depth(t.Context(), queue.Ingest)
		l.must(err)
		l.same(want, depth.Oldest)
	}
	first, second := got[0], got[1]
	oldest(first.AppendedAt)
	l.must(d.Release(t.Context(), queue.ReleaseParams{Lease: lease, Entries: []event.ID{second.Entry}}))
	oldest(first.AppendedAt)
	l.ack(d, lease, first.Entry)
	oldest(second.AppendedAt)
	l.ack(d, lease, l.claim(d, lease, 1)...)
	got, err = d.Claim(t.Context(), queue.ClaimParams{Lease: lease, Max: 1})
	l.must(err)
	l.must(d.Release(t.Context(), queue.ReleaseParams{Lease: lease, Entries: []event.ID{got[0].Entry}, Delay: time.Hour}))
	oldest(time.Time{})
}

// TestBytesBesideAnEarlierVersion: an earlier version appends entries without a size and settles those with one. Both
// are done here by the commands of its scripts. What it appended counts for nothing, and what it settled is taken away.
func TestBytesBesideAnEarlierVersion(t *testing.T) {
	l := newLab(t)
	d := l.driver(1)
	base := "mutt:{0}:ingest:"
	move := func(entries string) {
		for _, field := range []string{"ready", "ready_events"} {
			l.s.Do("HINCRBY", base+"state", field, entries)
		}
	}
	holds := func(want int64) {
		t.Helper()
		depth, err := d.Depth(t.Context(), queue.Ingest)
		l.must(err)
		l.same(want, depth.Bytes)
	}
	earlier := string(bytes.Repeat([]byte{'o'}, 16))
	l.s.Do("XADD", base+"stream", "1-0", "i", earlier, "n", "1", "t", "0", "b", "body")
	l.s.Do("ZADD", base+"ids", "inf", earlier)
	l.s.Do("HINCRBY", base+"state", "last", "1")
	move("1")
	one := queue.SizeOf(make([]byte, 10))
	four := entries(4)
	four[0].ID[3] = 0 // ids are any bytes
	ids := l.append(d, 0, four...)
	holds(4 * one)

	// It settles the first two of these; the one that it appended is still there.
	for i, id := range ids[:2] {
		l.s.Do("XDEL", base+"stream", strconv.Itoa(i+2)+"-0")
		l.s.Do("ZREM", base+"ids", string(id[:]))
		move("-1")
	}
	holds(3 * one) // at most as many as the bound allows
	lease := l.acquire(d, queue.Ingest, 0)
	got := l.claim(d, lease, 10)
	l.same(3, len(got))
	l.ack(d, lease, got[0]) // the one without a size
	holds(2 * one)
	l.ack(d, lease, got[1])
	holds(one)
	l.ack(d, lease, got[2])
	holds(0)
	l.append(d, 0, entries(1)...)
	holds(one)
}

// TestManyDueAtOnce lets more delayed entries become due than one claim looks at.
func TestManyDueAtOnce(t *testing.T) {
	l := newLab(t)
	d := l.driver(1)
	lease := l.acquire(d, queue.Ingest, 0)
	want := l.append(d, 0, entries(2500)...)
	l.must(d.Release(t.Context(), queue.ReleaseParams{Lease: lease, Entries: l.claimed(d, lease, want), Delay: time.Minute}))
	l.same(0, len(l.claim(d, lease, 1)))
	l.clock.step(2 * time.Minute)
	l.same(0, len(l.claim(d, lease, 0)))
	seen := map[event.ID]bool{}
	for len(seen) < len(want) {
		ids := l.claim(d, lease, 400)
		if len(ids) == 0 {
			t.Fatalf("%d of %d came back", len(seen), len(want))
		}
		for _, id := range ids {
			seen[id] = true
		}
		l.ack(d, lease, ids...)
	}
}

// TestSilentRedis freezes Redis: calls fail in time, and their repeats are recognised.
func TestSilentRedis(t *testing.T) {
	l := newLab(t)
	d := l.driver(1)
	lease := l.acquire(d, queue.Ingest, 0)
	p := queue.AppendParams{Entries: entries(1)}
	l.s.Pause()
	start := time.Now()
	l.refused(d.Append(t.Context(), p), fault.QueueUnavailable)
	_, err := d.Claim(t.Context(), queue.ClaimParams{Lease: lease, Max: 1})
	l.refused(err, fault.QueueUnavailable)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("two calls took %v", took)
	}
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := d.Append(short, p); !errors.Is(err, context.DeadlineExceeded) || fault.Is(err, fault.QueueUnavailable) {
		t.Errorf("the caller's deadline gives %v", err)
	}
	l.s.Resume()
	for deadline := time.Now().Add(10 * time.Second); d.Append(t.Context(), p) != nil; {
		if time.Now().After(deadline) {
			t.Fatal("not well again")
		}
	}
	depth, err := d.Depth(t.Context(), queue.Ingest)
	l.must(err)
	l.same(int64(1), depth.Live())
}
