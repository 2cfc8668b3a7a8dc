package objectives

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/config/configtest"
	"github.com/muttproject/mutt/platform/slo"
)

// fromServer reports from what a handler answers in the place of Prometheus.
func fromServer(t *testing.T, d Dynamic, h http.HandlerFunc) *Report {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return fromURL(t, d, s.URL+"/prom", 5*time.Second)
}

func fromURL(t *testing.T, d Dynamic, text string, within time.Duration) *Report {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return FromPrometheus(Prometheus{URL: u, Dynamic: d, UserAgent: "mutt/test", Within: within})
}

// vector is the answer to a query: values by le, or one without.
func vector(values map[string]string) string {
	var parts []string
	for _, le := range slices.Sorted(maps.Keys(values)) {
		metric := ""
		if le != "" {
			metric = fmt.Sprintf(`"le":%q`, le)
		}
		parts = append(parts, fmt.Sprintf(`{"metric":{%s},"value":[1764000000.123,%q]}`, metric, values[le]))
	}
	return `{"status":"success","data":{"resultType":"vector","result":[` + strings.Join(parts, ",") + `]}}`
}

// TestFromPrometheus asks what a Prometheus would be asked.
func TestFromPrometheus(t *testing.T) {
	t.Parallel()
	answers := map[string]map[string]string{
		`sum(increase(mutt_ingest_events_total{result="accepted"}[24h]))`:                                  {"": "99950"},
		`sum(increase(mutt_ingest_refused_events_total[24h]))`:                                             {"": "50"},
		`sum(increase(mutt_ingest_events_total{result="accepted"}[1h]))`:                                   {"": "100"},
		`sum(increase(mutt_alerter_events_processed_total{status!="poison"}[24h]))`:                        {"": "1000"},
		`sum(increase(mutt_alerter_events_processed_total{status!="poison"}[1h]))`:                         {"": "0"},
		`sum(increase(mutt_moog_alerts_processed_total{status="delivered"}[48h]))`:                         {"": "80"},
		`sum(increase(mutt_moog_alerts_processed_total{status=~"rejected|exhausted|outage|poison"}[48h]))`: {"": "15"},
		`sum(increase(mutt_alerter_shed_events_total{mode="dlq"}[48h]))`:                                   {"": "5"},
		`sum(increase(mutt_moog_alerts_processed_total{status=~"rejected|exhausted|outage|poison"}[1h]))`:  {"": "10"},
		`sum by (le) (increase(mutt_alerter_judging_latency_seconds_bucket[24h]))`:                         {"0.1": "99", "0.25": "98.9", "5.0": "99", "+Inf": "100"},
		`sum by (le) (increase(mutt_alerter_judging_latency_seconds_bucket[1h]))`:                          {"0.1": "0", "+Inf": "0"},
		`sum by (le) (increase(mutt_moog_delivery_latency_seconds_bucket[24h]))`:                           {"0.1": "50", "30": "50", "60": "100", "300": "100", "+Inf": "100"},
		`sum by (le) (increase(mutt_moog_delivery_latency_seconds_bucket[1h]))`:                            {"0.1": "50", "30": "50", "60": "100", "300": "100", "+Inf": "100"},
	}
	keys, d := configtest.Load(t, DeclareDynamic, nil)
	d.Apply(1, map[string]string{"slo_delivery_success_window_hours": "48"})
	r := fromServer(t, keys, func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path != "/prom/api/v1/query" || req.Method != http.MethodPost || req.UserAgent() != "mutt/test" {
			t.Errorf("%s %s by %s", req.Method, req.URL, req.UserAgent())
		}
		_, _ = fmt.Fprint(w, vector(answers[req.PostFormValue("query")])) // no sample for the others
	})
	report, err := r.Now(t.Context())
	if err != nil || report.Source != "prometheus" {
		t.Fatal(report.Source, err)
	}
	got := now(t, r)
	for _, c := range []struct {
		name                     string
		actual, remaining, burns float64
		status                   slo.Status
	}{
		{slo.IngestAvailability, 0.9995, 0.5, 0, slo.OK},
		{slo.JudgingSuccess, 1, 1, 0, slo.OK},
		{slo.DeliverySuccess, 0.8, -19, 100, slo.Critical},
		{slo.JudgingLatency, 0.1, 0, 0, slo.OK},
		{slo.DeliveryLatency, 59.4, -49, 50, slo.Critical},
	} {
		s := got[c.name]
		if s.ActualValue == nil || *s.ActualValue != c.actual || *s.Remaining != c.remaining || *s.BurnRate != c.burns || s.Status != c.status {
			t.Errorf("%s: %s, want %+v", c.name, s.Message, c)
		}
	}
}

