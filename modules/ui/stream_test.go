package ui

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

// said is one event of a stream.
type said struct{ event, data string }

// follow opens a stream and returns its events; the channel is closed when the stream ends.
func (c *console) follow(client *http.Client, query url.Values) <-chan said {
	c.Helper()
	ctx, stop := context.WithCancel(c.Context())
	c.Cleanup(stop)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/ui/stream?"+query.Encode(), nil)
	if err != nil {
		c.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		c.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("X-Accel-Buffering") != "no" ||
		resp.Header.Get("Content-Encoding") != "" || resp.Header.Get("Cache-Control") != "no-store" {
		c.Fatalf("got %d %v", resp.StatusCode, resp.Header)
	}
	out := make(chan said, 1000)
	go func() {
		defer close(out)
		defer func() { _ = resp.Body.Close() }() // it was read to its end
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, 1<<20)
		var e said
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "event":
				e.event = value
			case "data":
				e.data += value
			case "":
				out <- e
				e = said{}
			}
		}
	}()
	return out
}

// until waits for an event of a stream.
func (c *console) until(events <-chan said, what string, fits func(said) bool) said {
	c.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case e, open := <-events:
			if !open {
				c.Fatalf("the stream ended before: %s", what)
			}
			if fits(e) {
				return e
			}
		case <-late:
			c.Fatalf("never came: %s", what)
		}
	}
}

// judge writes judged events as the alerter does.
func (c *console) judge(rows ...store.AuditRow) {
	c.Helper()
	entry := store.JudgedEntry{Entry: queue.NewEntryID(), Rows: rows}
	for i := range rows {
		entry.Counts = append(entry.Counts, store.LedgerCount{Minute: sceneTime().Unix() / 60, Source: event.SourceSyslog, Fate: rows[i].Decision.Fate, N: 1})
	}
	if _, err := c.store.Judge(c.Context(), "test", []store.JudgedEntry{entry}); err != nil {
		c.Fatal(err)
	}
}

// judgedNow returns the n-th event of this moment.
func judgedNow(n int, host, message string) store.AuditRow {
	at := sceneTime().Add(-time.Second).Add(time.Duration(n) * time.Millisecond)
	e := event.Event{ID: idAt(at, 1000+n), ReceivedAt: at.UnixMicro(), Timestamp: at.UnixMicro(), Source: event.SourceSyslog, Severity: 3, Facility: event.Absent,
		Hostname: host, Message: message, CorrelationID: fmt.Sprint("now-", n)}
	d := event.Decision{Fate: event.FateUnhandled}
	return store.AuditRow{Event: &e, Decision: &d}
}

// TestStreamFeedsPages: a page gets its topics at once and the events that fit its query when they are judged, as text; one that polls
// gets the same in one answer.
func TestStreamFeedsPages(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	client := c.session("viewer")
	all, some := c.follow(client, url.Values{"topics": {"pulse,tail"}}), c.follow(client, url.Values{"topics": {"tail"}, "q": {"host:mx-par-1"}})
	if e := c.until(all, "the pulse", func(e said) bool { return e.event == "pulse" }); !strings.Contains(e.data, `id="pulse"`) || !strings.Contains(e.data, "wait to be judged") {
		t.Errorf("the pulse is %s", e.data)
	}
	first := c.until(all, "the list", func(e said) bool { return e.event == "tail" })
	if strings.Count(first.data, "<tr id=") < 12 || // of 20, as many as 20 KB hold
		strings.Contains(first.data, "<script") || strings.Contains(first.data, "\u202e") {
		t.Errorf("the list begins with %.3000s", first.data)
	}
	c.until(some, "the other list", func(e said) bool { return e.event == "tail" })
	c.judge(judgedNow(1, "sw-new", attack), judgedNow(2, "mx-par-1", "fan failed"))
	e := c.until(all, "what was judged", func(e said) bool { return strings.Contains(e.data, "sw-new") })
	if strings.Contains(e.data, "<script") || strings.Contains(e.data, "<img") {
		t.Errorf("markup of a device: %s", e.data)
	}
	if e := c.until(some, "what fits", func(e said) bool { return strings.Contains(e.data, "fan failed") }); strings.Contains(e.data, "sw-new") {
		t.Errorf("another host: %s", e.data)
	}
	var polled map[string]string
	answer := c.wants(client, "/ui/stream?once=1&topics=pulse,tail", http.StatusOK)
	if err := json.Unmarshal([]byte(answer), &polled); err != nil || !strings.Contains(polled["pulse"], `id="pulse"`) || !strings.Contains(polled["tail"], "sw-new") {
		t.Errorf("polled %v %s", err, answer)
	}
	for path, part := range map[string]string{"/ui/stream": "topics", "/ui/stream?topics=nothing": "is not a topic", "/ui/stream?topics=tail&q=fate:none": "fate",
		"/ui/stream?topics=a,b,c,d,e,f,g,h,i": "at most"} {
		if body := c.wants(client, path, http.StatusBadRequest); !strings.Contains(body, part) {
			t.Errorf("%s: %s", path, body)
		}
	}
}

