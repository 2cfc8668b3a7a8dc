package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/store"
)

// BenchmarkConsolePages: how long the server takes for each page and fragment of the console, with 1,000 rules and 10 million audit rows of ten
// days on PostgreSQL, while 1,000 events per second come in. MUTT_BENCH_AUDIT_ROWS sets another number of rows. The budgets are 100 ms for 95 of
// 100 pages and 50 ms for fragments; the run reports what is over, and does not fail for it.
func BenchmarkConsolePages(b *testing.B) {
	bin, rows, n := binary(b), size(10_000_000, 5_000), size(200, 3)
	if given, err := strconv.Atoi(os.Getenv("MUTT_BENCH_AUDIT_ROWS")); err == nil {
		rows = given
	}
	for b.Loop() {
		s, where := servers(b)
		_, sink := startSink(b, nil)
		where = append(where, "MOOG_WEBHOOK_URL="+sink)
		pipeline := start(b, bin, "ingestor,alerter,forwarder,janitor", where...)
		h := newHistory(b, s, rows)
		ui := start(b, binary(b), "ui", where...)
		ui.rulesOnly(1000)
		h.know()
		sending := pipeline.sending("--rate", strconv.Itoa(size(1000, 200)), "--batch", "20", "-c", "2")
		table := measured{b: b, rig: ui, title: fmt.Sprintf("%d rules, %d audit rows, %d events/s", 1000, rows, size(1000, 200))}
		for _, p := range h.pages() {
			table.add(p, 100, n)
		}
		for _, p := range h.fragments(ui) {
			table.add(p, 50, n)
		}
		table.print()
		sending()
		pipeline.stop()
		ui.stop()
	}
}

// BenchmarkConsoleLive: what 50 open Overviews, 20 live tails and 20 clients of the API's stream cost a process of the ui role, while the others
// take 20,000 events per second in (MUTT_BENCH_RATE), or as many as they can; and before that, how long PostgreSQL works for the Overviews alone.
func BenchmarkConsoleLive(b *testing.B) {
	bin, rate, secs := binary(b), size(20_000, 500), size(20, 2)
	if given, err := strconv.Atoi(os.Getenv("MUTT_BENCH_RATE")); err == nil {
		rate = given
	}
	for b.Loop() {
		s, where := servers(b)
		_, sink := startSink(b, nil)
		where = append(where, "MOOG_WEBHOOK_URL="+sink, "MAX_INGEST_QUEUE_SIZE=100000")
		ui := start(b, bin, "ui", append(where, "MUTT_LIMITS_CONNECTIONS_PER_SOURCE=1000")...) // all browsers have one address here
		ui.rulesOnly(1000)
		overview := url.Values{"topics": {overviewTopics(b, ui)}}
		pipeline := start(b, bin, "ingestor,alerter,forwarder,janitor", where...)
		ctx, end := context.WithCancel(b.Context())
		var open sync.WaitGroup
		b.Cleanup(func() { end(); open.Wait() })
		var bytes int64
		var seconds float64 // of all streams together
		var mu sync.Mutex
		follow := func(path string) {
			open.Go(func() {
				begin := time.Now()
				n, err := ui.follow(ctx, path)
				if err != nil {
					b.Error(err)
				}
				mu.Lock()
				bytes += n
				seconds += time.Since(begin).Seconds()
				mu.Unlock()
			})
		}
		_ = ui.share(time.Duration(size(5, 1)) * time.Second) // the work of starting ends meanwhile
		b.ReportMetric(storeTime(b, s, secs), "store-ms/s-unwatched")
		for range size(50, 5) {
			follow("/ui/stream?" + overview.Encode())
		}
		b.ReportMetric(storeTime(b, s, secs), "store-ms/s-overviews")
		sending := pipeline.sending("--rate", strconv.Itoa(rate), "--batch", "500", "-c", "4")
		overviews := ui.share(time.Duration(secs) * time.Second)
		for range size(20, 2) {
			follow("/ui/stream?topics=pulse,tail")
			follow("/api/v2/events/stream")
		}
		before, begin := ui.ledger().Judging.Judged, time.Now()
		busy := ui.share(time.Duration(secs) * time.Second)
		judged := float64(ui.ledger().Judging.Judged-before) / time.Since(begin).Seconds()
		end()
		open.Wait()
		sending()
		b.ReportMetric(judged, "events/s")
		b.ReportMetric(100*overviews, "ui-%-of-a-core-overviews")
		b.ReportMetric(100*busy, "ui-%-of-a-core-all-streams")
		b.ReportMetric(ui.peak(), "ui-peak-MB")
		b.ReportMetric(float64(bytes)/seconds, "B/s-per-stream")
		b.Logf("load average %s", loadAverage(b))
		pipeline.stop()
		ui.stop()
	}
}

