package coordtest

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/fault"
)

func (s *suite) lease(t testing.TB, owner string, token int64) coord.Leased {
	t.Helper()
	got, err := s.c.Lease(t.Context(), coord.LeaseParams{Key: "k", Owner: owner, TTL: 10 * s.Unit, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	if got.Granted && (got.Owner != owner || got.Token == 0 || got.TTL != 10*s.Unit) {
		t.Fatalf("granted as %+v", got)
	}
	return got
}

func leaseOne(t *testing.T, s *suite) {
	a := s.lease(t, "a", 0)
	if again := s.lease(t, "a", 0); again != a {
		t.Fatalf("an owner's repeat gave %+v, before it was %+v", again, a)
	}
	b := s.lease(t, "b", 0)
	if b.Granted || b.Owner != "a" || b.TTL <= 0 || b.TTL > 10*s.Unit {
		t.Fatalf("a held lease: %+v", b)
	}
	other, err := s.c.Lease(t.Context(), coord.LeaseParams{Key: "other", Owner: "b", TTL: time.Minute})
	if err != nil || !other.Granted {
		t.Fatalf("another key: %+v, %v", other, err)
	}
}

func leaseRenewed(t *testing.T, s *suite) {
	a := s.lease(t, "a", 0)
	for range 2 {
		s.advance(6 * s.Unit)
		if again := s.lease(t, "a", a.Token); !again.Granted || again.Token != a.Token {
			t.Fatalf("renewed: %+v", again)
		}
	}
	for _, wrong := range []coord.Leased{s.lease(t, "a", a.Token+1), s.lease(t, "b", a.Token)} {
		if wrong.Granted || wrong.Owner != "a" {
			t.Fatalf("a renewal by what is not its holder: %+v", wrong)
		}
	}
}

func leaseExpires(t *testing.T, s *suite) {
	a := s.lease(t, "a", 0)
	s.advance(10*s.Unit + s.Slack)
	if late := s.lease(t, "a", a.Token); late.Granted || late.Owner != "" {
		t.Fatalf("an expired lease was renewed: %+v", late)
	}
	b := s.lease(t, "b", 0)
	if !b.Granted || b.Token <= a.Token {
		t.Fatalf("after the end of %+v: %+v", a, b)
	}
	if err := s.c.Release(t.Context(), "k", a.Token); err != nil {
		t.Fatal(err)
	}
	if c := s.lease(t, "c", 0); c.Granted || c.Owner != "b" {
		t.Fatalf("the release of an old lease ended the new one: %+v", c)
	}
}

func leaseReleased(t *testing.T, s *suite) {
	last := int64(0)
	for range 3 {
		a := s.lease(t, "a", 0)
		if !a.Granted || a.Token <= last {
			t.Fatalf("after token %d: %+v", last, a)
		}
		last = a.Token
		for range 2 {
			if err := s.c.Release(t.Context(), "k", last); err != nil {
				t.Fatal(err)
			}
		}
		if again := s.lease(t, "a", last); again.Granted {
			t.Fatalf("a released lease was renewed: %+v", again)
		}
	}
	if err := s.c.Release(t.Context(), "never held", 0); err != nil {
		t.Fatal(err)
	}
}

func leaseRace(t *testing.T, s *suite) {
	var won atomic.Int64
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			got, err := s.c.Lease(t.Context(), coord.LeaseParams{Key: "k", Owner: string(rune('a' + i)), TTL: time.Minute})
			if err != nil {
				t.Error(err)
			} else if got.Granted {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d holders", won.Load())
	}
}

func leaseParams(t *testing.T, s *suite) {
	good := coord.LeaseParams{Key: "k", Owner: "a", TTL: time.Minute}
	for _, change := range []func(*coord.LeaseParams){
		func(p *coord.LeaseParams) { p.Key = "" }, func(p *coord.LeaseParams) { p.Owner = "" },
		func(p *coord.LeaseParams) { p.TTL = 0 }, func(p *coord.LeaseParams) { p.Token = -1 },
	} {
		p := good
		change(&p)
		if _, err := s.c.Lease(t.Context(), p); !fault.Is(err, fault.InvalidField) {
			t.Errorf("%+v: got %v", p, err)
		}
	}
}

func (s *suite) announce(t testing.TB, member, data string, ttl time.Duration) {
	t.Helper()
	p := coord.AnnounceParams{Group: "g", Member: member, TTL: ttl}
	if data != "" {
		p.Data = []byte(data)
	}
	if err := s.c.Announce(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

// members lists "name=data".
func (s *suite) members(t testing.TB, group string) []string {
	t.Helper()
	got, err := s.c.Members(t.Context(), group)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range got {
		out = append(out, m.Name+"="+string(m.Data))
	}
	return out
}

func (s *suite) wantMembers(t testing.TB, want ...string) {
	t.Helper()
	if got := s.members(t, "g"); !slices.Equal(got, want) {
		t.Fatalf("members %q, want %q", got, want)
	}
}

func membersListed(t *testing.T, s *suite) {
	s.wantMembers(t)
	s.announce(t, "b", "2 \x00\xff\n}", time.Minute)
	s.announce(t, "a", "1", time.Minute)
	s.wantMembers(t, "a=1", "b=2 \x00\xff\n}")
	s.announce(t, "a", "3", time.Minute)
	s.wantMembers(t, "a=3", "b=2 \x00\xff\n}")
	if other := s.members(t, "other"); len(other) != 0 {
		t.Fatalf("of another group: %q", other)
	}
	s.announce(t, "a", "", 0)
	s.announce(t, "never came", "", 0)
	s.wantMembers(t, "b=2 \x00\xff\n}")
}

func membersExpire(t *testing.T, s *suite) {
	s.announce(t, "a", "1", 10*s.Unit)
	s.announce(t, "b", "2", 10*s.Unit)
	s.announce(t, "c", "3", s.Unit)
	s.advance(6 * s.Unit)
	s.announce(t, "b", "3", 10*s.Unit)
	s.wantMembers(t, "a=1", "b=3")
	s.advance(4*s.Unit + s.Slack)
	s.wantMembers(t, "b=3")
	s.advance(6 * s.Unit)
	s.wantMembers(t)
}

func membersParams(t *testing.T, s *suite) {
	good := coord.AnnounceParams{Group: "g", Member: "a", Data: []byte("x"), TTL: time.Minute}
	for _, change := range []func(*coord.AnnounceParams){
		func(p *coord.AnnounceParams) { p.Group = "" }, func(p *coord.AnnounceParams) { p.Member = "" },
		func(p *coord.AnnounceParams) { p.TTL = 0 },
	} {
		p := good
		change(&p)
		if err := s.c.Announce(t.Context(), p); !fault.Is(err, fault.InvalidField) {
			t.Errorf("%+v: got %v", p, err)
		}
	}
}
