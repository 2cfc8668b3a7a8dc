package acceptance

import (
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/apiclient"
)

// flood sends datagrams of 60 kB that hardly compress, without a key, as fast as they are read.
type flood struct {
	sent atomic.Int64
	stop func()
}

func newFlood(t *testing.T, addr string) *flood {
	t.Helper()
	conn, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	f, end := &flood{}, make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		random, noise := rand.NewChaCha8([32]byte{1}), make([]byte, 44_000)
		pace := time.NewTicker(2 * time.Millisecond) // 30 MB/s
		defer pace.Stop()
		for n := 0; ; n++ {
			select {
			case <-end:
				return
			case <-pace.C:
			}
			_, _ = random.Read(noise)
			// A write fails while the listener is not open; the sender goes on.
			if _, err := fmt.Fprintf(conn, "<189>1 2026-11-23T10:00:00Z flood-%d app - - - %s", n%10, base64.StdEncoding.EncodeToString(noise)); err == nil {
				f.sent.Add(1)
			}
		}
	})
	f.stop = sync.OnceFunc(func() {
		close(end)
		done.Wait()
		_ = conn.Close()
	})
	t.Cleanup(f.stop)
	return f
}

// post sends one event as a sender with a key does.
func post(t *testing.T, ingest string) (status int, retryAfter, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+ingest+"/ingest",
		strings.NewReader(fmt.Sprintf(`{"hostname":"h","timestamp":%d,"message":"m"}`, time.Now().Unix())))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-KEY", apptest.IngestKey)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Retry-After"), string(text)
}

