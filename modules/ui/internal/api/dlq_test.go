package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/deadletter"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

func decode[T any](b *bundle, rec *httptest.ResponseRecorder) (out T) {
	b.Helper()
	if rec.Code != 200 {
		b.Fatalf("got %d %s", rec.Code, rec.Body)
	}
	b.must(json.Unmarshal(rec.Body.Bytes(), &out))
	return out
}

func TestBrowseDeadLetters(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	if page := decode[apiclient.DeadLetters](b, b.get("/dlq/alert")); page.Items == nil || page.Pagination.Total != 0 {
		t.Fatalf("got %+v", page)
	}
	b.kill(queue.Alert, 1, 2, 3, 4, 5)
	var seen []string
	for path := "/dlq/alert?limit=2"; ; {
		page := decode[apiclient.DeadLetters](b, b.get(path))
		for _, item := range page.Items {
			seen = append(seen, item.ID)
			if item.Alert == nil || item.Alert.Team != "NETOPS" || item.Code != "rejected" {
				t.Fatalf("got %+v", item)
			}
		}
		if page.Pagination.NextCursor == "" {
			break
		}
		path = "/dlq/alert?limit=2&cursor=" + page.Pagination.NextCursor
	}
	want := fmt.Sprint([]event.ID{testID(1), testID(2), testID(3), testID(4), testID(5)})
	if fmt.Sprint(seen) != want {
		t.Fatalf("got %v, want %v", seen, want)
	}
	b.refuse(400, "page", "cursor", request{method: "GET", path: "/dlq/alert?page=2"})
	b.refuse(404, "queue", "ingest and alert", request{method: "GET", path: "/dlq/mail"})
}

func TestDeadLetterThatDoesNotDecode(t *testing.T) {
	t.Parallel()
	for _, name := range queue.Names() {
		for _, body := range []string{"", "garbage", string(event.EncodeEvents(nil)), string(event.EncodeAlerts(nil))} {
			item := deadLetter(name, &queue.DeadItem{DeadLetter: queue.DeadLetter{ID: testID(1), Body: []byte(body), Reason: "\xff"}})
			if item.DecodeError == "" || string(item.Event) != "null" || item.FirstTried != nil {
				t.Fatalf("%s %q: got %+v", name, body, item)
			}
		}
	}
}

func TestReplay(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.InfoLevel)
	b := newBundle(t, func(d *Deps) { d.Logger = zap.New(core) })
	b.kill(queue.Alert, 1, 2, 3, 4, 5, 6, 7)
	replay := func(body string) request {
		return request{method: "POST", path: "/dlq/alert/replay", body: body, header: []string{"X-Reason", "repaired"}}
	}
	b.refuse(404, "ids", "", replay(fmt.Sprintf(`{"ids":[%q]}`, testID(99))))
	for _, bad := range []string{`{}`, `{"all":true,"count":1}`, `{"ids":[]}`, `{"all":false}`} {
		b.refuse(422, "ids", "exactly one", replay(bad))
	}
	b.refuse(422, "count", "", replay(`{"count":-1}`))
	b.refuse(422, "count", "number", replay(`{"count":"3"}`))
	b.refuse(422, "ids[1]", "", replay(fmt.Sprintf(`{"ids":[%q,"x"]}`, testID(1))))
	b.refuse(422, "ids[0]", "text", replay(`{"ids":[7]}`))
	b.refuse(422, "id", "", replay(`{"id":"x"}`))
	if got := b.expect(200, replay(fmt.Sprintf(`{"ids":[%q,%q,%q],"reason":"fixed"}`, testID(2), testID(99), testID(3)))); got["replayed"] != 2.0 {
		t.Fatalf("got %v", got)
	}
	if got := b.expect(200, replay(`{"count":1}`)); got["replayed"] != 1.0 {
		t.Fatalf("got %v", got)
	}
	if got := b.expect(200, replay(`{"all":true}`)); got["replayed"] != 4.0 {
		t.Fatalf("got %v", got)
	}
	if got := b.expect(200, replay(`{"all":true}`)); got["replayed"] != 0.0 {
		t.Fatalf("got %v", got)
	}
	q := decode[apiclient.Queues](b, b.get("/queues"))
	if alert := q.Queues[1]; alert.Name != "alert" || alert.Ready != 7 || alert.Dead != 0 {
		t.Fatalf("got %+v", alert)
	}
	entry := logs.All()[0].ContextMap()
	if logs.Len() != 3 || entry["reason"] != "fixed" || entry["identity"] != "key:admin" || entry["correlation_id"] != "test-correlation" {
		t.Fatalf("who did it is logged: %v", logs.All())
	}
}

