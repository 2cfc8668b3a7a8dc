package apptest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/muttproject/mutt/platform/apiclient"
)

// Answer is an HTTP answer, read to its end.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// JSON decodes the body.
func (a Answer) JSON(v any) error { return json.Unmarshal(a.Body, v) }

// Do sends one HTTP request; headers come in pairs.
func (m *MUTT) Do(method, url string, body []byte, headers ...string) Answer {
	m.t.Helper()
	req, err := http.NewRequestWithContext(m.t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := m.http.Do(req)
	if err != nil {
		m.t.Fatalf("%s %s: %v", method, url, err)
	}
	defer func() { _ = resp.Body.Close() }()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		m.t.Fatalf("%s %s: %v", method, url, err)
	}
	hides(m.t, url, got)
	return Answer{resp.StatusCode, resp.Header, got}
}

// Post sends a JSON document to a path of the ingest listener with the ingest key.
func (m *MUTT) Post(path string, body []byte, headers ...string) Answer {
	m.t.Helper()
	return m.Do(http.MethodPost, m.IngestURL+path, body,
		append([]string{"X-API-KEY", IngestKey, "Content-Type", "application/json"}, headers...)...)
}

// Event is one event as JSON: of this host, now, with the message.
func Event(host, message string) []byte {
	b, err := json.Marshal(map[string]any{"hostname": host, "timestamp": time.Now().UTC().Format(time.RFC3339Nano), "message": message})
	if err != nil {
		panic(err) // three strings
	}
	return b
}

// Send sends a JSON document over /api/v2/ingest and fails unless it is accepted.
func (m *MUTT) Send(body []byte, headers ...string) {
	m.t.Helper()
	if a := m.Post("/api/v2/ingest", body, headers...); a.Status != http.StatusOK {
		m.t.Fatalf("%s was answered with %d %s", body, a.Status, a.Body)
	}
}

// SendSyslog writes one line to the syslog listener of the network, "udp" or "tcp".
func (m *MUTT) SendSyslog(network, line string) {
	m.t.Helper()
	addr := m.SyslogUDP
	if network == "tcp" {
		addr, line = m.SyslogTCP, line+"\n"
	}
	conn, err := (&net.Dialer{}).DialContext(m.t.Context(), network, addr)
	if err != nil {
		m.t.Fatal(err)
	}
	_, err = io.WriteString(conn, line)
	if e := conn.Close(); err != nil || e != nil {
		m.t.Fatalf("send over %s: %v %v", network, err, e)
	}
}

// ExpectAudit waits until n rows pass the filter, and gives them, newest first. More than n is a failure.
func (m *MUTT) ExpectAudit(n int, query url.Values) []apiclient.AuditLog {
	m.t.Helper()
	var rows []apiclient.AuditLog
	Eventually(m.t, fmt.Sprintf("%d audit rows of %v", n, query), func() (bool, any) {
		rows = m.Audit(query)
		return len(rows) >= n, rows
	})
	if len(rows) > n {
		m.t.Fatalf("%d audit rows of %v, want %d: %+v", len(rows), query, n, rows)
	}
	return rows
}

// ExpectAlert waits until an alert arrived that match takes, and gives the first one.
func (m *MUTT) ExpectAlert(what string, match func(Alert) bool) Alert {
	m.t.Helper()
	var found Alert
	Eventually(m.t, "an alert: "+what, func() (bool, any) {
		all := m.Destination.Alerts()
		for _, a := range all {
			if match(a) {
				found = a
				return true, nil
			}
		}
		return false, all
	})
	return found
}

// ExpectDescription waits for an alert with exactly this text.
func (m *MUTT) ExpectDescription(text string) Alert {
	m.t.Helper()
	return m.ExpectAlert(text, func(a Alert) bool { return a.Description == text })
}

// Drain waits until nothing waits in the queues; dead letters stay.
func (m *MUTT) Drain() {
	m.t.Helper()
	Eventually(m.t, "the queues are drained", func() (bool, any) {
		ingest, alert := m.Queue("ingest"), m.Queue("alert")
		return ingest.Depth == 0 && alert.Depth == 0, []apiclient.Queue{ingest, alert}
	})
}

// ExpectBalanced drains and checks that the two books agree to the event; it gives them.
func (m *MUTT) ExpectBalanced() apiclient.Ledger {
	m.t.Helper()
	m.Drain()
	l := m.Ledger()
	if l.Judging.Difference != 0 || l.Delivery.Difference != 0 || !l.Judging.Balanced || !l.Delivery.Balanced ||
		l.Judging.InFlight != 0 || l.Delivery.InFlight != 0 {
		m.t.Fatalf("the books do not balance: %+v", l)
	}
	return l
}
