package cli

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/testkit"
)

// run runs a command, and returns its exit status and what it wrote.
func run(t *testing.T, environ []string, args ...string) (status int, out string) {
	t.Helper()
	var b bytes.Buffer
	status = Run(t.Context(), args, streams{in: strings.NewReader(""), out: &b, err: &b, environ: environ})
	return status, b.String()
}

// TestAuthoritiesOfCommands: a command verifies the server, by the file that it is given, else by the system's authorities, and on the
// server's own machine by the certificate that is configured there. Each refusal says what to do.
func TestAuthoritiesOfCommands(t *testing.T) {
	t.Parallel()
	a, other := testkit.NewAuthority(t), testkit.NewAuthority(t)
	m := apptest.Start(t, apptest.Options{NoDestination: true, TLS: a})
	clear := apptest.Start(t, apptest.Options{NoDestination: true})
	_, port, err := net.SplitHostPort(strings.TrimPrefix(m.AdminURL, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	notThere := filepath.Join(t.TempDir(), "none.pem")
	noCertificate := filepath.Join(t.TempDir(), "text.pem")
	if err := os.WriteFile(noCertificate, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	key := "MUTT_API_KEY=" + apptest.AdminKey
	for _, c := range []struct {
		about  string
		server string
		env    []string
		args   []string
		want   string // "" for success
	}{
		{"the authority by a flag", m.AdminURL, nil, []string{"--ca-file", a.CAFile}, ""},
		{"the authority by a variable", m.AdminURL, []string{"MUTT_CA_FILE=" + a.CAFile}, nil, ""},
		{"a flag over a variable", m.AdminURL, []string{"MUTT_CA_FILE=" + other.CAFile}, []string{"--ca-file", a.CAFile}, ""},
		{"another authority", m.AdminURL, nil, []string{"--ca-file", other.CAFile}, "is not trusted"},
		{"none", m.AdminURL, nil, nil, "--ca-file FILE, or in MUTT_CA_FILE"},
		{"the server's own settings", m.AdminURL, []string{"MUTT_TLS_CERT_FILE=" + m.CertFile, "MUTT_TLS_KEY_FILE=" + m.KeyFile}, nil, ""},
		{"settings of another certificate", m.AdminURL, []string{"MUTT_TLS_CERT_FILE=" + certificateOf(t, other), "MUTT_TLS_KEY_FILE=x"}, nil, "is not trusted"},
		{"a name that the certificate has not", "https://[::1]:" + port, nil, []string{"--ca-file", a.CAFile}, "no MUTT server answers"},
		{"clear text to TLS", strings.Replace(m.AdminURL, "https", "http", 1), nil, nil, "begin the URL with https://"},
		{"TLS to clear text", strings.Replace(clear.AdminURL, "http", "https", 1), nil, nil, "begin the address with http://"},
		{"no file", m.AdminURL, nil, []string{"--ca-file", notThere}, "--ca-file: the file cannot be read"},
		{"no certificate", m.AdminURL, []string{"MUTT_CA_FILE=" + noCertificate}, nil, "holds no certificate"},
	} {
		status, out := run(t, append([]string{key}, c.env...), append([]string{"rules", "list", "--server", c.server}, c.args...)...)
		if (status == 0) != (c.want == "") || !strings.Contains(out, c.want) {
			t.Errorf("%s: status %d: %s", c.about, status, out)
		}
	}
}

func certificateOf(t *testing.T, a *testkit.Authority) string {
	cert, _ := a.Pair(t, time.Now().Add(time.Hour))
	return cert
}

// TestSelfSignedCertificateOfThisMachine: the command accepts it although it is for another name, and no system trusts it.
func TestSelfSignedCertificateOfThisMachine(t *testing.T) {
	t.Parallel()
	a := testkit.NewAuthority(t)
	for _, names := range [][]string{{"mutt.example.net"}, {"*.example.net"}, {"192.0.2.1"}} {
		m := apptest.Start(t, apptest.Options{NoDestination: true, TLS: a, Names: names})
		env := []string{"MUTT_API_KEY=" + apptest.AdminKey, "INGEST_API_KEY=" + apptest.IngestKey, "MUTT_TLS_CERT_FILE=" + m.CertFile, "MUTT_TLS_KEY_FILE=" + m.KeyFile}
		for _, args := range [][]string{
			{"rules", "list", "--server", m.AdminURL},
			{"send", "--count", "3", "--target", m.IngestURL},
			{"send", "--count", "3", "--to", "syslog-tls", "--target", m.SyslogTLS},
		} {
			if status, out := run(t, env, args...); status != 0 {
				t.Errorf("%q, %q: status %d: %s", names, args, status, out)
			}
			if status, _ := run(t, env[:2], append(args, "--retry", "1s")...); status == 0 && args[0] == "send" {
				t.Errorf("%q, %q: a certificate that nobody vouches for is accepted", names, args)
			}
		}
		m.ExpectAudit(6, nil)
		m.Stop()
	}
}
