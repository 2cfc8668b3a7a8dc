package acceptance

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/configs"
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/testkit"
)

// deviceLine is a line of a device and what is known of its event, by whatever way it came.
type deviceLine struct {
	name     string
	line     string // {layout} is the time
	host     string // "" when the device does not write it: then the relay decides
	begins   string // the message begins so
	rule     string // a starter rule
	severity int    // the destination's scale
}

// deviceLines have a line for each form of the header before a mnemonic. Each ends with " via " and the way, which tells the events apart.
var deviceLines = []deviceLine{
	{"ios", "<189>45: *{Jan _2 15:04:05.000} UTC: %SYS-5-CONFIG_I: Configured from console by admin on vty0 (198.51.100.4)", "",
		"%SYS-5-CONFIG_I: Configured from console", "configuration change", 2},
	{"ios origin-id", "<187>46: rtr-3: {Jan _2 15:04:05.000} UTC: %LINK-3-UPDOWN: Interface GigabitEthernet0/1, changed state to down", "rtr-3",
		"%LINK-3-UPDOWN: Interface GigabitEthernet0/1, changed", "interface down", 4},
	{"ios two numbers", "<189>3132811: sw01: 3132807: .{Jan _2 2006 15:04:05.000} UTC: %SYS-5-CONFIG_I: Configured from memory", "sw01",
		"%SYS-5-CONFIG_I: Configured from memory", "configuration change", 2},
	{"ios without time", "<189>%SYS-5-CONFIG_I: Configured from console by vty1", "", "%SYS-5-CONFIG_I: Configured from console", "configuration change", 2},
	{"ios uptime", "<189>65: 2d03h: %SYS-5-CONFIG_I: Configured from console by vty2", "", "%SYS-5-CONFIG_I: Configured from console", "configuration change", 2},
	{"nx-os", "<187>n9k-1: {2006 Jan _2 15:04:05} UTC: %ETHPORT-3-IF_DOWN_LINK_FAILURE: Interface Ethernet1/1 is down (Link failure)", "n9k-1",
		"%ETHPORT-3-IF_DOWN_LINK_FAILURE: Interface Ethernet1/1 is down", "interface down", 4},
	{"nx-os without host", "<187>: {2006 Jan _2 15:04:05} UTC: %ETHPORT-3-IF_DOWN_LINK_FAILURE: Interface Ethernet1/2 is down (Link failure)", "",
		"%ETHPORT-3-IF_DOWN_LINK_FAILURE: Interface Ethernet1/2 is down", "interface down", 4},
	{"ios-xr", "<189>1105: xr-1 RP/0/RP0/CPU0:{Jan _2 15:04:05.000} : bgp[1052]: %ROUTING-BGP-5-ADJCHANGE : neighbor 192.0.2.1 Down - Hold timer expired", "xr-1",
		"%ROUTING-BGP-5-ADJCHANGE", "BGP neighbor down", 5},
	{"asa", "<164>{Jan _2 2006 15:04:05} asa-1 : %ASA-4-106023: Deny icmp src outside:192.0.2.98 dst inside:198.51.100.7", "asa-1", "%ASA-4-106023: Deny icmp", "firewall denied", 3},
	{"asa without host", "<165>{2006-01-02T15:04:05Z}: %ASA-5-111008: User enable_15 executed the command", "", "%ASA-5-111008: User enable_15", "", 2},
}

// of returns the line as it is sent by a way.
func (d *deviceLine) of(way string, at time.Time) string {
	before, rest, timed := strings.Cut(d.line, "{")
	if layout, after, ok := strings.Cut(rest, "}"); timed && ok {
		before += at.Format(layout) + after
	}
	return before + d.mark(way)
}

func (d *deviceLine) mark(way string) string { return " via " + way + ", " + d.name + "." }

// guideBlock returns the fenced block of the guide to senders that follows a mark.
func guideBlock(t *testing.T, mark string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs/guides/senders.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, marked := strings.Cut(string(text), "<!-- run: "+mark+" -->\n```\n")
	block, _, closed := strings.Cut(after, "\n```\n")
	if !marked || !closed {
		t.Fatalf("the guide has no block %q", mark)
	}
	return block + "\n"
}

// way is how lines come to MUTT: relay starts a relay, whose address is returned; network is what it is written to over.
type way struct {
	name, network string
	direct        bool
	relay         func(t *testing.T, m *apptest.MUTT) (addr string)
}

