package api

import (
	"context"
	"fmt"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/store"
)

// costly takes 20 s for a message of 64 KiB.
const costly = `{"match_type":"regex","match_string":"(a?.?b?){990}\\d$","prod_handling":"Ignore","dev_handling":"Ignore","team_assignment":"T","name":"costly %d"}`

func costlyTest(length int) request {
	return request{method: "POST", path: "/rules/test", key: "viewer",
		body: fmt.Sprintf(`{"event":{"hostname":"h","message":"%s"},"rule":%s}`, strings.Repeat("x", length), fmt.Sprintf(costly, 0))}
}

// TestTryoutsAreBoundedInSize: too much is refused before it costs anything.
func TestTryoutsAreBoundedInSize(t *testing.T) { // not parallel: it measures memory
	b := newBundle(t)
	drafts := func(n int, draft string) request {
		list := make([]string, n)
		for i := range list {
			list[i] = draft
			if strings.Contains(draft, "%d") {
				list[i] = fmt.Sprintf(draft, i)
			}
		}
		return request{method: "POST", path: "/rules/preview", body: `{"rules":[` + strings.Join(list, ",") + `]}`, key: "viewer"}
	}
	huge := strings.Replace(costly, `(a?.?b?){990}\\d$`, strings.Repeat("a{1000}", 500), 1)
	for _, c := range []struct {
		name, field, text string
		request           request
	}{
		{"6000 large drafts", "rules[126]", "1,000,000 steps", drafts(6000, costly)},
		{"250 drafts of which each is too large alone", "rules[100]", "1,000,000 steps", drafts(250, huge)},
		{"10,001 drafts", "rules", "10001 drafts, at most 10000", drafts(10_001, `{}`)},
		{"a long message", "event.message", "65537 characters", costlyTest(64<<10 + 1)},
		{"a long OID", "event.trap_oid", "1025 characters", request{method: "POST", path: "/rules/test", body: `{"event":{"hostname":"h","trap_oid":"` + strings.Repeat("1", 1025) + `"}}`}},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		b.refuse(422, c.field, c.text, c.request)
		runtime.ReadMemStats(&after)
		if spent := after.TotalAlloc - before.TotalAlloc; spent > 64<<20 {
			t.Errorf("%s cost %d MiB", c.name, spent>>20)
		}
	}
}

// TestTryoutsAreBoundedInTime: the answer says what took too long, or how far a preview came, and a call ends with its caller.
func TestTryoutsAreBoundedInTime(t *testing.T) {
	t.Parallel()
	b := newBundle(t, func(d *Deps) { d.TryoutTime = 2 * time.Second }) // a busy machine compiles the rules within it
	b.createRule(sampleRule)
	began := time.Now()
	b.refuse(422, "", `takes longer than 2s: rule "costly 0" (id 2), 2 of 2 in the order of judging`, costlyTest(64<<10))

	long := auditRow(1, "sw1", event.FateUnhandled, event.HandlingNone, 0)
	long.Event.Message = strings.Repeat("x", 64<<10)
	rows := []store.AuditRow{long}
	for i := range 5 {
		rows = append(rows, auditRow(i+2, "sw1", event.FateUnhandled, event.HandlingNone, 0)) // newer ones
	}
	b.judge(rows...)
	var got apiclient.RulePreview
	b.try("/rules/preview", `{"rules":[`+fmt.Sprintf(costly, 0)+`]}`, &got)
	if !got.Partial || got.Events > 5 { // fewer on a busy machine
		t.Errorf("got %+v", got)
	}
	if took := time.Since(began); took > 30*time.Second { // the machine may be busy; without an end they take a minute
		t.Errorf("both took %v", took)
	}
}

// TestTryoutsTakeTurns: one of each caller, a few of the process, and a call that was given up frees its place.
func TestTryoutsTakeTurns(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	begin := func(key string) (leave func()) {
		ctx, cancel := context.WithCancel(t.Context())
		c := costlyTest(64 << 10)
		req := httptest.NewRequestWithContext(ctx, c.method, "/api/v2"+c.path, strings.NewReader(c.body))
		req.Header.Set("X-API-KEY", key)
		req.Header.Set("Content-Type", "application/json")
		ended := make(chan int, 1)
		go func() {
			rec := httptest.NewRecorder()
			b.handler.ServeHTTP(rec, req)
			ended <- rec.Code
		}()
		b.waitFor(key+" tries", func() bool { return b.api.trying.has("key:" + key) })
		return func() {
			t.Helper()
			began := time.Now()
			cancel()
			if <-ended; time.Since(began) > 5*time.Second {
				t.Errorf("the call of %s went on for %v after its caller had left", key, time.Since(began))
			}
		}
	}
	leave := begin("viewer")
	if rec := b.do(costlyTest(1)); rec.Code != 429 || rec.Header().Get("Retry-After") == "" {
		t.Errorf("a second call of one caller: got %d %s", rec.Code, rec.Body)
	}
	leaveToo := begin("operator")
	third := costlyTest(1)
	third.key = "admin"
	if rec := b.do(third); rec.Code != 503 || rec.Header().Get("Retry-After") == "" || !strings.Contains(rec.Body.String(), "busy") {
		t.Errorf("a third call: got %d %s", rec.Code, rec.Body)
	}
	leave()
	b.expect(200, third)
	b.expect(200, costlyTest(1))
	leaveToo()
}

// has reports whether an identity tries rules out.
func (t *tryouts) has(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Contains(t.running, name)
}

// waitFor waits until ok holds.
func (b *bundle) waitFor(what string, ok func() bool) {
	b.Helper()
	late := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-time.After(time.Millisecond):
		case <-late:
			b.Fatalf("it never came that %s", what)
		}
	}
}
