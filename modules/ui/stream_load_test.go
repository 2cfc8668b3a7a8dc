package ui

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

// countedStore counts the reads of judged events.
type countedStore struct {
	Store
	lists, counts atomic.Int64
}

func (s *countedStore) AuditLogs(ctx context.Context, f store.AuditFilter) (store.Page[store.AuditLog], error) {
	s.lists.Add(1)
	return s.Store.AuditLogs(ctx, f)
}

func (s *countedStore) Judged(ctx context.Context, from int64) (int64, error) {
	s.counts.Add(1)
	return s.Store.Judged(ctx, from)
}

// streamed is what a client of a stream has received.
type streamed struct {
	messages, rows, most int64 // rows: of all messages, most: of one
	bytes                int64
	last                 chan struct{} // closed when the last event of the load has come
}

// stream reads a live stream and keeps nothing of it. The caller may read what it returns when last is closed and the stream has ended.
func (c *console) stream(ctx context.Context, readers *sync.WaitGroup, path, message, row, last string) *streamed {
	c.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+path, nil)
	if err != nil {
		c.Fatal(err)
	}
	req.Header.Set(httpserver.HeaderAPIKey, c.keys["viewer"])
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		c.Fatalf("%s: status %d", path, resp.StatusCode)
	}
	got := &streamed{last: make(chan struct{})}
	readers.Go(func() {
		defer func() { _ = resp.Body.Close() }() // the context ended it
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, 1<<20)
		inMessage, found := int64(0), false
		for lines.Scan() {
			line := lines.Text()
			got.bytes += int64(len(line)) + 1
			switch {
			case strings.HasPrefix(line, "event: "):
				inMessage = 0
				if line == "event: "+message {
					got.messages++
				}
			case strings.HasPrefix(line, "data: "):
				n := int64(strings.Count(line, row))
				got.rows, inMessage = got.rows+n, inMessage+n
				got.most = max(got.most, inMessage)
				if !found && strings.Contains(line, last) {
					found = true
					close(got.last)
				}
			}
		}
	})
	return got
}

// TestStreamsUnderLoad: while events are judged as fast as the store takes them, up to 20,000 per second, 20 clients of the API's stream and 20
// pages with live lists of five queries receive what fits, each within its bounds. The store is read for all of them together, and what they
// hold does not grow. Two clients that never read hold nothing up. It measures the heap, and so runs while no other test of the package does.
func TestStreamsUnderLoad(t *testing.T) {
	const (
		rate    = 20_000 // events per second at most
		batch   = 1000
		clients = 20 // of each kind
		seconds = 3
	)
	counted := &countedStore{}
	c := newConsoleOf(t, Health{}, func(d *Deps) { counted.Store, d.Store = d.Store, counted })
	begin := time.Now()
	tick := func() { c.ago.Store(-int64(time.Since(begin))) } // the clock of the parts goes on
	n := 0
	judge := func(size int, host func(i int) string, message string) {
		t.Helper()
		tick()
		entry, at := store.JudgedEntry{Entry: queue.NewEntryID()}, sceneTime().Add(time.Since(begin))
		for i := range size {
			n++
			e := event.Event{ID: idAt(at, n), ReceivedAt: at.UnixMicro(), Timestamp: at.UnixMicro(), Source: event.SourceSyslog, Severity: 3, Facility: event.Absent,
				Hostname: host(i), Message: message, CorrelationID: fmt.Sprint("load-", n)}
			entry.Rows = append(entry.Rows, store.AuditRow{Event: &e, Decision: &event.Decision{Fate: event.FateUnhandled}})
		}
		entry.Counts = []store.LedgerCount{{Minute: at.Unix() / 60, Source: event.SourceSyslog, Fate: event.FateUnhandled, N: int64(size)}}
		if _, err := c.store.Judge(t.Context(), "test", []store.JudgedEntry{entry}); err != nil {
			t.Fatal(err)
		}
	}
	busy := func(i int) string { return fmt.Sprint("host-", i%50) }
	const text = "%LINK-3-UPDOWN: Interface HundredGigE0/1/0, changed state to down; neighbor 203.0.113.7 lost"

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var readers sync.WaitGroup
	var samples, lists []*streamed
	queries := []string{"", "text:updown", "fate:unhandled", "sev:err..emerg", "src:syslog"}
	for i := range clients {
		samples = append(samples, c.stream(ctx, &readers, "/api/v2/events/stream", "sample", `"fate":"`, "the last one"))
		lists = append(lists, c.stream(ctx, &readers, "/ui/stream?"+url.Values{"topics": {"pulse,tail"}, "q": {queries[i%len(queries)]}}.Encode(), "tail", "<tr id=", "the last one"))
	}
	for range 2 { // it reads the header and then nothing
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/ui/stream?topics=pulse,tail", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(httpserver.HeaderAPIKey, c.keys["operator"])
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }() // nobody reads it
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	var before int64
	pace := time.NewTicker(time.Second * batch / rate)
	defer pace.Stop()
	loaded := time.Now()
	for time.Since(loaded) < seconds*time.Second {
		judge(batch, busy, text)
		if before == 0 && time.Since(loaded) > time.Second {
			before = heap()
		}
		<-pace.C
	}
	after := heap()
	took, judged := time.Since(loaded), n
	for i, got := range append(append([]*streamed{}, samples...), lists...) {
		late := time.After(30 * time.Second)
		for done := false; !done; {
			judge(1, func(int) string { return "quiet" }, "the last one, updown")
			select {
			case <-got.last:
				done = true
			case <-time.After(200 * time.Millisecond):
			case <-late:
				t.Fatalf("client %d did not receive the last event", i)
			}
		}
	}
	elapsed := time.Since(begin)
	stop()
	readers.Wait()
	t.Logf("%.0f events/s judged; heap %d KB, then %d KB; %d lists and %d counts read in %v", float64(judged)/took.Seconds(), before>>10, after>>10,
		counted.lists.Load(), counted.counts.Load(), elapsed)
	looks := int64(elapsed/time.Second) + 2
	for kind, list := range map[string][]*streamed{"sample": samples, "list": lists} {
		for i, got := range list {
			if got.messages < 2 || got.rows < 20 || got.most > 20 || got.messages > looks {
				t.Errorf("%s %d: %d messages with %d rows, at most %d in one, within %v", kind, i, got.messages, got.rows, got.most, elapsed)
			}
			if kind == "list" && got.bytes > looks*20<<10 {
				t.Errorf("list %d received %d bytes within %v", i, got.bytes, elapsed)
			}
		}
	}
	if read := counted.lists.Load(); read > looks+int64(len(queries)) {
		t.Errorf("%d lists were read within %v for %d clients", read, elapsed, 2*clients)
	}
	if read := counted.counts.Load(); read > 2*looks {
		t.Errorf("judged events were counted %d times within %v for %d clients", read, elapsed, 2*clients)
	}
	if grown := after - before; grown > 16<<20 {
		t.Errorf("the heap grew by %d KB while %d events were judged", grown>>10, judged)
	}
}
