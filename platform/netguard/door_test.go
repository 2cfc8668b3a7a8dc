package netguard

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pipes is a listener whose connections a test makes. Errors are returned before the next connection.
type pipes struct {
	conns  chan net.Conn
	errs   []error
	closed chan struct{}
}

func newPipes(errs ...error) *pipes {
	return &pipes{conns: make(chan net.Conn), errs: errs, closed: make(chan struct{})}
}

func (p *pipes) Accept() (net.Conn, error) {
	if len(p.errs) > 0 {
		err := p.errs[0]
		p.errs = p.errs[1:]
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", err)}
	}
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return nil }

// from is a connection with an address.
type from struct {
	net.Conn
	addr string
}

func (f from) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(f.addr)) }

// dial connects from an address and returns the peer's end.
func (p *pipes) dial(addr string) net.Conn {
	here, there := net.Pipe()
	p.conns <- from{here, addr}
	return there
}

// isClosed reports whether the other side closed a connection.
func isClosed(c net.Conn) bool {
	c.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := c.Read(make([]byte, 1))
	return errors.Is(err, io.EOF)
}

// drain reads from each connection that is accepted, as syslog does.
func drain(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			io.Copy(io.Discard, c)
			c.Close()
		}()
	}
}

// TestIdleConnectionsKeepNobodyOut: what held all 2048 connections of the old listener for ever.
func TestIdleConnectionsKeepNobodyOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGuard(t, nil)
		d, l := g.SyslogDoor("syslog_tcp"), newPipes()
		guarded := d.Wrap(l)
		go drain(guarded)
		var hostile []net.Conn
		dialed := func(addr string) net.Conn {
			c := l.dial(addr)
			synctest.Wait()
			return c
		}
		for range 100 {
			hostile = append(hostile, dialed("127.0.0.1:1"))
		}
		if n := d.seats.open(); n != 64 {
			t.Errorf("%d connections of one source", n)
		}
		device := dialed("127.0.0.2:1")
		if isClosed(device) {
			t.Error("another address is kept out")
		}
		// From many addresses, with one byte each so that none is closed for its silence: the listener is full.
		for i := range 2000 {
			c := dialed(fmt.Sprintf("10.0.%d.%d:1", i/40/256, i/40%256))
			fmt.Fprint(c, "<")
			hostile = append(hostile, c)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		for i := range 100 {
			hostile = append(hostile, dialed(fmt.Sprintf("10.1.0.%d:1", i)))
		}
		if n := d.seats.open(); n > 2048 {
			t.Errorf("%d connections", n)
		}
		late := dialed("192.0.2.7:1")
		if isClosed(late) {
			t.Error("a full listener of idle connections keeps a device out")
		}
		time.Sleep(11 * time.Second)
		if !isClosed(late) {
			t.Error("a connection that sent nothing is open after 11 s")
		}
		guarded.Close()
		for _, c := range append(hostile, device, late) {
			c.Close()
		}
	})
}

// TestUnfinishedMessagesKeepNobodyOut: connections that sent bytes, but no whole message, make room at once; those between two messages
// do not.
func TestUnfinishedMessagesKeepNobodyOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGuard(t, func(c *Config) { c.Connections, c.ConnectionsPerSource = 8, 4 })
		d, l := g.SyslogDoor("syslog_tcp"), newPipes()
		guarded := d.Wrap(l)
		go func() { // a message is what ends with a line
			for {
				c, err := guarded.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					buf := make([]byte, 16)
					for {
						n, err := c.Read(buf)
						if err != nil {
							return
						}
						Of(c).SetBusy(true)
						if bytes.IndexByte(buf[:n], '\n') >= 0 {
							Of(c).Spoke()
						}
						Of(c).SetBusy(false)
					}
				}()
			}
		}()
		var open []net.Conn
		dial := func(addr, text string) net.Conn {
			c := l.dial(addr)
			synctest.Wait()
			fmt.Fprint(c, text)
			synctest.Wait()
			open = append(open, c)
			return c
		}
		device := dial("192.0.2.7:1", "message\n")
		for i := range 40 {
			dial(fmt.Sprintf("10.0.0.%d:1", i%10), "<1")
		}
		second := dial("192.0.2.8:1", "message\n")
		for i := range 40 {
			dial(fmt.Sprintf("10.0.1.%d:1", i%2), "")
		}
		if isClosed(device) || isClosed(second) {
			t.Error("a device was disconnected between two messages")
		}
		for i := range 10 { // whole messages from everywhere: those are in use
			dial(fmt.Sprintf("10.0.2.%d:1", i), "message\n")
		}
		if late := dial("192.0.2.9:1", ""); !isClosed(late) {
			t.Error("a listener in use let one in")
		}
		guarded.Close()
		for _, c := range open {
			c.Close()
		}
	})
}

