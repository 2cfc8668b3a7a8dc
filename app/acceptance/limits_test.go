package acceptance

import (
	"net/http"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/app/apptest"
)

// TestQueueCap fills the ingest queue while nobody judges: then 503 with Retry-After, and a batch that does not fit
// is refused. When an alerter comes, exactly what was accepted is judged.
func TestQueueCap(t *testing.T) { inBothModes(t, queueCap) }

func queueCap(t *testing.T, in mode) {
	t.Parallel()
	m := in.run(t, apptest.Options{Roles: app.RoleSet{app.Ingestor, app.UI},
		Env: map[string]string{"MAX_INGEST_QUEUE_SIZE": "10"}})
	accepted := 0
	for range 30 {
		a := m.Post("/api/v2/ingest", apptest.Event("full", down("Gi0/1")))
		switch a.Status {
		case http.StatusOK:
			accepted++
		case http.StatusServiceUnavailable:
			secs, err := strconv.Atoi(a.Header.Get("Retry-After"))
			if err != nil || secs < 1 || !strings.Contains(string(a.Body), "queue") {
				t.Fatalf("503 with Retry-After %q: %s", a.Header.Get("Retry-After"), a.Body)
			}
		default:
			t.Fatalf("it was answered with %d %s", a.Status, a.Body)
		}
	}
	if q := m.Queue("ingest"); accepted != 10 || q.Depth != 10 {
		t.Fatalf("%d were accepted; the queue is %+v", accepted, q)
	}
	m.Restart(app.Roles())
	l := m.ExpectBalanced()
	if l.Judging.Received != 10 || l.Delivery.Delivered != 10 {
		t.Errorf("the books say %+v", l)
	}
	m.ExpectAudit(10, url.Values{"hostname": {"full"}})
	m.Send(apptest.Event("full", down("Gi0/1"))) // and there is room again
}

// TestQueueCapInBytes floods the ingest queue without a key while nobody judges: the large messages fill it long before their
// number does. What was taken in is judged, and the queue then holds no bytes.
func TestQueueCapInBytes(t *testing.T) { inBothModes(t, queueCapInBytes) }

func queueCapInBytes(t *testing.T, in mode) {
	t.Parallel()
	const most = 8 << 20
	m := in.run(t, apptest.Options{Roles: app.RoleSet{app.Ingestor, app.UI}, Env: map[string]string{"MAX_INGEST_QUEUE_BYTES": strconv.Itoa(most)}})
	f := newFlood(t, m.SyslogUDP)
	large := apptest.Event("full", strings.Repeat("x", 100_000)) // compresses to nothing, and counts all the same
	refused := ""
	apptest.EventuallyWithin(t, 30*time.Second, "senders are told to wait", func() (bool, any) {
		a := m.Post("/api/v2/ingest", large)
		refused = string(a.Body)
		return a.Status == http.StatusServiceUnavailable && a.Header.Get("Retry-After") != "", refused
	})
	if !strings.Contains(refused, "bytes") {
		t.Errorf("a sender got %s", refused)
	}
	apptest.EventuallyWithin(t, 30*time.Second, "datagrams are counted as dropped for the bytes", func() (bool, any) {
		text := string(m.Do(http.MethodGet, m.OpsURL+"/metrics", nil).Body)
		return figure(text, `mutt_ingest_syslog_dropped_total{cause="queue_bytes_full",transport="udp"}`) > 0, nil
	})
	f.stop()
	// In Redis, what the other partitions hold is known as of 200 ms ago, in which the flood is 6 MB.
	if q := m.Queue("ingest"); q.Bytes > 2*most || q.Bytes < most/2 || q.Depth > 300 {
		t.Errorf("the queue is %+v", q)
	}
	m.Restart(app.Roles())
	m.ExpectBalanced()
	if q := m.Queue("ingest"); q.Bytes != 0 {
		t.Errorf("an empty queue holds %d bytes", q.Bytes)
	}
	m.Send(large) // and there is room again
}

// TestIngestRateLimit answers 429 with Retry-After above the configured rate, from the moment of the change.
func TestIngestRateLimit(t *testing.T) { inBothModes(t, ingestRateLimit) }

func ingestRateLimit(t *testing.T, in mode) {
	t.Parallel()
	m := in.start(t, nil)
	m.SetConfig("ingest_max_rate", 5)
	m.SetConfig("ingest_rate_window", 3600)
	m.SetConfig("ingest_rate_limit_enabled", true)
	limited := 0
	for range 20 {
		a := m.Post("/ingest", apptest.Event("busy", down("Gi0/1")))
		if a.Status == http.StatusTooManyRequests {
			limited++
			if a.Header.Get("Retry-After") == "" {
				t.Fatalf("429 without Retry-After: %v", a.Header)
			}
		} else if a.Status != http.StatusOK {
			t.Fatalf("it was answered with %d %s", a.Status, a.Body)
		}
	}
	if limited == 0 || limited == 20 {
		t.Errorf("%d of 20 were limited", limited)
	}
	m.SetConfig("ingest_rate_limit_enabled", false)
	m.Send(apptest.Event("busy", down("Gi0/1")))
	if l := m.ExpectBalanced(); l.Judging.Received != int64(21-limited) {
		t.Errorf("the books say %+v", l)
	}
}

// TestKeys holds who may do what.
func TestKeys(t *testing.T) { inBothModes(t, keys) }

