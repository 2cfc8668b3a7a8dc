package httpin

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func newGet(t testing.TB, path, key string) (*http.Request, *httptest.ResponseRecorder) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	req.Header.Set("X-API-KEY", key)
	return req, httptest.NewRecorder()
}

// packed compresses what r gives.
func packed(t interface{ Fatal(...any) }, encoding string, r io.Reader) []byte {
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	if encoding == "zstd" {
		var err error
		if w, err = zstd.NewWriter(&b); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.Copy(w, r); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCompressedBodies(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	body := strings.Repeat(good("h", "")+"\n", 100)
	for _, encoding := range []string{"gzip", "zstd", "x-gzip", "GZIP"} {
		kind := strings.TrimPrefix(strings.ToLower(encoding), "x-")
		whole := packed(t, kind, strings.NewReader(body))
		for range 3 { // pooled readers begin afresh
			rec := r.post(t, bytes.NewReader(whole), "Content-Encoding: "+encoding)
			if rec.Code != 200 || *parse(t, rec).Accepted != 100 {
				t.Fatalf("%s: got %d %s", encoding, rec.Code, rec.Body)
			}
		}
		if n := len(r.stored(t)); n != 300 {
			t.Fatalf("%s: stored %d", encoding, n)
		}
		for n := range len(whole) {
			if rec := r.post(t, bytes.NewReader(whole[:n]), "Content-Encoding: "+encoding); rec.Code != 400 {
				t.Fatalf("%s cut at %d: got %d %s", encoding, n, rec.Code, rec.Body)
			}
		}
		if n := len(r.stored(t)); n != 0 {
			t.Fatalf("%s: %d events of cut bodies were stored", encoding, n)
		}
	}
}

func TestBodyLimits(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	const mib = 1 << 20
	ok := good("h", "")
	cases := []struct {
		name   string
		body   io.Reader
		status int
	}{
		{"10 MiB", io.MultiReader(strings.NewReader(ok), repeat(' ', 10*mib-int64(len(ok)))), 200},
		{"a byte more", io.MultiReader(strings.NewReader(ok), repeat(' ', 10*mib-int64(len(ok))+1)), 413},
		{"64 MiB", repeat(' ', 64*mib), 413},
		{"64 MiB, bad from the first byte", repeat('x', 64*mib), 413},
		{"10 MiB of brackets", repeat('[', 10*mib), 400},
		{"10 MiB string", io.MultiReader(strings.NewReader(`{"hostname":"`), repeat('a', 9*mib)), 400},
	}
	for _, c := range cases {
		if rec := r.post(t, c.body); rec.Code != c.status {
			t.Errorf("%s: got %d %.200s", c.name, rec.Code, rec.Body)
		}
	}
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/ingest", untouched{t})
	req.ContentLength = 10*mib + 1
	req.Header.Set("X-API-KEY", "one")
	rec := httptest.NewRecorder()
	if r.handler.ServeHTTP(rec, req); rec.Code != 413 {
		t.Errorf("announced length: got %d", rec.Code)
	}
}

// untouched fails the test when a body is read that was to be refused by its length.
type untouched struct{ t *testing.T }

func (u untouched) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

// TestBombs: what decompresses over the limit costs no more memory than the limit's buffer.
func TestBombs(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxDecoded = 1 << 20 })
	for _, encoding := range []string{"gzip", "zstd"} {
		bomb := packed(t, encoding, repeat('[', 64<<20))
		if len(bomb) > 10<<20 {
			t.Fatalf("the bomb is %d bytes", len(bomb))
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		rec := r.post(t, bytes.NewReader(bomb), "Content-Encoding: "+encoding)
		runtime.ReadMemStats(&after)
		if rec.Code != 413 {
			t.Errorf("%s: got %d %s", encoding, rec.Code, rec.Body)
		}
		if spent := after.TotalAlloc - before.TotalAlloc; spent > 24<<20 {
			t.Errorf("%s: the bomb cost %d MiB", encoding, spent>>20)
		}
	}
}

// TestVariablesBomb: 13 million variables in one event, 95 kB on the wire, cost the body and nothing beside it. It was 1.6 GiB.
func TestVariablesBomb(t *testing.T) {
	r := newRig(t, nil)
	const body = 64 << 20
	event := good("h", `,"variables":[`+strings.Repeat(`"1=",`, body/5-100)+`"1="]`)
	bomb := packed(t, "gzip", strings.NewReader(event))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	rec := r.post(t, bytes.NewReader(bomb), "Content-Encoding: gzip")
	runtime.ReadMemStats(&after)
	if rec.Code != 413 || !strings.Contains(rec.Body.String(), "1048576 bytes") {
		t.Errorf("got %d %s", rec.Code, rec.Body)
	}
	spent := after.TotalAlloc - before.TotalAlloc
	if spent > 3*body { // the buffer, which doubled until it had the size
		t.Errorf("the bomb of %d bytes cost %d MiB", len(bomb), spent>>20)
	}
	t.Logf("%d bytes on the wire, %d MiB allocated", len(bomb), spent>>20)
}

// TestClientLeaves: decoding ends with the request.
func TestClientLeaves(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	ctx, leave := context.WithCancel(t.Context())
	body := io.MultiReader(strings.NewReader("["+strings.Repeat(good("h", "")+",", 1000)), leaving{leave}, strings.NewReader(good("h", "")+"]"))
	req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/ingest", body)
	req.Header.Set("X-API-KEY", "one")
	asked := r.limit.asked.Load()
	rec := httptest.NewRecorder()
	r.handler.ServeHTTP(rec, req)
	if rec.Code != 400 || !strings.Contains(rec.Body.String(), "the request ended") || r.limit.asked.Load() != asked || len(r.stored(t)) != 0 {
		t.Errorf("got %d %s", rec.Code, rec.Body)
	}
}

// leaving is a client that goes when this is read.
type leaving struct{ leave func() }

func (l leaving) Read([]byte) (int, error) {
	l.leave()
	return 0, io.EOF
}

// TestWindowBomb: a zstd frame that asks for a huge window is refused.
func TestWindowBomb(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, zstd.WithWindowSize(16<<20), zstd.WithSingleSegment(false))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, repeat('a', 2<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if rec := r.post(t, &b, "Content-Encoding: zstd"); rec.Code != 400 {
		t.Fatalf("got %d %s", rec.Code, rec.Body)
	}
}

// TestCutBodies: a document that is cut at any byte queues nothing.
func TestCutBodies(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, whole := range []string{good("h", `,"o":{"a":[1]}`), "[" + good("a", "") + "," + good("b", "") + "]"} {
		for n := range len(whole) {
			if rec := r.send(t, whole[:n]); rec.Code != 400 {
				t.Fatalf("%d bytes: got %d %s", n, rec.Code, rec.Body)
			}
		}
	}
	if n := len(r.stored(t)); n != 0 {
		t.Fatalf("%d events were stored", n)
	}
}

func FuzzHTTPBody(f *testing.F) {
	ok := good("h", "")
	for _, s := range []string{ok, "[" + ok + ",{}]", ok + "\n{bad}\n" + ok, "{", "", "\xff", strings.Repeat("[", 70)} {
		f.Add([]byte(s), "", "application/json", "")
		f.Add([]byte(s), "", "application/x-ndjson", "k")
		f.Add(packed(f, "gzip", strings.NewReader(s)), "gzip", "", "")
		f.Add(packed(f, "zstd", strings.NewReader(s)), "zstd", "", "0198c5b2-7d4e-7a3c-9f10-2b8d6e4f1a05")
	}
	r := newRig(f, func(c *Config) { c.MaxBody, c.MaxDecoded, c.MaxEvents = 64<<10, 128<<10, 100 })
	f.Fuzz(func(t *testing.T, body []byte, encoding, kind, key string) {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/ingest", bytes.NewReader(body))
		req.Header["X-Api-Key"] = []string{"one"}
		for name, value := range map[string]string{"Content-Encoding": encoding, "Content-Type": kind, "Idempotency-Key": key} {
			if value != "" {
				req.Header[name] = []string{value}
			}
		}
		rec := httptest.NewRecorder()
		r.handler.ServeHTTP(rec, req)
		a := parse(t, rec)
		switch {
		case rec.Code == 200 && (a.Status != "queued" || a.Accepted != nil && *a.Accepted < 1):
			t.Fatalf("200 without an event: %s", rec.Body)
		case rec.Code >= 500:
			t.Fatalf("%d: %s", rec.Code, rec.Body)
		case rec.Code != 200 && a.Error == "":
			t.Fatalf("%d without an error: %s", rec.Code, rec.Body)
		}
	})
}
