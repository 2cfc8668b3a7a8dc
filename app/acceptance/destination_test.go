package acceptance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/apiclient"
)

// quick makes retries come soon and keeps the circuit breaker out of the way.
func quick() map[string]string {
	return map[string]string{"MOOG_RETRY_BASE_DELAY": "0.05", "MOOG_RETRY_MAX_DELAY": "0.2", "CIRCUIT_BREAKER_ENABLED": "false"}
}

// TestDestinationDown takes the destination away: judging goes on, alerts wait without losing attempts, health says
// so; when it is back everything is delivered, in each device's order.
func TestDestinationDown(t *testing.T) { inBothModes(t, destinationDown) }

func destinationDown(t *testing.T, in mode) {
	t.Parallel()
	m := in.start(t, quick())
	m.Destination.Down()
	const n = 20
	for i := range n {
		m.Send(apptest.Event("waits", down(fmt.Sprintf("Gi%d", i))))
	}
	apptest.Eventually(t, "all are judged and wait", func() (bool, any) {
		ingest, alert := m.Queue("ingest"), m.Queue("alert")
		return ingest.Depth == 0 && alert.Depth == n, alert
	})
	apptest.Eventually(t, "health tells it", func() (bool, any) {
		a := m.Do(http.MethodGet, m.OpsURL+"/health", nil)
		return a.Status == 200 && strings.Contains(string(a.Body), "the destination fails and alerts wait"), string(a.Body)
	})
	if l := m.Ledger(); !l.Delivery.Balanced || l.Delivery.InFlight != n || l.Delivery.Parked != 0 {
		t.Errorf("the books say %+v", l)
	}
	m.Destination.Up()
	l := m.ExpectBalanced()
	if l.Delivery.Delivered != n || m.Destination.Stats().Distinct != n {
		t.Errorf("the books say %+v, the destination %+v", l, m.Destination.Stats())
	}
}

// TestCircuitBreaker opens on failures in a row: nothing more is sent, no retries burn, and a probe closes it.
func TestCircuitBreaker(t *testing.T) { inBothModes(t, circuitBreaker) }

func circuitBreaker(t *testing.T, in mode) {
	t.Parallel()
	env := quick()
	env["CIRCUIT_BREAKER_ENABLED"], env["CIRCUIT_BREAKER_THRESHOLD"], env["CIRCUIT_BREAKER_TIMEOUT"] = "true", "3", "2"
	env["MOOG_MAX_RETRIES"], env["LOG_LEVEL"] = "100", "info"
	m := in.start(t, env)
	var broken atomic.Bool
	broken.Store(true)
	m.Destination.Answer(func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() {
			http.Error(w, "on fire", http.StatusInternalServerError)
			return
		}
		m.Destination.Sink.ServeHTTP(w, r)
	})
	for i := range 10 {
		m.Send(apptest.Event("breaker", down(fmt.Sprintf("Gi%d", i))))
	}
	apptest.Eventually(t, "health names the breaker", func() (bool, any) {
		a := m.Do(http.MethodGet, m.OpsURL+"/health", nil)
		return strings.Contains(string(a.Body), "circuit breaker"), string(a.Body)
	})
	broken.Store(false)
	if l := m.ExpectBalanced(); l.Delivery.Delivered != 10 || l.Delivery.Parked != 0 {
		t.Errorf("the books say %+v", l)
	}
	for state, begins := range map[string]string{"breaker_open": "the circuit breaker of the destination is open and alerts wait in the queue",
		"destination_fails": "the destination fails and alerts wait: HTTP 500"} {
		apptest.Eventually(t, state+" ends in the log", func() (bool, any) {
			lines := m.Logs.With("state", state)
			return len(lines) > 1 && lines[len(lines)-1].Level == zap.InfoLevel, lines
		})
		if lines := m.Logs.With("state", state); lines[0].Message != begins || len(lines) > 4 {
			t.Errorf("%s was logged as %+v", state, lines)
		}
	}
	if a := m.Do(http.MethodGet, m.OpsURL+"/health", nil); strings.Contains(string(a.Body), "alerts wait") {
		t.Errorf("health goes on about it: %s", a.Body)
	}
}

// TestRetryAfter waits as long as the destination asks for.
func TestRetryAfter(t *testing.T) { inBothModes(t, retryAfter) }

