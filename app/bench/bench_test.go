package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muttproject/mutt/app/sink"
)

// startSink runs the sink in this process; what it costs is not MUTT's.
func startSink(b *testing.B, onAlert func(json.RawMessage)) (*sink.Sink, string) {
	b.Helper()
	sk := sink.New(1, onAlert)
	srv := httptest.NewServer(sk)
	b.Cleanup(srv.Close)
	return sk, srv.URL
}

// drained waits until everything that was accepted is judged and delivered, and fails on any loss.
func (r *rig) drained(accepted int64, sk *sink.Sink, bound time.Duration) {
	r.b.Helper()
	r.wait("the pipeline to drain", bound, func() bool {
		l := r.ledger()
		return l.Judging.Received >= accepted && l.Judging.InFlight == 0 && l.Delivery.InFlight == 0
	})
	l := r.ledger()
	if !l.Judging.Balanced || !l.Delivery.Balanced || l.Judging.Received != accepted || sk.Stats().Distinct != l.Delivery.Forwardable {
		r.b.Fatalf("accepted %d, sink %+v, books %+v", accepted, sk.Stats(), l)
	}
}

// BenchmarkP3Pipeline: the whole pipeline in one process, 1,000 rules, a fifth of the events forwarded one per request.
func BenchmarkP3Pipeline(b *testing.B) {
	bin, n := binary(b), size(300_000, 5_000)
	for b.Loop() {
		sk, url := startSink(b, nil)
		r := start(b, bin, "all", "MOOG_WEBHOOK_URL="+url)
		r.rules(1000)
		r.wait("the warm-up to drain", time.Minute, func() bool { return r.ledger().Delivery.InFlight == 0 && r.ledger().Judging.InFlight == 0 })
		before, cpu, begin := r.ledger().Judging.Received, r.cpu(), time.Now()
		res := r.send("--count", strconv.Itoa(n), "--batch", "500", "-c", "4")
		r.drained(before+res.Accepted, sk, 5*time.Minute)
		elapsed := time.Since(begin).Seconds()
		b.ReportMetric(float64(res.Accepted)/elapsed, "events/s")
		b.ReportMetric((r.cpu()-cpu)/float64(res.Accepted)*1e6, "mutt-cpu-µs/event")
		b.ReportMetric(r.peak(), "peak-MB")
		r.stop()
	}
}

