package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/store"
)

func (p *partitioned) drop(before time.Time) []store.Partition {
	p.t.Helper()
	dropped, err := p.store.DropPartitions(p.t.Context(), store.Actor{Name: "system:janitor"}, "retention", before)
	if err != nil {
		p.t.Fatal(err)
	}
	return dropped
}

// partitionsDrop: whole days go, each with its row in the change audit; what is in DEFAULT goes in steps.
func partitionsDrop(t *testing.T, p *partitioned) {
	day := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	p.rows(day.AddDate(0, 0, -1), 3, 1) // in DEFAULT: there was no janitor yet
	p.ensure(4)
	p.rows(day, 5, 1)
	p.rows(day.AddDate(0, 0, 1), 7, 1)
	before := day.AddDate(0, 0, 1)
	if n, err := p.store.ExpiredEvents(t.Context(), before); n != 8 || err != nil {
		t.Errorf("%d rows are expired, want 8: %v", n, err)
	}
	if got := p.drop(before.Add(-time.Millisecond)); len(got) != 0 {
		t.Errorf("a day that is not over yet: %v", got)
	}
	got := p.drop(before)
	want := []store.Partition{{Name: "event_audit_20261124", From: day, To: before, Rows: 5}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if n, err := p.store.PruneEvents(t.Context(), before, 100); n != 3 || err != nil {
		t.Errorf("%d rows of DEFAULT were removed: %v", n, err)
	}
	if n := p.number(`SELECT count(*) FROM event_audit`); n != 7 {
		t.Errorf("%d rows are left, want 7", n)
	}
	if again := p.drop(before); len(again) != 0 {
		t.Errorf("dropped twice: %v", again)
	}
	note, err := p.store.ChangeByID(t.Context(), 1)
	if err != nil || note == nil || note.TableName != "event_audit" || note.RecordID != "event_audit_20261124" ||
		note.OldValue != `{"from":"2026-11-24T00:00:00Z","rows":5,"to":"2026-11-25T00:00:00Z"}` {
		t.Errorf("noted %+v, %v", note, err)
	}
}

// partitionsDropUnderReader: whoever reads the day delays its end, and nobody who writes waits for that.
func partitionsDropUnderReader(t *testing.T, p *partitioned) {
	p.ensure(4)
	p.rows(p.now, 1, 1)
	tx, err := p.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), `SELECT count(*) FROM event_audit_20261124`); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := p.store.DropPartitions(t.Context(), store.Actor{Name: "system:janitor"}, "", p.now.AddDate(0, 0, 1))
		done <- err
	}()
	p.waitForLock()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := p.pool.Exec(ctx, insertRows, p.now.UnixMilli(), 1, 1); err != nil {
		t.Errorf("a writer had to wait: %v", err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"event_audit_20261125", "event_audit_20261126", "event_audit_20261127", "event_audit_default"}, p.names()); d != "" {
		t.Error(d)
	}
}
