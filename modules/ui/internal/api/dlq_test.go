package api

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
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
	replay := func(body string) request { return request{method: "POST", path: "/dlq/alert/replay", body: body} }
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
	if got := b.expect(200, request{method: "POST", path: "/dlq/ingest/replay", body: `{"all":true}`}); got["replayed"] != float64(len(numbers)) {
		t.Fatalf("got %v", got)
	}
}

func TestDiscard(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.kill(queue.Ingest, 1, 2)
	path := "/dlq/ingest/" + testID(1).String()
	b.refuse(400, "X-Reason", "", request{method: "DELETE", path: path, header: []string{"X-Reason", "a\x01b"}})
	b.expect(200, request{method: "DELETE", path: path, header: []string{"X-Reason", "noise"}})
	b.refuse(404, "id", "", request{method: "DELETE", path: path})
	b.refuse(404, "id", "", request{method: "DELETE", path: "/dlq/alert/" + testID(2).String()})
	for _, bad := range []string{"x", "{" + testID(1).String() + "}", "urn:uuid:" + testID(1).String()} {
		b.refuse(400, "id", "", request{method: "DELETE", path: "/dlq/ingest/" + bad})
	}
	if page := decode[apiclient.DeadLetters](b, b.get("/dlq/ingest")); len(page.Items) != 1 || page.Items[0].ID != testID(2).String() {
		t.Fatalf("got %+v", page)
	}
}