func retryAfter(t *testing.T, in mode) {
	t.Parallel()
	m := in.start(t, quick())
	var refused atomic.Bool
	m.Destination.Answer(func(w http.ResponseWriter, r *http.Request) {
		if refused.CompareAndSwap(false, true) {
			w.Header().Set("Retry-After", "2")
			http.Error(w, "later", http.StatusServiceUnavailable)
			return
		}
		m.Destination.Sink.ServeHTTP(w, r)
	})
	m.Send(apptest.Event("later", down("Gi0/1")))
	m.ExpectDescription(down("Gi0/1"))
	asked := m.Destination.Requests()
	if len(asked) != 2 || asked[1].At.Sub(asked[0].At) < 2*time.Second {
		t.Errorf("%d requests, %v apart", len(asked), asked[len(asked)-1].At.Sub(asked[0].At))
	}
	m.ExpectBalanced()
}

// TestDeadLetters refuses an alert for good: it is dead-lettered at once with what was answered, can be looked at,
// replayed and then arrives; another one is discarded with a reason. The books balance at every step.
func TestDeadLetters(t *testing.T) { inBothModes(t, deadLetters) }

func deadLetters(t *testing.T, in mode) {
	t.Parallel()
	m := in.start(t, quick())
	m.Destination.Answer(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no such tenant", http.StatusUnprocessableEntity)
	})
	m.Send(apptest.Event("dead", down("Gi0/1")))
	m.Send(apptest.Event("dead", down("Gi0/2")))
	apptest.Eventually(t, "both are dead letters", func() (bool, any) {
		return m.Queue("alert").Dead == 2, m.Queue("alert")
	})
	if l := m.ExpectBalanced(); l.Delivery.Parked != 2 {
		t.Errorf("the books say %+v", l)
	}
	dead := m.DeadLetters("alert")
	for _, d := range dead {
		if d.Code != "rejected" || d.Hostname != "dead" || !strings.Contains(d.Reason, "HTTP 422") || !strings.Contains(d.Reason, "no such tenant") || d.Alert.Team != "NETO" {
			t.Errorf("the dead letter is %+v", d)
		}
		if strings.Contains(d.Reason+string(d.Event), apptest.MoogKey) {
			t.Error("the destination's key is in a dead letter")
		}
	}
	if got := m.Destination.Requests(); len(got) != 2 {
		t.Errorf("%d requests were made, want one for each", len(got))
	}
	m.Destination.Answer(nil)
	var replayed apiclient.Replayed
	m.Change(http.MethodPost, apiclient.ReplayRequest{IDs: []string{dead[0].ID}, Reason: "tenant made"}, &replayed, "dlq", "alert", "replay")
	if replayed.Replayed != 1 {
		t.Errorf("replayed: %+v", replayed)
	}
	a := m.ExpectAlert("the replayed one", func(apptest.Alert) bool { return true })
	if a.ExternalID != dead[0].ID {
		t.Errorf("%s arrived, not %s", a.ExternalID, dead[0].ID)
	}
	m.Change(http.MethodDelete, nil, nil, "dlq", "alert", dead[1].ID)
	l := m.ExpectBalanced()
	if l.Delivery.Delivered != 1 || l.Delivery.Discarded != 1 || l.Delivery.Parked != 0 || l.Delivery.Forwardable != 2 {
		t.Errorf("the books say %+v", l)
	}
}

// TestExhausted fails one alert as often as it may fail, while others are delivered: then it is a dead letter.
func TestExhausted(t *testing.T) { inBothModes(t, exhausted) }

func exhausted(t *testing.T, in mode) {
	t.Parallel()
	env := quick()
	env["MOOG_MAX_RETRIES"] = "2"
	m := in.start(t, env)
	m.Destination.Answer(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || strings.Contains(string(body), "tired") {
			http.Error(w, "no", http.StatusBadGateway)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		m.Destination.Sink.ServeHTTP(w, r)
	})
	m.Send(apptest.Event("tired", down("Gi0/1")))
	sent := int64(0)
	apptest.Eventually(t, "it is a dead letter", func() (bool, any) {
		m.Send(apptest.Event("well", down(fmt.Sprint("Gi", sent))))
		sent++
		return m.Queue("alert").Dead == 1, m.Queue("alert")
	})
	if d := m.DeadLetters("alert")[0]; d.Code != "exhausted" || d.Hostname != "tired" || d.Attempts != 3 || d.FirstTried == nil || !strings.Contains(d.Reason, "HTTP 502: no") {
		t.Errorf("the dead letter is %+v", d)
	}
	if l := m.ExpectBalanced(); l.Delivery.Delivered != sent || l.Delivery.Parked != 1 {
		t.Errorf("the books say %+v", l)
	}
}

