package syslog

import (
	"cmp"
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/netguard"
	"github.com/muttproject/mutt/platform/netguard/netguardtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memBatch copies events, as Batch demands.
type memBatch struct{ events []event.Event }

func (b *memBatch) Add(e *event.Event, _ *[16]byte) {
	c := *e
	for _, p := range []*string{&c.Hostname, &c.Message, &c.SourceIP, &c.AppName, &c.ProcID, &c.MsgID, &c.Fields} {
		*p = strings.Clone(*p)
	}
	b.events = append(b.events, c)
}

// memSink keeps what is submitted. answer, when set, decides over each submission.
type memSink struct {
	answer func(ctx context.Context, n int) (failed map[int]error, err error)

	mu      sync.Mutex
	changed chan struct{}
	events  []event.Event
	tries   int
}

func newMemSink() *memSink { return &memSink{changed: make(chan struct{})} }

func (s *memSink) NewBatch() Batch { return &memBatch{} }

func (s *memSink) Submit(ctx context.Context, batch Batch) (failed map[int]error, err error) {
	b := batch.(*memBatch)
	s.mu.Lock()
	s.tries++
	answer := s.answer
	s.mu.Unlock()
	if answer != nil {
		failed, err = answer(ctx, len(b.events))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range b.events {
		if err == nil && failed[i] == nil {
			s.events = append(s.events, b.events[i])
		}
	}
	close(s.changed)
	s.changed = make(chan struct{})
	return failed, err
}

func (s *memSink) setAnswer(f func(context.Context, int) (map[int]error, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = f
}

func (s *memSink) all() []event.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]event.Event(nil), s.events...)
}

// wait gives the events once there are n.
func (s *memSink) wait(t *testing.T, n int) []event.Event {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		s.mu.Lock()
		changed, events := s.changed, s.events
		s.mu.Unlock()
		if len(events) >= n {
			return s.all()
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("%d of %d events came", len(events), n)
		}
	}
}

// anyRate sets no limit.
func anyRate() int64 { return 0 }

// quiet returns dependencies whose log and metrics nobody reads.
func quiet(t testing.TB, s Sink) Deps {
	guard := netguardtest.New(t, nil)
	return Deps{Sink: s, Log: zap.NewNop(), Metrics: prometheus.NewRegistry(), Guard: guard, Rate: guard.NewRate(anyRate), Lost: func(string, int64) {}}
}

// bundle is one test's server.
type bundle struct {
	*Server
	sink *memSink
	reg  *prometheus.Registry
	logs *observer.ObservedLogs
}

// complete fills the zero bounds of a Config.
func complete(c Config) Config {
	d := Defaults()
	c.MaxMessageBytes, c.UDPSockets = cmp.Or(c.MaxMessageBytes, d.MaxMessageBytes), cmp.Or(c.UDPSockets, d.UDPSockets)
	c.Patience, c.StopTimeout, c.Location = cmp.Or(c.Patience, d.Patience), cmp.Or(c.StopTimeout, d.StopTimeout), cmp.Or(c.Location, time.UTC)
	c.Host, c.Resolver = cmp.Or(c.Host, d.Host), cmp.Or(c.Resolver, d.Resolver)
	return c
}

func setup(t *testing.T, cfg Config) *bundle {
	t.Helper()
	return setupLimited(t, cfg, anyRate, nil)
}

// setupLimited is setup with a rate of sources and limits of its own.
func setupLimited(t *testing.T, cfg Config, rate func() int64, change func(*netguard.Config)) *bundle {
	t.Helper()
	core, logs := observer.New(zapcore.InfoLevel)
	b := &bundle{sink: newMemSink(), reg: prometheus.NewRegistry(), logs: logs}
	guard := netguardtest.New(t, change)
	s, err := New(complete(cfg), Deps{Sink: b.sink, Log: zap.New(core), Metrics: b.reg, Guard: guard, Rate: guard.NewRate(rate), Lost: func(string, int64) {}})
	if err != nil {
		t.Fatal(err)
	}
	b.Server = s
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.stop(t) })
	return b
}

func (b *bundle) stop(t *testing.T) {
	t.Helper()
	if err := b.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// metric sums the series of a name whose labels include the given values.
func (b *bundle) metric(t *testing.T, name string, values ...string) (sum float64) {
	t.Helper()
	families, err := b.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "mutt_ingest_syslog_"+name {
			continue
		}
	series:
		for _, m := range f.GetMetric() {
			have := map[string]bool{}
			for _, l := range m.GetLabel() {
				have[l.GetValue()] = true
			}
			for _, v := range values {
				if !have[v] {
					continue series
				}
			}
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}

// eventually polls what only real sockets can bring about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick, late := time.NewTicker(2*time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("never: " + what)
		}
	}
}

func dial(t *testing.T, addr net.Addr) net.Conn {
	t.Helper()
	c, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func (b *bundle) udpAddr() net.Addr { udp, _ := b.Addrs(); return udp }
func (b *bundle) tcpAddr() net.Addr { _, tcp := b.Addrs(); return tcp }

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

func messages(events []event.Event) (texts []string) {
	for i := range events {
		texts = append(texts, events[i].Message)
	}
	return texts
}