// wants returns the body of an answer that has a status.
func (c *console) wants(client *http.Client, path string, status int) string {
	c.Helper()
	got := c.get(client, path)
	if got.status != status {
		c.Errorf("%s: got %d: %.300s", path, got.status, got.body)
	}
	return got.body
}

// TestStreamEndsWithItsSession: logging out and withdrawing the key end a stream within seconds, which says so.
func TestStreamEndsWithItsSession(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	viewer, operator := c.session("viewer"), c.session("operator")
	one, other := c.follow(viewer, url.Values{"topics": {"pulse"}}), c.follow(operator, url.Values{"topics": {"pulse"}})
	c.until(one, "a pulse", func(e said) bool { return e.event == "pulse" })
	c.until(other, "a pulse", func(e said) bool { return e.event == "pulse" })
	ended := func(events <-chan said) {
		t.Helper()
		begin := time.Now()
		c.until(events, "the end", func(e said) bool { return e.event == "end" && e.data == "session" })
		if _, open := <-events; open {
			t.Error("the stream goes on after its end")
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
	}
	c.post(viewer, "/logout", nil)
	ended(one)
	c.ring.Swap([]authn.Key{})
	ended(other)
	c.wants(operator, "/ui/stream?topics=pulse&once=1", http.StatusUnauthorized)
}

// TestOpenPagesProlongNoSession: neither a stream nor a poll keeps a session open, which then ends for both; a person's own call does.
func TestOpenPagesProlongNoSession(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	c.ago.Store(0)
	left, used := c.session("viewer"), c.session("viewer")
	stream := c.follow(left, url.Values{"topics": {"pulse"}})
	const steps = 8
	step := defaults().SessionIdle / steps
	for i := range steps {
		c.wants(left, "/ui/stream?topics=pulse&once=1", http.StatusOK)
		c.wants(used, "/session", http.StatusOK)
		c.ago.Store(-int64(time.Duration(i+1) * step))
	}
	c.wants(used, "/session", http.StatusOK)
	c.wants(left, "/ui/stream?topics=pulse&once=1", http.StatusUnauthorized)
	c.until(stream, "the end", func(e said) bool { return e.event == "end" && e.data == "session" })
}

// TestStreamsAreBounded: a process has 200 streams, one more is refused and polls; the reader of what is judged is one, and ends with the
// last of them; and the server stops although they are open.
func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	client := c.session("viewer")
	var all []<-chan said
	for i := range 200 {
		if i%50 == 0 { // one address may have 64 connections
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i/50))}}
			client = &http.Client{Jar: client.Jar, Transport: &http.Transport{DialContext: dialer.DialContext}}
		}
		all = append(all, c.follow(client, url.Values{"topics": {"pulse,tail"}}))
	}
	if body := c.wants(client, "/ui/stream?topics=pulse", http.StatusServiceUnavailable); !strings.Contains(body, "200 streams are open") {
		t.Errorf("refused with %s", body)
	}
	c.wants(client, "/ui/stream?topics=pulse&once=1", http.StatusOK)
	c.judge(judgedNow(1, "sw-new", "for all"))
	for _, events := range all {
		c.until(events, "what was judged", func(e said) bool { return strings.Contains(e.data, "sw-new") })
	}
	begin := time.Now()
	if err := c.server.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("the server took %v to stop", took)
	}
	for _, events := range all {
		for range events {
		}
	}
}
