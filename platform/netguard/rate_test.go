package netguard

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func peerOf(g *Guard, a string) Peer { return g.Peer(netip.MustParseAddr(a)) }

// TestRate: the burst and the rate of datagrams, streams and requests; relays and no limit.
func TestRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGuard(t, func(c *Config) { c.TrustedRelays = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
		limit := int64(0)
		r := g.NewRate(func() int64 { return limit })
		one, other, relay := peerOf(g, "10.0.0.1"), peerOf(g, "10.0.0.2"), peerOf(g, "192.0.2.1")
		if n := r.Datagrams(one, 1e6); n != 1e6 || r.On() || len(r.records) != 0 {
			t.Errorf("without a limit: %d of 1e6", n)
		}
		limit = 10
		for _, c := range []struct {
			peer     Peer
			n, grant int
			after    time.Duration
		}{{one, 100, 20, 0}, {one, 100, 0, 0}, {other, 5, 5, 0}, {other, 100, 15, 0}, {relay, 1e6, 1e6, 0}, {one, 100, 3, 300 * time.Millisecond},
			{one, 100, 20, time.Hour}, {peerOf(g, "::ffff:10.0.0.1"), 1, 0, 0}, {peerOf(g, "2001:db8::1"), 30, 20, 0}, {peerOf(g, "2001:db8::ffff:1"), 30, 0, 0}} {
			time.Sleep(c.after)
			if n := r.Datagrams(c.peer, c.n); n != c.grant {
				t.Errorf("%v: %d of %d datagrams, want %d", c.peer, n, c.n, c.grant)
			}
		}
		time.Sleep(time.Hour)
		if w := r.Stream(one, 20); w != 0 {
			t.Errorf("the burst of a stream waits %s", w)
		}
		if w := r.Stream(one, 500); w != 50*time.Second {
			t.Errorf("500 events too many wait %s, want 50s", w)
		}
		if w := r.Request(one); w != 50*time.Second {
			t.Errorf("a request of the same source waits %s", w)
		}
		time.Sleep(50 * time.Second)
		if w := r.Request(one); w != 0 {
			t.Errorf("after that it waits %s", w)
		}
		r.Took(one, 10)
		if w := r.Request(one); w != time.Second {
			t.Errorf("ten events more cost %s", w)
		}
		warnings := g.board.Warnings()
		if len(warnings) != 2 || strings.Contains(strings.Join(warnings, ""), "10.0.0.1") {
			t.Error(warnings)
		}
	})
}

// TestForgetting: of the sources that are tracked, the one that was not seen for longest is forgotten first (compared with a plain list).
func TestForgetting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGuard(t, func(c *Config) { c.SourcesTracked = 7 })
		r := g.NewRate(func() int64 { return 1000 })
		rnd := rand.New(rand.NewPCG(1, 1))
		var model []Source // oldest first
		for range 20_000 {
			p := Peer{Source: Source{network: rnd.Uint64N(12)}}
			r.Datagrams(p, 1)
			model = append(slices.DeleteFunc(model, func(s Source) bool { return s == p.Source }), p.Source)
			model = model[max(0, len(model)-7):]
			var got []Source
			for at := r.oldest; at >= 0; at = r.records[at].newer {
				got = append(got, r.records[at].source)
			}
			if !slices.Equal(got, model) || len(r.places) != len(model) {
				t.Fatalf("%v, want %v", got, model)
			}
		}
	})
}

// TestForgedSources: a flood from a new address each time costs neither memory without end nor more time.
func TestForgedSources(t *testing.T) { // not parallel: it measures the heap
	g := newGuard(t, nil)
	r := g.NewRate(func() int64 { return 100 })
	flood := func(from, to uint32) {
		var a [4]byte
		for n := from; n < to; n++ {
			binary.BigEndian.PutUint32(a[:], n*2654435761)
			if r.Datagrams(g.Peer(netip.AddrFrom4(a)), 1) != 1 {
				t.Fatal("a new source is limited")
			}
		}
	}
	memory := func() int64 {
		runtime.GC()
		runtime.GC() // what finalizers and pools held is gone after the second one
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := memory()
	flood(0, 65_536)
	full := memory()
	flood(65_536, 500_000)
	after := memory()
	t.Logf("65,536 sources: %d bytes; after 500,000: %d bytes", full-before, after-before)
	if len(r.records) != 65_536 || len(r.places) != 65_536 || after-before > 12<<20 {
		t.Errorf("%d records, %d places, %d bytes", len(r.records), len(r.places), after-before)
	}
	runtime.KeepAlive(r)
}

// BenchmarkRate is the cost of a datagram's source: without a limit, within it, and forged each time.
func BenchmarkRate(b *testing.B) {
	g := newGuard(b, nil)
	for name, limit := range map[string]int64{"off": 0, "one": 1e9, "forged": 1000} {
		b.Run(name, func(b *testing.B) {
			r := g.NewRate(func() int64 { return limit })
			p := Peer{}
			b.ReportAllocs()
			for b.Loop() {
				if name == "forged" {
					p.Source.network += 2654435761
				}
				r.Datagrams(p, 1)
			}
		})
	}
}
