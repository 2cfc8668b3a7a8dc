package send

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestGeneratedEventsAreWhole(t *testing.T) {
	t.Parallel()
	g := NewGenerator(25, 3, "t-")
	for i := range 25 {
		line, ok := g.Next(nil, "http")
		if !ok {
			t.Fatalf("ended at %d", i)
		}
		var e struct {
			Hostname, Timestamp, Message string
			Severity                     int `json:"syslog_severity"`
		}
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if _, err := time.Parse(time.RFC3339, e.Timestamp); err != nil || e.Hostname != fmt.Sprintf("device-%d", i%3) ||
			!strings.HasSuffix(e.Message, fmt.Sprintf("seq=t-%d", i)) || e.Severity != i%8 {
			t.Fatalf("got %+v %v", e, err)
		}
	}
	if _, ok := g.Next(nil, "http"); ok {
		t.Fatal("no end")
	}
}

func TestHTTPCountsWhatWasAcknowledged(t *testing.T) {
	defer goleak.VerifyNone(t)
	var mu sync.Mutex
	got, calls := map[string]int{}, 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if calls++; calls%3 == 0 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if r.Header.Get("X-API-KEY") != "k" {
			t.Error("no key")
		}
		n := 0
		for sc := bufio.NewScanner(r.Body); sc.Scan(); n++ {
			got[sc.Text()[strings.Index(sc.Text(), "seq="):]]++
		}
		fmt.Fprintf(w, `{"accepted":%d,"rejected":0}`, n)
	}))
	defer srv.Close()
	var told atomic.Int64
	res, err := Run(t.Context(), Options{Transport: "http", Target: srv.URL, Key: "k", Source: NewGenerator(1000, 5, ""), Workers: 4, Batch: 7, Retry: time.Minute},
		func(p Progress) { told.Store(p.Accepted) })
	if err != nil || res.Accepted != 1000 || res.Rejected != 0 || res.Retried == 0 || len(got) != 1000 || told.Load() != 1000 {
		t.Fatalf("%+v %v, %d distinct, told %d", res, err, len(got), told.Load())
	}
	if res.P50 <= 0 || res.P50 > res.P99 || res.P99 > res.Max {
		t.Fatalf("percentiles %v %v %v", res.P50, res.P99, res.Max)
	}
}

func TestRefusedForGoodIsRejected(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error":"the API key is not known"}`)
	}))
	defer srv.Close()
	res, err := Run(t.Context(), Options{Transport: "http", Target: srv.URL, Source: NewGenerator(3, 1, ""), Retry: time.Minute}, nil)
	if err != nil || res.Accepted != 0 || res.Rejected != 3 || !strings.Contains(res.FirstError, "401: the API key is not known") {
		t.Fatalf("%+v %v", res, err)
	}
}

func TestDeadReceiverEndsTheRun(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer srv.Close()
	res, err := Run(t.Context(), Options{Transport: "http", Target: srv.URL, Source: NewGenerator(0, 1, ""), Workers: 3, Retry: 500 * time.Millisecond}, nil)
	if err != nil || res.Accepted != 0 || res.Rejected != 3 || res.Retried == 0 || !strings.Contains(res.FirstError, "503") {
		t.Fatalf("the batches in hand are rejected, and no more is taken: %+v %v", res, err)
	}
}

func TestRateIsKept(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"status":"queued"}`) }))
	defer srv.Close()
	res, err := Run(t.Context(), Options{Transport: "http", Target: srv.URL, Source: NewGenerator(100, 1, ""), Rate: 500, Workers: 4}, nil)
	if err != nil || res.Accepted != 100 || res.Elapsed < 190*time.Millisecond {
		t.Fatalf("100 events at 500/s take about 200 ms: %+v %v", res, err)
	}
}

func TestDurationEndsWithAnswers(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		<-time.After(50 * time.Millisecond) // requests are on their way when the time is up
		_, _ = io.WriteString(w, `{"status":"queued"}`)
	}))
	defer srv.Close()
	res, err := Run(t.Context(), Options{Transport: "http", Target: srv.URL, Source: NewGenerator(0, 1, ""), Duration: 120 * time.Millisecond, Workers: 3}, nil)
	if err != nil || res.Accepted == 0 || res.Rejected != 0 {
		t.Fatalf("%+v %v", res, err)
	}
}

func TestSyslogTCPFrames(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		for r := bufio.NewReader(conn); ; {
			var n int
			if _, err := fmt.Fscanf(r, "%d ", &n); err != nil {
				return
			}
			b := make([]byte, n)
			if _, err := io.ReadFull(r, b); err != nil {
				return
			}
			lines <- string(b)
		}
	}()
	src := NewLines(strings.NewReader("<13>kept as it is\n\nplain text\n{\"json\":1}"), "h1")
	res, err := Run(t.Context(), Options{Transport: "syslog-tcp", Target: l.Addr().String(), Source: src}, nil)
	if err != nil || res.Accepted != 3 || res.Acknowledged {
		t.Fatalf("%+v %v", res, err)
	}
	got := []string{<-lines, <-lines, <-lines}
	if got[0] != "<13>kept as it is" || !strings.HasSuffix(got[1], " h1 mutt-send - - - plain text") || !strings.HasSuffix(got[2], `{"json":1}`) {
		t.Fatalf("%q", got)
	}
}

func TestSyslogUDPSendsOneDatagramEach(t *testing.T) {
	t.Parallel()
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	res, err := Run(t.Context(), Options{Transport: "syslog-udp", Target: l.LocalAddr().String(), Source: NewGenerator(20, 2, ""), Batch: 6}, nil)
	if err != nil || res.Accepted != 20 {
		t.Fatalf("%+v %v", res, err)
	}
	buf := make([]byte, 2048)
	for i := range 20 {
		n, _, err := l.ReadFrom(buf)
		if err != nil || !strings.HasSuffix(string(buf[:n]), fmt.Sprintf("seq=%d", i)) {
			t.Fatalf("%d: %q %v", i, buf[:n], err)
		}
	}
}

func TestBadTargets(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{Transport: "pigeon"}, {Transport: "http", Target: "::"}, {Transport: "syslog-tcp", Target: "127.0.0.1:1"}} {
		o.Source = NewGenerator(1, 1, "")
		if _, err := Run(t.Context(), o, nil); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

func TestLongLineIsAnError(t *testing.T) {
	t.Parallel()
	l := NewLines(strings.NewReader(strings.Repeat("x", maxLine+1)), "h")
	if _, ok := l.Next(nil, "http"); ok || l.Err() == nil {
		t.Fatal("accepted")
	}
}

func TestPercentilesAgainstSorting(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(1, 1<<40), 1, 200).Draw(t, "values")
		var l latencies
		for _, v := range values {
			l.add(time.Duration(v))
		}
		slices.Sort(values)
		for _, q := range []float64{0.5, 0.9, 0.99, 1} {
			i := min(len(values)-1, max(0, int(q*float64(len(values))+0.999999)-1))
			exact, got := values[i], int64(l.at(q))
			if got < exact || float64(got) > float64(exact)*1.07+1 {
				t.Fatalf("q %v: exact %d, got %d", q, exact, got)
			}
		}
	})
}