// All means what is dead now, over several steps.
func TestReplayAllInSteps(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	var numbers []int
	for n := range replayStep + 7 {
		numbers = append(numbers, n)
	}
	b.kill(queue.Ingest, numbers...)
	if got := b.expect(200, request{method: "POST", path: "/dlq/ingest/replay", body: `{"all":true,"reason":"repaired"}`}); got["replayed"] != float64(len(numbers)) {
		t.Fatalf("got %v", got)
	}
}

// Letters come with their bodies: however many ids a request names, few are read at once.
func TestReplayOfManyIDsReadsFewAtOnce(t *testing.T) {
	t.Parallel()
	counted := &countedLetters{}
	b := newBundle(t, func(d *Deps) { counted.Queues, d.Queues = d.Queues, counted })
	const n = 3 * lookStep
	b.kill(queue.Alert, n-1)
	ids := make([]string, n)
	for i := range ids {
		ids[i] = testID(i).String()
	}
	body, err := json.Marshal(apiclient.ReplayRequest{IDs: ids, Reason: "repaired"})
	b.must(err)
	if got := b.expect(200, request{method: "POST", path: "/dlq/alert/replay", body: string(body)}); got["replayed"] != 1.0 || counted.most > lookStep {
		t.Fatalf("got %v; %d were read at once", got, counted.most)
	}
}

// countedLetters knows how many letters were asked for at once.
type countedLetters struct {
	Queues
	most int
}

func (q *countedLetters) Dead(ctx context.Context, p queue.DeadParams) ([]queue.DeadItem, error) {
	q.most = max(q.most, len(p.IDs))
	return q.Queues.Dead(ctx, p)
}

func TestDiscard(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.kill(queue.Ingest, 1, 2)
	path := "/dlq/ingest/" + testID(1).String()
	b.refuse(400, "X-Reason", "", request{method: "DELETE", path: path, header: []string{"X-Reason", "a\x01b"}})
	noise := []string{"X-Reason", "noise"}
	b.expect(200, request{method: "DELETE", path: path, header: noise})
	b.refuse(404, "id", "", request{method: "DELETE", path: path, header: noise})
	b.refuse(404, "id", "", request{method: "DELETE", path: "/dlq/alert/" + testID(2).String(), header: noise})
	for _, bad := range []string{"x", "{" + testID(1).String() + "}", "urn:uuid:" + testID(1).String()} {
		b.refuse(400, "id", "", request{method: "DELETE", path: "/dlq/ingest/" + bad})
	}
	if page := decode[apiclient.DeadLetters](b, b.get("/dlq/ingest")); len(page.Items) != 1 || page.Items[0].ID != testID(2).String() {
		t.Fatalf("got %+v", page)
	}
}

// Whoever makes an alert vanish, or has it sent again, leaves a row with a reason before it happens, and one with the outcome.
func TestReplayAndDiscardAreInTheChangeAudit(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.kill(queue.Alert, 1, 2, 3, 4, 5)
	id := testID(1).String()
	for _, reason := range []string{"", "  ", "\t", "\u200b \u2060"} {
		quoted := `"` + strings.ReplaceAll(reason, "\t", `\t`) + `"`
		b.refuse(422, "reason", "required", request{method: "POST", path: "/dlq/alert/replay", body: `{"all":true,"reason":` + quoted + `}`})
		b.refuse(400, "reason", "required", request{method: "DELETE", path: "/dlq/alert/" + id, header: []string{"X-Reason", reason}})
	}
	b.refuse(422, "reason", "required", request{method: "POST", path: "/dlq/alert/replay", body: `{"all":true}`})
	b.refuse(400, "reason", "required", request{method: "DELETE", path: "/dlq/alert/" + id})
	if q := decode[apiclient.Queues](b, b.get("/queues")).Queues[1]; q.Dead != 5 || len(b.deadChanges()) != 0 {
		t.Fatalf("a refused request did something: %+v, %v", q, b.deadChanges())
	}
	b.expect(200, request{method: "DELETE", path: "/dlq/alert/" + id, header: []string{"X-Reason", "noise"}, key: "operator"})
	b.expect(200, request{method: "POST", path: "/dlq/alert/replay", body: fmt.Sprintf(`{"ids":[%q],"reason":"one"}`, testID(2))})
	b.expect(200, request{method: "POST", path: "/dlq/alert/replay", body: fmt.Sprintf(`{"ids":[%q,%q],"reason":"two"}`, testID(3), testID(99))})
	b.expect(200, request{method: "POST", path: "/dlq/alert/replay", body: `{"count":7}`, header: []string{"X-Reason", "rest"}})
	want := []string{
		`key:operator DELETE alert/` + id + ` noise {"code":"rejected","died_at":"2026-11-23T12:30:15Z","hostname":"sw1"}`,
		`key:operator DELETE alert/` + id + ` noise {"count":1,"outcome_of":1}`,
		`key:admin UPDATE alert/` + testID(2).String() + ` one {"requested":1}`,
		`key:admin UPDATE alert/` + testID(2).String() + ` one {"count":1,"outcome_of":3}`,
		`key:admin UPDATE alert two {"ids":["` + testID(3).String() + `","` + testID(99).String() + `"],"requested":2}`,
		`key:admin UPDATE alert two {"count":1,"outcome_of":5}`,
		`key:admin UPDATE alert rest {"oldest":7,"requested":2}`,
		`key:admin UPDATE alert rest {"count":2,"outcome_of":7}`,
	}
	if d := cmp.Diff(want, b.deadChanges()); d != "" {
		t.Error(d)
	}
	b.refuse(422, "audit_id", "dead letters", request{method: "POST", path: "/config/rollback", body: `{"audit_id":1}`})
	b.refuse(422, "audit_id", "dead letters", request{method: "POST", path: "/config/rollback", body: `{"audit_id":8,"force":true}`})
	if rows, _, err := b.store.VerifyChain(t.Context()); err != nil || rows != 8 {
		t.Errorf("%d rows verified, %v", rows, err)
	}
}

