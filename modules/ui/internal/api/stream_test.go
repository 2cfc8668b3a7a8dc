package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/store"
)

// follow opens a stream over HTTP and gives its samples until the test or the stream ends.
func follow(t *testing.T, server *httptest.Server, path string) <-chan apiclient.StreamSample {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/v2"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-KEY", "viewer")
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("X-Accel-Buffering") != "no" {
		t.Fatalf("got %d %v", resp.StatusCode, resp.Header)
	}
	samples := make(chan apiclient.StreamSample, 1000)
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "retry: ") {
		t.Fatalf("the first line is %q", lines.Text())
	}
	go func() {
		defer close(samples)
		defer func() { _ = resp.Body.Close() }() // it was read to its end or is given up
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				var s apiclient.StreamSample
				if err := json.Unmarshal([]byte(data), &s); err != nil {
					t.Errorf("%v: %s", err, data)
				}
				samples <- s
			}
		}
	}()
	return samples
}

// TestStreamsShowWhatIsJudged has two watchers with filters of their own. Events of before are not shown, and none is shown twice.
func TestStreamsShowWhatIsJudged(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	server := httptest.NewServer(b.handler)
	t.Cleanup(server.Close)
	b.judge(auditRow(-1000, "sw1", event.FateUnhandled, event.HandlingNone, 0))
	all, some := follow(t, server, "/events/stream"), follow(t, server, "/events/stream?hostname=SW1&q=message")
	n := 0
	next := func() store.AuditRow {
		n++
		return auditRow(n, []string{"sw1", "sw2"}[n%2], event.FateUnhandled, event.HandlingNone, 0)
	}
	shown, judged, mine := map[string]int{}, int64(0), 0
	late := time.After(30 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for len(shown) < 8 || mine < 4 {
		select {
		case <-tick.C:
			if n < 20 { // the reader learns at its first look what is there already
				b.judge(next())
			}
		case s := <-all:
			judged += s.Judged
			if s.Fitting != s.LookedAt || len(s.Events) != s.Fitting {
				t.Errorf("without a filter: %+v", s)
			}
			for _, e := range s.Events {
				shown[e.ID]++
			}
		case s := <-some:
			for _, e := range s.Events {
				if e.Hostname != "sw1" {
					t.Errorf("of another host: %+v", e)
				}
				mine++
			}
		case <-late:
			t.Fatalf("shown %d, of sw1 %d", len(shown), mine)
		}
	}
	for id, times := range shown {
		if times != 1 || id == testID(-1000).String() {
			t.Errorf("%s was shown %d times", id, times)
		}
	}
	if judged < int64(len(shown)) {
		t.Errorf("%d shown, %d judged", len(shown), judged)
	}
}

// TestStreamsAreCapped opens as many streams as one identity may, and one more; when one ends there is room again. Nothing is left when all have.
func TestStreamsAreCapped(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	for range maxOwnStreams {
		b.must(b.api.streaming.enter("key:viewer"))
	}
	b.refuse(429, "", "streams open", request{method: "GET", path: "/events/stream", key: "viewer"})
	if rec := b.do(request{method: "GET", path: "/events/stream", key: "operator"}); rec.Code != 200 {
		t.Errorf("another caller: got %d", rec.Code)
	}
	b.api.streaming.leave("key:viewer")
	if rec := b.do(request{method: "GET", path: "/events/stream", key: "viewer"}); rec.Code != 200 {
		t.Errorf("after one has ended: got %d", rec.Code)
	}
	for i := range maxStreams - maxOwnStreams + 1 {
		b.must(b.api.streaming.enter(fmt.Sprint("other ", i)))
	}
	b.refuse(503, "", "streams are open", request{method: "GET", path: "/events/stream", key: "operator"})
	b.api.tail.mu.Lock()
	defer b.api.tail.mu.Unlock()
	if len(b.api.tail.watchers) != 0 {
		t.Error("a watcher is left")
	}
}

// TestFilterOfAStreamIsThatOfTheList compares fits with what each store lists, for random filters over random rows.
func TestFilterOfAStreamIsThatOfTheList(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T) *bundle{"sqlite": func(t *testing.T) *bundle { return newBundle(t) }, "postgres": newPostgresBundle} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, random := open(t), rand.New(rand.NewPCG(15, 16))
			pick := func(list ...string) string { return list[random.IntN(len(list))] }
			texts := []string{"", "down", "\"DOWN\"", "ünder", "ÜNDER", "%", "_x", "!", "!%", `\`, `back\slash`, "\t", "K", "İ", "nothing", `"source":"http"`, attackText}
			hosts := []string{"", "sw1", "Sw2", "köln", "KÖLN", attackText, "sw1 "}
			var rows []store.AuditRow
			for i := range 150 {
				r := auditRow(i+1, pick(hosts...), event.Fates()[random.IntN(len(event.Fates()))], event.Handlings()[random.IntN(len(event.Handlings()))], int64(random.IntN(3)))
				r.Event.Message = pick(texts...) + pick("Link \"down\"", "link DOWN", "ünder", "100% _x_ !%", `back\slash`+"\t", "\u212a kelvin") + pick(texts...)
				r.Event.Source, r.Event.Severity = event.Sources()[random.IntN(len(event.Sources()))], int8(random.IntN(9)-1)
				r.Event.CorrelationID, r.Decision.Team, r.Decision.Dev = pick("", "c-1", "C-1", attackText), pick("A", "a", ""), random.IntN(2) == 0
				rows = append(rows, r)
			}
			b.judge(rows...)
			whole, err := b.store.AuditLogs(t.Context(), store.AuditFilter{Limit: 1000})
			b.must(err)
			fitted := 0
			for range 600 {
				var f store.AuditFilter
				for _, set := range []func(){
					func() { f.Hostname = pick(hosts...) }, func() { f.Team = pick("A", "a") }, func() { f.Query = pick(texts...) }, func() { f.CorrelationID = pick("c-1", "C-1", attackText) },
					func() { f.Fate = event.Fates()[random.IntN(len(event.Fates()))] }, func() { f.Handling = event.Handlings()[random.IntN(len(event.Handlings()))] },
					func() { rule := int64(1 + random.IntN(3)); f.RuleID = &rule }, func() { f.Source = event.Sources()[random.IntN(len(event.Sources()))] },
					func() {
						a, b := int8(random.IntN(8)), int8(random.IntN(8))
						f.Severity = &store.SeverityRange{Worst: min(a, b), Least: max(a, b)}
					},
					func() { dev := random.IntN(2) == 0; f.Dev = &dev }, func() { f.ID = testID(1 + random.IntN(150)) },
				} {
					if random.IntN(5) == 0 {
						set()
					}
				}
				f.Limit = 1000
				listed, err := b.store.AuditLogs(t.Context(), f)
				b.must(err)
				want := map[event.ID]bool{}
				for _, l := range listed.Items {
					want[l.ID] = true
				}
				m := newMatcher(f)
				fitted += len(want)
				for i := range whole.Items {
					if got := m.fits(&whole.Items[i], func() string { return event.FoldHost(whole.Items[i].RawMessage) }); got != want[whole.Items[i].ID] {
						t.Fatalf("%+v: %v, the list says %v: %+v", f, got, !got, whole.Items[i])
					}
				}
			}
			if fitted < 1000 {
				t.Errorf("only %d rows fitted: the filters are too narrow to say anything", fitted)
			}
		})
	}
}

// attackText is what a device may write to leave a literal of SQL, JSON or HTML.
const attackText = `<script>'";--%_!\` + "\x1b\u202e"

func TestFairOverHosts(t *testing.T) {
	t.Parallel()
	var rows []*store.AuditLog
	for i := range 100 {
		host := "busy"
		if i%10 == 9 {
			host = fmt.Sprint("quiet", i/10)
		}
		rows = append(rows, &store.AuditLog{Hostname: host, ID: testID(i)})
	}
	got := fair(rows, 20)
	counts := map[string]int{}
	for i, r := range got {
		counts[r.Hostname]++
		if i > 0 && bytes.Compare(r.ID[:], got[i-1].ID[:]) <= 0 {
			t.Errorf("the order is not kept at %d", i)
		}
	}
	if len(got) != 20 || len(counts) != 11 || counts["busy"] != 10 {
		t.Errorf("%d rows, by host %v", len(got), counts)
	}
	if got := fair(rows[:5], 20); len(got) != 5 {
		t.Errorf("of few rows %d", len(got))
	}
}
