package api

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/connect/sqlite"
	"github.com/muttproject/mutt/platform/store"
)

func TestVerifyingTheChangeAudit(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	verify := func(query string) apiclient.AuditVerified {
		t.Helper()
		rec := b.do(request{method: "GET", path: "/audit/verify" + query, key: "viewer"})
		if rec.Code != 200 {
			t.Fatalf("%s: %d %s", query, rec.Code, rec.Body)
		}
		return decode[apiclient.AuditVerified](b, rec)
	}
	if empty := decode[apiclient.AuditHead](b, b.get("/audit/head")); empty.Point != "0:" || empty.ChangedAt != nil || empty.Anchor != nil {
		t.Fatalf("got %+v", empty)
	}
	if v := verify("?after=0:&expect=0:"); !v.Valid || !v.Complete || v.Rows != 0 {
		t.Fatalf("an empty one: %+v", v)
	}
	for _, value := range []string{"70", "71", "72", "73", "74"} {
		b.expect(200, request{method: "PUT", path: "/config/moog_rate_limit", body: `{"value":` + value + `}`})
	}
	head := decode[apiclient.AuditHead](b, b.get("/audit/head"))
	if head.ID != 5 || head.Point != "5:"+head.Hash || head.ChangedAt == nil || !head.ChangedAt.Equal(noon) {
		t.Fatalf("got %+v", head)
	}
	part := verify("?limit=3")
	if !part.Valid || part.Complete || part.Rows != 3 || part.To.ID != 3 || part.Head.Point != head.Point {
		t.Fatalf("got %+v", part)
	}
	if part = verify("?limit=3&after=" + part.To.Point + "&expect=" + strings.ToUpper(head.Point)); !part.Valid || !part.Complete || part.Rows != 2 {
		t.Fatalf("got %+v", part)
	}
	if _, err := b.store.PruneChanges(t.Context(), store.Actor{Name: "system:janitor"}, "", noon.Add(time.Hour), 2); err != nil {
		t.Fatal(err)
	}
	if v := verify(""); !v.Valid || v.Anchor == nil || v.Anchor.ID != 2 || v.From.ID != 2 || v.Rows != 4 {
		t.Fatalf("after retention: %+v", v)
	}
	if v := verify("?expect=9:" + head.Hash); v.Valid || v.BrokenAt != 7 || !strings.Contains(v.Message, "noted outside") {
		t.Fatalf("a tail that was cut off: %+v", v)
	}
	for _, bad := range []string{"after=x", "after=1", "expect=1:abc", "expect=-1:" + head.Hash, "limit=0", "limit=1000001", "after=1:" + strings.Repeat("g", 64)} {
		name, _, _ := strings.Cut(bad, "=")
		b.refuse(400, name, "", request{method: "GET", path: "/audit/verify?" + bad})
	}
}

func TestABrokenChangeAuditIsToldNotFailed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mutt.db")
	b := newBundleOn(t, store.Options{Path: path, Connect: sqlite.Options{Synchronous: "OFF"}, Logger: zap.NewNop(), Now: time.Now})
	b.createRule(sampleRule)
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	b.must(err)
	for _, text := range []string{`DROP TRIGGER config_audit_log_no_update`, `UPDATE config_audit_log SET changed_by = 'nobody'`} {
		_, err := db.Writer.ExecContext(t.Context(), text)
		b.must(err)
	}
	b.must(db.Close())
	got := b.expect(200, request{method: "GET", path: "/audit/verify"})
	if got["valid"] != false || got["broken_at"] != 1.0 || got["message"] != "the change audit is broken at row 1: its content does not have its hash" {
		t.Fatalf("got %v", got)
	}
}
