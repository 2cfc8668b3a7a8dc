package netguard

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/config/static"
)

// newGuard returns a Guard with the default limits, which change may change.
func newGuard(t testing.TB, change func(*Config)) *Guard {
	t.Helper()
	var c Config
	static.Defaults(c.Settings())
	if change != nil {
		change(&c)
	}
	g, err := New(c, Deps{Registerer: prometheus.NewRegistry(), Logger: zap.NewNop(), Listeners: 1})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// modelConn is what the naive model knows of a connection.
type modelConn struct {
	*Conn
	busy bool
	last int64
}

// TestSeatsAgainstModel draws accepts, uses, services and closes, and compares each decision with one that looks at all connections.
func TestSeatsAgainstModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) { playSeats(t, seed) })
	}
}

func playSeats(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	total, perSource := 1+rnd.IntN(12), 1+rnd.IntN(5)
	quiet := time.Duration(rnd.IntN(3)) * time.Second
	g := newGuard(t, nil)
	d := g.HTTPDoor("ops")
	d.seats = newSeats(total, perSource, quiet)
	var open []*modelConn
	counts := func() map[Source]int {
		n := map[Source]int{}
		for _, m := range open {
			n[m.peer.Source]++
		}
		return n
	}
	last := func(m *modelConn) int64 {
		if m.spoke.Load() {
			return m.last
		}
		return m.last - int64(quiet)
	}
	idle := func(m *modelConn) bool { return !m.busy && last(m) <= g.now()-int64(quiet) }
	for step := range 400 {
		time.Sleep(time.Duration(1 + rnd.IntN(int(time.Second)))) // virtual; longer than a fruitless search is remembered, or not
		switch what := rnd.IntN(10); {
		case what < 5:
			c := &Conn{door: d, peer: Peer{Source: Source{network: rnd.Uint64N(6)}}}
			c.peer.Relay = c.peer.Source.network == 0
			c.last.Store(g.now())
			before, remembered := counts(), g.now() < d.seats.barren
			evicted, why, ok := d.seats.take(c, g.now())
			candidates := slices.DeleteFunc(slices.Clone(open), func(m *modelConn) bool { return !idle(m) })
			switch own := before[c.peer.Source]; {
			case !c.peer.Relay && own >= perSource:
				candidates = slices.DeleteFunc(candidates, func(m *modelConn) bool { return m.peer.Source != c.peer.Source })
				if why != causeSourceFull {
					t.Fatalf("seed %d step %d: source full, cause %d", seed, step, why)
				}
			case len(open) >= total:
				most := 0
				for _, m := range candidates {
					most = max(most, before[m.peer.Source])
				}
				candidates = slices.DeleteFunc(candidates, func(m *modelConn) bool { return before[m.peer.Source] < most })
				if why != causeListenerFull {
					t.Fatalf("seed %d step %d: listener full, cause %d", seed, step, why)
				}
				if remembered && !ok {
					continue
				}
			default:
				candidates = nil
				if !ok || evicted != nil {
					t.Fatalf("seed %d step %d: refused or evicted with room left", seed, step)
				}
			}
			if len(candidates) > 0 {
				victim := slices.MinFunc(candidates, func(a, b *modelConn) int { return int(last(a) - last(b)) })
				if evicted == nil || last(&modelConn{Conn: evicted, last: evicted.last.Load()}) != last(victim) || before[evicted.peer.Source] != before[victim.peer.Source] {
					t.Fatalf("seed %d step %d: evicted %v, want %v", seed, step, evicted, victim.peer)
				}
				open = slices.DeleteFunc(open, func(m *modelConn) bool { return m.Conn == evicted })
			} else if evicted != nil {
				t.Fatalf("seed %d step %d: evicted %v without need or right", seed, step, evicted.peer)
			}
			if ok {
				open = append(open, &modelConn{Conn: c, last: g.now()})
			}
		case len(open) == 0:
		case what < 7:
			m := open[rnd.IntN(len(open))]
			m.busy = !m.busy
			m.SetBusy(m.busy)
			m.last = m.Conn.last.Load()
		case what < 9:
			m := open[rnd.IntN(len(open))]
			m.last = g.now()
			m.Conn.last.Store(m.last)
			if rnd.IntN(2) == 0 {
				m.Spoke()
			}
		default:
			i := rnd.IntN(len(open))
			d.seats.leave(open[i].Conn)
			d.seats.leave(open[i].Conn) // a second time frees nothing
			open = slices.Delete(open, i, i+1)
		}
		checkSeats(t, d.seats, open, fmt.Sprintf("seed %d step %d", seed, step))
	}
}

// checkSeats compares the accounts with the connections that are open.
func checkSeats(t *testing.T, s *seats, open []*modelConn, at string) {
	t.Helper()
	n := map[Source]int{}
	for _, m := range open {
		n[m.peer.Source]++
	}
	if s.taken != len(open) || s.taken > s.total || len(s.holders) != len(n) || len(s.most) != len(n) {
		t.Fatalf("%s: %d taken of %d, %d sources, %d in the order; want %d of %d sources", at, s.taken, s.total, len(s.holders), len(s.most), len(open), len(n))
	}
	for source, h := range s.holders {
		if len(h.conns) != n[source] || !h.relay && len(h.conns) > s.perSource || s.most[h.place] != h {
			t.Fatalf("%s: source %v has %d, want %d", at, source, len(h.conns), n[source])
		}
		for i, c := range h.conns {
			if c.place != i || c.holder != h || i > 0 && h.conns[i].stamp < h.conns[(i-1)/2].stamp {
				t.Fatalf("%s: the order of source %v is broken", at, source)
			}
		}
	}
}

// BenchmarkTakeFull: room is made in logarithmic time.
func BenchmarkTakeFull(b *testing.B) {
	for _, total := range []int{2048, 65536} {
		b.Run(fmt.Sprint(total), func(b *testing.B) {
			g := newGuard(b, nil)
			d := g.HTTPDoor("ops")
			d.seats = newSeats(total, 64, 0)
			for i := 0; b.Loop(); i++ {
				c := &Conn{Conn: noConn{}, door: d, peer: Peer{Source: Source{network: uint64(i % (total / 32))}}}
				c.last.Store(g.now())
				if evicted, _, _ := d.seats.take(c, g.now()); evicted == nil && i > total {
					b.Fatal("nothing was evicted")
				}
			}
		})
	}
}

// BenchmarkTakeBusy: a listener that is full of busy connections refuses cheaply.
func BenchmarkTakeBusy(b *testing.B) {
	g := newGuard(b, nil)
	d := g.HTTPDoor("ops")
	for i := range 2048 {
		c := &Conn{Conn: noConn{}, door: d, peer: Peer{Source: Source{network: uint64(i)}}}
		d.seats.take(c, g.now())
		c.SetBusy(true)
	}
	for b.Loop() {
		c := &Conn{Conn: noConn{}, door: d, peer: Peer{Source: Source{network: 1 << 20}}}
		if _, _, ok := d.seats.take(c, g.now()); ok {
			b.Fatal("taken")
		}
	}
}

type noConn struct{ net.Conn }
