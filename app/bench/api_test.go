package bench

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// BenchmarkAPIPolled: the admin API as dashboards and scripts use it, 50 connections and 100 requests per second in total, while
// the same process works at half of the rate that the run measured just before. Lists are asked for with their ETag, as a poller
// does; a tenth of the requests is for all 1,000 rules in full.
func BenchmarkAPIPolled(b *testing.B) {
	bin, n, secs := binary(b), size(100_000, 2_000), size(30, 1)
	for b.Loop() {
		sk, url := startSink(b, nil)
		r := start(b, bin, "all", "MOOG_WEBHOOK_URL="+url)
		r.rules(1000)
		begin, before := time.Now(), r.ledger().Judging.Received
		accepted := before + r.send("--count", strconv.Itoa(n), "--batch", "500", "-c", "4").Accepted
		r.drained(accepted, sk, 5*time.Minute)
		half := int(float64(n) / time.Since(begin).Seconds() / 2)

		var sender sync.WaitGroup
		sender.Go(func() {
			res, err := r.trySend("--count", strconv.Itoa(half*secs), "--rate", strconv.Itoa(half), "--batch", "100", "-c", "2")
			if err != nil {
				b.Error(err)
			}
			accepted += res.Accepted
		})
		p := newPollers(b, r, time.Duration(secs)*time.Second)
		p.run(50, 100)
		sender.Wait()
		r.drained(accepted, sk, 5*time.Minute)
		p.report()
		b.ReportMetric(float64(half), "events/s")
		r.stop()
	}
}

// poll is a request that is made again and again.
type poll struct {
	name, path string
	tag        string // sent as If-None-Match
	status     int
	took       []time.Duration
}

// pollers make requests at a steady rate from many connections.
type pollers struct {
	b     *testing.B
	base  string
	bound time.Duration
	mu    sync.Mutex
	polls []*poll
}

func newPollers(b *testing.B, r *rig, bound time.Duration) *pollers {
	p := &pollers{b: b, base: "http://" + r.addrs["admin"] + "/api/v2", bound: bound}
	for _, name := range []string{"config", "rules"} {
		seen, err := p.ask(http.DefaultClient, &poll{path: "/" + name, status: http.StatusOK})
		if err != nil {
			b.Fatal(err)
		}
		p.polls = append(p.polls, &poll{name: name, path: "/" + name, tag: seen, status: http.StatusNotModified})
	}
	p.polls = append(p.polls, &poll{name: "rules-in-full", path: "/rules", status: http.StatusOK})
	return p
}

// ask makes one request and gives the ETag of its answer.
func (p *pollers) ask(client *http.Client, q *poll) (tag string, err error) {
	req, err := http.NewRequestWithContext(p.b.Context(), http.MethodGet, p.base+q.path, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("X-API-KEY", adminKey)
	if q.tag != "" {
		req.Header.Set("If-None-Match", q.tag)
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }() // it is read to its end
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return "", err
	}
	if resp.StatusCode != q.status {
		return "", fmt.Errorf("%s: status %d", q.path, resp.StatusCode)
	}
	return resp.Header.Get("ETag"), nil
}

// run makes rate requests per second over so many connections, each at its own steady pace.
func (p *pollers) run(connections, rate int) {
	var clients sync.WaitGroup
	end := time.Now().Add(p.bound)
	pace := time.Duration(connections) * time.Second / time.Duration(rate)
	for i := range connections {
		clients.Go(func() {
			client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
			defer client.CloseIdleConnections()
			next := time.NewTimer(pace * time.Duration(i) / time.Duration(connections))
			defer next.Stop()
			for n := i; time.Now().Before(end); n++ {
				begin := <-next.C
				next.Reset(pace)
				p.once(client, n, begin)
			}
		})
	}
	clients.Wait()
}

// once makes request n, of which every tenth is for the rules in full. Time counts from when it was due.
func (p *pollers) once(client *http.Client, n int, due time.Time) {
	q := p.polls[n%2]
	if n%10 == 9 {
		q = p.polls[2]
	}
	if _, err := p.ask(client, q); err != nil {
		p.b.Error(err)
		return
	}
	p.mu.Lock()
	q.took = append(q.took, time.Since(due))
	p.mu.Unlock()
}

func (p *pollers) report() {
	for _, q := range p.polls {
		if len(q.took) == 0 {
			p.b.Fatalf("%s was never asked for", q.name)
		}
		slices.Sort(q.took)
		p.b.ReportMetric(float64(q.took[len(q.took)/2].Microseconds())/1000, q.name+"-p50-ms")
		p.b.ReportMetric(float64(q.took[len(q.took)*99/100].Microseconds())/1000, q.name+"-p99-ms")
	}
}
