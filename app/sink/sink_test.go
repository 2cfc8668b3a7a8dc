package sink

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"
)

func call(t *testing.T, s *Sink, method, path, body string) (int, string) {
	t.Helper()
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, httptest.NewRequest(method, path, strings.NewReader(body)))
	b, err := io.ReadAll(rec.Body)
	if err != nil {
		t.Fatal(err)
	}
	return rec.Code, string(b)
}

func TestCountsAndRemembers(t *testing.T) {
	t.Parallel()
	var seen int
	s := New(2, func(json.RawMessage) { seen++ })
	a, b := uuid.New(), uuid.New()
	one := `{"external_id":"` + a.String() + `","description":"a"}`
	two := `{"events":[` + one + `,{"external_id":"` + b.String() + `"}]}`
	for _, body := range []string{one, two} {
		if code, _ := call(t, s, "POST", "/events", body); code != 200 {
			t.Fatalf("got %d", code)
		}
	}
	want := Stats{Requests: 2, Alerts: 3, Distinct: 2, Repeats: 1}
	if s.Stats() != want || seen != 3 || !s.Has(a) || !s.Has(b) || s.Has(uuid.New()) {
		t.Fatalf("got %+v", s.Stats())
	}
	if last := s.Last(10); len(last) != 2 || !strings.Contains(string(last[0]), b.String()) {
		t.Fatalf("newest first, at most keep: %s", last)
	}
	if code, body := call(t, s, "GET", "/stats", ""); code != 200 || !strings.Contains(body, `"distinct":2`) {
		t.Fatalf("%d %s", code, body)
	}
	if code, body := call(t, s, "GET", "/last?n=1", ""); code != 200 || !strings.HasPrefix(body, "[{") {
		t.Fatalf("%d %s", code, body)
	}
	if code, _ := call(t, s, "POST", "/events", `{"events":[`); code != 400 {
		t.Fatalf("a broken batch: %d", code)
	}
	call(t, s, "POST", "/reset", "")
	if s.Stats() != (Stats{}) || len(s.Last(1)) != 0 {
		t.Fatal("reset")
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	s := New(1, nil)
	if code, _ := call(t, s, "PUT", "/faults", `{"status":503}`); code != 200 {
		t.Fatalf("got %d", code)
	}
	if code, _ := call(t, s, "POST", "/", `{}`); code != 503 || s.Stats().Refused != 1 || s.Stats().Alerts != 0 {
		t.Fatalf("got %d %+v", code, s.Stats())
	}
	s.SetFaults(Faults{Limit: 1})
	limited := false
	for range 20 { // at most a few fall on the edges of seconds
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, httptest.NewRequest("POST", "/", strings.NewReader(`{}`)))
		if rec.Code == http.StatusTooManyRequests {
			limited = rec.Header().Get("Retry-After") == "1"
		}
	}
	if !limited {
		t.Fatal("no limit with Retry-After")
	}
	if code, _ := call(t, s, "PUT", "/faults", `{`); code != 400 {
		t.Fatalf("got %d", code)
	}
	if code, _ := call(t, s, "GET", "/nothing", ""); code != 404 {
		t.Fatalf("got %d", code)
	}
}
