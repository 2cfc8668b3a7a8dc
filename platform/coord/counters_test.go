package coord_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/testkit"
)

// The clauses of counting are in storetest.RunCounters; here is what is Redis's own.

func incr(t *testing.T, c *coord.Counters, p coord.IncrParams) []coord.Counted {
	t.Helper()
	p.Batch = uuid.Must(uuid.NewV7())
	got, err := c.Incr(t.Context(), []coord.IncrParams{p})
	if err != nil {
		t.Fatal(err)
	}
	return got[0]
}

func adds(group string, from, to int) (out []coord.CounterAdd) {
	for i := from; i < to; i++ {
		out = append(out, coord.CounterAdd{Group: group, Name: strconv.Itoa(i), N: 1, At: time.Unix(1, 0), Note: "note"})
	}
	return out
}

func TestCountersAreForgottenAndMakeRoom(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t, testkit.RedisOptions{})
	c := coord.NewCounters(coord.NewRedis(connect(t, server), "mutt:"), "unhandled")
	p := coord.IncrParams{Adds: adds("g", 0, 30), Expiry: 500 * time.Millisecond, MaxPerGroup: 20, MaxTotal: 25}
	for i, s := range incr(t, c, p) {
		if s.Folded != (i >= 20) {
			t.Fatalf("counter %d: %+v", i, s)
		}
	}
	until(t, "they are forgotten", 5*time.Second, func() bool {
		p.Adds = adds("h", 0, 1)
		return incr(t, c, p)[0].N == 1 && strings.Count(server.Do("HKEYS", "mutt:counters:{unhandled}"), "\n") <= 1
	})
	p.Adds = adds("g", 30, 50)
	for i, s := range incr(t, c, p) {
		if s.Folded || s.N != 1 {
			t.Fatalf("after it counter %d: %+v", i, s)
		}
	}
	for _, kind := range []string{"counters", "notes", "groups", "ends", "batches"} {
		if ms, err := strconv.Atoi(server.Do("PTTL", "mutt:"+kind+":{unhandled}")); err != nil || ms <= 0 || ms > 2*3600*1000 {
			t.Errorf("%s lives for %d ms, %v", kind, ms, err)
		}
	}
}

func TestCountersLiveOnWhenTheExpiryGrows(t *testing.T) {
	t.Parallel()
	c := coord.NewCounters(coord.NewRedis(connect(t, testkit.Redis(t, testkit.RedisOptions{})), "mutt:"), "unhandled")
	p := coord.IncrParams{Adds: adds("g", 0, 1), Expiry: time.Second}
	incr(t, c, p)
	p.Expiry = time.Hour
	incr(t, c, p)
	wait(1100 * time.Millisecond)
	if got := incr(t, c, p); got[0].N != 3 {
		t.Fatalf("got %+v", got)
	}
}

func TestCountersOfManyBatches(t *testing.T) {
	t.Parallel()
	c := coord.NewCounters(coord.NewRedis(connect(t, testkit.Redis(t, testkit.RedisOptions{})), "mutt:"), "unhandled")
	batches := make([]coord.IncrParams, 12)
	for i := range batches {
		batches[i] = coord.IncrParams{Batch: uuid.Must(uuid.NewV7()), Adds: adds("g", 0, 700), Expiry: time.Hour}
	}
	for range 2 { // the second time nothing is counted
		got, err := c.Incr(t.Context(), batches)
		if err != nil || len(got) != len(batches) {
			t.Fatalf("%d answers, %v", len(got), err)
		}
		if last := got[11][699]; last.N != 12 || last.Note != "note" || !last.Start.Equal(time.Unix(1, 0)) {
			t.Fatalf("the last: %+v", last)
		}
	}
}
