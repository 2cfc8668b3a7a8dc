package syslog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/netguard"
)

const local = "127.0.0.1:0"

func TestTCPFramings(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{TCPAddr: local})
	c := dial(t, b.tcpAddr())
	send(t, c, "<13>app: one\n<13>app: two\n15 <13>app: th\nree12 <13>app: fou<13>app: last")
	c.Close()
	got := b.sink.wait(t, 5)
	if d := cmp.Diff([]string{"one", "two", "th\nree", "fou", "last"}, messages(got)); d != "" {
		t.Error(d)
	}
	if got[0].SourceIP != "127.0.0.1" || got[0].Hostname != "127.0.0.1" || got[0].AppName != "app" {
		t.Errorf("%+v", got[0])
	}
	if n := b.metric(t, "messages_total", "tcp", "rfc3164"); n != 5 {
		t.Errorf("%v messages counted", n)
	}
}

// Every byte is a packet of its own.
func TestTCPSplitAtEveryByte(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{TCPAddr: local})
	c := dial(t, b.tcpAddr())
	for _, x := range []byte("<13>app: one\n12 <13>app: two<13>app: three\n") {
		send(t, c, string(x))
	}
	if d := cmp.Diff([]string{"one", "two", "three"}, messages(b.sink.wait(t, 3))); d != "" {
		t.Error(d)
	}
}

func TestTCPTruncates(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{TCPAddr: local, MaxMessageBytes: 480})
	c := dial(t, b.tcpAddr())
	send(t, c, fmt.Sprintf("<13>app: %0600d\n<13>app: next\n", 1))
	got := b.sink.wait(t, 2)
	if len(got[0].Message) != 480-len("<13>app: ") || got[0].Fields != `{"truncated":true}` || got[1].Message != "next" {
		t.Errorf("%+v", got)
	}
	if b.metric(t, "truncated_total", "tcp") != 1 {
		t.Error("not counted")
	}
}

// A BOM, a blank or garbage costs itself and no message; what belongs to no message is counted, logged and a warning.
func TestTCPGarbageCostsNoMessage(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{TCPAddr: local, MaxMessageBytes: 480})
	for _, before := range []string{"\ufeff", " ", "stray"} {
		c := dial(t, b.tcpAddr())
		send(t, c, before)
		for i := range 100 {
			send(t, c, fmt.Sprintf("%d <13>app: m%02d", len("<13>app: m00"), i))
		}
	}
	if got := b.sink.wait(t, 300); len(got) != 300 {
		t.Errorf("%d events", len(got))
	}
	eventually(t, "garbage is counted", func() bool { return b.metric(t, "dropped_bytes_total", "garbage") == 5 })
	send(t, dial(t, b.tcpAddr()), fmt.Sprintf("<13>app: %0600d\n", 1))
	eventually(t, "a cut message is counted", func() bool { return b.metric(t, "dropped_bytes_total", "oversize") == 600+9-480 })
	if n := b.metric(t, "dropped_bytes_total", "padding"); n != 4 {
		t.Errorf("%v bytes of padding", n)
	}
	eventually(t, "dropped bytes are warnings", func() bool {
		w, err := b.Ready(t.Context())
		return err == nil && len(w) == 2
	})
	b.stop(t)
	for _, line := range []string{"syslog peers send bytes that belong to no message, which are dropped",
		"syslog messages are cut at the maximum length and the rest is dropped"} {
		if b.logs.FilterMessage(line).Len() == 0 {
			t.Error("not logged: " + line)
		}
	}
}

