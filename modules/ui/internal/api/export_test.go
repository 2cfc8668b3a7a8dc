package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/store"
)

// breaking is a store whose audit fails at one of its pages.
type breaking struct {
	Store
	left atomic.Int64 // pages until it fails; negative for never
}

func (b *breaking) AuditLogs(ctx context.Context, f store.AuditFilter) (store.Page[store.AuditLog], error) {
	if b.left.Add(-1) == 0 {
		return store.Page[store.AuditLog]{}, fault.New(fault.StoreUnavailable, "the disk is on fire")
	}
	return b.Store.AuditLogs(ctx, f)
}

// exported makes an export over HTTP. whole is false for a connection that broke.
func exported(t *testing.T, server *httptest.Server, query string) (ids []string, next string, whole bool) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/v2/audit-logs/export"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-KEY", "viewer")
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("got %d %v", resp.StatusCode, resp.Header)
	}
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return ids, resp.Trailer.Get(apiclient.NextCursorTrailer), true
		}
		if err != nil {
			return ids, "", false
		}
		var row apiclient.AuditLog
		if err := json.Unmarshal(line, &row); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		ids = append(ids, row.ID)
	}
}

// TestExport writes 10,000 rows at most and goes on by its cursor, without repeating or leaving out one; a filter holds, and an export that
// fails on its way does not end as one that is whole.
func TestExport(t *testing.T) {
	t.Parallel()
	broken := &breaking{}
	b := newBundle(t, func(d *Deps) { broken.Store, d.Store = d.Store, broken })
	server := httptest.NewServer(b.handler)
	t.Cleanup(server.Close)
	const all = maxExport + 150
	var rows []store.AuditRow
	for n := range all {
		host := "sw1"
		if n%1000 == 7 {
			host = "sw2"
		}
		rows = append(rows, auditRow(n+1, host, event.FateUnhandled, event.HandlingNone, 0))
	}
	b.judge(rows...)
	first, next, _ := exported(t, server, "")
	rest, end, whole := exported(t, server, "?cursor="+next)
	if len(first) != maxExport || len(rest) != all-maxExport || end != "" || !whole {
		t.Fatalf("%d rows, then %d, then the cursor %q", len(first), len(rest), end)
	}
	for i, id := range append(first, rest...) {
		if id != testID(all-i).String() {
			t.Fatalf("row %d is %s", i, id)
		}
	}
	if some, end, _ := exported(t, server, "?hostname=SW2&severity=err"); len(some) != 11 || end != "" {
		t.Errorf("of one host: %d rows, then %q", len(some), end)
	}
	broken.left.Store(3)
	if part, _, whole := exported(t, server, ""); whole || len(part) == 0 || len(part) >= maxExport {
		t.Errorf("an export that fails: %d rows, as a whole: %v", len(part), whole)
	}
	b.refuse(400, "cursor", "", request{method: "GET", path: "/audit-logs/export?cursor=AAAA"})
	b.refuse(400, "severity", "err..warning", request{method: "GET", path: "/audit-logs/export?severity=bad"})
	broken.left.Store(1)
	if rec := b.do(request{method: "GET", path: "/audit-logs/export"}); rec.Code != 503 {
		t.Errorf("a store that fails at once: %d", rec.Code)
	}
	for range maxExports {
		b.api.exporting <- struct{}{}
	}
	b.refuse(503, "", "exports are in progress", request{method: "GET", path: "/audit-logs/export"})
	<-b.api.exporting
	if rec := b.do(request{method: "GET", path: "/audit-logs/export?hostname=sw2"}); rec.Code != 200 {
		t.Errorf("after one has ended: %d", rec.Code)
	}
}

func TestHostsSeen(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.judge(auditRow(1, "edge-fra-1", event.FateUnhandled, event.HandlingNone, 0), auditRow(2, "core", event.FateUnhandled, event.HandlingNone, 0))
	for query, want := range map[string]string{"": `["core","edge-fra-1"]`, "?prefix=ED": `["edge-fra-1"]`, "?prefix=%25": `[]`} {
		if rec := b.get("/events/hosts" + query); rec.Code != 200 || rec.Body.String() != `{"hosts":`+want+"}\n" {
			t.Errorf("%s: got %d %s", query, rec.Code, rec.Body)
		}
	}
}
