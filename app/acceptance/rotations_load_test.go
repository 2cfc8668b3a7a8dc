package acceptance

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/app/send"
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
)

// load is a stream of numbered events that ends when it is told to.
type load struct {
	name   string
	opts   send.Options
	source *send.Generator
	over   atomic.Bool
	result send.Result
}

// Next implements send.Source.
func (l *load) Next(dst []byte, transport string) ([]byte, bool) {
	if l.over.Load() {
		return dst, false
	}
	return l.source.Next(dst, transport)
}

// stream makes a load of count events, 0 for no end.
func (r *rotations) stream(name string, count int64, o send.Options) *load {
	l := &load{name: name, opts: o, source: send.NewGenerator(count, 50, name+"-")}
	l.opts.Source, l.opts.Key = l, apptest.IngestKey
	r.loads = append(r.loads, l)
	return l
}

// run sends until the load ends.
func (r *rotations) run(l *load) {
	var err error
	if l.result, err = send.Run(r.Context(), l.opts, nil); err != nil {
		r.Errorf("%s: %v", l.name, err)
	}
}

func (r *rotations) ingest() string { return "http://" + r.members[0].site.ingest + "/api/v2/ingest" }

// capacity measures how many events the whole takes each second, to the last delivery.
func (r *rotations) capacity() uint64 {
	r.Helper()
	l := r.stream("full", 300_000, send.Options{Transport: "http", Target: r.ingest(), Workers: 4, Batch: 500, Retry: time.Minute})
	begin := time.Now()
	r.run(l)
	r.drained()
	rate := float64(l.result.Accepted) / time.Since(begin).Seconds()
	r.Logf("capacity: %.0f events/s", rate)
	return uint64(rate)
}

// underLoad has events come in over HTTP, and a tenth of them over syslog, and polls the API, while something is done.
func (r *rotations) underLoad(rate float64, during func()) {
	r.Helper()
	web := r.stream("http", 0, send.Options{Transport: "http", Target: r.ingest(), Rate: rate * 0.9, Workers: 4, Batch: int(max(1, rate/100))})
	lines := r.stream("syslog", 0, send.Options{Transport: "syslog-tcp", Target: r.members[0].site.tcp, Rate: rate * 0.1, Batch: int(max(1, rate/1000))})
	ctx, enough := context.WithCancel(r.Context())
	polls := 0
	var work sync.WaitGroup
	work.Go(func() { r.run(web) })
	work.Go(func() { r.run(lines) })
	work.Go(func() { polls = r.poll(ctx) })
	defer func() {
		web.over.Store(true)
		lines.over.Store(true)
		enough()
		work.Wait()
		for _, l := range []*load{web, lines} {
			if l.result.Rejected+l.result.Retried > 0 || l.result.FirstError != "" {
				r.Errorf("requests failed: %+v", l.result)
			}
		}
		r.Logf("%d events over HTTP, p99 of the answers %s, at most %s; %d over syslog; %d requests of the API", web.result.Accepted,
			web.result.P99.Round(time.Millisecond), web.result.Max.Round(time.Millisecond), lines.result.Accepted, polls)
	}()
	during()
}

// poll asks every process in turn until ctx ends, and holds that each answers. It gives how often that was.
func (r *rotations) poll(ctx context.Context) (asked int) {
	var urls []string
	for _, m := range r.members {
		urls = append(urls, "http://"+m.site.ops+"/health")
	}
	for _, path := range []string{"config", "rules", "secrets", "secrets/rotations", "queues", "ledger", "processes", "audit-logs?limit=10"} {
		for _, m := range r.members[1:] {
			urls = append(urls, "http://"+m.site.admin+"/api/v2/"+path)
		}
	}
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for ; ; asked++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return asked
		}
		url := urls[asked%len(urls)]
		if status, text, err := r.ask(client, url); status != http.StatusOK || err != nil {
			r.Errorf("%s: %d %v %s", url, status, err, text)
		}
	}
}

func (r *rotations) ask(client *http.Client, url string) (status int, text []byte, err error) {
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("X-API-KEY", apptest.AdminKey)
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err = io.ReadAll(resp.Body)
	return resp.StatusCode, text, err
}

// ledger gives the books.
func (r *rotations) ledger() (l apiclient.Ledger, err error) {
	return l, r.members[1].site.client.Do(r.Context(), apiclient.Call{Method: http.MethodGet, Path: []string{"ledger"}}, &l)
}

// drained waits until everything that was accepted is judged and delivered.
func (r *rotations) drained() (books apiclient.Ledger) {
	r.Helper()
	sent := int64(0)
	for _, l := range r.loads {
		sent += l.result.Accepted
	}
	apptest.EventuallyWithin(r, 5*time.Minute, "everything is judged and delivered", func() (bool, any) {
		var err error
		books, err = r.ledger()
		return err == nil && books.Judging.Received >= sent && books.Judging.InFlight == 0 && books.Delivery.InFlight == 0, fmt.Sprint(sent, books, err)
	})
	if !books.Judging.Balanced || !books.Delivery.Balanced || books.Judging.Received != sent || books.Delivery.Forwardable != r.sink.Stats().Distinct {
		r.Errorf("%d events were accepted, the destination has %+v, the books say %+v", sent, r.sink.Stats(), books)
	}
	return books
}

// accounts holds that each event that was sent has one audit row, and each row that was to be forwarded arrived.
func (r *rotations) accounts() {
	r.Helper()
	begin := time.Now()
	r.drained()
	drained := time.Since(begin)
	var want []string
	for _, l := range r.loads {
		want = append(want, fmt.Sprintf("%s|%d|%d|0|%d", l.name, l.result.Accepted, l.result.Accepted, l.result.Accepted-1))
	}
	slices.Sort(want)
	got := r.v.Postgres.SQL(r.v.Database, `SELECT tag, count(*), count(DISTINCT n), min(n), max(n) FROM (SELECT substring(raw_message FROM 'seq=([a-z]+)-') AS tag,
		substring(raw_message FROM 'seq=[a-z]+-([0-9]+)')::bigint AS n FROM event_audit) AS events GROUP BY tag ORDER BY tag`)
	if got != strings.Join(want, "\n") {
		r.Errorf("by sender, the audit has (rows, distinct, first, last)\n%s\nand there were\n%s", got, strings.Join(want, "\n"))
	}
	rows := strings.Fields(r.v.Postgres.SQL(r.v.Database, fmt.Sprintf("SELECT id FROM event_audit WHERE fate = %d", event.FateForwarded)))
	lost := slices.DeleteFunc(slices.Clone(rows), func(id string) bool { return r.sink.Has(uuid.MustParse(id)) })
	if len(rows) == 0 || len(lost) > 0 {
		r.Errorf("%d of %d alerts did not arrive: %v", len(lost), len(rows), lost[:min(len(lost), 10)])
	}
	r.Logf("every event has one row; %d alerts arrived, %d of them twice, the last of all %s after the load ended", len(rows), r.sink.Stats().Repeats,
		drained.Round(time.Millisecond))
}
