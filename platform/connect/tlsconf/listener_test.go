package tlsconf_test

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/testkit"
)

const endOfCertificate = `
# HELP mutt_tls_certificate_expiry_timestamp_seconds When the certificate of a listener expires, in Unix time.
# TYPE mutt_tls_certificate_expiry_timestamp_seconds gauge
mutt_tls_certificate_expiry_timestamp_seconds{listener="admin"} END
mutt_tls_certificate_expiry_timestamp_seconds{listener="ingest"} END
`

// TestCertificateOfAListenerEnds is in virtual time: a warning begins 14 days before the end, and a new certificate is found by itself.
func TestCertificateOfAListenerEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := testkit.NewAuthority(t)
		common := tlsconf.ListenerConfig{}
		common.CertFile, common.KeyFile = a.Pair(t, time.Now().Add(14*24*time.Hour+time.Minute))
		registry := prometheus.NewRegistry()
		core, logs := observer.New(zap.InfoLevel)
		w := tlsconf.NewWatcher(tlsconf.WatcherOptions{Log: zap.New(core), Registerer: registry, Now: time.Now})
		for _, name := range []string{"ingest", "admin"} {
			if _, err := w.Listen(name, tlsconf.ListenerConfig{}, common); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		warned := func(want ...string) {
			t.Helper()
			got, err := w.Ready(t.Context())
			if d := cmp.Diff(want, got); err != nil || d != "" {
				t.Errorf("%v %s", err, d)
			}
		}
		end := time.Now().Add(14*24*time.Hour + time.Minute).UTC()
		measured := func() {
			t.Helper()
			want := strings.ReplaceAll(endOfCertificate, "END", strconv.FormatFloat(float64(end.Unix()), 'g', -1, 64))
			if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "mutt_tls_certificate_expiry_timestamp_seconds"); err != nil {
				t.Error(err)
			}
		}
		measured()
		time.Sleep(time.Minute - time.Second)
		warned()
		time.Sleep(2 * time.Second)
		const which = "the certificate of MUTT's listeners (listeners.tls.cert_file)"
		warned(which + " expires at " + end.Format(time.RFC3339))
		renew := func(life time.Duration) {
			end = time.Now().Add(life).UTC()
			cert, key := a.Pair(t, end)
			testkit.Replace(t, map[string]string{common.CertFile: cert, common.KeyFile: key})
			time.Sleep(11 * time.Second)
			measured()
		}
		renew(5 * time.Second)
		warned(which + " expired at " + end.Format(time.RFC3339))
		renew(30 * 24 * time.Hour)
		warned()
		if n := logs.FilterMessageSnippet("new certificates are in force").Len(); n != 4 {
			t.Errorf("%d lines for two changes of two listeners", n)
		}

		if err := os.WriteFile(common.KeyFile, []byte("nothing"), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		warned("listeners.tls.cert_file and listeners.tls.key_file: the files are not a certificate and its key; the last good certificates stay in force")
		if err := w.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestWhichCertificate: a listener has its own certificate and authorities, else those of all listeners.
func TestWhichCertificate(t *testing.T) {
	t.Parallel()
	common := tlsconf.ListenerConfig{CertFile: "c", KeyFile: "k", ClientCAFile: "a"}
	for _, c := range []struct{ own, common, want tlsconf.ListenerConfig }{
		{tlsconf.ListenerConfig{}, common, common},
		{tlsconf.ListenerConfig{CertFile: "c2", KeyFile: "k2"}, common, tlsconf.ListenerConfig{CertFile: "c2", KeyFile: "k2", ClientCAFile: "a"}},
		{tlsconf.ListenerConfig{CertFile: "c2"}, common, tlsconf.ListenerConfig{CertFile: "c2", ClientCAFile: "a"}}, // never the key of another certificate
		{tlsconf.ListenerConfig{ClientCAFile: "a2"}, common, tlsconf.ListenerConfig{CertFile: "c", KeyFile: "k", ClientCAFile: "a2"}},
	} {
		if got := c.own.Over(c.common); got != c.want || !got.On() {
			t.Errorf("%+v over %+v is %+v", c.own, c.common, got)
		}
	}
	if off := (tlsconf.ListenerConfig{CertFile: static.Off}).Over(common); off.On() {
		t.Error("a listener that is to speak clear text does not")
	}
	if (tlsconf.ListenerConfig{ClientCAFile: "a"}).On() {
		t.Error("authorities alone turn TLS on")
	}
}

// TestListenerFilesThatDoNotFit: the error at the start names the setting that must be changed, the listener's own or the default.
func TestListenerFilesThatDoNotFit(t *testing.T) {
	t.Parallel()
	a := testkit.NewAuthority(t)
	cert, key := a.Pair(t, time.Now().Add(time.Hour))
	other, _ := a.Pair(t, time.Now().Add(time.Hour))
	missing := filepath.Join(t.TempDir(), "none")
	for want, c := range map[string]struct{ own, common tlsconf.ListenerConfig }{
		"listeners.tls.cert_file: the file cannot be read":                              {common: tlsconf.ListenerConfig{CertFile: missing, KeyFile: key}},
		"listeners.admin_tls.cert_file and listeners.admin_tls.key_file: a certificate": {own: tlsconf.ListenerConfig{CertFile: cert}, common: tlsconf.ListenerConfig{CertFile: cert, KeyFile: key}},
		"listeners.admin_tls.cert_file and listeners.admin_tls.key_file: the files":     {own: tlsconf.ListenerConfig{CertFile: other, KeyFile: key}},
		"listeners.admin_tls.client_ca_file: the file holds no certificate":             {own: tlsconf.ListenerConfig{ClientCAFile: key}, common: tlsconf.ListenerConfig{CertFile: cert, KeyFile: key}},
		"listeners.tls.client_ca_file: the file holds no certificate":                   {common: tlsconf.ListenerConfig{CertFile: cert, KeyFile: key, ClientCAFile: key}},
		"listeners.tls.cert_file and listeners.tls.key_file: the files are not":         {common: tlsconf.ListenerConfig{CertFile: key, KeyFile: cert}},
	} {
		if _, err := newWatcher(zap.NewNop()).Listen("admin", c.own, c.common); !fault.Is(err, fault.ConfigInvalid) || !strings.Contains(err.Error(), ": "+want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}

// TestAuthoritiesOfClientsChange: a certificate of an authority that was taken out is refused from then on, also by a client that was let in before.
func TestAuthoritiesOfClientsChange(t *testing.T) {
	t.Parallel()
	a, b := testkit.NewAuthority(t), testkit.NewAuthority(t)
	cert, key := a.Pair(t, time.Now().Add(30*24*time.Hour))
	c := tlsconf.ListenerConfig{CertFile: cert, KeyFile: key, ClientCAFile: filepath.Join(t.TempDir(), "clients.pem")}
	testkit.Replace(t, map[string]string{c.ClientCAFile: a.CAFile})
	w := newWatcher(zap.NewNop())
	endpoint, err := w.Listen("syslog_tls", c, tlsconf.ListenerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := endpoint.Wrap(plain, nil)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = conn.Write([]byte("x")); _ = conn.Close() }()
		}
	}()
	client := a.Client()
	client.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	clientCert, clientKey := a.Pair(t, time.Now().Add(time.Hour))
	pair, err := tls.LoadX509KeyPair(clientCert, clientKey)
	if err != nil {
		t.Fatal(err)
	}
	client.Certificates = []tls.Certificate{pair}
	for range 2 {
		if err := speak(l.Addr().String(), client); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Replace(t, map[string]string{c.ClientCAFile: b.CAFile})
	reload(t, w)
	if err := speak(l.Addr().String(), client); err == nil {
		t.Error("a client of an authority that was taken out is let in")
	}
}