// storeTime returns how many milliseconds of each second PostgreSQL works for MUTT, measured over a time.
func storeTime(b *testing.B, s *apptest.Servers, secs int) float64 {
	b.Helper()
	active := func() float64 {
		ms, err := strconv.ParseFloat(s.Postgres.SQL("postgres", "SELECT active_time FROM pg_stat_database WHERE datname = '"+s.Database+"'"), 64)
		if err != nil {
			b.Fatal(err)
		}
		return ms
	}
	begin, before := time.Now(), active()
	timer := time.NewTimer(time.Duration(secs) * time.Second)
	defer timer.Stop()
	<-timer.C
	return (active() - before) / time.Since(begin).Seconds()
}

// overviewTopics returns what Overview follows, as its page says.
func overviewTopics(b *testing.B, r *rig) string {
	b.Helper()
	body, err := r.reader().get(call{path: "/"})
	if err != nil {
		b.Fatal(err)
	}
	topics := []string{"pulse"}
	for part := range strings.SplitSeq(body, `data-topics="`) {
		if names, _, ok := strings.Cut(part, `"`); ok && !strings.Contains(names, "<") {
			topics = append(topics, strings.Split(names, ",")...)
		}
	}
	slices.Sort(topics)
	return strings.Join(slices.Compact(topics), ",")
}

// sending sends events in a process of its own until the function that it returns is called, or the benchmark ends.
func (r *rig) sending(args ...string) (stop func()) {
	r.b.Helper()
	cmd := exec.Command(r.bin, append([]string{"send", "--key", ingestKey, "--target", "http://" + r.addrs["ingest"], "--count", "0", "--retry", "1h"}, args...)...)
	if err := cmd.Start(); err != nil {
		r.b.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	r.b.Cleanup(stop)
	return stop
}

// share returns the part of a core that the process uses over a time.
func (r *rig) share(over time.Duration) float64 {
	begin, cpu := time.Now(), r.cpu()
	timer := time.NewTimer(over)
	defer timer.Stop()
	<-timer.C
	return (r.cpu() - cpu) / time.Since(begin).Seconds()
}

// follow reads a live stream until ctx ends and returns how many bytes came.
func (r *rig) follow(ctx context.Context, path string) (n int64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.addrs["admin"]+path, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("X-API-KEY", adminKey)
	for ctx.Err() == nil { // a stream that was opened with a key lives for a minute
		resp, err := http.DefaultClient.Do(req)
		if errors.Is(err, context.Canceled) {
			break
		}
		if err != nil {
			return n, err
		}
		got, err := io.Copy(io.Discard, resp.Body)
		n += got
		_ = resp.Body.Close() // it was read to its end
		if resp.StatusCode != http.StatusOK {
			return n, fmt.Errorf("the stream answers %d", resp.StatusCode)
		}
		if err != nil && ctx.Err() == nil {
			return n, err
		}
	}
	return n, nil
}

// loadAverage returns that of the last minute.
func loadAverage(b *testing.B) string {
	b.Helper()
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		b.Fatal(err)
	}
	return strings.Fields(string(text))[0]
}

// call is a request of a browser.
type call struct {
	name, path string
	fragment   bool
}

// pageReader makes requests as a browser would, over one connection.
type pageReader struct {
	base   string
	client *http.Client
}

func (r *rig) reader() *pageReader {
	return &pageReader{"http://" + r.addrs["admin"], &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}}
}