// TestSources: an IPv6 /64 is one source, IPv4 within IPv6 is IPv4, and a relay has no bound of its own.
func TestSources(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGuard(t, func(c *Config) {
			c.ConnectionsPerSource = 2
			c.TrustedRelays = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		})
		d, l := g.HTTPDoor("ingest"), newPipes()
		guarded := d.Wrap(l)
		go func() {
			for {
				c, err := guarded.Accept()
				if err != nil {
					return
				}
				Of(c).SetBusy(true)
			}
		}()
		for _, c := range []struct {
			addr string
			open bool
		}{
			{"[2001:db8:0:1::1]:1", true}, {"[2001:db8:0:1::2]:1", true}, {"[2001:db8:0:1:ffff::3]:1", false}, {"[2001:db8:0:2::1]:1", true},
			{"10.0.0.1:1", true}, {"[::ffff:10.0.0.1]:1", true}, {"10.0.0.1:2", false}, {"10.0.0.2:2", true},
			{"192.0.2.1:1", true}, {"192.0.2.1:2", true}, {"192.0.2.1:3", true}, {"192.0.2.1:4", true},
		} {
			peer := l.dial(c.addr)
			synctest.Wait()
			if open := !isClosed(peer); open != c.open {
				t.Errorf("%s: open %v", c.addr, open)
			}
		}
		if n := testutil.ToFloat64(d.refused[causeSourceFull]); n != 2 {
			t.Errorf("%v refused", n)
		}
		warnings, _ := g.Ready(t.Context())
		if len(warnings) != 1 || !strings.Contains(warnings[0], "their source has 2 that are in use (2 connections in") {
			t.Error(warnings)
		}
		for _, w := range warnings {
			if strings.Contains(w, "10.0.0.1") {
				t.Error("an address is shown: " + w)
			}
		}
		guarded.Close()
	})
}

// TestAllowList: others are closed at once.
func TestAllowList(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGuard(t, func(c *Config) {
			c.AdminAllow = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
		})
		d, l := g.HTTPDoor("admin"), newPipes()
		guarded := d.Wrap(l)
		go drain(guarded)
		for addr, open := range map[string]bool{"10.255.255.255:1": true, "11.0.0.0:1": false, "9.255.255.255:1": false, "[::ffff:10.1.1.1]:1": true,
			"[2001:db8:ffff::1]:1": true, "[2001:db9::1]:1": false, "127.0.0.1:1": false} {
			peer := l.dial(addr)
			synctest.Wait()
			if got := !isClosed(peer); got != open {
				t.Errorf("%s: open %v", addr, got)
			}
			peer.Close()
		}
		if n := testutil.ToFloat64(d.refused[causeNotAllowed]); n != 4 {
			t.Errorf("%v refused", n)
		}
		guarded.Close()
	})
}

// TestAcceptFailures: errors that pass end nothing; others do.
func TestAcceptFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGuard(t, nil)
		d := g.HTTPDoor("ingest")
		var errs []error
		for range 200 {
			errs = append(errs, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EPERM)
		}
		l := newPipes(errs...)
		guarded := d.Wrap(l)
		start := time.Now()
		go func() { l.conns <- from{nopConn{}, "10.0.0.1:1"} }()
		c, err := guarded.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		if lasted := time.Since(start); lasted < 15*time.Minute || lasted > 25*time.Minute {
			t.Errorf("1200 failures were waited out in %s", lasted)
		}
		if warnings, _ := g.Ready(t.Context()); len(warnings) != 1 || !strings.Contains(warnings[0], "file descriptors or memory have run out (1200 attempts") {
			t.Error(warnings)
		}
		time.Sleep(time.Second)
		g.board.Look()
		time.Sleep(10 * time.Second)
		if g.board.Look(); len(g.board.Warnings()) != 0 {
			t.Error("the warning stays")
		}
		// Closing ends a wait.
		l = newPipes(syscall.EMFILE, syscall.EMFILE)
		guarded = d.Wrap(l)
		time.AfterFunc(7*time.Millisecond, func() { guarded.Close() })
		if _, err := guarded.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if _, err := d.Wrap(newPipes(syscall.EBADF)).Accept(); !errors.Is(err, syscall.EBADF) {
			t.Errorf("a broken listener: %v", err)
		}
	})
}

