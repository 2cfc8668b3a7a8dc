package httpin

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/queue"
)

// drain empties the queue now and then, outside of the timer's interest but in its time: a full queue is no benchmark.
func (r *rig) drain(b *testing.B) {
	b.Helper()
	b.StopTimer()
	r.stored(b)
	b.StartTimer()
}

// BenchmarkHandler is one event per request from 32 senders, answered after the fsync, without the network;
// "bare" is the same work without a queue.
func BenchmarkHandler(b *testing.B) {
	body := good("core-sw-01.fra.example.net", `,"severity":"err","facility":23,"app_name":"LINK","proc_id":"4711","source_ip":"198.51.100.7"`)
	post := func(b *testing.B, r *rig) {
		req := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/ingest", strings.NewReader(body))
		req.Header.Set("X-API-KEY", "one")
		rec := httptest.NewRecorder()
		if r.handler.ServeHTTP(rec, req); rec.Code != 200 {
			b.Errorf("got %d %s", rec.Code, rec.Body)
		}
	}
	run := func(b *testing.B, r *rig) {
		b.ReportAllocs()
		b.SetParallelism(16) // of GOMAXPROCS: 32 on two cores
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				post(b, r)
			}
		})
	}
	b.Run("sqlite", func(b *testing.B) { run(b, newRig(b, nil)) })
	b.Run("bare", func(b *testing.B) {
		r := newRig(b, nil)
		r.writer.instead = func(context.Context, []queue.Item) error { return nil }
		run(b, r)
	})
}

// BenchmarkLines is NDJSON of 500 events per request, to the durable queue.
func BenchmarkLines(b *testing.B) {
	var body strings.Builder
	for i := range 500 {
		fmt.Fprintln(&body, good(fmt.Sprintf("core-sw-%02d.fra.example.net", i%40), `,"severity":"err","facility":23,"app_name":"LINK"`))
	}
	for _, senders := range []int{1, 4} {
		b.Run(fmt.Sprintf("senders%d", senders), func(b *testing.B) {
			r := newRig(b, nil)
			b.ReportAllocs()
			b.SetBytes(int64(body.Len()))
			work := make(chan struct{})
			done := make(chan struct{})
			for range senders {
				go func() {
					for range work {
						rec := r.send(b, body.String(), "Content-Type: application/x-ndjson")
						if rec.Code != 200 {
							b.Errorf("got %d %s", rec.Code, rec.Body)
						}
					}
					done <- struct{}{}
				}()
			}
			for i := 0; b.Loop(); i++ {
				work <- struct{}{}
				if i%1000 == 999 {
					r.drain(b)
				}
			}
			close(work)
			for range senders {
				<-done
			}
			b.ReportMetric(float64(b.N)*500/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkNetHTTP is one event per request over loopback, 32 connections, beside a handler that only reads the body
// (P4 of docs/performance.md).
func BenchmarkNetHTTP(b *testing.B) {
	body := good("core-sw-01.fra.example.net", `,"severity":"err","facility":23,"app_name":"LINK","proc_id":"4711","source_ip":"198.51.100.7"`)
	bare := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		_, _ = io.WriteString(w, "ok")
	})
	for name, handler := range map[string]http.Handler{"mutt": newRig(b, nil).handler, "bare": bare} {
		b.Run(name, func(b *testing.B) {
			s := httptest.NewServer(handler)
			defer s.Close()
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
			defer client.CloseIdleConnections()
			b.SetParallelism(16)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, s.URL+"/ingest", strings.NewReader(body))
					if err != nil {
						b.Error(err)
						return
					}
					req.Header.Set("X-API-KEY", "one")
					res, err := client.Do(req)
					if err != nil {
						b.Error(err)
						return
					}
					if _, _ = io.Copy(io.Discard, res.Body); res.StatusCode != 200 {
						b.Errorf("got %d", res.StatusCode)
					}
					_ = res.Body.Close()
				}
			})
		})
	}
}