func (p *pageReader) get(c call) (string, error) {
	req, err := http.NewRequest(http.MethodGet, p.base+c.path, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("X-API-KEY", adminKey)
	if c.fragment {
		req.Header.Set("HX-Request", "true")
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }() // it is read to its end
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK || strings.Contains(string(body), `class="error`) {
		return "", fmt.Errorf("%s: status %d: %.2000s", c.path, resp.StatusCode, body)
	}
	return string(body), nil
}

// measured is a table of times.
type measured struct {
	b     *testing.B
	rig   *rig
	title string
	lines []string
}

// add measures n requests, each of a path of its own. budget is what 95 of 100 may take, in ms.
func (m *measured) add(next func() call, budget float64, n int) {
	m.b.Helper()
	reader, took, largest, cpu := m.rig.reader(), make([]float64, n), 0, m.rig.cpu()
	for i := range took {
		c, begin := next(), time.Now()
		body, err := reader.get(c)
		took[i] = float64(time.Since(begin).Microseconds()) / 1000
		if err != nil {
			m.b.Error(err)
			return
		}
		largest = max(largest, len(body))
	}
	cpu = (m.rig.cpu() - cpu) / float64(n) * 1000
	slices.Sort(took)
	name, p95, over := next().name, took[(n-1)*95/100], ""
	if p95 > budget {
		over = "over"
	}
	m.lines = append(m.lines, fmt.Sprintf("%s\t%.1f\t%.1f\t%.1f\t%.1f\t%.0f\t%d\t%s\t%s", name, took[n/2], p95, took[n-1], cpu, budget, largest/1024, loadAverage(m.b), over))
	m.b.ReportMetric(p95, strings.ReplaceAll(name, " ", "-")+"-p95-ms")
}

// print writes the table to the standard output, which is not cut as the log of a benchmark is.
func (m *measured) print() {
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "\n%s\tp50 ms\tp95 ms\tmost ms\tCPU ms\tbudget ms\tKiB\tload\t\n%s\n", m.title, strings.Join(m.lines, "\n")) // for people
	_ = w.Flush()
}

// history is what a store holds of the last days.
type history struct {
	b      *testing.B
	random *rand.Rand
	sql    func(statement string) string
	ids    []string // of some events
	rules  []string // ids
}

const historyDays = 10

// newHistory fills the audit of ten days up to now, the books and the hits of rules that go with it. The rows are made in PostgreSQL, from a
// row as the store writes it.
func newHistory(b *testing.B, s *apptest.Servers, rows int) *history {
	b.Helper()
	now := time.Now().UTC()
	a := &audit{b: b, server: s.Postgres, database: s.Database}
	db := a.open()
	defer func() { _ = db.Close() }() // it made partitions only
	if _, err := db.EnsurePartitions(b.Context(), now.AddDate(0, 0, -historyDays), historyDays+store.PartitionsAhead); err != nil {
		b.Fatal(err)
	}
	sql := func(statement string) string { return s.Postgres.SQL(s.Database, statement) }
	sql(`DROP INDEX event_audit_hostname, event_audit_rule`)
	const step = 250_000
	var writers sync.WaitGroup
	chunks := make(chan int, rows/step+1)
	for from := 0; from < rows; from += step {
		chunks <- from
	}
	close(chunks)
	for range 2 {
		writers.Go(func() {
			for from := range chunks {
				sql(historyRows(now, from, min(from+step, rows), rows))
			}
		})
	}
	writers.Wait()
	for _, index := range []string{hostname, rule} {
		sql(`SET maintenance_work_mem = '512MB'; ` + index)
	}
	sql(fmt.Sprintf(`INSERT INTO ledger SELECT m, 'history', %d, f, %d FROM generate_series(%d, %d) m, unnest(ARRAY[%d, %d]) f ON CONFLICT DO NOTHING`,
		event.SourceSyslog, rows/historyDays/1440/2, now.Unix()/60-historyDays*1440, now.Unix()/60-1, event.FateForwarded, event.FateUnhandled))
	sql(fmt.Sprintf(`INSERT INTO folded_counts SELECT m, 'history', k, '', %d FROM generate_series(%d, %d) m, unnest(ARRAY['received', 'delivered']) k ON CONFLICT DO NOTHING`,
		rows/historyDays/1440, now.Unix()/60-historyDays*1440, now.Unix()/60-1))
	sql(`VACUUM ANALYZE`)
	h := &history{b: b, sql: sql, random: rand.New(rand.NewPCG(1, 2))}
	h.ids = strings.Fields(sql(fmt.Sprintf(`SELECT id FROM event_audit TABLESAMPLE SYSTEM (%g) LIMIT 500`, min(100, 20e5/float64(rows)))))
	if len(h.ids) == 0 {
		b.Fatal("there is no history")
	}
	return h
}

// know takes the rules into the history: each has won events in every hour of two days.
func (h *history) know() {
	hour := time.Now().Unix() / 3600
	h.sql(fmt.Sprintf(`INSERT INTO rule_hits SELECT id, h, 10, h * 3600000000 FROM alert_rules, generate_series(%d, %d) h ON CONFLICT DO NOTHING`, hour-48, hour-1))
	h.rules = strings.Fields(h.sql(`SELECT id FROM alert_rules LIMIT 500`))
}

