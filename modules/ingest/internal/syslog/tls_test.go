package syslog

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/netguard"
	"github.com/muttproject/mutt/platform/netguard/netguardtest"
	"github.com/muttproject/mutt/platform/testkit"
)

// secured is a server with a listener over TLS beside one in clear text.
type secured struct {
	*bundle
	authority *testkit.Authority
	registry  *prometheus.Registry // of TLS
}

func setupTLS(t *testing.T, clients *testkit.Authority, limits func(*netguard.Config)) *secured {
	t.Helper()
	core, logs := observer.New(zapcore.InfoLevel)
	s := &secured{authority: testkit.NewAuthority(t), registry: prometheus.NewRegistry(),
		bundle: &bundle{sink: newMemSink(), reg: prometheus.NewRegistry(), logs: logs}}
	d := quiet(t, s.sink)
	d.Log, d.Metrics, d.Guard = zap.New(core), s.reg, netguardtest.New(t, limits)
	w := tlsconf.NewWatcher(tlsconf.WatcherOptions{Log: d.Log, Registerer: s.registry, Now: time.Now})
	var files tlsconf.ListenerConfig
	files.CertFile, files.KeyFile = s.authority.Pair(t, time.Now().Add(time.Hour))
	if clients != nil {
		files.ClientCAFile = clients.CAFile
	}
	var err error
	if d.TLS, err = w.Listen("syslog_tls", files, tlsconf.ListenerConfig{}); err != nil {
		t.Fatal(err)
	}
	if d.ClearText, err = w.Listen("syslog_tcp", tlsconf.ListenerConfig{}, tlsconf.ListenerConfig{}); err != nil {
		t.Fatal(err)
	}
	if s.Server, err = New(complete(Config{TCPAddr: local, TLSAddr: local}), d); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(t) })
	return s
}

// dial opens a connection with a client certificate for names; without any, with none.
func (s *secured) dial(t *testing.T, from *testkit.Authority, names ...string) (*tls.Conn, error) {
	t.Helper()
	c := s.authority.Client()
	if len(names) > 0 {
		cert, key := from.PairFor(t, time.Now().Add(time.Hour), names...)
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	conn, err := tls.Dial("tcp", s.TLSAddr().String(), c)
	if err == nil {
		t.Cleanup(func() { _ = conn.Close() })
	}
	return conn, err
}

func (s *secured) failed(reason string) (n float64) {
	families, _ := s.registry.Gather()
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetValue() == reason {
					n += m.GetCounter().GetValue()
				}
			}
		}
	}
	return n
}

