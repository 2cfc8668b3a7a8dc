package syslog

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata" // the tests name zones

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/event"
)

func TestParseSources(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		entries string // separated by commas
		err     string // a part of the error, "" for none
	}{
		{"10.1.0.0/16 zone=Europe/Berlin hostname=peer", ""},
		{"10.1.0.0/16 zone=UTC,2001:db8::/32 hostname=dns,192.0.2.7/32 zone=local,0.0.0.0/0 hostname=message", ""},
		{"10.1.0.0/16", `in "10.1.0.0/16": the network has no setting: add zone=… or hostname=…`},
		{"zone=UTC 10.1.0.0/16", `"zone=UTC" is neither an address nor a CIDR such as`},
		{"10.1.0.0/33 zone=UTC", `"10.1.0.0/33" is neither an address nor a CIDR`},
		{"core-1 zone=UTC", `"core-1" is neither an address nor a CIDR`},
		{"::ffff:0.0.0.0/95 zone=UTC", "holds more than IPv4 addresses"},
		{"fe80::1%eth0 zone=UTC", "is neither an address nor a CIDR"},
		{"10.1.2.3/16 zone=UTC", "write 10.1.0.0/16, or 10.1.2.3 for the address alone"},
		{"10.1.0.0/16 zone=Berlin", `such as Europe/Berlin, or UTC, or local for that of the process, not "Berlin"`},
		{"10.1.0.0/16 zone=", `not ""`},
		{"10.1.0.0/16 zone=../../etc/passwd", "takes the name of a time zone"},
		{"10.1.0.0/16 hostname=ip", `"ip" is not a policy of hostnames: use message, peer or dns`},
		{"10.1.0.0/16 host=peer", `"host=peer" is not a setting of a source: use zone=… or hostname=…`},
		{"10.1.0.0/16 peer", `"peer" is not a setting`},
		{"10.1.0.0/16 zone=UTC zone=UTC", "zone is given twice"},
		{"10.1.0.0/16 zone=UTC,10.2.0.0/16 zone=UTC,10.1.0.0/16 hostname=peer", "10.1.0.0/16 has two"},
		{strings.Repeat(",10.1.0.0/16 zone=UTC", MaxSources+1)[1:], "at most 1000 entries, not 1001"},
	} {
		entries := strings.Split(c.entries, ",")
		got, err := ParseSources(entries)
		switch {
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%.80s: %v, want %s", c.entries, err, c.err)
		case c.err == "":
			var texts []string
			for _, s := range got {
				texts = append(texts, s.String())
			}
			if d := cmp.Diff(entries, texts); d != "" || err != nil {
				t.Error(err, d)
			}
		}
	}
	if got, err := ParseSources([]string{"::ffff:10.0.0.0/104 zone=UTC"}); err != nil || got[0].String() != "10.0.0.0/8 zone=UTC" {
		t.Error(got, err)
	}
	if got, err := ParseSources([]string{" 192.0.2.7  hostname=DNS "}); err != nil || got[0].String() != "192.0.2.7/32 hostname=dns" {
		t.Error(got, err)
	}
}

// FuzzParseSources compares the policies of entries that are built from their parts with the parts, and holds that what is read of any
// entry is read of its text again.
func FuzzParseSources(f *testing.F) {
	f.Add([]byte{10, 1, 0, 0}, uint8(16), uint8(1), uint8(2), "10.1.0.0/16 zone=UTC hostname=peer")
	f.Add([]byte{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7}, uint8(128), uint8(0), uint8(3), "::ffff:192.0.2.7 hostname=DNS zone=local")
	zones, hosts := []string{"", "UTC", "Europe/Berlin", "America/New_York"}, []HostFrom{"", HostFromMessage, HostFromPeer, HostFromDNS}
	f.Fuzz(func(t *testing.T, address []byte, bits, zone, host uint8, entry string) {
		if addr, ok := netip.AddrFromSlice(address); ok && !addr.Is4In6() {
			network := netip.PrefixFrom(addr, int(bits)%(addr.BitLen()+1)).Masked()
			z, h := zones[int(zone)%len(zones)], hosts[int(host)%len(hosts)]
			text := network.String()
			if h != "" {
				text += " hostname=" + string(h)
			}
			if z != "" {
				text += " zone=" + z
			}
			got, err := ParseSources([]string{text})
			switch {
			case z == "" && h == "":
				if err == nil {
					t.Fatalf("%q says nothing and is taken", text)
				}
			case err != nil:
				t.Fatalf("%q: %v", text, err)
			case got[0].Network != network || got[0].Host != h || (got[0].Zone == nil) != (z == "") || z != "" && got[0].Zone.String() != z:
				t.Fatalf("%q is read as %+v", text, got[0])
			}
		}
		if got, err := ParseSources([]string{entry}); err == nil {
			again, err := ParseSources([]string{got[0].String()})
			if err != nil || again[0].String() != got[0].String() || again[0].Network != got[0].Network || again[0].Host != got[0].Host {
				t.Fatalf("%q is read as %s, and that as %v, %v", entry, got[0], again, err)
			}
		}
	})
}

