package app

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/coord"
)

// taken counts how many of n requests a limit lets pass.
func taken(t *testing.T, l authn.Limiter, n int) (passed int) {
	t.Helper()
	for range n {
		wait, ok := l.Take(t.Context())
		if ok {
			passed++
		} else if wait <= 0 {
			t.Error("a refusal says when to try again")
		}
	}
	return passed
}

// TestKeyLimitIsShared has two processes use one key: together they have its limit, and ten seconds' worth at once.
func TestKeyLimitIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := coord.NewLocal(time.Now)
		one, two := newKeyLimits(shared).of(1, 60), newKeyLimits(shared).of(1, 60)
		if n := taken(t, one, 6) + taken(t, two, 20); n != 10 {
			t.Errorf("%d at once", n)
		}
		other := newKeyLimits(shared).of(2, 60)
		if n := taken(t, other, 1); n != 1 {
			t.Error("each key has its own")
		}
		time.Sleep(5 * time.Second)
		if n := taken(t, one, 3) + taken(t, two, 10); n != 5 {
			t.Errorf("%d after five seconds", n)
		}
	})
}

// TestKeyLimitOverTheRing: a key that is in the next ring goes on where it was, with its new limit.
func TestKeyLimitOverTheRing(t *testing.T) {
	t.Parallel()
	l := newKeyLimits(coord.NewLocal(time.Now))
	first := l.of(1, 60)
	l.of(2, 60)
	if l.of(3, 0) != nil || l.of(0, 60) != nil {
		t.Error("0 is no limit, and bootstrap keys have none")
	}
	l = l.next()
	if again := l.of(1, 120); again != first || again.(*keyLimit).limit().Rate != 120 {
		t.Error("it is another one")
	}
	if l = l.next(); len(l.before) != 1 {
		t.Errorf("a key that is gone is forgotten: %v", l.before)
	}
}

// broken is a Coord that cannot be reached for a while.
type broken struct {
	coord.Coord
	away  bool
	asked int
}

func (b *broken) Take(ctx context.Context, p coord.TakeParams) (coord.Taken, error) {
	b.asked++
	if b.away {
		return coord.Taken{}, errors.New("away")
	}
	return b.Coord.Take(ctx, p)
}

// TestKeyLimitAlone: while the others cannot be asked the process counts for itself, and asks once a second.
func TestKeyLimitAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := &broken{Coord: coord.NewLocal(time.Now), away: true}
		l := newKeyLimits(shared).of(1, 60)
		if n := taken(t, l, 20); n != 10 || shared.asked != 1 {
			t.Errorf("%d passed, asked %d times", n, shared.asked)
		}
		shared.away = false
		time.Sleep(keyLimitRest)
		if n := taken(t, l, 1); n != 1 || shared.asked != 2 {
			t.Errorf("back again: %d passed, asked %d times", n, shared.asked)
		}
	})
}

// TestKeyLimitAllocatesNothing while it spends from its block.
func TestKeyLimitAllocatesNothing(t *testing.T) {
	l := newKeyLimits(coord.NewLocal(time.Now)).of(1, 6_000_000)
	l.Take(t.Context())
	if n := testing.AllocsPerRun(1000, func() {
		if _, ok := l.Take(context.Background()); !ok {
			t.Error("refused")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