// TestPrometheusTellsNothing: whatever is wrong with Prometheus is no data, said in words, and never bad news.
func TestPrometheusTellsNothing(t *testing.T) {
	t.Parallel()
	says := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body)) // who does not read on is under test
		}
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"empty":      {says(200, vector(nil)), "has no samples of mutt_"},
		"zero":       {says(200, vector(map[string]string{"": "0", "+Inf": "0"})), "nothing happened in the last 24 h"},
		"NaN":        {says(200, vector(map[string]string{"": "NaN"})), `answers "NaN" for sum`},
		"infinite":   {says(200, vector(map[string]string{"": "+Inf"})), `answers "+Inf" for sum`},
		"no number":  {says(200, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1]}]}}`), "answers "},
		"matrix":     {says(200, `{"status":"success","data":{"resultType":"matrix","result":[]}}`), `answers a "matrix"`},
		"HTML":       {says(200, "<html>login</html>"), "is no Prometheus"},
		"JSON":       {says(200, `{"ok":true}`), "is no Prometheus"},
		"cut off":    {says(200, `{"status":"succ`), "is no Prometheus"},
		"endless":    {says(200, strings.Repeat(" ", maxAnswer+1)+vector(nil)), "is no Prometheus"},
		"redirect":   {http.RedirectHandler("/prom/elsewhere", http.StatusFound).ServeHTTP, "302 Found is no Prometheus"},
		"forbidden":  {says(403, "no"), "403 Forbidden is no Prometheus"},
		"overloaded": {says(503, `{"status":"error","errorType":"timeout","error":"query timed out"}`), "refuses the query with 503 Service Unavailable: query timed out"},
		"bad query":  {says(400, `{"status":"error","errorType":"bad_data","error":"parse error"}`), "refuses the query with 400 Bad Request: parse error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for objective, s := range now(t, fromServer(t, dynamic(t), c.handler)) {
				if s.Status != slo.NoData || s.ActualValue != nil || !strings.Contains(s.Message, c.want) || !strings.HasPrefix(s.Message, "no data: ") {
					t.Errorf("%s: %s: %s", objective, s.Status, s.Message)
				}
			}
		})
	}
}

func TestPrometheusAwayOrSlow(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	for _, o := range now(t, fromURL(t, dynamic(t), s.URL, 5*time.Second)) {
		if o.Status != slo.NoData || !strings.Contains(o.Message, "cannot be reached: dial tcp") || strings.Contains(o.Message, "api/v1") {
			t.Error(o.Message)
		}
	}
	end := make(chan struct{})
	hang := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-end }))
	defer hang.Close()
	defer close(end)
	began := time.Now()
	for _, o := range now(t, fromURL(t, dynamic(t), hang.URL, 200*time.Millisecond)) {
		if o.Status != slo.NoData || !strings.Contains(o.Message, "does not answer within 200ms") {
			t.Error(o.Message)
		}
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("ten questions took %v: each waited for itself", took)
	}
}

// TestOneBadAnswerSpoilsOneObjective: a problem with one question is not the problem of the others.
func TestOneBadAnswerSpoilsOneObjective(t *testing.T) {
	t.Parallel()
	r := fromServer(t, dynamic(t), func(w http.ResponseWriter, req *http.Request) {
		q := req.PostFormValue("query")
		switch {
		case strings.Contains(q, "poison"):
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = fmt.Fprint(w, `{"status":"error","error":"broken"}`)
		case strings.Contains(q, "_bucket"):
			_, _ = fmt.Fprint(w, vector(map[string]string{"0.1": "10", "+Inf": "10"}))
		default:
			_, _ = fmt.Fprint(w, vector(map[string]string{"": "10"}))
		}
	})
	for name, s := range now(t, r) {
		broken := name == slo.JudgingSuccess || name == slo.DeliverySuccess
		if broken != (s.Status == slo.NoData) {
			t.Errorf("%s: %s", name, s.Message)
		}
	}
}
