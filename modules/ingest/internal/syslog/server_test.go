package syslog

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/lifecycle"
)

var (
	_ lifecycle.Service      = (*Server)(nil)
	_ lifecycle.ReadyChecker = (*Server)(nil)
)

func newRegistry() *prometheus.Registry { return prometheus.NewRegistry() }

func TestBoundsAreRequired(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{UDPAddr: local}, quiet(t, newMemSink())); err == nil {
		t.Error("a server without bounds")
	}
}

func TestLifecycle(t *testing.T) {
	t.Parallel()
	s, err := New(complete(Config{UDPAddr: local, TCPAddr: local}), quiet(t, newMemSink()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Ready(t.Context()); err == nil {
		t.Error("ready before Start")
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	if s.Start(t.Context()) == nil {
		t.Error("started twice")
	}
	for range 2 {
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	select {
	case err := <-s.Failed():
		t.Error("a stop is no failure", err)
	default:
	}
	never, _ := New(complete(Config{UDPAddr: local}), quiet(t, newMemSink()))
	if err := never.Stop(t.Context()); err != nil || never.Start(t.Context()) == nil {
		t.Error("Stop before Start", err)
	}
}

func TestOff(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{UDPAddr: "off"})
	if udp, tcp := b.Addrs(); udp != nil || tcp != nil {
		t.Error(udp, tcp)
	}
}

// A port that another process reads from is an error with a remedy, although our own sockets share theirs; and a
// failed start leaves no listener behind.
func TestPortInUse(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{UDPAddr: local, TCPAddr: local, UDPSockets: 3})
	for _, cfg := range []Config{{UDPAddr: b.udpAddr().String()}, {UDPAddr: local, TCPAddr: b.tcpAddr().String()}} {
		s, err := New(complete(cfg), quiet(t, b.sink))
		if err != nil {
			t.Fatal(err)
		}
		err = s.Start(t.Context())
		if e, ok := fault.As(err); !ok || e.Code != fault.ListenFailed || e.Remedy == "" {
			t.Error(err)
		}
		if udp, _ := s.Addrs(); udp != nil {
			t.Error("a UDP listener stayed open")
		}
	}
}

// logger of util-linux is part of every Debian.
func TestLogger(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("logger")
	if err != nil {
		if os.Getenv("MUTT_TEST_REQUIRE") == "1" {
			t.Fatal("logger (bsdutils) is not installed")
		}
		t.Log("logger is not installed: nothing tested")
		return
	}
	b := setup(t, Config{UDPAddr: local, TCPAddr: local})
	for i, args := range [][]string{
		{"--udp", "--rfc3164"}, {"--udp", "--rfc5424"}, {"--tcp", "--rfc3164"}, {"--tcp", "--rfc5424", "--octet-count"},
	} {
		addr := b.udpAddr()
		if args[0] == "--tcp" {
			addr = b.tcpAddr()
		}
		var port int
		if _, err := fmt.Sscanf(addr.String(), "127.0.0.1:%d", &port); err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf("hello %d", i)
		args = append(args, "-n", "127.0.0.1", "-P", fmt.Sprint(port), "-p", "daemon.warning", "-t", "mutt-test", "--id=4711", text)
		if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v %s", args, err, out)
		}
		e := b.sink.wait(t, i+1)[i]
		name, _ := os.Hostname()
		age := time.Now().UnixMicro() - e.Timestamp
		if e.Message != text || e.AppName != "mutt-test" || e.ProcID != "4711" || e.Facility != 3 || e.Severity != 4 ||
			e.Hostname != name || age < 0 && i%2 == 1 {
			t.Errorf("%v: %+v", args, e)
		}
	}
	if b.metric(t, "messages_total", "rfc3164") != 2 || b.metric(t, "messages_total", "rfc5424") != 2 {
		t.Error("formats are not told apart")
	}
}

// Real messages, when the data set is given, come out as they went in, in every wrapping.
func TestLoghub(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("MUTT_LOGHUB_DIR")
	if dir == "" {
		t.Log("MUTT_LOGHUB_DIR is not set: real messages are not tested")
		return
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.csv"))
	if err != nil || len(files) == 0 {
		t.Fatal("no CSV files in", dir, err)
	}
	p := NewParser(time.UTC)
	for _, file := range files {
		for _, text := range contents(t, file) {
			for _, head := range []string{"<13>Oct 11 22:14:15 h app[7]: ", "<13>1 2026-10-11T22:14:15Z h app 7 - - ", "<13>2026-10-11T22:14:15.5Z h app[7]: "} {
				e, f := parseLine(p, head+text)
				if e.Message != text || e.Hostname != "h" || e.AppName != "app" || e.ProcID != "7" || f > FormatRFC3164 {
					t.Fatalf("%s%s became %+v", head, text, e)
				}
			}
			e, f := parseLine(p, text)
			checkWhole(t, text, &e, f)
		}
	}
}

func contents(t *testing.T, file string) (texts []string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(file, err)
	}
	column := -1
	for i, name := range rows[0] {
		if name == "Content" {
			column = i
		}
	}
	for _, row := range rows[1:] {
		texts = append(texts, row[column])
	}
	return texts
}

// A storm of losses is a line when it begins, one a minute, and a warning in the health check that goes away.
func TestReporter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.InfoLevel)
		var kernel atomic.Int64
		m, err := newMetrics(newRegistry(), kernel.Load)
		if err != nil {
			t.Fatal(err)
		}
		counted := map[string]int64{} // by the reporter alone
		r := newReporter(m, zap.New(core), func() int64 { return 4096 }, func(why string, n int64) { counted[why] += n })
		go r.run(t.Context())
		<-time.After(lookEvery / 2)
		for second := range 150 {
			m.udp.lost(causeQueueFull, 10)
			if second == 100 {
				kernel.Store(5)
				m.waiting.Add(1)
			}
			<-time.After(time.Second)
		}
		const full = "syslog messages are lost: the queue holds as many events as max_ingest_queue_size allows"
		if n, other := logs.FilterMessage(full).Len(), logs.FilterMessageSnippet("kernel").Len(); n != 3 || other != 1 || logs.Len() != n+other+1 {
			t.Errorf("%d lines: %v", logs.Len(), logs.All())
		}
		want := []string{full + " (1500 messages in 2m30s)", "the receive buffer is full: it has 4096 bytes (5 datagrams in 50s)", "syslog connections wait for the queue: 1 connections (for 50s)"}
		if w := r.warnings(); len(w) != 3 || w[0] != want[0] || !strings.HasSuffix(w[1], want[1]) || !strings.HasSuffix(w[2], want[2]) {
			t.Errorf("%q", w)
		}
		if counted["queue_full"] != 1500 || counted[CauseKernel] != 5 || len(counted) != 2 {
			t.Error("counted", counted)
		}
		m.waiting.Add(-1)
		<-time.After(2 * time.Minute)
		if w := r.warnings(); len(w) != 0 {
			t.Error("losses are warned of for ever", w)
		}
	})
}

