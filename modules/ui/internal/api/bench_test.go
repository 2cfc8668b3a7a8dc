package api

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/netguard/netguardtest"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

// BenchmarkListRules is GET /rules with 1,000 rules that nobody changes.
func BenchmarkListRules(b *testing.B) {
	s, err := store.Open(b.Context(), store.Options{Path: b.TempDir() + "/mutt.db", Logger: zap.NewNop(), Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	if _, err := s.Change(b.Context(), store.Actor{Name: "bench"}, "", func(tx *store.Tx) error {
		for i := range 1000 {
			if _, err := tx.CreateRule(rule.Rule{Name: fmt.Sprintf("rule %d", i), MatchType: rule.Contains, MatchString: fmt.Sprintf("pattern %d", i),
				ProdHandling: "Page_only", DevHandling: "Ignore", TeamAssignment: "NOC", Priority: 100, IsActive: true}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	gate := httpserver.NewGate(httpserver.GateOptions{Keys: ringOfRoles(time.Now), Registerer: prometheus.NewRegistry(), Logger: zap.NewNop(), Now: time.Now})
	h := httpserver.New(httpserver.Options{Name: "admin", Door: netguardtest.HTTP(b), Logger: zap.NewNop(), Gate: gate}, (&API{Deps: Deps{Store: s, Logger: zap.NewNop()}}).Routes()...).Handler()
	b.ReportAllocs()
	for b.Loop() {
		req := httptest.NewRequest("GET", "/api/v2/rules", nil)
		req.Header.Set("X-API-KEY", "viewer")
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		if rec.Code != 200 {
			b.Fatal(rec.Code)
		}
	}
}
