// Package coordtest is the conformance suite of coord.Coord.
//
// Principles:
//  1. Each clause of the contract is one named case; every implementation runs all of them.
//  2. Time passes through Harness.Advance only: virtual for an in-process implementation, real for a server.
package coordtest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/fault"
)

// Harness opens the implementation under test.
type Harness struct {
	// Open gives a Coord on an empty namespace, and how time passes for it.
	Open func(tb testing.TB) (c coord.Coord, advance func(time.Duration))
	// Slack is how much real time may pass between two calls: 0 on a virtual clock.
	Slack time.Duration
	// Unit is the shortest time that the implementation tells apart well; 0 means 10 ms.
	Unit time.Duration
	// RealTime says that Advance really waits: the long property run is left to virtual clocks.
	RealTime bool
}

type suite struct {
	Harness
	c       coord.Coord
	advance func(time.Duration)
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	if h.Unit == 0 {
		h.Unit = 10 * time.Millisecond
	}
	cases := []struct {
		name string
		run  func(t *testing.T, s *suite)
	}{
		{"take/rate and burst", takeBurst},
		{"take/refusal says when", takeRefusal},
		{"take/ahead reserves in turn", takeAhead},
		{"take/tokens of a spread follow each other", takeSpread},
		{"take/more than the burst is a debt", takeDebt},
		{"take/keys are independent", takeKeys},
		{"take/concurrent takers share one limit", takeConcurrent},
		{"take/bad parameters", takeParams},
		{"value/absent is zero", valueAbsent},
		{"value/compare and set", valueCompareAndSet},
		{"value/versions are never reused", valueVersions},
		{"value/expires by its ttl", valueTTL},
		{"value/is a copy", valueCopy},
		{"value/one of many creators wins", valueRace},
		{"lease/one holder at a time", leaseOne},
		{"lease/renewed by its token", leaseRenewed},
		{"lease/expires and tokens grow", leaseExpires},
		{"lease/released is free at once", leaseReleased},
		{"lease/one of many takers wins", leaseRace},
		{"lease/bad parameters", leaseParams},
		{"members/are listed by name", membersListed},
		{"members/expire by their ttl", membersExpire},
		{"members/bad parameters", membersParams},
		{"context/an ended one does nothing", contextEnded},
		{"close/later calls say closed", closed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &suite{Harness: h}
			s.c, s.advance = h.Open(t)
			c.run(t, s)
		})
	}
	t.Run("take/never over the limit in any window", func(t *testing.T) {
		t.Parallel()
		if !h.RealTime {
			rapid.Check(t, func(rt *rapid.T) { takeWindow(rt, t, h) })
		}
	})
}