// deadChanges lists what the change audit has of the dead letters, oldest first.
func (b *bundle) deadChanges() (all []string) {
	b.Helper()
	page, err := b.store.Changes(b.Context(), store.ChangeFilter{TableName: store.TableDeadLetters, Limit: 100})
	b.must(err)
	for _, c := range page.Items {
		all = append([]string{fmt.Sprint(c.ChangedBy, " ", c.Operation, " ", c.RecordID, " ", c.Reason, " ", c.OldValue, c.NewValue)}, all...)
	}
	return all
}

// Without its row in the change audit nothing happens; an outcome that cannot be written is logged, and what was done stays done.
func TestDeadLettersAreLeftAloneWithoutAnAuditRow(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.ErrorLevel)
	failing := &failingChanges{}
	b := newBundle(t, func(d *Deps) { failing.Store, d.Store, d.Logger = d.Store, failing, zap.New(core) })
	b.kill(queue.Alert, 1, 2)
	discard := func(n int) request {
		return request{method: "DELETE", path: "/dlq/alert/" + testID(n).String(), header: []string{"X-Reason", "noise"}}
	}
	failing.from = 1
	b.refuse(503, "", "", discard(1))
	b.refuse(503, "", "", request{method: "POST", path: "/dlq/alert/replay", body: `{"all":true,"reason":"x"}`})
	if d, err := b.queue.Depth(t.Context(), queue.Alert); err != nil || d.Dead != 2 || d.Live() != 0 {
		t.Fatalf("%+v, %v", d, err)
	}
	failing.from, failing.calls = 2, 0
	b.expect(200, discard(1))
	if got := b.deadChanges(); len(got) != 1 || logs.Len() != 1 || logs.All()[0].ContextMap()["audit_id"] != int64(1) {
		t.Errorf("%v, %v", got, logs.All())
	}
}

// failingChanges is a store whose changes fail from the nth on.
type failingChanges struct {
	Store
	calls, from int
}

func (f *failingChanges) Change(ctx context.Context, actor store.Actor, reason string, fn func(*store.Tx) error) (int64, error) {
	if f.calls++; f.calls >= f.from {
		return 0, fault.New(fault.StoreUnavailable, "the store is away")
	}
	return f.Store.Change(ctx, actor, reason, fn)
}

func TestDeadLettersSayWhatWillBecomeOfThem(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	if q := decode[apiclient.Queues](b, b.get("/queues")).Queues[1]; q.DeadLetters != nil {
		t.Fatalf("%+v", q)
	}
	b.kill(queue.Alert, 1, 2, 3)
	next := noon.Add(5 * time.Minute)
	b.must(deadletter.Publish(t.Context(), b.coord, deadletter.Plan{queue.Alert: {Next: next, Obstacle: deadletter.Unproven,
		Census: deadletter.Census{Replayed: 1, Decided: 2}}}))
	_, err := b.queue.GiveUp(t.Context(), queue.Alert, []event.ID{testID(2)})
	b.must(err)
	page := decode[apiclient.DeadLetters](b, b.get("/dlq/alert"))
	q := decode[apiclient.Queues](b, b.get("/queues")).Queues[1]
	for _, s := range []*apiclient.DeadSummary{page.Summary, q.DeadLetters} {
		if s == nil || s.Count != 3 || s.Replayed != 1 || s.Undecided != 2 || s.NextReplay == nil || !s.NextReplay.Equal(next) || !strings.Contains(s.Plan, "one goes first") {
			t.Errorf("%+v", s)
		}
	}
	if !page.Items[1].GivenUp || page.Items[0].GivenUp {
		t.Errorf("%+v", page.Items)
	}
}