// While the queue is full nothing is lost, doubled or read on; afterwards all is there in order.
func TestTCPWaitsForTheQueue(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{TCPAddr: local})
	fails := 3
	b.sink.setAnswer(func(context.Context, int) (map[int]error, error) {
		if fails--; fails >= 0 {
			return nil, fault.New(fault.QueueFull, "full").WithRetryAfter(time.Hour)
		}
		return nil, nil
	})
	c := dial(t, b.tcpAddr())
	var want []string
	for i := range 1200 {
		want = append(want, fmt.Sprint("m", i))
		send(t, c, fmt.Sprintf("<13>app: m%d\n", i))
	}
	eventually(t, "a waiting connection is a warning", func() bool {
		w, err := b.Ready(t.Context())
		return err == nil && len(w) == 1
	})
	if d := cmp.Diff(want, messages(b.sink.wait(t, len(want)))); d != "" {
		t.Error(d)
	}
	eventually(t, "the warning ends", func() bool {
		w, err := b.Ready(t.Context())
		return len(w) == 0 && err == nil
	})
	if b.metric(t, "dropped_total") != 0 || b.metric(t, "messages_total") != float64(len(want)) {
		t.Error("dropped, or counted twice")
	}
}

// Of a submission that is stored in part, only the rest is tried again; what is refused for good is counted.
func TestTCPPartialFailure(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{TCPAddr: local})
	first := true
	b.sink.setAnswer(func(_ context.Context, n int) (map[int]error, error) {
		if !first || n != 4 {
			return nil, nil
		}
		first = false
		return map[int]error{1: fault.New(fault.QueueUnavailable, "away").WithRetryAfter(time.Second),
			2: fault.New(fault.TooLarge, "large")}, nil
	})
	c := dial(t, b.tcpAddr())
	send(t, c, "<13>a: 0\n<13>a: 1\n<13>a: 2\n<13>a: 3\n")
	if d := cmp.Diff([]string{"0", "3", "1"}, messages(b.sink.wait(t, 3))); d != "" {
		t.Error(d)
	}
	if b.metric(t, "dropped_total", "tcp", "refused") != 1 || b.metric(t, "dropped_total") != 1 {
		t.Error("the refused one is not counted, or more")
	}
}

func TestTCPRefusedBatchIsCounted(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{TCPAddr: local})
	b.sink.setAnswer(func(context.Context, int) (map[int]error, error) { return nil, errors.New("broken") })
	send(t, dial(t, b.tcpAddr()), "<13>a: 0\n")
	eventually(t, "the loss is counted", func() bool { return b.metric(t, "dropped_total", "tcp", "refused") == 1 })
}

func TestTCPBoundsConnections(t *testing.T) {
	t.Parallel()
	b := setupLimited(t, Config{TCPAddr: local}, anyRate, func(c *netguard.Config) { c.Connections = 2 })
	for i := range 2 {
		send(t, dial(t, b.tcpAddr()), "<13>a: x\n")
		b.sink.wait(t, i+1)
	}
	third := dial(t, b.tcpAddr()) // the others were used a moment ago
	if _, err := third.Read(make([]byte, 1)); err == nil {
		t.Error("the third connection was taken")
	}
	if b.metric(t, "connections") != 2 {
		t.Error("connections are not counted")
	}
}

// Silent connections are closed when they have sent nothing, and later when they are silent for long; what was read is stored. A busy
// machine has 3 s to send the first byte of the connection that sends one.
func TestTCPSilence(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sent                   string
		firstByte, idle, after time.Duration
	}{
		{"", 100 * time.Millisecond, time.Hour, 100 * time.Millisecond},
		{"<13>a: begun", 3 * time.Second, 3500 * time.Millisecond, 3500 * time.Millisecond},
	} {
		b := setupLimited(t, Config{TCPAddr: local}, anyRate, func(g *netguard.Config) { g.FirstByteTimeout, g.SyslogIdleTimeout = c.firstByte, c.idle })
		start := time.Now()
		conn := dial(t, b.tcpAddr())
		if c.sent != "" {
			send(t, conn, c.sent)
		}
		conn.SetReadDeadline(start.Add(20 * time.Second))
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("sent %q: %v", c.sent, err)
		}
		if d := time.Since(start); d < c.after {
			t.Errorf("sent %q: closed after %s, want %s", c.sent, d, c.after)
		}
		if c.sent == "" {
			continue
		}
		if got := messages(b.sink.wait(t, 1)); got[0] != "begun" {
			t.Error(got)
		}
	}
}