// TestOutages answers everything as destinations and proxies do that take nothing for a while: no alert loses an attempt, health says
// what to look at, and all is delivered soon after.
func TestOutages(t *testing.T) { inBothModes(t, destinationOutages) }

func destinationOutages(t *testing.T, in mode) {
	t.Parallel()
	env := quick()
	env["MOOG_MAX_RETRIES"] = "1"
	m := in.start(t, env)
	delivered := int64(0)
	for _, c := range []struct {
		status int
		word   string
	}{{http.StatusServiceUnavailable, "HTTP 503"}, {http.StatusUnauthorized, "MOOG_API_KEY"}, {http.StatusForbidden, "MOOG_API_KEY"},
		{http.StatusProxyAuthRequired, "HTTPS_PROXY"}, {http.StatusTooManyRequests, "HTTP 429"}, {http.StatusFound, "MOOG_WEBHOOK_URL"}} {
		m.Destination.Answer(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "not now", c.status) })
		before := len(m.Destination.Requests())
		for i := range 3 {
			m.Send(apptest.Event(fmt.Sprint("outage-", i), down(fmt.Sprint("Gi", c.status))))
		}
		apptest.Eventually(t, fmt.Sprint("each was tried several times: ", c.status), func() (bool, any) {
			return len(m.Destination.Requests()) >= before+12, len(m.Destination.Requests())
		})
		if a := m.Do(http.MethodGet, m.OpsURL+"/health", nil); a.Status != 200 || !strings.Contains(string(a.Body), c.word) {
			t.Errorf("health after %d: %d %s", c.status, a.Status, a.Body)
		}
		m.Destination.Answer(nil)
		delivered += 3
		if l := m.ExpectBalanced(); l.Delivery.Delivered != delivered || l.Delivery.Parked != 0 {
			t.Errorf("the books after %d: %+v", c.status, l)
		}
	}
}

// TestTheStatusDecides breaks off each answer in its body: what was taken is taken.
func TestTheStatusDecides(t *testing.T) { inBothModes(t, theStatusDecides) }

func theStatusDecides(t *testing.T, in mode) {
	t.Parallel()
	m := in.start(t, quick())
	m.Destination.Answer(func(w http.ResponseWriter, r *http.Request) {
		m.Destination.Sink.ServeHTTP(httptest.NewRecorder(), r)
		c, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{")
			_ = c.Close()
		}
	})
	for i := range 10 {
		m.Send(apptest.Event("cut", down(fmt.Sprint("Gi", i))))
	}
	if l := m.ExpectBalanced(); l.Delivery.Delivered != 10 || len(m.Destination.Requests()) != 10 {
		t.Errorf("%d requests, the books say %+v", len(m.Destination.Requests()), l)
	}
}

// TestProgressIsSeenAsItHappens delivers one batch of 500 alerts at 50 per second: at every moment the queue and the books say what the
// destination has, up to a second.
func TestProgressIsSeenAsItHappens(t *testing.T) { inBothModes(t, progressIsSeen) }

func progressIsSeen(t *testing.T, in mode) {
	t.Parallel()
	env := quick()
	env["MOOG_RATE_LIMIT"] = "50"
	m := in.start(t, env)
	const n, second = 500, 50
	batch := make([]json.RawMessage, n)
	for i := range batch {
		batch[i] = apptest.Event("progress", down(fmt.Sprint("Gi", i)))
	}
	body, err := json.Marshal(batch)
	if err != nil {
		t.Fatal(err)
	}
	m.Send(body)
	taken := func() int64 { return int64(m.Destination.Stats().Distinct) }
	apptest.Eventually(t, "all are judged", func() (bool, any) {
		l := m.Ledger()
		return l.Delivery.Forwardable == n && l.Judging.InFlight == 0, l
	})
	looks := 0
	for tick := time.NewTicker(300 * time.Millisecond); taken() < n; <-tick.C {
		looks++
		// What the destination had before a look bounds what it must show, and what it has after the look what it can show.
		least := taken() - second
		l := m.Ledger()
		if most := taken(); l.Delivery.Delivered < least || l.Delivery.Delivered > most || !l.Delivery.Balanced {
			t.Errorf("the destination has %d to %d, the books say %+v", least+second, most, l.Delivery)
		}
		least = taken() - second
		q := m.Queue("alert")
		if most := taken(); n-q.Depth < least || n-q.Depth > most || q.Depth > 0 && q.OldestAgeSeconds <= 0 {
			t.Errorf("the destination has %d to %d, the queue says %+v", least+second, most, q)
		}
	}
	if looks < 10 {
		t.Errorf("only %d looks", looks)
	}
	apptest.Eventually(t, "nothing waits", func() (bool, any) { q := m.Queue("alert"); return q.Depth == 0 && q.OldestAgeSeconds == 0, q })
	m.ExpectBalanced()
}

