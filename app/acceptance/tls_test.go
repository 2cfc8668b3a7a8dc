package acceptance

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/testkit"
)

// TestListenersOverTLS: with one certificate all listeners speak TLS, a sender of syslog is who its certificate says, a browser's session has
// the cookie of TLS, and a new certificate is in force without a restart.
func TestListenersOverTLS(t *testing.T) { inBothModes(t, listenersOverTLS) }

func listenersOverTLS(t *testing.T, in mode) {
	t.Parallel()
	a := testkit.NewAuthority(t)
	m := in.run(t, apptest.Options{TLS: a, Env: map[string]string{"MUTT_TLS_CLIENT_CA_FILE": a.CAFile}})
	for _, base := range []string{m.IngestURL, m.AdminURL, m.OpsURL} {
		got := m.Do(http.MethodGet, base+"/health", nil)
		if got.Status != http.StatusOK || !strings.HasPrefix(base, "https://") || got.Header.Get("X-Content-Type-Options") != "nosniff" || strings.Contains(string(got.Body), "clear text") {
			t.Errorf("%s: %d %v %s", base, got.Status, got.Header, got.Body)
		}
	}
	m.Send(apptest.Event("http-host", down("Gi0/1")))

	conn := syslogOverTLS(t, m, a, "router1.example.net")
	if _, err := io.WriteString(conn, framed("router1.example.net", down("Gi0/2"))+framed("router2", down("Gi0/3"))); err != nil {
		t.Fatal(err)
	}
	for description, claimed := range map[string]string{down("Gi0/2"): "", down("Gi0/3"): "router2"} {
		alert := m.ExpectDescription(description)
		info, err := json.Marshal(alert.CustomInfo)
		if err != nil || alert.Source != "router1.example.net" || strings.Contains(string(info), `"claimed_hostname":"router2"`) != (claimed != "") {
			t.Errorf("%s: of %s, %s, %v", description, alert.Source, info, err)
		}
	}
	m.ExpectAudit(2, url.Values{"hostname": {"router1.example.net"}})

	login, err := json.Marshal(apiclient.Login{Key: apptest.AdminKey})
	if err != nil {
		t.Fatal(err)
	}
	session := m.Do(http.MethodPost, m.AdminURL+"/api/v2/session", login, "Content-Type", "application/json")
	cookie, err := http.ParseSetCookie(session.Header.Get("Set-Cookie"))
	if err != nil || cookie.Name != httpserver.SecureSessionCookie || !cookie.Secure || !cookie.HttpOnly || cookie.Path != "/" || cookie.Domain != "" {
		t.Fatalf("%d %+v, %v", session.Status, cookie, err)
	}
	if got := m.Do(http.MethodGet, m.AdminURL+"/api/v2/rules", nil, "Cookie", cookie.Name+"="+cookie.Value); got.Status != http.StatusOK {
		t.Errorf("by the session: %d %s", got.Status, got.Body)
	}

	before := serialOf(t, m, a)
	cert, key := a.Pair(t, time.Now().Add(24*time.Hour))
	testkit.Replace(t, map[string]string{m.CertFile: cert, m.KeyFile: key})
	apptest.Eventually(t, "the new certificate is in force", func() (bool, any) { return serialOf(t, m, a) != before, before })
	if _, err := io.WriteString(conn, framed("router1.example.net", down("Gi0/4"))); err != nil { // the connection of before lives on
		t.Fatal(err)
	}
	m.ExpectDescription(down("Gi0/4"))
	if health := string(m.Do(http.MethodGet, m.OpsURL+"/health", nil).Body); !strings.Contains(health, "the certificate of MUTT's listeners (listeners.tls.cert_file) expires at") {
		t.Errorf("/health does not say that the new certificate ends in a day: %s", health)
	}
	m.ExpectBalanced()
}

func syslogOverTLS(t *testing.T, m *apptest.MUTT, a *testkit.Authority, name string) *tls.Conn {
	t.Helper()
	cert, key := a.PairFor(t, time.Now().Add(time.Hour), name)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	c := a.Client()
	c.Certificates = []tls.Certificate{pair}
	conn, err := tls.Dial("tcp", m.SyslogTLS, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// framed is a message as RFC 5425 frames it.
func framed(host, text string) string {
	line := fmt.Sprintf("<187>1 %s %s - - - - %s", time.Now().UTC().Format(time.RFC3339), host, text)
	return fmt.Sprintf("%d %s", len(line), line)
}

func serialOf(t *testing.T, m *apptest.MUTT, a *testkit.Authority) string {
	t.Helper()
	conn, err := tls.Dial("tcp", strings.TrimPrefix(m.AdminURL, "https://"), a.Client())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}