// ways are the direct ones, and the configurations of the guide with each variant that its text names.
func ways() []way {
	all := []way{
		{"UDP", "udp", true, func(_ *testing.T, m *apptest.MUTT) string { return m.SyslogUDP }},
		{"TCP", "tcp", true, func(_ *testing.T, m *apptest.MUTT) string { return m.SyslogTCP }},
	}
	const template = "RSYSLOG_SyslogProtocol23Format"
	for _, other := range []string{template, "RSYSLOG_ForwardFormat", "RSYSLOG_TraditionalForwardFormat"} {
		all = append(all, way{"rsyslog " + other, "tcp", false, func(t *testing.T, m *apptest.MUTT) string {
			block := replaceOnce(t, guideBlock(t, "rsyslog"), template, other)
			return testkit.Rsyslog(t, func(r *testkit.SyslogRelay) string {
				return fmt.Sprintf("global(workDirectory=%q)\n", r.Dir) + forTest(t, block, m, r)
			}).Addr()
		}})
	}
	const driver, udp, tcp = `syslog("mutt.example.net" port(5514) transport("tcp")`, `network(transport("udp") port(514))`, `network(transport("tcp") port(514))`
	for name, edit := range map[string][]string{
		"syslog": {}, "network": {driver, `network("mutt.example.net" port(5514)`},
		"network syslog-protocol": {driver, `network("mutt.example.net" port(5514) flags(syslog-protocol)`},
		"network no-parse":        {driver, `network("mutt.example.net" port(5514)`, udp, `network(transport("udp") port(514) flags(no-parse))`, tcp, `network(transport("tcp") port(514) flags(no-parse))`},
		"syslog no-parse":         {udp, `network(transport("udp") port(514) flags(no-parse))`, tcp, `network(transport("tcp") port(514) flags(no-parse))`},
		"http":                    {},
	} {
		all = append(all, way{"syslog-ng " + name, "tcp", false, func(t *testing.T, m *apptest.MUTT) string {
			destination := "syslog-ng destination"
			if name == "http" {
				destination = "syslog-ng http"
			}
			block := guideBlock(t, "syslog-ng source") + guideBlock(t, destination)
			for i := 0; i < len(edit); i += 2 {
				block = replaceOnce(t, block, edit[i], edit[i+1])
			}
			return testkit.SyslogNG(t, func(r *testkit.SyslogRelay) string { return "@version: current\n" + forTest(t, block, m, r) }).Addr()
		}})
	}
	return all
}

func replaceOnce(t *testing.T, text, from, to string) string {
	t.Helper()
	if strings.Count(text, from) != 1 {
		t.Fatalf("the configuration of the guide has %d times %q:\n%s", strings.Count(text, from), from, text)
	}
	return strings.Replace(text, from, to, 1)
}

// forTest puts the addresses, the key and the directory of a test in place of those of the guide.
func forTest(t *testing.T, block string, m *apptest.MUTT, r *testkit.SyslogRelay) string {
	t.Helper()
	host, port, err := net.SplitHostPort(m.SyslogTCP)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("http://mutt.example.net:8080", m.IngestURL, "X-API-KEY: KEY", "X-API-KEY: "+apptest.IngestKey, "mutt.example.net", host,
		`port="5514"`, fmt.Sprintf("port=%q", port), "port(5514)", "port("+port+")",
		`port="514"`, fmt.Sprintf(`address="127.0.0.1" port="%d"`, r.Port), "port(514)", fmt.Sprintf(`ip("127.0.0.1") port(%d)`, r.Port),
		"/var/lib/syslog-ng", r.Dir).Replace(block)
}

// TestRelays sends lines of Cisco's directly, and through a real rsyslog and a real syslog-ng with each configuration of the guide: the starter
// rules match them all the same, and the hostname is the device's.
func TestRelays(t *testing.T) { inBothModes(t, relays) }

func relays(t *testing.T, in mode) {
	t.Parallel()
	m := in.run(t, apptest.Options{Rules: configs.StarterRules})
	at := time.Now().UTC().Add(-time.Minute)
	all := ways()
	for _, w := range all {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), w.network, w.relay(t, m))
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range deviceLines {
			if _, err := fmt.Fprintln(conn, d.of(w.name, at)); err != nil { // each is one datagram over UDP
				t.Fatal(err)
			}
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	rows := m.ExpectAudit(len(all)*len(deviceLines), url.Values{"limit": {"200"}})
	for _, w := range all {
		for _, d := range deviceLines {
			checkDeviceLine(t, rows, &d, &w)
		}
	}
	m.ExpectBalanced()
}

// checkDeviceLine finds the one event of a line that came by a way.
func checkDeviceLine(t *testing.T, rows []apiclient.AuditLog, d *deviceLine, w *way) {
	t.Helper()
	host := d.host
	if host == "" && w.direct {
		host = "127.0.0.1"
	}
	for _, row := range rows {
		var event struct{ Message string }
		if err := json.Unmarshal(row.RawMessage, &event); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(event.Message, d.mark(w.name)) {
			continue
		}
		if !strings.HasPrefix(event.Message, d.begins) || row.RuleName != d.rule || host != "" && row.Hostname != host || row.Severity != d.severity && d.rule != "" {
			t.Errorf("%s by %s: host %s, rule %q, severity %d, event %s", d.name, w.name, row.Hostname, row.RuleName, row.Severity, row.RawMessage)
		}
		return
	}
	t.Errorf("%s by %s: no event", d.name, w.name)
}
