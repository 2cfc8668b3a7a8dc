package acceptance

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/app/apptest"
)

// TestIdleCrowds: one address holds as many connections to each listener as it can get, of a process that may open few files. Another
// address is served by every listener, and the process lives on.
func TestIdleCrowds(t *testing.T) {
	t.Parallel()
	s := newSite(t, t.TempDir(), apptest.NewDestination(t).URL)
	p := launch(t, s, exec.Command("sh", "-c", "ulimit -n 400 && exec "+binary(t)+" serve"))
	p.ready()
	held := 0
	for _, addr := range []string{s.ingest, s.admin, s.tcp, s.ops} {
		for range 300 {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				continue // the process is busy closing them
			}
			defer func() { _ = c.Close() }()
			held++
			_, _ = io.WriteString(c, "<") // it would be closed soon otherwise; it may be closed already
		}
	}
	device := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: 5 * time.Second}
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DialContext: device.DialContext, DisableKeepAlives: true}}
	get := func(addr, path string) string {
		resp, err := client.Get("http://" + addr + path)
		if err != nil {
			t.Errorf("%s from another address: %v", addr, err)
			return ""
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%s from another address: %d %s %v", addr, resp.StatusCode, body, err)
		}
		return string(body)
	}
	c, err := device.DialContext(t.Context(), "tcp", s.tcp)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := fmt.Fprint(c, "<13>1 2026-11-30T12:00:00Z crowded app - - - after the crowd\n"); err != nil {
		t.Fatal(err)
	}
	apptest.Eventually(t, "the device's message is stored", func() (bool, any) {
		p.lives()
		metrics := get(s.ops, "/metrics")
		return strings.Contains(metrics, `mutt_ingest_syslog_messages_total{format="rfc5424",transport="tcp"} 1`), held
	})
	for _, addr := range []string{s.ingest, s.admin, s.ops} {
		get(addr, "/health")
	}
	health := get(s.ops, "/health")
	for _, part := range []string{"idle connections to the ingest listener are closed to make room for new ones", "idle connections to the syslog_tcp listener are closed to make room for new ones"} {
		if !strings.Contains(health, part) {
			t.Errorf("/health does not say %q: %s", part, health)
		}
	}
	if strings.Contains(health, "127.0.0.1") {
		t.Errorf("/health names an address: %s", health)
	}
	log, err := os.ReadFile(s.logFile)
	if err != nil || !strings.Contains(string(log), "limits.connections was lowered") {
		t.Errorf("the log does not say that the process may open few files: %v", err)
	}
	p.stop()
}