func TestNoContentsInLogs(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{TCPAddr: local})
	b.sink.setAnswer(func(context.Context, int) (map[int]error, error) { return nil, errors.New("broken") })
	send(t, dial(t, b.tcpAddr()), "<13>a: secret-text\n")
	eventually(t, "the loss is counted", func() bool { return b.metric(t, "dropped_total") == 1 })
	b.stop(t)
	for _, l := range b.logs.All() {
		if text := fmt.Sprint(l.Message, l.ContextMap()); len(text) > 0 && strings.Contains(text, "secret-text") {
			t.Error(text)
		}
	}
	if b.logs.Len() != 1 {
		t.Error(b.logs.All())
	}
}

// The parser never keeps a reference that a later line can change.
func TestEventsAreCopied(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{TCPAddr: local})
	c := dial(t, b.tcpAddr())
	var want []event.Event
	for i := range 3 {
		send(t, c, fmt.Sprintf("<13>1 - h%d a - - [x i=\"%d\"] m%d\n", i, i, i))
		want = b.sink.wait(t, i+1)
	}
	for i, e := range want {
		if e.Hostname != fmt.Sprint("h", i) || e.Fields != fmt.Sprintf(`{"structured_data":{"x":{"i":"%d"}}}`, i) || e.Message != fmt.Sprint("m", i) {
			t.Errorf("%+v", e)
		}
	}
}

// A listener that breaks by itself ends the service with its error.
func TestBrokenListenersAreReported(t *testing.T) {
	t.Parallel()
	broken := errors.New("no more file descriptors")
	synctest.Test(t, func(t *testing.T) {
		s := &tcpServer{listener: brokenListener{broken}}
		if err := s.accept(t.Context()); !errors.Is(err, broken) {
			t.Error(err)
		}
	})
	b := setup(t, Config{TCPAddr: local, UDPAddr: local})
	b.fail(broken)
	b.fail(errors.New("later"))
	if err := <-b.Failed(); !errors.Is(err, broken) || b.Name() != "syslog" {
		t.Error(err)
	}
}

type brokenListener struct{ err error }

func (l brokenListener) Accept() (net.Conn, error) { return nil, l.err }
func (l brokenListener) Close() error              { return nil }
func (l brokenListener) Addr() net.Addr            { return nil }

// A Sink that ignores its context delays Stop by a bounded time only.
func TestStopWithStuckSink(t *testing.T) {
	t.Parallel()
	b := setup(t, Config{TCPAddr: local, StopTimeout: 50 * time.Millisecond})
	stuck, release := make(chan struct{}), make(chan struct{})
	b.sink.setAnswer(func(context.Context, int) (map[int]error, error) {
		close(stuck)
		<-release
		return nil, nil
	})
	send(t, dial(t, b.tcpAddr()), "<13>a: x\n")
	<-stuck
	begin := time.Now()
	if err := b.Stop(t.Context()); err == nil || time.Since(begin) > 10*time.Second {
		t.Error(err, time.Since(begin))
	}
	close(release)
	b.sink.wait(t, 1)
}

// Every cause of a loss has its words and what to do about it.
func TestEveryLossHasWords(t *testing.T) {
	t.Parallel()
	for c := causeNone + 1; c < causes; c++ {
		if lossWords[c].why == "" || lossWords[c].remedy == "" {
			t.Errorf("%s has no words", c)
		}
	}
}
