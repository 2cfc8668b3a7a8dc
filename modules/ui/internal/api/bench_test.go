package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/postgres"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/netguard/netguardtest"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
	"github.com/muttproject/mutt/platform/testkit"
)

// BenchmarkListRules is GET /rules with 1,000 rules that nobody changes.
func BenchmarkListRules(b *testing.B) {
	call := benchAPI(b, benchStore(b, store.Options{Path: b.TempDir() + "/mutt.db"}))
	b.ReportAllocs()
	for b.Loop() {
		call("GET", "/rules", "", nil)
	}
}

// BenchmarkEditor is what the editor of a rule asks for, with 1,000 rules and 100,000 events of a day (MUTT_BENCH=full): the first look at
// the matches of a draft, the next one, and the review.
func BenchmarkEditor(b *testing.B) {
	for name, options := range map[string]func() (o store.Options, analyze func()){
		"sqlite":   func() (store.Options, func()) { return store.Options{Path: b.TempDir() + "/mutt.db"}, func() {} },
		"postgres": func() (store.Options, func()) { return postgresOptions(b) },
	} {
		b.Run(name, func(b *testing.B) {
			events := 2000
			if os.Getenv("MUTT_BENCH") == "full" {
				events = maxReview
			}
			o, analyze := options()
			s := benchStore(b, o)
			judgeDay(b, s, events)
			analyze()
			const draft = `{"name":"draft","match_type":"regex","match_string":"pattern 1\\d+ of","priority":1,"prod_handling":"Ignore","dev_handling":"Ignore","team_assignment":"T"}`
			for b.Loop() {
				call := benchAPI(b, s) // without samples
				var matches apiclient.RuleMatches
				for _, what := range []string{"ms-matches-first", "ms-matches-next"} {
					took := call("POST", "/rules/matches", `{"rule":`+draft+`}`, &matches)
					b.ReportMetric(float64(took.Milliseconds()), what)
				}
				var preview apiclient.RulePreview
				took := call("POST", "/rules/preview", `{"window_hours":24,"rules":[`+draft+`]}`, &preview)
				b.ReportMetric(float64(took.Milliseconds()), "ms-review")
				b.ReportMetric(float64(matches.Looked), "looked-matches")
				b.ReportMetric(float64(preview.Events), "looked-review")
				if took > benchTryout+time.Second || preview.Review == nil || matches.Events == 0 || preview.Changed == 0 {
					b.Errorf("the review took %v, changed %d, %d match", took, preview.Changed, matches.Events)
				}
				if r := preview.Review; (preview.Events == events) == preview.Partial || r.LookedFrom.Equal(r.LookedTo) {
					b.Errorf("the review looked at %d of %d events, from %v, partial: %v", preview.Events, events, r.LookedFrom, preview.Partial)
				}
			}
		})
	}
}

const benchTryout = 10 * time.Second // the default of limits.tryout_time

// postgresOptions returns those of a store in a database of its own, and what PostgreSQL itself does within minutes: the statistics of its tables.
func postgresOptions(t testing.TB) (o store.Options, analyze func()) {
	t.Helper()
	server := testkit.Postgres(t, testkit.PostgresOptions{})
	database := server.NewDatabase(t)
	pool, err := postgres.Open(t.Context(), postgres.Config{Host: server.Host, Port: server.Port, Database: database, MaxConns: 4,
		TLS: tlsconf.Fixed(server.TLS()), Name: "api test", Credentials: connect.Only(server.User, server.Password)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return store.Options{Postgres: pool, Logger: zap.NewNop(), Now: time.Now}, func() { server.SQL(database, "ANALYZE") }
}

// benchStore opens a store with 1,000 rules.
func benchStore(b *testing.B, o store.Options) *store.Store {
	b.Helper()
	o.Logger, o.Now = zap.NewNop(), func() time.Time { return noon }
	s, err := store.Open(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	if err := s.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	if _, err := s.Change(b.Context(), store.Actor{Name: "bench"}, "", func(tx *store.Tx) error {
		for i := range 1000 {
			if _, err := tx.CreateRule(rule.Rule{Name: fmt.Sprintf("rule %d", i), MatchType: rule.Contains, MatchString: fmt.Sprintf("pattern %d of", i),
				ProdHandling: "Page_only", DevHandling: "Ignore", TeamAssignment: "NOC", Priority: 100, IsActive: true}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	return s
}

// judgeDay stores events of 24 hours: 500 hosts, 40 templates, every second event of one rule.
func judgeDay(b *testing.B, s *store.Store, events int) {
	b.Helper()
	apart := int(24*time.Hour/time.Millisecond) / (events + 1)
	for from := 0; from < events; from += 2000 {
		e := store.JudgedEntry{Entry: queue.NewEntryID()}
		for i := from; i < min(events, from+2000); i++ {
			text := fmt.Sprintf("%%LINK-3-UPDOWN: %c-template: Interface GigabitEthernet0/%d, pattern %d of 2000, changed state to down", 'a'+i%40, i%48, i*7%2000)
			r := auditRow(1, fmt.Sprintf("edge-%d.example.net", i*13%500), event.FateUnhandled, event.HandlingNone, 0)
			*r.Event = testEvent((i-events)*apart, r.Event.Hostname, text)
			e.Rows = append(e.Rows, r)
		}
		if _, err := s.Judge(b.Context(), "bench", []store.JudgedEntry{e}); err != nil {
			b.Fatal(err)
		}
	}
}

// benchAPI serves a store, and returns what calls it, decodes an answer and returns how long that took.
func benchAPI(b *testing.B, s *store.Store) func(method, path, body string, answer any) time.Duration {
	b.Helper()
	gate := httpserver.NewGate(httpserver.GateOptions{Keys: ringOfRoles(time.Now), Registerer: prometheus.NewRegistry(), Logger: zap.NewNop(), Now: time.Now})
	api := &API{Deps: Deps{Store: s, Logger: zap.NewNop(), Now: func() time.Time { return noon }, TryoutTime: benchTryout},
		checking: make(chan struct{}, 1), sampling: make(chan struct{}, 1), trying: tryouts{most: 2, freed: make(chan struct{})}}
	h := httpserver.New(httpserver.Options{Name: "admin", Door: netguardtest.HTTP(b), Logger: zap.NewNop(), Gate: gate}, api.Routes()...).Handler()
	return func(method, path, body string, answer any) time.Duration {
		b.Helper()
		req := httptest.NewRequest(method, "/api/v2"+path, strings.NewReader(body))
		req.Header.Set("X-API-KEY", "viewer")
		if body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		rec, began := httptest.NewRecorder(), time.Now()
		h.ServeHTTP(rec, req)
		took := time.Since(began)
		if rec.Code != http.StatusOK {
			b.Fatalf("%s %s: %d %s", method, path, rec.Code, rec.Body)
		}
		if answer == nil {
			return took
		}
		if err := json.Unmarshal(rec.Body.Bytes(), answer); err != nil {
			b.Fatal(err)
		}
		return took
	}
}