func keys(t *testing.T, in mode) {
	t.Parallel()
	m := in.start(t, nil)
	event := apptest.Event("keys", down("Gi0/1"))
	for _, c := range []struct {
		what, method, url, key string
		body                   []byte
		want                   int
	}{
		{"no key", "POST", m.IngestURL + "/ingest", "", event, 401},
		{"unknown key", "POST", m.IngestURL + "/ingest", "guess", event, 401},
		{"ingest key", "POST", m.IngestURL + "/ingest", apptest.IngestKey, event, 200},
		{"ingest key reads rules", "GET", m.AdminURL + "/api/v2/rules", apptest.IngestKey, nil, 403},
		{"ingest key reads the configuration", "GET", m.IngestURL + "/admin/config", apptest.IngestKey, nil, 403},
		{"admin key reads the configuration", "GET", m.IngestURL + "/admin/config", apptest.AdminKey, nil, 200},
		{"health needs none", "GET", m.IngestURL + "/health", "", nil, 200},
		{"version needs none", "GET", m.AdminURL + "/api/v1/version", "", nil, 200},
		{"the login needs none", "GET", m.AdminURL + "/login", "", nil, 200},
	} {
		a := m.Do(c.method, c.url, c.body, "X-API-KEY", c.key, "Content-Type", "application/json")
		if a.Status != c.want {
			t.Errorf("%s: %d %s", c.what, a.Status, a.Body)
		}
		if strings.Contains(string(a.Body), apptest.AdminKey) || strings.Contains(string(a.Body), apptest.MoogKey) {
			t.Errorf("%s: a secret is shown: %s", c.what, a.Body)
		}
	}
}

// TestHealth looks at the states: everything runs, no destination (a warning), stopping and stopped.
func TestHealth(t *testing.T) { inBothModes(t, health) }

func health(t *testing.T, in mode) {
	t.Parallel()
	m := in.run(t, apptest.Options{NoDestination: true})
	var got struct {
		Status   string
		Warnings []string
	}
	for _, at := range []string{m.IngestURL, m.AdminURL, m.OpsURL} {
		apptest.Eventually(t, "it is healthy and lacks only a destination", func() (bool, any) { // the rules are loaded a moment later
			a := m.Do(http.MethodGet, at+"/health", nil)
			got.Warnings = nil
			err := a.JSON(&got)
			return err == nil && a.Status == 200 && got.Status == "healthy" && strings.Contains(strings.Join(got.Warnings, " "), "MOOG_WEBHOOK_URL"), string(a.Body)
		})
	}
	for path, want := range map[string]string{"/livez": "ok", "/readyz": "healthy", "/metrics": "mutt_ingest_requests_total"} {
		if a := m.Do(http.MethodGet, m.OpsURL+path, nil); a.Status != 200 || !strings.Contains(string(a.Body), want) {
			t.Errorf("%s: %d", path, a.Status)
		}
	}
	m.Send(apptest.Event("patient", down("Gi0/1")))
	apptest.Eventually(t, "the alert waits for a destination", func() (bool, any) { return m.Queue("alert").Depth == 1, m.Queue("alert") })
}

// TestRestart stops and starts: rules, configuration, what waits and the books are as they were.
func TestRestart(t *testing.T) { inBothModes(t, restart) }

func restart(t *testing.T, in mode) {
	t.Parallel()
	m := in.start(t, quick())
	m.SetConfig("unhandled_threshold", 77)
	m.AddRule(map[string]any{"name": "fan", "match_string": "fan", "prod_handling": "Ticket_only", "dev_handling": "Ignore", "team_assignment": "DCOPS"})
	m.Send(apptest.Event("before", down("Gi0/1")))
	m.ExpectDescription(down("Gi0/1"))
	m.Destination.Down()
	m.Send(apptest.Event("across", down("Gi0/2")))
	apptest.Eventually(t, "it waits", func() (bool, any) { return m.Queue("alert").Depth == 1, m.Queue("alert") })
	before := m.Ledger()
	m.Restart(nil)
	if after := m.Ledger(); after.Judging.Received != before.Judging.Received || after.Delivery.Forwardable != before.Delivery.Forwardable || after.Delivery.InFlight != 1 {
		t.Errorf("the books before: %+v, after: %+v", before, after)
	}
	var item struct{ Value float64 }
	if m.Get(&item, nil, "config", "unhandled_threshold"); item.Value != 77 {
		t.Errorf("unhandled_threshold is %v", item.Value)
	}
	m.Destination.Up()
	m.ExpectDescription(down("Gi0/2"))
	m.Send(apptest.Event("after", "fan 3 failed"))
	m.ExpectDescription("fan 3 failed")
	if l := m.ExpectBalanced(); l.Judging.Received != 3 || l.Delivery.Delivered != 3 {
		t.Errorf("the books say %+v", l)
	}
}

// TestSecondProcess refuses a second process on the same data directory and names the first.
func TestSecondProcess(t *testing.T) {
	t.Parallel()
	d := apptest.NewDestination(t)
	s := newSite(t, t.TempDir(), d.URL)
	p := serve(t, s)
	p.ready()
	second := exec.CommandContext(t.Context(), binary(t), "serve")
	second.Env = s.env
	out, err := second.CombinedOutput()
	if second.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "data_dir_locked") || !strings.Contains(string(out), "pid "+strconv.Itoa(p.cmd.Process.Pid)) {
		t.Errorf("the second process ended with %v: %s", err, out)
	}
	p.ready() // the first one is not disturbed
	p.stop()
}

// BenchmarkReady measures how long a start takes until every part works, on an empty data directory.
func BenchmarkReady(b *testing.B) {
	for b.Loop() {
		m := apptest.Start(b, apptest.Options{NoDestination: true})
		b.StopTimer()
		m.Stop()
		b.StartTimer()
	}
}
