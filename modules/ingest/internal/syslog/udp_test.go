package syslog

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/netguard"
	"github.com/muttproject/mutt/platform/netguard/netguardtest"
)

// Many senders at once: all messages arrive, those of one sender in order.
func TestUDPManySenders(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{UDPAddr: local, UDPSockets: 4})
	const senders, each = 16, 200
	var wg sync.WaitGroup
	for s := range senders {
		c := dial(t, b.udpAddr())
		wg.Go(func() {
			for i := range each {
				fmt.Fprintf(c, "<13>1 - host%d app %d - - text", s, i)
			}
		})
	}
	wg.Wait()
	next := map[string]int{}
	for _, e := range b.sink.wait(t, senders*each) {
		if want := fmt.Sprint(next[e.Hostname]); e.ProcID != want {
			t.Fatalf("%s: message %s, want %s", e.Hostname, e.ProcID, want)
		}
		next[e.Hostname]++
	}
	if n := b.metric(t, "messages_total", "udp", "rfc5424"); n != senders*each {
		t.Errorf("%v counted", n)
	}
}

func TestUDPLargestDatagram(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{UDPAddr: local, MaxMessageBytes: 1000})
	c := dial(t, b.udpAddr())
	send(t, c, "<13>a: "+strings.Repeat("x", 1000-7))
	send(t, c, "<13>a: "+strings.Repeat("y", 65507-7))
	send(t, c, "")
	send(t, c, "no syslog at all\n")
	got := b.sink.wait(t, 3)
	if len(got[0].Message) != 993 || got[0].Fields != "" || len(got[1].Message) != 993 || got[1].Fields != `{"truncated":true}` {
		t.Errorf("%d %s, %d %s", len(got[0].Message), got[0].Fields, len(got[1].Message), got[1].Fields)
	}
	if e := got[2]; e.Message != "no syslog at all" || e.Hostname != "127.0.0.1" || b.metric(t, "messages_total", "udp", "raw") != 1 {
		t.Errorf("%+v", e)
	}
}

func TestUDPOverIPv6(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{UDPAddr: ":0"})
	port := b.udpAddr().(*net.UDPAddr).Port
	for i, host := range []string{"127.0.0.1", "::1"} {
		c, err := net.Dial("udp", net.JoinHostPort(host, fmt.Sprint(port)))
		if err != nil {
			t.Log("no " + host + " here")
			return
		}
		send(t, c, "<13>a: x")
		c.Close()
		if got := b.sink.wait(t, i+1); got[i].SourceIP != host {
			t.Errorf("peer %s, want %s", got[i].SourceIP, host)
		}
	}
}

// A short failure of the queue costs no datagram; a long one costs those that waited too long, counted by cause.
func TestUDPPatience(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{UDPAddr: local, UDPSockets: 1, Patience: 400 * time.Millisecond})
	c := dial(t, b.udpAddr())
	fails := 2
	b.sink.setAnswer(func(context.Context, int) (map[int]error, error) {
		if fails--; fails >= 0 {
			return nil, fault.New(fault.QueueFull, "full").WithRetryAfter(time.Second)
		}
		return nil, nil
	})
	send(t, c, "<13>a: patient")
	if got := b.sink.wait(t, 1); got[0].Message != "patient" || b.metric(t, "dropped_total") != 0 {
		t.Error("lost, or counted as lost")
	}
	b.sink.setAnswer(func(context.Context, int) (map[int]error, error) {
		return nil, fault.New(fault.QueueUnavailable, "away").WithRetryAfter(time.Second)
	})
	for range 100 {
		send(t, c, "<13>a: lost")
	}
	eventually(t, "100 are counted", func() bool { return b.metric(t, "dropped_total", "udp", "queue_unavailable") == 100 })
	b.sink.setAnswer(nil)
	send(t, c, "<13>a: later")
	if got := b.sink.wait(t, 2); got[1].Message != "later" {
		t.Error(got[1].Message)
	}
}

// The reader never waits for long: a full backlog drops, by the cause that fills it.
func TestUDPBacklogIsBounded(t *testing.T) {
	t.Parallel()
	m, err := newMetrics(newRegistry(), func() int64 { return 0 })
	if err != nil {
		t.Fatal(err)
	}
	s := &socket{backlog: newBacklog()}
	s.feed = &feed{metrics: &m.udp, failing: &s.why}
	line := []Line{{Text: []byte("<13>x")}}
	for range backlogChunks * maxBatch {
		s.keep(t.Context(), line)
	}
	if m.udp.dropped[causeBacklog].Load() != 0 {
		t.Fatal("dropped before it was full")
	}
	s.keep(t.Context(), line)
	s.why.set(causeQueueFull)
	s.keep(t.Context(), append(line, line...))
	if m.udp.dropped[causeBacklog].Load() != 1 || m.udp.dropped[causeQueueFull].Load() != 2 {
		t.Error("drops are not counted by cause")
	}
	s.backlog.give(s.backlog.take())
	s.keep(t.Context(), line)
	if m.udp.dropped[causeQueueFull].Load() != 2 || s.lossy {
		t.Error("room is not used")
	}
}

