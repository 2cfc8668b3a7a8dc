package acceptance

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/testkit"
)

// command runs a sender to its end.
func command(t *testing.T, name string, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, out)
	}
}

// TestLogger sends with util-linux's logger, in both forms over both networks.
func TestLogger(t *testing.T) { inBothModes(t, logger) }

func logger(t *testing.T, in mode) {
	t.Parallel()
	logger := tool(t, "logger")
	m := in.start(t, nil)
	forms := map[string][]string{
		"UDP": {"--udp"}, "TCP": {"--tcp"}, "UDP5424": {"--udp", "--rfc5424"}, "TCP5424": {"--tcp", "--rfc5424"},
		"UDP3164": {"--udp", "--rfc3164"}, "TCPoctet": {"--tcp", "--octet-count", "--rfc5424"},
	}
	for form, args := range forms {
		addr := m.SyslogUDP
		if args[0] == "--tcp" {
			addr = m.SyslogTCP
		}
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			t.Fatal(err)
		}
		command(t, logger, append(args, "-n", host, "-P", port, "-p", "local0.err", "-t", "acceptance", down(form))...)
	}
	for form := range forms {
		a := m.ExpectAlert(form, func(a apptest.Alert) bool { return strings.HasSuffix(a.Signature, "::interface::"+form) })
		event, _ := a.CustomInfo["event"].(map[string]any)
		if a.Description != down(form) || a.Severity != 4 || event["app_name"] != "acceptance" || event["facility"] != 16.0 {
			t.Errorf("%s arrived as %+v", form, a)
		}
	}
	if l := m.ExpectBalanced(); l.Judging.Received != int64(len(forms)) {
		t.Errorf("the books say %+v", l)
	}
}

// TestRsyslog forwards with a real rsyslogd: its file input, its disk-assisted queue and omfwd over TCP.
func TestRsyslog(t *testing.T) { inBothModes(t, rsyslog) }

func rsyslog(t *testing.T, in mode) {
	t.Parallel()
	rsyslogd := tool(t, "rsyslogd")
	m := in.start(t, nil)
	host, port, err := net.SplitHostPort(m.SyslogTCP)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	input := testkit.FreePort(t)
	conf := filepath.Join(dir, "rsyslog.conf")
	text := fmt.Sprintf(`
global(workDirectory=%q)
module(load="imtcp")
input(type="imtcp" address="127.0.0.1" port="%d")
*.* action(type="omfwd" target=%q port=%q protocol="tcp" TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format")
`, dir, input, host, port)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), rsyslogd, "-n", "-f", conf, "-i", filepath.Join(dir, "pid"))
	log, err := os.Create(filepath.Join(dir, "rsyslogd.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		_ = log.Close()
	})
	const lines = 50
	relay(t, fmt.Sprintf("127.0.0.1:%d", input), lines)
	for i := range lines {
		name := fmt.Sprintf("Gi2/0/%d", i)
		a := m.ExpectAlert(name, func(a apptest.Alert) bool { return a.Signature == "relayed::interface::"+name })
		if a.Severity != 4 || a.Source != "relayed" {
			t.Errorf("%s arrived as %+v", name, a)
		}
	}
	m.ExpectBalanced()
	m.ExpectAudit(lines, url.Values{"hostname": {"relayed"}, "limit": {"200"}})
}

// relay writes lines to rsyslogd's own listener, once that is open.
func relay(t *testing.T, addr string, lines int) {
	t.Helper()
	var conn net.Conn
	apptest.Eventually(t, "rsyslogd listens", func() (bool, any) {
		var err error
		conn, err = (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		return err == nil, err
	})
	for i := range lines {
		if _, err := fmt.Fprintf(conn, "<187>Oct 11 22:14:15 relayed link: %s\n", down(fmt.Sprintf("Gi2/0/%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCurl sends with curl, as the README shows.
func TestCurl(t *testing.T) { inBothModes(t, curl) }

func curl(t *testing.T, in mode) {
	t.Parallel()
	curl := tool(t, "curl")
	m := in.start(t, nil)
	command(t, curl, "-fsS", "-H", "X-API-KEY: "+apptest.IngestKey, "-H", "Content-Type: application/json",
		"-d", string(apptest.Event("curl", down("Gi0/1"))), m.IngestURL+"/api/v2/ingest")
	if a := m.ExpectDescription(down("Gi0/1")); a.Source != "curl" {
		t.Errorf("it arrived as %+v", a)
	}
	m.ExpectBalanced()
}