// BenchmarkP4Single: one event per request from 32 connections, against a bare handler that reads the body.
func BenchmarkP4Single(b *testing.B) {
	bin, n := binary(b), size(60_000, 500)
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"status":"queued"}`)
	}))
	defer bare.Close()
	for b.Loop() {
		r := start(b, bin, "ingestor")
		args := []string{"--count", strconv.Itoa(n), "--batch", "1", "-c", "32"}
		r.send("--count", "500", "--batch", "1", "-c", "32")
		floor := r.send(append(args, "--target", bare.URL+"/x")...)
		res := r.send(args...)
		b.ReportMetric(res.Rate, "requests/s")
		b.ReportMetric(floor.Rate, "bare-requests/s")
		b.ReportMetric(res.Rate/floor.Rate, "ratio")
		b.ReportMetric(float64(res.P99.Microseconds()), "p99-µs")
		r.stop()
	}
}

// BenchmarkP5Batches: NDJSON batches of 500 to the durable queue; nothing consumes.
func BenchmarkP5Batches(b *testing.B) {
	bin, n := binary(b), size(900_000, 10_000)
	for b.Loop() {
		r := start(b, bin, "ingestor")
		cpu := r.cpu()
		res := r.send("--count", strconv.Itoa(n), "--batch", "500", "-c", "4")
		b.ReportMetric(res.Rate, "events/s")
		b.ReportMetric((r.cpu()-cpu)/float64(res.Accepted)*1e6, "mutt-cpu-µs/event")
		r.stop()
	}
}

// BenchmarkP7UDP: the highest of a ladder of rates at which no datagram is lost, against a bare receive loop.
func BenchmarkP7UDP(b *testing.B) {
	bin, secs := binary(b), size(5, 1)
	ladder := []int{20_000, 40_000, 60_000, 80_000, 100_000, 120_000, 140_000}
	if !full() {
		ladder = []int{1_000}
	}
	for b.Loop() {
		best, bareBest := 0, 0
		for _, rate := range ladder {
			if udpLossless(b, bin, rate, secs) {
				best = rate
			} else {
				break
			}
		}
		for _, rate := range ladder {
			if bareLossless(b, bin, rate, secs) {
				bareBest = rate
			} else {
				break
			}
		}
		if best == 0 {
			b.Fatal("datagrams were lost at the lowest rate")
		}
		b.ReportMetric(float64(best), "lossless/s")
		b.ReportMetric(float64(bareBest), "bare-lossless/s")
	}
}

func udpLossless(b *testing.B, bin string, rate, secs int) bool {
	b.Helper()
	r := start(b, bin, "ingestor")
	defer r.stop()
	res := r.send("--to", "syslog-udp", "--target", r.addrs["syslog_udp"], "--rate", strconv.Itoa(rate), "--count", strconv.Itoa(rate*secs), "--batch", "50", "-c", "2")
	deadline, got := time.Now().Add(3*time.Second), int64(0)
	r.wait("the datagrams", 10*time.Second, func() bool {
		got = r.received()
		return got >= res.Accepted || time.Now().After(deadline)
	})
	// A sender that could not keep the rate did not test it.
	kept := res.Rate >= 0.97*float64(rate)
	b.Logf("udp %d/s: sent %d at %.0f/s, queued %d", rate, res.Accepted, res.Rate, got)
	return got == res.Accepted && kept
}

// received is the depth of the ingest queue, which nothing consumes.
func (r *rig) received() int64 {
	resp, err := http.Get("http://" + r.addrs["ops"] + "/metrics")
	if err != nil {
		r.b.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "mutt_ingest_queue_depth "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
			if err != nil {
				r.b.Fatal(err)
			}
			return int64(n)
		}
	}
	r.b.Fatal("no mutt_ingest_queue_depth")
	return 0
}

func bareLossless(b *testing.B, bin string, rate, secs int) bool {
	b.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetReadBuffer(8 << 20)
	var mu sync.Mutex
	got := int64(0)
	go func() {
		for buf := make([]byte, 65536); ; {
			if _, _, err := conn.ReadFromUDPAddrPort(buf); err != nil {
				return
			}
			mu.Lock()
			got++
			mu.Unlock()
		}
	}()
	r := &rig{b: b, bin: bin}
	res := r.send("--to", "syslog-udp", "--target", conn.LocalAddr().String(), "--rate", strconv.Itoa(rate), "--count", strconv.Itoa(rate*secs), "--batch", "50", "-c", "2")
	count := func() int64 { mu.Lock(); defer mu.Unlock(); return got }
	deadline := time.Now().Add(2 * time.Second)
	r.wait("the datagrams", 10*time.Second, func() bool { return count() >= res.Accepted || time.Now().After(deadline) })
	b.Logf("bare %d/s: sent %d at %.0f/s, got %d", rate, res.Accepted, res.Rate, count())
	return count() == res.Accepted && res.Rate >= 0.97*float64(rate)
}

// BenchmarkP11Latency: from receipt to the request at the destination, at a quarter of P3's foundation and of the
// rate in MUTT_BENCH_RATE (events per second) when that is set.
func BenchmarkP11Latency(b *testing.B) {
	bin, secs := binary(b), size(20, 1)
	rate := size(15_000/4, 500)
	if s := os.Getenv("MUTT_BENCH_RATE"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			b.Fatal(err)
		}
		rate = n
	}
	for b.Loop() {
		var mu sync.Mutex
		var lat []time.Duration
		sk, url := startSink(b, func(a json.RawMessage) {
			if d, ok := age(a); ok {
				mu.Lock()
				lat = append(lat, d)
				mu.Unlock()
			}
		})
		r := start(b, bin, "all", "MOOG_WEBHOOK_URL="+url)
		r.rules(1000)
		r.wait("the warm-up to drain", time.Minute, func() bool { return r.ledger().Delivery.InFlight == 0 && r.ledger().Judging.InFlight == 0 })
		before := r.ledger().Judging.Received
		mu.Lock()
		lat = nil
		mu.Unlock()
		res := r.send("--count", strconv.Itoa(rate*secs), "--rate", strconv.Itoa(rate), "--batch", "20", "-c", "4")
		r.drained(before+res.Accepted, sk, time.Minute)
		mu.Lock()
		slices.Sort(lat)
		if len(lat) == 0 {
			b.Fatal("no alert came")
		}
		b.ReportMetric(float64(lat[len(lat)/2].Microseconds())/1000, "p50-ms")
		b.ReportMetric(float64(lat[len(lat)*99/100].Microseconds())/1000, "p99-ms")
		mu.Unlock()
		b.ReportMetric(float64(rate), "events/s")
		r.stop()
	}
}

// age is how long ago MUTT received the event of an alert.
func age(alert []byte) (time.Duration, bool) {
	const name = `"received_at":"`
	i := bytes.Index(alert, []byte(name))
	if i < 0 {
		return 0, false
	}
	rest := alert[i+len(name):]
	end := bytes.IndexByte(rest, '"')
	if end < 0 {
		return 0, false
	}
	at, err := time.Parse(time.RFC3339Nano, string(rest[:end]))
	return time.Since(at), err == nil
}