// Datagrams of addresses that are not in the list are dropped and counted; those over the rate of their source are lost, and the
// others are not.
func TestUDPLimits(t *testing.T) {
	t.Parallel()
	guard := netguardtest.New(t, func(c *netguard.Config) {
		c.SyslogAllow = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		c.TrustedRelays = []netip.Prefix{netip.MustParsePrefix("192.0.2.9/32")}
	})
	m, err := newMetrics(newRegistry(), func() int64 { return 0 })
	if err != nil {
		t.Fatal(err)
	}
	var rate atomic.Int64
	s := &socket{door: guard.SyslogDoor("syslog_udp"), rate: guard.NewRate(rate.Load), feed: &feed{metrics: &m.udp}}
	send := func(n int, from string) (lines int) {
		messages := make([]ipv4.Message, n)
		for i := range messages {
			messages[i] = ipv4.Message{Buffers: [][]byte{[]byte("<13>x")}, Addr: net.UDPAddrFromAddrPort(netip.MustParseAddrPort(from)), N: 5}
		}
		return len(s.lines(nil, messages, 100))
	}
	for from, want := range map[string]int{"192.0.2.1:5": 64, "198.51.100.1:5": 0, "[::ffff:192.0.2.1]:5": 64, "[2001:db8::1]:5": 0} {
		if got := send(64, from); got != want {
			t.Errorf("%s: %d of 64 lines, want %d", from, got, want)
		}
	}
	rate.Store(1)
	for from, want := range map[string]int{"192.0.2.1:5": 2, "192.0.2.2:5": 2, "192.0.2.9:5": 64} {
		if got := send(64, from); got != want {
			t.Errorf("%s: %d of 64 lines at the rate, want %d", from, got, want)
		}
	}
	if m.udp.dropped[causeSourceRate].Load() != 124 {
		t.Errorf("%d counted", m.udp.dropped[causeSourceRate].Load())
	}
}

// Large datagrams fill a chunk by bytes.
func TestUDPBacklogIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	b, n := newBacklog(), 0
	line := []Line{{Text: make([]byte, 60000)}}
	for b.put(line) == 1 {
		n++
	}
	if bytes := n * 60000; bytes > backlogChunks*(chunkBytes+60000) {
		t.Errorf("%d bytes wait", bytes)
	}
}

// Datagrams that nobody reads in time are counted by the kernel, and the counter does not go back.
func TestUDPKernelDrops(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{})
	conns, err := listenUDP(t.Context(), local, 2, 4096)
	if err != nil {
		t.Fatal(err)
	}
	b.mu.Lock()
	b.udp = conns
	b.mu.Unlock()
	c := dial(t, conns[0].LocalAddr())
	for range 200 {
		send(t, c, strings.Repeat("x", 500))
	}
	drops := b.metric(t, "kernel_drops_total")
	if drops < 100 || drops > 200 {
		t.Errorf("%v drops of 200 datagrams with a buffer of %d bytes", drops, b.receiveBuffer())
	}
	closeAll(conns)
	if b.metric(t, "kernel_drops_total") != drops {
		t.Error("the counter went back")
	}
}

// Datagrams that the kernel holds when the server stops are still stored.
func TestUDPStopDrains(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{UDPAddr: local})
	c := dial(t, b.udpAddr())
	for range 2000 {
		send(t, c, "<13>a: x")
	}
	b.stop(t)
	if n := len(b.sink.all()); n != 2000 || b.metric(t, "kernel_drops_total") != 0 {
		t.Errorf("%d of 2000 stored", n)
	}
}

// Addresses are remembered, in a bounded table, and their texts are those that netip gives.
func TestSenders(t *testing.T) {
	var p senders
	door := netguardtest.New(t, nil).SyslogDoor("syslog_udp")
	text := func(addr net.Addr) string { return p.of(addr, door).text }
	for i := range 3 * maxPeers {
		ip := net.IPv4(10, byte(i>>16), byte(i>>8), byte(i))
		if got := text(&net.UDPAddr{IP: ip, Port: i % 60000}); got != ip.String() {
			t.Fatalf("%s, want %s", got, ip)
		}
		if len(p) > maxPeers {
			t.Fatal("the table grows without bound")
		}
	}
	if got := text(&net.UDPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0"}); got != "fe80::1" {
		t.Error(got)
	}
	addr := &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}
	text(addr)
	if n := testing.AllocsPerRun(100, func() { text(addr) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