// figureOf reads a series of a process's metrics.
func figureOf(t *testing.T, ops, series string) float64 {
	t.Helper()
	resp, err := http.Get("http://" + ops + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return figure(string(text), series)
}

// waiting returns what the ingest queue holds.
func waiting(t *testing.T, c *apiclient.Client) apiclient.Queue {
	t.Helper()
	var got apiclient.Queues
	if err := c.Do(t.Context(), apiclient.Call{Method: http.MethodGet, Path: []string{"queues"}}, &got); err != nil {
		t.Fatal(err)
	}
	return got.Queues[0]
}

// worksForPeople holds that a login and a change of the configuration succeed.
func worksForPeople(t *testing.T, c *apiclient.Client, admin string) {
	t.Helper()
	resp, err := http.Post("http://"+admin+"/api/v2/session", "application/json", strings.NewReader(`{"key":"`+apptest.AdminKey+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated {
		t.Errorf("a login was answered with %d", resp.StatusCode)
	}
	for n := range 5 {
		err := c.Do(t.Context(), apiclient.Call{Method: http.MethodPut, Path: []string{"config", "unhandled_threshold"}, Body: map[string]any{"value": 1000 + n}}, nil)
		if err != nil {
			t.Errorf("a change was refused: %v", err)
		}
	}
}

// balanced holds that all that was taken in was judged once.
func balanced(t *testing.T, c *apiclient.Client) {
	t.Helper()
	apptest.EventuallyWithin(t, time.Minute, "all is judged and the books balance", func() (bool, any) {
		var l apiclient.Ledger
		err := c.Do(t.Context(), apiclient.Call{Method: http.MethodGet, Path: []string{"ledger"}}, &l)
		return err == nil && l.Judging.Balanced && l.Judging.InFlight == 0 && l.Judging.Received > 0 && l.Delivery.Balanced, fmt.Sprintf("%+v %v", l, err)
	})
	var page apiclient.AuditLogs
	if err := c.Do(t.Context(), apiclient.Call{Method: http.MethodGet, Path: []string{"audit-logs"}, Query: url.Values{"limit": {"1"}}}, &page); err != nil || len(page.Logs) != 1 {
		t.Errorf("no audit row can be read: %v", err)
	}
}

// TestDiskReserve floods a process on a disk of 64 MB without a key: intake is refused, all else goes on with the reserve, and
// when there is room again the process goes on by itself.
func TestDiskReserve(t *testing.T) {
	t.Parallel()
	s := newSite(t, t.TempDir(), apptest.NewDestination(t).URL)
	p, resize := smallDisk(t, s, "64m")
	p.ready()
	f := newFlood(t, s.tcp)
	begin := time.Now()
	apptest.EventuallyWithin(t, time.Minute, "the reserve is reached and all that was taken in is judged", func() (bool, any) {
		a := healthOf(t, s)
		q := waiting(t, s.client)
		return strings.Contains(a, `"unhealthy"`) && strings.Contains(a, "full up to its reserve") && q.Depth == 0, fmt.Sprint(a, q)
	})
	t.Logf("reached after %v and %d datagrams", time.Since(begin).Round(time.Millisecond), f.sent.Load())
	for range 3 {
		status, retry, body := post(t, s.ingest)
		if status != http.StatusServiceUnavailable || retry == "" || !strings.Contains(body, "full up to its reserve") {
			t.Errorf("a sender got %d, Retry-After %q, %s", status, retry, body)
		}
		worksForPeople(t, s.client, s.admin)
	}
	apptest.EventuallyWithin(t, 30*time.Second, "datagrams are counted as dropped for the reserve", func() (bool, any) {
		n := figureOf(t, s.ops, `mutt_ingest_syslog_dropped_total{cause="disk_reserve",transport="udp"}`)
		return n > 0, n
	})
	free := figureOf(t, s.ops, "mutt_disk_free_bytes")
	if reserve := figureOf(t, s.ops, "mutt_disk_reserve_bytes"); free < reserve/2 {
		t.Errorf("of the reserve of %.0f bytes %.0f are left", reserve, free)
	}
	t.Logf("%.1f MB are free, %.0f events were taken in", free/1e6, figureOf(t, s.ops, `mutt_ingest_events_total{result="accepted",source="syslog"}`))
	f.stop()
	resize("512m")
	apptest.EventuallyWithin(t, 20*time.Second, "events are taken in again", func() (bool, any) {
		status, _, body := post(t, s.ingest)
		return status == http.StatusOK, body
	})
	apptest.Eventually(t, "health is well again", func() (bool, any) {
		a := healthOf(t, s)
		return strings.Contains(a, `"healthy"`), a
	})
	balanced(t, s.client)
	t.Logf("logged above info: %v", s.complaints(t))
	p.stop()
}

// TestRedisReserve floods a process whose Redis may use 64 MB, without a key, while judging pauses for a destination that is away:
// intake is refused before Redis refuses anything, all else goes on, judging too when the destination is back, and when the
// flood is over the process goes on by itself.
func TestRedisReserve(t *testing.T) {
	t.Parallel()
	servers := apptest.NewServers(t, "everysec")
	// The flood meets the bound however slow it is, and is slower than what a look at Redis's memory, once a second, lets through.
	env := []string{"MUTT_LIMITS_REDIS_RESERVE=32MiB", "ALERTER_SHED_MODE=defer", "ALERTER_QUEUE_SHED_THRESHOLD=1"}
	for name, value := range quick() {
		env = append(env, name+"="+value)
	}
	for name, value := range servers.Env() {
		env = append(env, name+"="+value)
	}
	servers.Redis.Do("CONFIG", "SET", "maxmemory", "64mb")
	destination := apptest.NewDestination(t)
	destination.Down()
	s := newSite(t, t.TempDir(), destination.URL, env...)
	p := launch(t, s, exec.Command(binary(t), "serve", "--migrate"))
	p.ready()
	rule := map[string]any{"name": "pages", "match_type": "regex", "match_string": "^m$", "prod_handling": "Ticket_only", "dev_handling": "Ignore", "team_assignment": "NETO"}
	if err := s.client.Do(t.Context(), apiclient.Call{Method: http.MethodPost, Path: []string{"rules"}, Body: rule}, nil); err != nil {
		t.Fatal(err)
	}
	apptest.Eventually(t, "judging pauses", func() (bool, any) {
		post(t, s.ingest)
		a := healthOf(t, s)
		return strings.Contains(a, "judging pauses"), a
	})
	f := newFlood(t, s.tcp)
	begin := time.Now()
	apptest.EventuallyWithin(t, time.Minute, "the reserve is reached", func() (bool, any) {
		a := healthOf(t, s)
		return strings.Contains(a, `"healthy"`) && strings.Contains(a, "Redis is full up to its reserve"), a
	})
	t.Logf("reached after %v and %d datagrams", time.Since(begin).Round(time.Millisecond), f.sent.Load())
	refused := ""
	apptest.EventuallyWithin(t, 30*time.Second, "a sender is told to wait", func() (bool, any) {
		status, retry, body := post(t, s.ingest)
		if refused = body; status == http.StatusServiceUnavailable && retry == "" {
			t.Errorf("without a time to come again: %s", body)
		}
		return status == http.StatusServiceUnavailable, body
	})
	if !strings.Contains(refused, "full up to its reserve") {
		t.Errorf("a sender got %s", refused)
	}
	judged := func() (n int64) {
		var l apiclient.Ledger
		if err := s.client.Do(t.Context(), apiclient.Call{Method: http.MethodGet, Path: []string{"ledger"}}, &l); err != nil {
			t.Fatal(err)
		}
		for _, of := range l.Judging.ByFate {
			n += of
		}
		return n
	}
	for range 3 {
		worksForPeople(t, s.client, s.admin)
	}
	before := judged()
	destination.Up()
	apptest.EventuallyWithin(t, time.Minute, "judging goes on, and datagrams are counted as dropped for the reserve", func() (bool, any) {
		n := figureOf(t, s.ops, `mutt_ingest_syslog_dropped_total{cause="redis_reserve",transport="udp"}`)
		return n > 0 && judged() > before, n
	})
	f.stop()
	apptest.EventuallyWithin(t, time.Minute, "events are taken in again", func() (bool, any) {
		status, _, body := post(t, s.ingest)
		return status == http.StatusOK, body
	})
	balanced(t, s.client)
	if stats := servers.Redis.Do("INFO", "errorstats"); strings.Contains(stats, "errorstat_OOM") {
		t.Errorf("Redis refused something by itself: %s", stats)
	}
	apptest.EventuallyWithin(t, 30*time.Second, "health is well again", func() (bool, any) {
		a := healthOf(t, s)
		return strings.Contains(a, `"healthy"`) && !strings.Contains(a, "full up to its reserve"), a
	})
	t.Logf("logged above info: %v", s.complaints(t))
	p.stop()
}
