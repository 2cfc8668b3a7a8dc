package api

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/muttproject/mutt/platform/store"
)

func TestConfigLifeCycle(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	put := func(key, body string, header ...string) request {
		return request{method: "PUT", path: "/config/" + key, body: body, header: header}
	}
	got := b.expect(200, put("moog_rate_limit", `{"value":75,"reason":"storm"}`, "If-Match", `"0"`))
	if got["old_value"] != 50.0 || got["new_value"] != 75.0 || got["revision"] != 1.0 {
		t.Fatalf("got %v", got)
	}
	b.refuse(412, "If-Match", "revision 1", put("moog_rate_limit", `{"value":76}`, "If-Match", `0`))
	if got = b.expect(200, put("moog_rate_limit", `{"value":75}`)); got["revision"] != 1.0 || b.audited() != 1 {
		t.Fatalf("the same value is no change: %v", got)
	}
	b.expect(200, put("alerter_shed_mode", `{"value":"DEFER"}`))
	item := b.expect(200, request{method: "GET", path: "/config/moog_rate_limit"})
	if item["value"] != 75.0 || item["updated_by"] != "key:admin" || item["max"] != 1e6 || item["default"] != 50.0 {
		t.Fatalf("got %v", item)
	}
	got = b.expect(200, request{method: "DELETE", path: "/config/moog_rate_limit", header: []string{"X-Reason", "over"}})
	if got["old_value"] != 75.0 || got["new_value"] != 50.0 || got["revision"] != 0.0 {
		t.Fatalf("got %v", got)
	}
	b.expect(200, request{method: "DELETE", path: "/config/moog_rate_limit"})
	history := b.expect(200, request{method: "GET", path: "/config/history?key=moog_rate_limit"})["history"].([]any)
	if len(history) != 2 {
		t.Fatalf("got %v", history)
	}
	first, last := history[1].(map[string]any), history[0].(map[string]any)
	if first["operation"] != "CREATE" || first["new_value"] != 75.0 || first["reason"] != "storm" || first["old_value"] != nil ||
		last["operation"] != "DELETE" || last["old_value"] != 75.0 || last["reason"] != "over" {
		t.Fatalf("got %v", history)
	}
}

func TestConfigRefusals(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	put := func(key, body string) request { return request{method: "PUT", path: "/config/" + key, body: body} }
	b.refuse(404, "key", "moog_rate_limit", put("moog_rate_limt", `{"value":1}`))
	b.refuse(404, "key", "moog_rate_limit", request{method: "GET", path: "/config/moog_rate_limt"})
	b.refuse(404, "key", "", request{method: "DELETE", path: "/config/zzz"})
	b.refuse(422, "value", "1000000", put("moog_rate_limit", `{"value":1000001}`))
	b.refuse(422, "value", "whole number", put("moog_rate_limit", `{"value":"many"}`))
	b.refuse(422, "value", "", put("moog_rate_limit", `{"value":null}`))
	b.refuse(422, "value", "required", put("moog_rate_limit", `{"reason":"x"}`))
	b.refuse(422, "value", "dlq, defer", put("alerter_shed_mode", `{"value":"drop"}`))
	b.refuse(422, "valeu", "", put("moog_rate_limit", `{"valeu":1}`))
	b.refuse(400, "value", "twice", put("moog_rate_limit", `{"value":1,"value":2}`))
	if b.audited() != 0 {
		t.Fatal("a refused write leaves no trace")
	}
}

func TestConfigVersionsDifferInItemsOnly(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	v1 := b.expect(200, request{method: "GET", path: "/api/v1/config"})
	v2 := b.expect(200, request{method: "GET", path: "/api/v2/config"})
	if _, has := v1["items"]; has || len(v2["items"].([]any)) != len(v1["config"].(map[string]any)) {
		t.Fatalf("got %v, %v", v1, v2)
	}
}

func TestConfigSwitchedOff(t *testing.T) {
	t.Parallel()
	b := newBundle(t, func(d *Deps) { d.DynamicEnabled = false })
	for _, r := range []request{{method: "GET", path: "/config"}, {method: "GET", path: "/config/history"},
		{method: "GET", path: "/config/log_level"}, {method: "PUT", path: "/config/log_level", body: `{"value":"debug"}`}, {method: "DELETE", path: "/config/log_level"}} {
		b.refuse(503, "", "switched off", r)
	}
	b.expect(200, request{method: "GET", path: "/rules"})
}

// An applied change is what readers see before the writer has its answer.
func TestConfigIsInForceBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	var b *bundle
	b = newBundle(t, func(d *Deps) {
		d.Apply = func(ctx context.Context) error {
			revision, _, err := b.store.Revisions(ctx)
			if err != nil {
				return err
			}
			values, err := b.store.ConfigValues(ctx)
			stored := map[string]string{}
			for _, v := range values {
				stored[v.Key] = v.Value
			}
			d.Dynamic.Apply(revision, stored)
			return err
		}
	})
	b.expect(200, request{method: "PUT", path: "/config/log_level", body: `{"value":"debug"}`})
	if b.logLevel.Get() != "debug" {
		t.Fatal("not in force")
	}
}

func TestFailedApplyIsNoFailedChange(t *testing.T) {
	t.Parallel()
	b := newBundle(t, func(d *Deps) { d.Apply = func(context.Context) error { return errors.New("store went away") } })
	b.expect(200, request{method: "PUT", path: "/config/log_level", body: `{"value":"debug"}`})
}

// Concurrent writers: one audit row for each applied change, each old value is the new value before it.
func TestConcurrentPuts(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	const writers, each = 16, 4
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				rec := b.do(request{method: "PUT", path: "/config/moog_rate_limit", body: fmt.Sprintf(`{"value":%d}`, 100+w*each+i)})
				if rec.Code != 200 {
					t.Errorf("got %d %s", rec.Code, rec.Body)
				}
			}
		})
	}
	wg.Wait()
	page, err := b.store.Changes(t.Context(), store.ChangeFilter{Limit: 200})
	b.must(err)
	if len(page.Items) != writers*each {
		t.Fatalf("%d audit rows", len(page.Items))
	}
	for i := range len(page.Items) - 1 {
		if page.Items[i].OldValue != page.Items[i+1].NewValue {
			t.Fatalf("row %d: old value %s after %s", page.Items[i].ID, page.Items[i].OldValue, page.Items[i+1].NewValue)
		}
	}
}

// With an ETag, exactly one of the writers that read the same revision wins.
func TestConcurrentPreconditions(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	codes := make(chan int, 16)
	var wg sync.WaitGroup
	for w := range cap(codes) {
		wg.Go(func() {
			codes <- b.do(request{method: "PUT", path: "/config/moog_rate_limit", body: fmt.Sprintf(`{"value":%d}`, 100+w), header: []string{"If-Match", `"0"`}}).Code
		})
	}
	wg.Wait()
	close(codes)
	count := map[int]int{}
	for c := range codes {
		count[c]++
	}
	if count[200] != 1 || count[412] != 15 {
		t.Fatalf("got %v", count)
	}
}
