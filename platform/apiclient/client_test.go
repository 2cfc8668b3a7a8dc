package apiclient

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muttproject/mutt/platform/fault"
)

// against makes a client of a server with one handler.
func against(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	c, err := New(Options{BaseURL: srv.URL, Key: "k1", UserAgent: "mutt/2.5.0"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func version() Call { return Call{Method: "GET", Path: []string{"version"}} }

func TestAnswersAreBoundedAndBodiesChecked(t *testing.T) {
	t.Parallel()
	endless := against(t, func(w http.ResponseWriter, _ *http.Request) {
		chunk := make([]byte, 1<<20)
		for range MaxAnswer/len(chunk) + 1 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	if err := endless.Do(t.Context(), version(), nil); !fault.Is(err, fault.TooLarge) {
		t.Errorf("got %v", err)
	}
	cut := against(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "{")
	})
	if err := cut.Do(t.Context(), version(), nil); !fault.Is(err, fault.ServerUnreachable) {
		t.Errorf("a cut answer: got %v", err)
	}
	if err := cut.Do(t.Context(), Call{Method: "POST", Body: func() {}}, nil); !fault.Is(err, fault.BadRequest) {
		t.Errorf("a body that is no JSON: got %v", err)
	}
	if err := cut.Do(t.Context(), Call{Method: "NO METHOD"}, nil); !fault.Is(err, fault.BadRequest) {
		t.Errorf("a method that is none: got %v", err)
	}
}

func TestPlainBodiesAndAnswers(t *testing.T) {
	t.Parallel()
	c := against(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Content-Type") != "application/yaml" || r.Header.Get("Accept") != "text/plain" || r.Header.Get("If-Match") != "" {
			t.Errorf("got %v %v", r.Header, err)
		}
		_, _ = w.Write(body)
	})
	var out []byte
	call := Call{Method: "POST", Path: []string{"rules", "import"}, Body: []byte("version: 1"), ContentType: "application/yaml", Accept: "text/plain"}
	if err := c.Do(t.Context(), call, &out); err != nil || string(out) != "version: 1" {
		t.Fatalf("got %q %v", out, err)
	}
}

func TestRequestForm(t *testing.T) {
	t.Parallel()
	c := against(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		got := []string{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Get("X-API-KEY"), r.Header.Get("User-Agent"),
			r.Header.Get("If-Match"), r.Header.Get("X-Reason"), r.Header.Get("Content-Type"), string(body)}
		want := []string{"PUT", "/api/v2/teams/10.0.0.0%2F8%20%3F", "a=1%262", "k1", "mutt/2.5.0", `"7"`, "why", "application/json", `{"hostname":"x"}`}
		for i := range want {
			if got[i] != want[i] || err != nil {
				t.Errorf("got %q, want %q (%v)", got[i], want[i], err)
			}
		}
		_, _ = io.WriteString(w, `{"message":"done"}`)
	})
	var out Done
	err := c.Do(t.Context(), Call{Method: "PUT", Path: []string{"teams", "10.0.0.0/8 ?"}, Query: map[string][]string{"a": {"1&2"}},
		Body: Host{Hostname: "x"}, IfMatch: 7, Reason: "why"}, &out)
	if err != nil || out.Message != "done" {
		t.Fatalf("got %v %v", out, err)
	}
}

func TestServerErrorsKeepTheirMeaning(t *testing.T) {
	t.Parallel()
	c := against(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(503)
		_, _ = io.WriteString(w, `{"error":"value: too big","message":"too big","code":"queue_full","field":"value","remedy":"make it smaller","correlation_id":"c"}`)
	})
	err := c.Do(t.Context(), Call{Method: "GET", Path: []string{"queues"}}, nil)
	f, ok := fault.As(err)
	if !ok || f.Code != fault.QueueFull || f.Message != "too big" || f.Field != "value" || f.Remedy != "make it smaller" || f.RetryAfter != 3*time.Second {
		t.Fatalf("got %+v", f)
	}
}

func TestForeignAnswers(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.HandlerFunc{
		"a proxy's page": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "bad gateway", 502) },
		"JSON without a code": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(404)
			_, _ = io.WriteString(w, `{}`)
		},
		"a page with 200": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"a redirect":      func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "http://elsewhere.example/", 302) },
	} {
		err := against(t, h).Do(t.Context(), version(), &Version{})
		if f, ok := fault.As(err); !ok || f.Code != fault.ServerUnreachable || !strings.Contains(f.Remedy, "admin listener") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestNobodyAnswers(t *testing.T) {
	defer goleak.VerifyNone(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := New(Options{BaseURL: "http://user:secret@" + addr, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	err = c.Do(t.Context(), version(), nil)
	f, ok := fault.As(err)
	if !ok || f.Code != fault.ServerUnreachable || !strings.Contains(f.Message, addr) || strings.Contains(f.Message, "secret") {
		t.Fatalf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err = c.Do(ctx, version(), nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("the caller's own end stays what it is: %v", err)
	}
}

func TestBadBaseURLs(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "localhost:8090", "ftp://x", "http://", "http://a b", "://"} {
		if _, err := New(Options{BaseURL: bad}); !fault.Is(err, fault.ConfigInvalid) {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}