// TestTLSFramings: over TLS, octet counts (RFC 5425) and lines are both understood, as over TCP.
func TestTLSFramings(t *testing.T) {
	t.Parallel()
	s := setupTLS(t, nil, nil)
	c, err := s.dial(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	send(t, c, "15 <13>app: th\nree<13>app: one\n12 <13>app: two<13>app: last")
	_ = c.Close()
	got := s.sink.wait(t, 4)
	if d := cmp.Diff([]string{"th\nree", "one", "two", "last"}, messages(got)); d != "" {
		t.Error(d)
	}
	if got[0].Hostname != "127.0.0.1" || got[0].SourceIP != "127.0.0.1" {
		t.Errorf("%+v", got[0])
	}
}

// TestHostnameOfTheCertificate: the name that an authority vouches for is the host of every line, and what a line claims is kept.
func TestHostnameOfTheCertificate(t *testing.T) {
	t.Parallel()
	clients := testkit.NewAuthority(t)
	s := setupTLS(t, clients, nil)
	line := func(host string) string {
		return fmt.Sprintf("<13>1 2026-11-30T12:00:00Z %s app - - - text\n", host)
	}
	for _, c := range []struct {
		names            []string
		claims           string
		hostname, fields string
	}{
		{[]string{"router1.example.net"}, "router1.example.net", "router1.example.net", ""},
		{[]string{"router1.example.net"}, "ROUTER1.example.net", "ROUTER1.example.net", ""}, // one host, as it spells itself
		{[]string{"router1.example.net"}, "router2", "router1.example.net", `{"claimed_hostname":"router2"}`},
		{[]string{"router1.example.net"}, "-", "router1.example.net", ""},
		{[]string{"192.0.2.7"}, "router2", "192.0.2.7", `{"claimed_hostname":"router2"}`},
		{[]string{"2001:db8::7"}, "-", "2001:db8::7", ""},
		{[]string{"192.0.2.7", "router1"}, "-", "router1", ""},
		{[]string{"*.example.net", "router1"}, "-", "router1", ""},
	} {
		conn, err := s.dial(t, clients, c.names...)
		if err != nil {
			t.Fatal(err)
		}
		before := len(s.sink.all())
		send(t, conn, line(c.claims))
		got := s.sink.wait(t, before+1)[before]
		if got.Hostname != c.hostname || got.Fields != c.fields || got.SourceIP != "127.0.0.1" {
			t.Errorf("%q claims %s: %q %q", c.names, c.claims, got.Hostname, got.Fields)
		}
	}
}

// TestRelayWithACertificate: a relay that is trusted sends the lines of others.
func TestRelayWithACertificate(t *testing.T) {
	t.Parallel()
	clients := testkit.NewAuthority(t)
	s := setupTLS(t, clients, func(c *netguard.Config) { c.TrustedRelays = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	conn, err := s.dial(t, clients, "relay.example.net")
	if err != nil {
		t.Fatal(err)
	}
	send(t, conn, "<13>1 2026-11-30T12:00:00Z router2 app - - - text\n")
	if got := s.sink.wait(t, 1)[0]; got.Hostname != "router2" || got.Fields != "" {
		t.Errorf("%q %q", got.Hostname, got.Fields)
	}
}

// TestClientsWithoutACertificate: whoever shows none of the authorities, or one without a name, sends nothing.
func TestClientsWithoutACertificate(t *testing.T) {
	t.Parallel()
	clients, others := testkit.NewAuthority(t), testkit.NewAuthority(t)
	s := setupTLS(t, clients, nil)
	for about, c := range map[string]struct {
		from  *testkit.Authority
		names []string
	}{
		"none":                      {},
		"another authority's":       {others, []string{"router1"}},
		"only a wildcard":           {clients, []string{"*.example.net"}},
		"a name that is not a host": {clients, []string{"-x"}},
	} {
		before := s.failed("handshake")
		conn, err := s.dial(t, c.from, c.names...) // with TLS 1.3 the client is done before the server looks
		if err == nil {
			_, _ = conn.Write([]byte("<13>app: x\n"))
			if _, err = conn.Read(make([]byte, 1)); err == nil {
				t.Errorf("%s: the connection stays", about)
			}
		}
		eventually(t, about+": counted", func() bool { return s.failed("handshake") == before+1 })
	}
	if n := len(s.sink.all()); n > 0 {
		t.Errorf("%d events were taken", n)
	}
	if n := s.logs.FilterMessage("TLS handshakes with the syslog_tls listener fail").Len(); n != 1 {
		t.Errorf("%d lines", n)
	}
}

// TestTheWrongProtocol: clear text to the port of TLS, and TLS to the port of clear text, make no event, and one line of the log each.
func TestTheWrongProtocol(t *testing.T) {
	t.Parallel()
	s := setupTLS(t, nil, nil)
	for range 3 {
		c := dial(t, s.TLSAddr())
		send(t, c, "<13>app: in clear text\n")
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("a sender of clear text gets an answer")
		}
		if _, err := tls.Dial("tcp", s.tcpAddr().String(), s.authority.Client()); err == nil {
			t.Error("the port of clear text speaks TLS")
		}
	}
	eventually(t, "counted", func() bool { return s.failed("clear_text") == 3 })
	for _, words := range []string{"clear text was sent to the syslog_tls listener", "TLS was sent to the syslog_tcp listener"} {
		if n := s.logs.FilterMessageSnippet(words).Len(); n != 1 {
			t.Errorf("%s: %d lines", words, n)
		}
	}
	if got := s.sink.all(); len(got) > 0 {
		t.Errorf("made events of it: %q", messages(got))
	}
	c, err := s.dial(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	send(t, c, "<13>app: good\n")
	s.sink.wait(t, 1)
}

// TestHandshakeDeadline is in virtual time.
func TestHandshakeDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		go func() { _, _ = client.Write([]byte{22, 3, 1}) }()
		core, logs := observer.New(zapcore.InfoLevel)
		var files tlsconf.ListenerConfig
		files.CertFile, files.KeyFile = testkit.NewAuthority(t).Pair(t, time.Now().Add(time.Hour))
		endpoint, err := tlsconf.NewWatcher(tlsconf.WatcherOptions{Log: zap.New(core), Registerer: prometheus.NewRegistry(), Now: time.Now}).
			Listen("syslog_tls", files, tlsconf.ListenerConfig{})
		if err != nil {
			t.Fatal(err)
		}
		conn, err := endpoint.Wrap(&oneConn{conn: server}, nil).Accept()
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if _, err := (&tcpServer{endpoint: endpoint}).shakeHands(context.Background(), conn); err == nil {
			t.Error("half a hello is a handshake")
		}
		if took := time.Since(begin); took != handshakeWithin {
			t.Errorf("it took %s", took)
		}
		if logs.Len() != 1 || !strings.Contains(logs.All()[0].Message, "handshakes") {
			t.Errorf("logged %v", logs.All())
		}
		_, _ = client.Close(), server.Close()
	})
}

type oneConn struct {
	net.Listener
	conn net.Conn
}

func (l *oneConn) Accept() (net.Conn, error) { return l.conn, nil }