type nopConn struct{ net.Conn }

func (nopConn) Close() error { return nil }

// TestWriteTimeout: a peer that takes nothing is disconnected; one that takes a little each time is not, unless the owner says so.
func TestWriteTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newGuard(t, nil).HTTPDoor("ingest")
		open := func() (*Conn, net.Conn) {
			here, there := net.Pipe()
			return d.admit(from{here, "10.0.0.1:1"}), there
		}
		c, peer := open()
		start := time.Now()
		if _, err := c.Write(make([]byte, 1<<20)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 30*time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		c.Close()
		peer.Close()

		c, peer = open()
		start = time.Now()
		go func() {
			buf := make([]byte, writeChunk)
			for {
				time.Sleep(20 * time.Second)
				if _, err := io.ReadFull(peer, buf); err != nil {
					return
				}
			}
		}()
		if n, err := c.Write(make([]byte, 1<<20)); n != 1<<20 || err != nil || time.Since(start) < 5*time.Minute {
			t.Errorf("a slow peer: %d, %v after %s", n, err, time.Since(start))
		}
		start = time.Now()
		c.SetWriteDeadline(start.Add(50 * time.Second))
		if _, err := c.Write(make([]byte, 1<<20)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 50*time.Second {
			t.Errorf("the owner's deadline: %v after %s", err, time.Since(start))
		}
		c.SetWriteDeadline(time.Time{})
		if _, err := c.Write(make([]byte, writeChunk)); err != nil {
			t.Error(err)
		}
		c.Close()
		c.Close()
		peer.Close()
		time.Sleep(time.Minute) // the peer ends
		if n := d.seats.open(); n != 0 {
			t.Errorf("%d seats are taken", n)
		}
		if n := testutil.ToFloat64(d.closed[causeWriteTimeout]); n != 1 {
			t.Errorf("%v timeouts of writes", n)
		}
	})
}

// TestSilence: before the first byte, later, and while something is served.
func TestSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGuard(t, func(c *Config) { c.SyslogIdleTimeout = time.Hour })
		d := g.SyslogDoor("syslog_tcp")
		lives := func(feed func(c *Conn, peer net.Conn)) time.Duration {
			here, peer := net.Pipe()
			c := d.admit(from{here, "10.0.0.1:1"})
			start := time.Now()
			go feed(c, peer)
			io.Copy(io.Discard, c)
			defer peer.Close()
			return time.Since(start)
		}
		for want, feed := range map[time.Duration]func(*Conn, net.Conn){
			10 * time.Second: func(*Conn, net.Conn) {},
			time.Hour:        func(_ *Conn, peer net.Conn) { fmt.Fprint(peer, "x") },
			3*time.Hour + 50*time.Minute: func(_ *Conn, peer net.Conn) {
				for range 5 {
					fmt.Fprint(peer, "x")
					time.Sleep(42*time.Minute + 30*time.Second)
				}
			},
		} {
			if got := lives(feed); got != want {
				t.Errorf("closed after %s, want %s", got, want)
			}
		}
		if got := lives(func(c *Conn, peer net.Conn) {
			fmt.Fprint(peer, "x")
			c.SetBusy(true)
			time.Sleep(5 * time.Hour)
			c.SetBusy(false)
		}); got < 5*time.Hour+30*time.Minute || got > 7*time.Hour {
			t.Errorf("busy for 5 h and closed after %s", got)
		}
	})
}