func (s *suite) take(t testing.TB, p coord.TakeParams) coord.Taken {
	t.Helper()
	got, err := s.c.Take(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (s *suite) limit(burst, n int64) coord.TakeParams {
	return coord.TakeParams{Key: "k", Rate: 10, Period: 100 * s.Unit, Burst: burst, N: n}
}

func takeBurst(t *testing.T, s *suite) {
	p := s.limit(3, 1)
	for i := range 3 {
		if !s.take(t, p).Granted {
			t.Fatalf("token %d of the burst was refused", i)
		}
	}
	if s.take(t, p).Granted {
		t.Fatal("more than the burst was granted")
	}
	s.advance(10*s.Unit + s.Slack)
	if !s.take(t, p).Granted || s.take(t, p).Granted {
		t.Fatal("one interval gives one token")
	}
}

func takeRefusal(t *testing.T, s *suite) {
	p := s.limit(1, 1)
	s.take(t, p)
	r := s.take(t, p)
	if r.Granted || r.RetryAfter < 10*s.Unit-s.Slack || r.RetryAfter > 10*s.Unit {
		t.Fatalf("got %+v", r)
	}
	if again := s.take(t, p); again.RetryAfter > r.RetryAfter {
		t.Fatal("a refusal costs nothing")
	}
	s.advance(r.RetryAfter - s.Unit)
	if s.Slack == 0 && s.take(t, p).Granted {
		t.Fatal("it is not granted before")
	}
	s.advance(s.Unit)
	if !s.take(t, p).Granted {
		t.Fatal("it is granted when it was said to be")
	}
}

func takeAhead(t *testing.T, s *suite) {
	p := s.limit(1, 1)
	p.Ahead = 20 * s.Unit
	for i := range 3 {
		got := s.take(t, p)
		want := time.Duration(i) * 10 * s.Unit
		if !got.Granted || got.Wait > want || got.Wait < want-s.Slack {
			t.Fatalf("token %d: %+v, want a wait of %v", i, got, want)
		}
	}
	if got := s.take(t, p); got.Granted && s.Slack == 0 {
		t.Fatal("a token further ahead than asked for was granted")
	}
}

// takeSpread takes several tokens at once, each of which has its own time.
func takeSpread(t *testing.T, s *suite) {
	p := s.limit(1, 3)
	p.Spread, p.Ahead = true, 50*s.Unit
	for i, last := range []int{2, 5} {
		want := time.Duration(last) * 10 * s.Unit
		if got := s.take(t, p); !got.Granted || got.Wait > want || got.Wait < want-s.Slack {
			t.Fatalf("take %d: %+v, want a wait of %v for the last token", i, got, want)
		}
	}
	if got := s.take(t, p); got.Granted && s.Slack == 0 {
		t.Fatal("tokens further ahead than asked for were granted")
	}
}

func takeDebt(t *testing.T, s *suite) {
	if !s.take(t, s.limit(2, 5)).Granted {
		t.Fatal("a take over the burst must be possible when nothing is outstanding")
	}
	if s.take(t, s.limit(2, 1)).Granted {
		t.Fatal("the debt is not waited for")
	}
	s.advance(40*s.Unit + s.Slack)
	if !s.take(t, s.limit(2, 1)).Granted {
		t.Fatal("the debt is paid after its time")
	}
}

func takeKeys(t *testing.T, s *suite) {
	p := s.limit(1, 1)
	s.take(t, p)
	p.Key = "other"
	if !s.take(t, p).Granted {
		t.Fatal("another key has its own tokens")
	}
}

func takeConcurrent(t *testing.T, s *suite) {
	p := coord.TakeParams{Key: "k", Rate: 20, Period: time.Hour, Burst: 20, N: 1}
	var granted atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				if got, err := s.c.Take(t.Context(), p); err == nil && got.Granted {
					granted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if granted.Load() != 20 {
		t.Fatalf("%d granted, want 20", granted.Load())
	}
}

func takeParams(t *testing.T, s *suite) {
	good := s.limit(1, 1)
	for _, change := range []func(*coord.TakeParams){
		func(p *coord.TakeParams) { p.Key = "" }, func(p *coord.TakeParams) { p.Rate = 0 },
		func(p *coord.TakeParams) { p.Period = 0 }, func(p *coord.TakeParams) { p.Burst = 0 },
		func(p *coord.TakeParams) { p.N = 0 }, func(p *coord.TakeParams) { p.Ahead = -1 },
	} {
		p := good
		change(&p)
		if _, err := s.c.Take(t.Context(), p); !fault.Is(err, fault.InvalidField) {
			t.Errorf("%+v: got %v", p, err)
		}
	}
	if !s.take(t, good).Granted {
		t.Error("a refused call took a token")
	}
}

// takeWindow: the times of the granted tokens, in any order of takes, waits and rates of competitors, keep the promise.
func takeWindow(rt *rapid.T, tb testing.TB, h Harness) {
	c, advance := h.Open(tb)
	p := coord.TakeParams{Key: "k",
		Rate:   rapid.Int64Range(1, 60).Draw(rt, "rate"),
		Period: time.Duration(rapid.Int64Range(1, int64(3*time.Second)).Draw(rt, "period")),
		Burst:  rapid.SampledFrom([]int64{1, 1, 1, 5}).Draw(rt, "burst"), N: 1}
	var now time.Duration
	var at []time.Duration
	for _, step := range rapid.SliceOfN(rapid.Int64Range(0, 4), 1, 300).Draw(rt, "steps") {
		d := p.Period / time.Duration(p.Rate) * time.Duration(step) / 2
		advance(d)
		now += d
		p.Ahead = time.Duration(step%2) * p.Period / 3
		got, err := c.Take(tb.Context(), p)
		if err != nil {
			rt.Fatal(err)
		}
		if got.Granted {
			at = append(at, now+got.Wait)
		}
	}
	bound := int(p.Rate + p.Burst)
	for i := range at {
		if j := i + bound; j < len(at) && at[j]-at[i] <= p.Period {
			rt.Fatalf("%d tokens within %v: %v", bound+1, p.Period, at[i:j+1])
		}
	}
}

func (s *suite) put(t testing.TB, p coord.PutParams) int64 {
	t.Helper()
	v, err := s.c.Put(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (s *suite) get(t testing.TB, key string) coord.Value {
	t.Helper()
	v, err := s.c.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func valueAbsent(t *testing.T, s *suite) {
	if v := s.get(t, "k"); v.Version != 0 || v.Data != nil || v.TTL != 0 {
		t.Fatalf("got %+v", v)
	}
}

func valueCompareAndSet(t *testing.T, s *suite) {
	one := s.put(t, coord.PutParams{Key: "k", Data: []byte("one\x00\xff")})
	for _, wrong := range []int64{0, one + 1} {
		if _, err := s.c.Put(t.Context(), coord.PutParams{Key: "k", Data: []byte("x"), Version: wrong}); !fault.Is(err, fault.Conflict) {
			t.Fatalf("version %d: got %v", wrong, err)
		}
	}
	if v := s.get(t, "k"); !bytes.Equal(v.Data, []byte("one\x00\xff")) || v.Version != one || v.TTL != 0 {
		t.Fatalf("got %+v", v)
	}
	two := s.put(t, coord.PutParams{Key: "k", Data: []byte{}, Version: one})
	if v := s.get(t, "k"); v.Version != two || len(v.Data) != 0 {
		t.Fatalf("an empty value is a value, got %+v", v)
	}
	s.put(t, coord.PutParams{Key: "k", Version: two})
	if v := s.get(t, "k"); v.Version != 0 {
		t.Fatalf("nil deletes, got %+v", v)
	}
}

func valueVersions(t *testing.T, s *suite) {
	one := s.put(t, coord.PutParams{Key: "k", Data: []byte("1")})
	s.put(t, coord.PutParams{Key: "k", Version: one})
	two := s.put(t, coord.PutParams{Key: "k", Data: []byte("2"), TTL: s.Unit})
	s.advance(s.Unit + s.Slack)
	three := s.put(t, coord.PutParams{Key: "k", Data: []byte("3")})
	if one >= two || two >= three {
		t.Fatalf("versions %d, %d, %d do not grow", one, two, three)
	}
}

func valueTTL(t *testing.T, s *suite) {
	v := s.put(t, coord.PutParams{Key: "k", Data: []byte("x"), TTL: 10 * s.Unit})
	s.advance(4 * s.Unit)
	if got := s.get(t, "k"); got.Version != v || got.TTL <= 0 || got.TTL > 6*s.Unit {
		t.Fatalf("got %+v", got)
	}
	s.advance(6*s.Unit + s.Slack)
	if got := s.get(t, "k"); got.Version != 0 {
		t.Fatalf("past its TTL: %+v", got)
	}
	if _, err := s.c.Put(t.Context(), coord.PutParams{Key: "k", Data: []byte("y"), Version: v}); !fault.Is(err, fault.Conflict) {
		t.Fatalf("an expired version is not the present one: %v", err)
	}
	v = s.put(t, coord.PutParams{Key: "k", Data: []byte("y"), TTL: s.Unit})
	s.put(t, coord.PutParams{Key: "k", Data: []byte("z"), Version: v})
	s.advance(s.Unit + s.Slack)
	if got := s.get(t, "k"); string(got.Data) != "z" {
		t.Fatalf("a value put without TTL stays, got %+v", got)
	}
}

func valueCopy(t *testing.T, s *suite) {
	data := []byte("abc")
	s.put(t, coord.PutParams{Key: "k", Data: data})
	data[0] = 'X'
	got := s.get(t, "k")
	got.Data[1] = 'X'
	if again := s.get(t, "k"); string(again.Data) != "abc" {
		t.Fatalf("got %q", again.Data)
	}
}

func valueRace(t *testing.T, s *suite) {
	var won, lost atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			switch _, err := s.c.Put(t.Context(), coord.PutParams{Key: "k", Data: []byte("x"), TTL: time.Minute}); {
			case err == nil:
				won.Add(1)
			case fault.Is(err, fault.Conflict):
				lost.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || lost.Load() != 15 {
		t.Fatalf("%d won, %d lost", won.Load(), lost.Load())
	}
}

// calls is each method once, with parameters that it would take.
func (s *suite) calls() map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"take": func(ctx context.Context) error { _, err := s.c.Take(ctx, s.limit(1, 1)); return err },
		"put": func(ctx context.Context) error {
			_, err := s.c.Put(ctx, coord.PutParams{Key: "k", Data: []byte("x")})
			return err
		},
		"get": func(ctx context.Context) error { _, err := s.c.Get(ctx, "k"); return err },
		"lease": func(ctx context.Context) error {
			_, err := s.c.Lease(ctx, coord.LeaseParams{Key: "k", Owner: "a", TTL: time.Minute})
			return err
		},
		"release": func(ctx context.Context) error { return s.c.Release(ctx, "k", 1) },
		"announce": func(ctx context.Context) error {
			return s.c.Announce(ctx, coord.AnnounceParams{Group: "g", Member: "a", Data: []byte("x"), TTL: time.Minute})
		},
		"members": func(ctx context.Context) error { _, err := s.c.Members(ctx, "g"); return err },
	}
}

func contextEnded(t *testing.T, s *suite) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range s.calls() {
		if err := call(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !s.take(t, s.limit(1, 1)).Granted || s.get(t, "k").Version != 0 || !s.lease(t, "b", 0).Granted || s.members(t, "g") != nil {
		t.Error("a call with an ended context had an effect")
	}
}

func closed(t *testing.T, s *suite) {
	for range 2 {
		if err := s.c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, call := range s.calls() {
		if err := call(t.Context()); !fault.Is(err, fault.Closed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
