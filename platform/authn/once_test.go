package authn

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestOnce(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 3, 12, 44, 0, time.UTC)
	demo := Identity{Name: "user:demo", Role: Operator}
	o := NewOnce(demo, func() time.Time { return now })
	refused := func(what, key string) {
		t.Helper()
		if who, ok := o.Redeem(key); ok {
			t.Errorf("%s: logs %+v in", what, who)
		}
	}
	refused("no key was issued", "")
	first := o.Issue().Reveal()
	refused("another key", NewSecret().Reveal())
	refused("no key", "")
	if who, ok := o.Redeem(first); !ok || who != demo {
		t.Errorf("the key logs in %+v %v", who, ok)
	}
	refused("used before", first)

	late := o.Issue().Reveal()
	now = now.Add(onceLife)
	refused("after two minutes", late)

	replaced, last := o.Issue().Reveal(), o.Issue().Reveal()
	refused("replaced by a later one", replaced)
	now = now.Add(onceLife - time.Nanosecond)
	if _, ok := o.Redeem(last); !ok {
		t.Error("a key is not valid for two minutes")
	}
}

// TestOnceByMany: of many who bring the same key at the same time, one is logged in.
func TestOnceByMany(t *testing.T) {
	t.Parallel()
	o := NewOnce(Identity{Name: "user:demo", Role: Operator}, time.Now)
	key := o.Issue().Reveal()
	var logins atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, ok := o.Redeem(key); ok {
				logins.Add(1)
			}
		})
	}
	all.Wait()
	if logins.Load() != 1 {
		t.Errorf("one key opened %d sessions", logins.Load())
	}
}
