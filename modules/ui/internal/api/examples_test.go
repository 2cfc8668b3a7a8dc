package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

// expensive returns a rule whose examples take about a second each.
func expensive(examples int) rule.Rule {
	r := rule.Rule{Name: "expensive", MatchType: rule.Regex, MatchString: "(.*x){300}y", Priority: 1, ProdHandling: "Page_only", DevHandling: "Ignore", TeamAssignment: "NOC",
		IsActive: true, Examples: &rule.Examples{}}
	for i := range examples {
		r.Examples.NotMatches = append(r.Examples.NotMatches, fmt.Sprint(i, strings.Repeat("x", 8000)))
	}
	return r
}

// TestExamplesHoldUpNoWrite holds that a change, as judging does it, is committed while the examples of an import, of a
// new rule, of a changed one and of one that a rollback puts back are being checked, and that a check ends with its caller.
func TestExamplesHoldUpNoWrite(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		newBundle(t).checkWhileOthersWrite()
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		newPostgresBundle(t).checkWhileOthersWrite()
	})
}

func (b *bundle) checkWhileOthersWrite() {
	t := b.T
	b.createRule(sampleRule)
	one, err := json.Marshal(expensive(100))
	b.must(err)
	file, err := json.Marshal(map[string]any{"version": 1, "rules": []json.RawMessage{one}})
	b.must(err)
	var deleted int64 // row of the change audit
	for _, fn := range []func(tx *store.Tx) error{
		func(tx *store.Tx) error { _, err := tx.CreateRule(expensive(100)); return err },
		func(tx *store.Tx) error { err := tx.DeleteRule(2); deleted = tx.AuditID(); return err },
	} {
		_, err := b.store.Change(t.Context(), store.Actor{Name: "another"}, "", fn)
		b.must(err)
	}
	for _, c := range []struct {
		method, path string
		body         []byte
	}{{"POST", "/api/v2/config/rollback", fmt.Appendf(nil, `{"audit_id":%d}`, deleted)}, {"POST", "/api/v2/rules/import", file}, {"POST", "/api/v2/rules", one}, {"PUT", "/api/v2/rules/1", []byte(strings.Replace(string(one), `"id":0,`, "", 1))}} {
		ctx, cancel := context.WithCancel(t.Context())
		req := httptest.NewRequestWithContext(ctx, c.method, c.path, strings.NewReader(string(c.body)))
		req.Header.Set("X-API-KEY", "admin")
		req.Header.Set("Content-Type", "application/json")
		done := make(chan int, 1)
		go func() {
			rec := httptest.NewRecorder()
			b.handler.ServeHTTP(rec, req)
			done <- rec.Code
		}()
		for len(b.api.checking) == 0 {
			select {
			case code := <-done:
				t.Fatalf("%s %s: %d before anything was checked", c.method, c.path, code)
			case <-time.After(time.Millisecond):
			}
		}
		b.expect(http.StatusOK, request{method: "PUT", path: "/config/moog_rate_limit", body: fmt.Sprintf(`{"value":%d}`, 10+len(c.path))})
		select {
		case code := <-done:
			t.Errorf("%s %s: %d: the write waited for it", c.method, c.path, code)
		default:
		}
		cancel()
		<-done
	}
	rules, err := b.store.Rules(t.Context())
	b.must(err)
	if len(rules) != 1 {
		t.Errorf("a call that was given up has stored: %d rules", len(rules))
	}
}

// meddled is a store in which somebody changes a rule after each of the first reads.
type meddled struct {
	Store
	reads int
}

func (m *meddled) meddle(ctx context.Context) error {
	if m.reads--; m.reads < 0 {
		return nil
	}
	_, err := m.Change(ctx, store.Actor{Name: "another"}, "", func(tx *store.Tx) error {
		r, err := tx.Rule(2)
		if err != nil {
			return err
		}
		r.Priority++
		return tx.UpdateRule(r)
	})
	return err
}

func (m *meddled) Rules(ctx context.Context) ([]rule.Rule, error) {
	rules, err := m.Store.Rules(ctx)
	if err == nil {
		err = m.meddle(ctx)
	}
	return rules, err
}

func (m *meddled) RuleByID(ctx context.Context, id int64) (rule.Rule, error) {
	r, err := m.Store.RuleByID(ctx, id)
	if err == nil {
		err = m.meddle(ctx)
	}
	return r, err
}

// TestRulesChangedWhileChecked holds that what was checked is what is stored: a change in between makes the call check
// again, and in the end give up, and takes nothing back of the other change.
func TestRulesChangedWhileChecked(t *testing.T) {
	t.Parallel()
	m := &meddled{}
	b := newBundle(t, func(d *Deps) { m.Store, d.Store = d.Store, m })
	b.createRule(sampleRule)
	b.createRule(strings.Replace(sampleRule, `"name":"link down"`, `"name":"bystander"`, 1))
	for _, c := range []struct {
		request
		reads, status int
	}{
		{importCall("", "application/yaml", twoRules), 0, 200}, {importCall("", "application/yaml", strings.Replace(twoRules, "version", "# again\nversion", 1)), 2, 200},
		{importCall("?mode=replace", "application/yaml", twoRules), 3, 409},
		{request{method: "PUT", path: "/rules/2", body: `{"description":"a"}`}, 2, 200}, {request{method: "PUT", path: "/rules/2", body: `{"description":"b"}`}, 3, 409},
	} {
		before, err := b.store.RuleByID(t.Context(), 2)
		b.must(err)
		m.reads = c.reads
		rec := b.do(c.request)
		after, err := b.store.RuleByID(t.Context(), 2)
		if rec.Code != c.status || err != nil || after.Priority != before.Priority+c.reads {
			t.Errorf("%s %s with %d changes: %d %s, priority %d after %d, %v", c.method, c.path, c.reads, rec.Code, rec.Body, after.Priority, before.Priority, err)
		}
	}
}

func TestExamplesAreBounded(t *testing.T) {
	t.Parallel()
	if err := examplesWithin(t.Context(), time.Nanosecond, []rule.Rule{expensive(1)}); !fault.Is(err, fault.Unprocessable) || !strings.Contains(err.Error(), "take longer than 1ns") {
		t.Errorf("got %v", err)
	}
	long := expensive(1)
	long.Examples.Matches = []string{strings.Repeat("x", 9000)}
	if err := rule.CheckExamples(t.Context(), []rule.Rule{long}); !fault.Is(err, fault.Unprocessable) || !strings.Contains(err.Error(), "has 9000 bytes") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := rule.CheckExamples(ctx, []rule.Rule{expensive(1)}); err == nil {
		t.Error("checked for a caller who has gone")
	}
}