// resolver is a name server that knows one name for each address.
type resolver struct {
	names map[string]string
	delay time.Duration
	asked atomic.Int64
}

func (r *resolver) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	r.asked.Add(1)
	select {
	case <-time.After(r.delay):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if r.names[addr] == "" {
		return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
	}
	return []string{r.names[addr] + "."}, nil
}

// TestPolicies: the longest prefix decides over each part of the policy; what the line says is kept.
func TestPolicies(t *testing.T) {
	t.Parallel()
	list, err := ParseSources([]string{"10.0.0.0/8 zone=Europe/Berlin", "10.1.0.0/16 hostname=peer", "10.1.2.0/24 zone=America/New_York hostname=message",
		"10.3.0.0/16 hostname=dns", "2001:db8::/32 hostname=peer zone=Asia/Kolkata"})
	if err != nil {
		t.Fatal(err)
	}
	const bsd = "<13>Nov  5 10:00:00 core-1 app: m" // 10:00 in the zone of the source
	for _, c := range []struct{ peer, line, host, fields, zone string }{
		{"192.0.2.1", bsd, "core-1", "", "UTC"},
		{"10.9.9.9", bsd, "core-1", "", "Europe/Berlin"},
		{"10.1.9.9", bsd, "10.1.9.9", `{"claimed_hostname":"core-1"}`, "Europe/Berlin"},
		{"10.1.9.9", "<13>Nov  5 10:00:00 app: m", "10.1.9.9", "", "Europe/Berlin"},
		{"10.1.9.9", "<13>Nov  5 10:00:00 10.1.9.9 app: m", "10.1.9.9", "", "Europe/Berlin"},
		{"10.1.2.9", bsd, "core-1", "", "America/New_York"},
		{"10.3.0.1", bsd, "named.example.net", `{"claimed_hostname":"core-1"}`, "Europe/Berlin"},
		{"10.3.0.1", "<13>1 2026-11-05T09:00:00Z NAMED.example.net app - - - m", "NAMED.example.net", "", "Europe/Berlin"}, // its own zone wins
		{"10.3.0.1", "<13>Nov  5 09:00:00 UTC: %LINK-3-UPDOWN: m", "named.example.net", "", "Europe/Berlin"},
		{"10.3.0.2", bsd, "10.3.0.2", `{"claimed_hostname":"core-1"}`, "Europe/Berlin"},
		{"2001:db8::7", bsd, "2001:db8::7", `{"claimed_hostname":"core-1"}`, "Asia/Kolkata"},
		{"10.1.9.9", "odd line", "10.1.9.9", "", ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			cfg := complete(Config{Sources: list, Resolver: &resolver{names: map[string]string{"10.3.0.1": "named.example.net"}, delay: time.Millisecond}})
			p := NewParser(cfg.Location)
			p.sources = newSources(&cfg)
			defer p.sources.close()
			p.Expect(t.Context(), c.peer)
			var e event.Event
			p.Parse(&Line{Text: []byte(c.line), Peer: c.peer, At: received}, &e)
			loc, err := time.LoadLocation(c.zone)
			if err != nil {
				t.Fatal(err)
			}
			want := time.Date(2026, 11, 5, 10, 0, 0, 0, loc)
			if c.zone == "" {
				want = received
			}
			if e.Hostname != c.host || e.Fields != c.fields || e.SourceIP != c.peer || !time.UnixMicro(e.Timestamp).Equal(want) {
				t.Errorf("%s, %q: host %s, fields %s, %v, want %v", c.peer, c.line, e.Hostname, e.Fields, time.UnixMicro(e.Timestamp).UTC(), want.UTC())
			}
		})
	}
}