// BenchmarkP12Memory: the largest resident set under P3's load with a backlog, MUTT_BENCH_SECONDS long (600 for the figure).
func BenchmarkP12Memory(b *testing.B) {
	bin, secs := binary(b), size(60, 1)
	if s := os.Getenv("MUTT_BENCH_SECONDS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			b.Fatal(err)
		}
		secs = n
	}
	for b.Loop() {
		sk, url := startSink(b, nil)
		r := start(b, bin, "all", "MOOG_WEBHOOK_URL="+url, "MAX_INGEST_QUEUE_SIZE=100000")
		r.rules(1000)
		res := r.send("--count", "0", "--duration", fmt.Sprintf("%ds", secs), "--batch", "500", "-c", "4", "--retry", "1h")
		r.wait("the pipeline to drain", 5*time.Minute, func() bool { return r.ledger().Judging.InFlight == 0 && r.ledger().Delivery.InFlight == 0 })
		if l := r.ledger(); !l.Judging.Balanced || !l.Delivery.Balanced || sk.Stats().Distinct != l.Delivery.Forwardable {
			b.Fatalf("sink %+v, books %+v", sk.Stats(), l)
		}
		b.ReportMetric(r.peak(), "peak-MB")
		b.ReportMetric(res.Rate, "events/s")
		r.stop()
	}
}

// BenchmarkP13Start: from exec to ready, on a new data directory, and on Redis and PostgreSQL with their schema in place.
func BenchmarkP13Start(b *testing.B) {
	b.Run("embedded", func(b *testing.B) { starts(b) })
	b.Run("distributed", func(b *testing.B) {
		_, where := servers(b)
		start(b, binary(b), "all", where...).stop()
		starts(b, where...)
	})
}

func starts(b *testing.B, env ...string) {
	b.Helper()
	bin, runs := binary(b), size(15, 2)
	for b.Loop() {
		var took []time.Duration
		for range runs {
			r := start(b, bin, "all", env...)
			took = append(took, r.startup)
			r.stop()
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "median-ms")
		b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "max-ms")
	}
}

// BenchmarkP14Size: the stripped binary.
func BenchmarkP14Size(b *testing.B) {
	bin := binary(b)
	for b.Loop() {
		info, err := os.Stat(bin)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/1e6, "MB")
	}
}