// historyRows returns the statement that makes the rows from (inclusive) to (exclusive) of so many, spread evenly over the days before now.
func historyRows(now time.Time, from, to, of int) string {
	sample := event.Event{ReceivedAt: time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro(), Source: event.SourceSyslog, Severity: 3, Facility: 23, Hostname: "@host@", SourceIP: "192.0.2.17",
		AppName: "LINK-3-UPDOWN", CorrelationID: "@id@", Message: "%LINK-3-UPDOWN: Interface TenGigE0/@n@/0, changed state to down; neighbor 203.0.113.7 lost after @n@ ms"}
	sample.Timestamp = sample.ReceivedAt
	raw := strings.ReplaceAll(string(event.AppendEventJSON(nil, &sample)), sample.ID.String(), "@id@")
	raw = strings.ReplaceAll(raw, "2001-01-01T00:00:00.000000Z", "@at@")
	return fmt.Sprintf(`
		INSERT INTO event_audit (id, received_at, event_timestamp, ruleset_version, matched_rule_id, source, severity, syslog_severity, handling, fate, environment, hostname,
			rule_name, team, signature, correlation_id, raw_message)
		SELECT id, us, us, 7, CASE WHEN won THEN rule END, %[1]d, 3, 3, CASE WHEN won THEN %[2]d ELSE 0 END, CASE WHEN won THEN %[3]d ELSE %[4]d END, 0, host,
			CASE WHEN won THEN 'n' || rule ELSE '' END, 'TEAM' || rule %% 12, CASE WHEN won THEN host || '::' || rule ELSE '' END, id::text,
			replace(replace(replace(replace($raw$%[5]s$raw$, '@host@', host), '@n@', (n %% 1000)::text), '@id@', id::text), '@at@', to_char(to_timestamp(us / 1e6) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
		FROM (SELECT n, us, n %% 5 = 0 AS won, 1 + (power(random(), 3) * 999)::bigint AS rule, 'edge-fra-' || lpad((power(random(), 3) * 4999)::int::text, 4, '0') || '.example.net' AS host,
				(lpad(to_hex(us / 1000), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid AS id
			FROM (SELECT n, %[6]d + (n::float8 / %[7]d * %[8]d)::bigint AS us FROM generate_series(%[9]d, %[10]d) n) times) made`,
		event.SourceSyslog, event.PageAndTicket, event.FateForwarded, event.FateUnhandled, raw,
		now.AddDate(0, 0, -historyDays).UnixMicro(), of, (historyDays * 24 * time.Hour).Microseconds(), from, to-1)
}

// pages lists the pages, each with its address, which differs from call to call.
func (h *history) pages() []func() call {
	host := func() string { return fmt.Sprintf("edge-fra-%04d.example.net", skewed(h.random.Float64(), 5000)) }
	hour := func() url.Values {
		to := time.Now().UTC().Add(-time.Duration(h.random.IntN(9*24)) * time.Hour)
		return url.Values{"from": {to.Add(-time.Hour).Format(time.RFC3339)}, "to": {to.Format(time.RFC3339)}}
	}
	events := func(name string, query func() url.Values) func() call {
		return func() call { return call{name: name, path: "/events?" + query().Encode()} }
	}
	return []func() call{
		func() call { return call{name: "Overview", path: "/"} },
		events("Events newest", func() url.Values { return url.Values{} }),
		events("Events of a host", func() url.Values { return url.Values{"q": {"host:" + host()}, "range": {"24h"}} }),
		events("Events of an hour", hour),
		events("Events of a rule", func() url.Values { return url.Values{"q": {"rule:" + h.one(h.rules)}, "range": {"24h"}} }),
		events("Events with a peek", func() url.Values { return url.Values{"e": {h.one(h.ids)}} }),
		func() call { return call{name: "Event", path: "/events/" + h.one(h.ids)} },
		func() call { return call{name: "Rules", path: "/rules"} },
		func() call { return call{name: "Rules with a peek", path: "/rules?rule=" + h.one(h.rules)} },
		func() call { return call{name: "Rule editor", path: "/rules/" + h.one(h.rules)} },
		func() call { return call{name: "New rule from an event", path: "/rules/new?from=" + h.one(h.ids)} },
	}
}

// fragments lists what pages fetch while they are open.
func (h *history) fragments(r *rig) []func() call {
	topics := url.Values{"once": {"1"}, "topics": {overviewTopics(h.b, r)}}
	return []func() call{
		func() call {
			return call{name: "what Overview follows", path: "/ui/stream?" + topics.Encode(), fragment: true}
		},
		func() call {
			return call{name: "judged again", path: "/events/" + h.one(h.ids) + "?now=1", fragment: true}
		},
	}
}

func (h *history) one(of []string) string { return of[h.random.IntN(len(of))] }