// TestShedding parks what would be forwarded while too much waits; a replay delivers it.
func TestShedding(t *testing.T) { inBothModes(t, shedding) }

func shedding(t *testing.T, in mode) {
	t.Parallel()
	env := quick()
	env["ALERTER_QUEUE_SHED_THRESHOLD"] = "5"
	m := in.start(t, env)
	m.Destination.Down()
	const n = 30
	for i := range n {
		m.Send(apptest.Event("shed", down(fmt.Sprintf("Gi%d", i))))
		if i == n/2 {
			apptest.Eventually(t, "more wait than the threshold", func() (bool, any) { return m.Queue("alert").Depth > 5, m.Queue("alert") })
		}
	}
	apptest.Eventually(t, "some wait and the others are parked", func() (bool, any) {
		ingest, alert := m.Queue("ingest"), m.Queue("alert")
		return ingest.Depth == 0 && alert.Dead > 0 && alert.Depth+alert.Dead == n, alert
	})
	m.Destination.Up()
	m.Drain()
	m.Change(http.MethodPost, apiclient.ReplayRequest{All: true}, nil, "dlq", "alert", "replay")
	if l := m.ExpectBalanced(); l.Delivery.Delivered != n || l.Judging.ByFate["shed"] == 0 || m.Destination.Stats().Distinct != n {
		t.Errorf("the books say %+v", l)
	}
}

// TestRateLimitChange changes moog_rate_limit while alerts wait: what took its time is done at once.
func TestRateLimitChange(t *testing.T) { inBothModes(t, rateLimitChange) }

func rateLimitChange(t *testing.T, in mode) {
	t.Parallel()
	m := in.start(t, map[string]string{"MOOG_RATE_LIMIT": "1", "MOOG_RATE_PERIOD": "600"})
	const n = 10
	for i := range n {
		m.Send(apptest.Event("slow", down(fmt.Sprintf("Gi%d", i))))
	}
	// One is sent at once (burst 1), the next ones only in ten minutes. It may still be counted as waiting, while its entry does.
	apptest.Eventually(t, "one is delivered and the others wait", func() (bool, any) {
		alert := m.Queue("alert")
		return m.Queue("ingest").Depth == 0 && m.Destination.Stats().Distinct == 1 && alert.Depth >= n-1, alert
	})
	m.SetConfig("moog_rate_limit", 100_000)
	if l := m.ExpectBalanced(); l.Delivery.Delivered != n {
		t.Errorf("the books say %+v", l)
	}
}

// TestBatchMax sends several alerts in a request when the destination takes lists.
func TestBatchMax(t *testing.T) { inBothModes(t, batchMax) }

func batchMax(t *testing.T, in mode) {
	t.Parallel()
	env := quick()
	env["MUTT_FORWARD_BATCH_MAX"] = "50"
	env["MOOG_RATE_LIMIT"], env["MOOG_RATE_PERIOD"] = "1", "600"
	m := in.start(t, env)
	const n = 100
	for i := range n {
		m.Send(apptest.Event(fmt.Sprintf("batch-%d", i), down("Gi0/1")))
	}
	// One request goes at once, with what was there by then; the next ones only in ten minutes.
	apptest.Eventually(t, "the others wait", func() (bool, any) {
		return m.Queue("ingest").Depth == 0 && m.Ledger().Delivery.Forwardable == n && m.Destination.Stats().Requests == 1, m.Ledger()
	})
	m.SetConfig("moog_rate_limit", 100_000)
	m.ExpectBalanced()
	st := m.Destination.Stats()
	if st.Distinct != n || st.Requests >= n/4 {
		t.Errorf("%+v", st)
	}
}
