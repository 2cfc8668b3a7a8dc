package api

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/openapi"
	"github.com/muttproject/mutt/platform/queue"
)

// listed is a list of any kind: its rows stand in the member that is not the pagination.
type listed struct {
	rows []json.RawMessage
	apiclient.Pagination
}

func (b *bundle) list(path string, query url.Values) listed {
	b.Helper()
	rec := b.get(path + "?" + query.Encode())
	if rec.Code != 200 {
		b.Fatalf("%s %v: got %d %s", path, query, rec.Code, rec.Body)
	}
	var members map[string]json.RawMessage
	b.must(json.Unmarshal(rec.Body.Bytes(), &members))
	var out listed
	for name, value := range members {
		if name == "pagination" {
			b.must(json.Unmarshal(value, &out.Pagination))
		} else if value[0] == '[' {
			b.must(json.Unmarshal(value, &out.rows))
		}
	}
	return out
}

// Every list that the document says to be paged keeps the contract's words on pages, limits and cursors.
func TestEveryListIsPagedAlike(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	for i := range 5 {
		b.createRule(strings.Replace(sampleRule, `"name":"link down"`, fmt.Sprintf(`"name":"rule %d"`, i), 1))
		b.expect(200, request{method: "PUT", path: "/config/moog_rate_limit", body: fmt.Sprintf(`{"value":%d}`, i+10)})
		b.judge(auditRow(i+1, "sw1", event.FateForwarded, event.PageOnly, 1))
	}
	b.kill(queue.Alert, 11, 12, 13, 14, 15)
	paged := 0
	for _, o := range NewDocument(nil, nil).Operations() {
		takes := map[string]bool{}
		for _, p := range o.Params {
			takes[p.Name] = true
		}
		if takes["page"] {
			paged++
			b.checkList(&o, strings.Replace(o.Path, "{queue}", "alert", 1), takes["cursor"])
		}
	}
	if paged < 5 {
		t.Errorf("only %d lists are paged", paged)
	}
}

func (b *bundle) checkList(o *openapi.Operation, path string, cursor bool) {
	b.Helper()
	for name, bad := range map[string][]string{"limit": {"0", "-1", "201", "x", "1.5", "9223372036854775808"}, "page": {"0", "-1", "x", "46116860184273880"}} {
		for _, value := range bad {
			b.refuse(400, name, "", request{method: "GET", path: path + "?" + name + "=" + value})
		}
	}
	all := b.list(path, url.Values{"limit": {"200"}})
	if n := int64(len(all.rows)); n < 5 || all.Total != n || all.Pages != 1 || all.Page != 1 || all.Limit != 200 || all.TotalIsEstimate || all.NextCursor != "" {
		b.Errorf("%s: %d rows, %+v", o.ID, n, all.Pagination)
	}
	first := b.list(path, url.Values{"limit": {"2"}, "page": {"1"}})
	if len(first.rows) != 2 || first.Pages != (first.Total+1)/2 || string(first.rows[1]) != string(all.rows[1]) {
		b.Errorf("%s: a page of 2: %+v", o.ID, first.Pagination)
	}
	if !cursor {
		if beyond := b.list(path, url.Values{"page": {"4000000000"}}); len(beyond.rows) != 0 || beyond.Total != all.Total {
			b.Errorf("%s: beyond the end: %d rows, %+v", o.ID, len(beyond.rows), beyond.Pagination)
		}
		return
	}
	seen, query := 0, url.Values{"limit": {"2"}}
	for {
		part := b.list(path, query)
		for _, row := range part.rows {
			if string(row) != string(all.rows[seen]) {
				b.Fatalf("%s: row %d of the walk is %s", o.ID, seen, row)
			}
			seen++
		}
		if part.NextCursor == "" {
			break
		}
		query.Set("cursor", part.NextCursor)
	}
	if seen != len(all.rows) {
		b.Errorf("%s: a walk saw %d of %d rows", o.ID, seen, len(all.rows))
	}
	b.refuse(400, "cursor", "", request{method: "GET", path: path + "?page=1&cursor=" + first.NextCursor})
	for _, forged := range []string{first.NextCursor + "A", strings.ToLower(first.NextCursor), first.NextCursor[1:], "x"} {
		b.refuse(400, "cursor", "begin again", request{method: "GET", path: path + "?cursor=" + forged})
	}
}