// TestParserForgetsSenders: what a parser remembers of made-up senders is bounded, and each gets its own policy still.
func TestParserForgetsSenders(t *testing.T) {
	t.Parallel()
	list, err := ParseSources([]string{"10.1.0.0/16 hostname=peer"})
	if err != nil {
		t.Fatal(err)
	}
	cfg := complete(Config{Sources: list})
	p := NewParser(cfg.Location)
	p.sources = newSources(&cfg)
	var e event.Event
	for i := range 3 * maxOrigins {
		peer := fmt.Sprint("10.", i&1, ".", i>>8&255, ".", i&255)
		p.Parse(&Line{Text: []byte("<13>Nov  5 10:00:00 core-1 app: m"), Peer: peer, At: received}, &e)
		if want := [...]string{"core-1", peer}[i&1]; e.Hostname != want || len(p.origins) > maxOrigins {
			t.Fatalf("%s is %s, %d senders are kept", peer, e.Hostname, len(p.origins))
		}
	}
}

// TestHostnamesByDNS: over TCP the first message has the name already; over UDP messages wait for no name.
func TestHostnamesByDNS(t *testing.T) {
	t.Parallel()
	dns := &resolver{names: map[string]string{"127.0.0.1": "named.example.net"}, delay: 20 * time.Millisecond}
	b := setup(t, Config{TCPAddr: local, Host: HostFromDNS, Resolver: dns})
	send(t, dial(t, b.tcpAddr()), "<13>Nov  5 10:00:00 core-1 app: m\n")
	if e := b.sink.wait(t, 1)[0]; e.Hostname != "named.example.net" || e.SourceIP != "127.0.0.1" || e.Fields != `{"claimed_hostname":"core-1"}` {
		t.Errorf("%+v", e)
	}
	slow := &resolver{delay: time.Hour}
	b = setup(t, Config{UDPAddr: local, Host: HostFromDNS, Resolver: slow})
	c := dial(t, b.udpAddr())
	for range 10 {
		send(t, c, "<13>Nov  5 10:00:00 core-1 app: m")
	}
	for _, e := range b.sink.wait(t, 10) {
		if e.Hostname != "127.0.0.1" || e.Fields != `{"claimed_hostname":"core-1"}` {
			t.Errorf("%+v", e)
		}
	}
	eventually(t, "the name is looked up", func() bool { return slow.asked.Load() > 0 })
	if n := slow.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// TestAbsurdHeadersFit: no header, escaped as JSON, grows beyond what an event may hold; the line is kept.
func TestAbsurdHeadersFit(t *testing.T) {
	t.Parallel()
	cfg := complete(Config{Host: HostFromPeer})
	p := NewParser(cfg.Location)
	p.sources = newSources(&cfg)
	absurd := strings.Repeat("\x1b", 60<<10)
	for _, line := range []string{"<13>1 - " + absurd + " app - - - m", "<13>1 2026-11-05T10:00:00Z" + absurd + " h app - - - m"} {
		var e event.Event
		p.Parse(&Line{Text: []byte(line), Peer: "192.0.2.1", At: received}, &e)
		if size := len(e.Message) + len(e.Fields); size > 128<<10 || e.Hostname != "192.0.2.1" || !strings.HasSuffix(e.Message, "m") {
			t.Errorf("%.40q: %d bytes, hostname %.40q", line, size, e.Hostname)
		}
	}
}

func BenchmarkParseBySource(b *testing.B) {
	list, err := ParseSources([]string{"10.1.0.0/16 hostname=peer", "10.2.0.0/16 zone=Europe/Berlin"})
	if err != nil {
		b.Fatal(err)
	}
	cfg := complete(Config{Sources: list})
	for name, peers := range map[string][]string{"one": {"10.2.0.1"}, "many": {"10.2.0.1", "10.2.0.2", "10.2.0.3", "10.3.0.1"}} {
		b.Run(name, func(b *testing.B) {
			p := NewParser(cfg.Location)
			p.sources = newSources(&cfg)
			l := Line{Text: []byte(benchLines[0]), At: received}
			var e event.Event
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				l.Peer = peers[i%len(peers)]
				p.Parse(&l, &e)
			}
		})
	}
}