// A source over its rate is read slowly, and loses nothing; a stop ends the pause.
func TestTCPSourceRate(t *testing.T) {
	t.Parallel()
	b := setupLimited(t, Config{TCPAddr: local}, func() int64 { return 20 }, nil)
	c := dial(t, b.tcpAddr())
	start := time.Now()
	send(t, c, strings.Repeat("<13>a: x\n", 45)) // at once: 40, and 5 that the source owes
	b.sink.wait(t, 45)
	send(t, c, "<13>a: y\n")
	b.sink.wait(t, 46)
	if d := time.Since(start); d < 200*time.Millisecond {
		t.Errorf("read again after %s", d)
	}
	send(t, c, strings.Repeat("<13>a: z\n", 5000))
	b.sink.wait(t, 47)
	b.stop(t)
	if got := b.metric(t, "dropped_total"); got != 0 {
		t.Errorf("%v messages were lost", got)
	}
}

// Under load from several senders, Stop stores exactly what was read.
func TestTCPStopUnderLoad(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{TCPAddr: local})
	b.sink.setAnswer(func(context.Context, int) (map[int]error, error) {
		return nil, nil
	})
	var senders sync.WaitGroup
	for s := range 4 {
		c := dial(t, b.tcpAddr())
		senders.Go(func() {
			for i := 0; ; i++ {
				if _, err := fmt.Fprintf(c, "<13>a: %d-%d.\n", s, i); err != nil {
					return
				}
			}
		})
	}
	b.sink.wait(t, 1000)
	b.stop(t)
	senders.Wait()
	stored := b.sink.all()
	if read := b.metric(t, "messages_total"); read != float64(len(stored)) || b.metric(t, "dropped_total") != 0 {
		t.Errorf("%v read, %d stored", read, len(stored))
	}
	next := map[string]int{}
	for _, e := range stored {
		var s, i int
		if _, err := fmt.Sscanf(e.Message, "%d-%d.", &s, &i); err != nil {
			continue // the last line of a connection may be cut
		}
		if key := fmt.Sprint(s); i != next[key] && i < next[key] {
			t.Fatalf("sender %d: %d after %d", s, i, next[key])
		}
		next[fmt.Sprint(s)]++
	}
}

// With the queue away Stop ends in time and counts what is left.
func TestTCPStopWithoutQueue(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{TCPAddr: local, UDPAddr: local, StopTimeout: 200 * time.Millisecond})
	b.sink.setAnswer(func(context.Context, int) (map[int]error, error) {
		return nil, fault.New(fault.QueueUnavailable, "away").WithRetryAfter(time.Second)
	})
	send(t, dial(t, b.tcpAddr()), "<13>a: 1\n<13>a: 2\n")
	send(t, dial(t, b.udpAddr()), "<13>a: 3\n")
	eventually(t, "both are read", func() bool { return b.metric(t, "messages_total") == 3 })
	if err := b.Stop(t.Context()); err == nil {
		t.Error("Stop hides that messages were left")
	}
	if b.metric(t, "dropped_total", "tcp", "stopping") != 2 || b.metric(t, "dropped_total", "udp", "stopping") != 1 {
		t.Error("what was left is not counted")
	}
	if b.logs.FilterMessageSnippet("syslog messages are lost").Len() == 0 {
		t.Error("what was left is not logged")
	}
	b.stop(t) // a second Stop is harmless and clean
}

// An idle peer keeps its connection; a stopped server closes it.
func TestTCPIdlePeer(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{TCPAddr: local})
	c := dial(t, b.tcpAddr())
	send(t, c, "<13>a: 1\n")
	b.sink.wait(t, 1)
	b.stop(t)
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		var n net.Error
		if errors.As(err, &n) && n.Timeout() {
			t.Error("the connection is still open")
		}
	}
}
