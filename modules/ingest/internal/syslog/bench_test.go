package syslog

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/leodido/go-syslog/v4/rfc5424"
	"golang.org/x/net/ipv4"

	"github.com/muttproject/mutt/platform/event"
)

// benchLines are usual lines of about 200 bytes.
var benchLines = []string{
	"<86>Oct 11 22:14:15 combo sshd(pam_unix)[19939]: authentication failure; logname= uid=0 euid=0 tty=NODEVssh ruser= rhost=218.188.2.4 user=root service=sshd method=password attempt=3 session=0x7f3a2b",
	"<30>2026-11-05T10:11:12.123456+01:00 web01.example.net systemd[1]: Started Session 4711 of user deploy, unit session-4711.scope, slice user-1000.slice, cgroup /user.slice/user-1000.slice/session.scope",
	"<165>1 2026-11-05T10:11:12.003Z mymachine.example.com evntslog 8710 ID47 - An application event log entry with some text that makes it about two hundred bytes long, as most messages of devices are",
	`<165>1 2026-11-05T10:11:12.003Z mymachine.example.com evntslog 8710 ID47 [exampleSDID@32473 iut="3" eventSource="Application" eventID="1011"][examplePriority@32473 class="high"] An application event log entry`,
	"<187>123: *Mar  1 00:00:00.123 UTC: %LINK-3-UPDOWN: Interface GigabitEthernet0/1, changed state to down",
}

var benchNames = []string{"3164", "3164-rfc3339", "5424", "5424-sd", "cisco"}

func BenchmarkParse(b *testing.B) {
	for i, line := range benchLines {
		for name, loc := range map[string]*time.Location{"utc": time.UTC, "zone": time.FixedZone("x", 3600)} {
			if name == "zone" && i > 0 {
				continue
			}
			b.Run(benchNames[i]+"/"+name, func(b *testing.B) {
				p, l := NewParser(loc), Line{Text: []byte(line), Peer: peer, At: received}
				var e event.Event
				b.ReportAllocs()
				for b.Loop() {
					p.Parse(&l, &e)
				}
			})
		}
	}
}

// BenchmarkParseLibrary is leodido/go-syslog on the same RFC 5424 lines, for comparison.
func BenchmarkParseLibrary(b *testing.B) {
	for i, line := range benchLines[2:4] {
		b.Run(benchNames[2+i], func(b *testing.B) {
			p, text := rfc5424.NewParser(), []byte(line)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Parse(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// nullSink counts and forgets.
type nullSink struct{ n *atomic.Int64 }

type nullBatch struct{ n int64 }

func (b *nullBatch) Add(*event.Event, *[16]byte) { b.n++ }

func (s nullSink) NewBatch() Batch { return &nullBatch{} }

func (s nullSink) Submit(_ context.Context, b Batch) (map[int]error, error) {
	s.n.Add(b.(*nullBatch).n)
	return nil, nil
}

// BenchmarkUDP compares the listener, parsing included, with a bare loop of recvfrom and with one of recvmmsg (P7).
// The sender has its goroutines in the same process and never has more under way than the smallest receive buffer
// holds, so that nothing is lost: the figure is the lossless rate, of sender and receiver together.
func BenchmarkUDP(b *testing.B) {
	for _, sockets := range []int{1, 2} {
		b.Run(fmt.Sprintf("server/sockets=%d", sockets), func(b *testing.B) {
			var got atomic.Int64
			s, err := New(complete(Config{UDPAddr: local, UDPSockets: sockets}), quiet(b, nullSink{&got}))
			if err != nil {
				b.Fatal(err)
			}
			if err := s.Start(b.Context()); err != nil {
				b.Fatal(err)
			}
			defer s.Stop(context.WithoutCancel(b.Context()))
			udp, _ := s.Addrs()
			flood(b, udp, &got)
			if n := s.kernelDrops(); n > 0 {
				b.Fatal("the kernel dropped", n)
			}
		})
	}
	b.Run("bare/recvfrom", func(b *testing.B) {
		bare(b, func(c *net.UDPConn, got *atomic.Int64) error {
			_, _, err := c.ReadFromUDPAddrPort(make([]byte, 2048))
			got.Add(1)
			return err
		})
	})
	messages := make([]ipv4.Message, datagramsPerRead)
	for i := range messages {
		messages[i].Buffers = [][]byte{make([]byte, 2048)}
	}
	b.Run("bare/recvmmsg", func(b *testing.B) {
		bare(b, func(c *net.UDPConn, got *atomic.Int64) error {
			n, err := ipv4.NewPacketConn(c).ReadBatch(messages, 0)
			got.Add(int64(n))
			return err
		})
	})
}

// bare counts what read reads from one socket.
func bare(b *testing.B, read func(*net.UDPConn, *atomic.Int64) error) {
	conns, err := listenUDP(b.Context(), local, 1, 8<<20)
	if err != nil {
		b.Fatal(err)
	}
	var got atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for read(conns[0], &got) == nil {
		}
	})
	flood(b, conns[0].LocalAddr(), &got)
	closeAll(conns)
	wg.Wait()
}

// flood sends b.N datagrams from several addresses and waits until all are received.
func flood(b *testing.B, addr net.Addr, got *atomic.Int64) {
	const senders, window = 4, 2000
	conns := make([]*ipv4.PacketConn, senders)
	for i := range conns {
		c, err := net.DialUDP("udp", nil, addr.(*net.UDPAddr))
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		conns[i] = ipv4.NewPacketConn(c)
	}
	out := make([]ipv4.Message, datagramsPerRead)
	for i := range out {
		out[i].Buffers = [][]byte{[]byte(benchLines[i%4])}
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime()
	for sent := 0; sent < b.N; {
		if int64(sent)-got.Load() > window {
			runtime.Gosched()
			continue
		}
		n, err := conns[sent/datagramsPerRead%senders].WriteBatch(out[:min(len(out), b.N-sent)], 0)
		if err != nil {
			b.Fatal(err)
		}
		sent += n
	}
	for got.Load() < int64(b.N) {
		runtime.Gosched()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "datagrams/s")
	b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

// BenchmarkTCP sends lines over one connection to a sink that stores nothing.
func BenchmarkTCP(b *testing.B) {
	var got atomic.Int64
	s, err := New(complete(Config{TCPAddr: local}), quiet(b, nullSink{&got}))
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	defer s.Stop(context.WithoutCancel(b.Context()))
	_, tcp := s.Addrs()
	c, err := net.Dial("tcp", tcp.String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	const run = 100
	text := []byte(strings.Repeat(benchLines[0]+"\n", run))
	b.ReportAllocs()
	before := cpuTime()
	sent := int64(0)
	for b.Loop() {
		if _, err := c.Write(text); err != nil {
			b.Fatal(err)
		}
		sent += run
	}
	for got.Load() < sent {
		runtime.Gosched()
	}
	b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "messages/s")
	b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/float64(sent), "cpu-ns/message")
}

// cpuTime is what this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
