package acceptance

import (
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/muttproject/mutt/app/apptest"
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