func TestNetworks(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"10.0.0.0/8": "10.0.0.0/8", "10.1.2.3": "10.1.2.3/32", "2001:db8::1": "2001:db8::1/128", "::ffff:10.0.0.0/104": "10.0.0.0/8", "::ffff:10.0.0.1": "10.0.0.1/32", "::/0": "::/0",
	} {
		if p, err := ParseNetwork(text); err != nil || p.String() != want {
			t.Errorf("%s: %s %v", text, p, err)
		}
	}
	for _, text := range []string{"10.1.2.3/8", "10.0.0.0/33", "host", "", "fe80::1%eth0", "::ffff:0:0/95", "10.0.0.0/", "/8"} {
		if p, err := ParseNetwork(text); err == nil {
			t.Errorf("%q is taken as %s", text, p)
		}
	}
	var c Config
	for _, s := range c.Settings() {
		if s.Path != "limits.ingest_allow" {
			continue
		}
		if err := s.Value.Set("10.0.0.0/8, 192.0.2.1"); err != nil || len(c.IngestAllow) != 2 {
			t.Error(err, c.IngestAllow)
		}
		if err := s.Value.Set("10.0.0.1/8"); err == nil || !strings.Contains(err.Error(), "write 10.0.0.0/8") {
			t.Error(err)
		}
		if err := s.Value.Set("[]"); err != nil || len(c.IngestAllow) != 0 {
			t.Error(err, c.IngestAllow)
		}
	}
}

// TestNetworksAgainstModel compares the search with a look at each prefix.
func TestNetworksAgainstModel(t *testing.T) {
	t.Parallel()
	var prefixes []netip.Prefix
	for i := range 300 {
		a := netip.AddrFrom4([4]byte{10, byte(i * 7), byte(i * 13), byte(i * 31)})
		prefixes = append(prefixes, netip.PrefixFrom(a, 12+i%21).Masked())
		b := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, byte(i * 7), byte(i * 11), byte(i)})
		prefixes = append(prefixes, netip.PrefixFrom(b, 34+i%95).Masked())
	}
	n := NewNetworks(prefixes)
	for i := range 5_000 {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), byte(i * 31)})
		if i%2 == 0 {
			a = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, byte(i >> 8), byte(i), byte(i * 17)})
		}
		want := false
		for _, p := range prefixes {
			want = want || p.Contains(a)
		}
		if n.Contains(a) != want {
			t.Fatalf("%s: %v", a, !want)
		}
	}
}

// FuzzParseNetwork compares with package net, which reads addresses and CIDRs by code of its own, and the set of two networks with a
// comparison bit by bit.
func FuzzParseNetwork(f *testing.F) {
	for _, s := range [][2]string{{"10.0.0.0/8", "10.128.0.0/9"}, {"192.0.2.7", "::ffff:192.0.2.7"}, {"2001:db8::/32", "::/0"}, {"10.1.2.3/8", "fe80::1%eth0"}, {"0.0.0.0/0", "255.255.255.255"}} {
		f.Add(s[0], s[1], []byte{10, 1, 2, 3})
	}
	f.Fuzz(func(t *testing.T, one, two string, address []byte) {
		var prefixes []netip.Prefix
		var nets []*net.IPNet
		for _, text := range []string{one, two} {
			p, err := ParseNetwork(text)
			if err != nil {
				continue
			}
			want := &net.IPNet{IP: net.ParseIP(text), Mask: net.CIDRMask(128, 128)}
			if strings.Contains(text, "/") {
				if _, want, err = net.ParseCIDR(text); err != nil {
					t.Fatalf("%q is taken as %s; package net says %v", text, p, err)
				}
			}
			if ones, size := want.Mask.Size(); !want.IP.Equal(p.Addr().AsSlice()) || size-ones != p.Addr().BitLen()-p.Bits() {
				t.Fatalf("%q is taken as %s; package net says %s", text, p, want)
			}
			prefixes, nets = append(prefixes, p), append(nets, &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())})
		}
		addr, ok := netip.AddrFromSlice(address)
		if !ok {
			return
		}
		want := false
		for _, n := range nets {
			want = want || n.Contains(address)
		}
		if got := NewNetworks(prefixes).Contains(addr); got != want {
			t.Fatalf("%s in %v: %v, want %v", addr, prefixes, got, want)
		}
	})
}

func TestConnectionsWithin(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]int{{1024, 4, 192}, {4096, 4, 960}, {524288, 4, 131008}, {100, 4, 18}, {4, 4, 1}} {
		if got := connectionsWithin(c[0], c[1]); got != c[2] {
			t.Errorf("%d files, %d listeners: %d connections, want %d", c[0], c[1], got, c[2])
		}
	}
}
