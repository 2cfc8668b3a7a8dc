package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/store"
	"github.com/muttproject/mutt/platform/testkit"
)

// TestPartitions holds what a janitor needs of the event audit's partitions.
func TestPartitions(t *testing.T) {
	t.Parallel()
	server := testkit.Postgres(t, testkit.PostgresOptions{})
	for name, test := range map[string]func(*testing.T, *partitioned){
		"made ahead, once":                partitionsAhead,
		"made by several at once":         partitionsAtOnce,
		"rows in DEFAULT are moved":       partitionsMove,
		"a day with many rows is left":    partitionsLeave,
		"a large DEFAULT is shut out":     partitionsLargeDefault,
		"a reader of DEFAULT delays only": partitionsUnderReader,
		"dropped when they are past":      partitionsDrop,
		"a reader of a day delays only":   partitionsDropUnderReader,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := newPool(t, server, server.NewDatabase(t))
			p := &partitioned{t: t, pool: pool, now: time.Date(2026, 11, 24, 13, 30, 0, 0, time.UTC)}
			p.store = p.open()
			if err := p.store.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			test(t, p)
		})
	}
}

func TestPartitionsOfSQLite(t *testing.T) {
	t.Parallel()
	s := openPlain(t, t.TempDir()+"/mutt.db")
	made, err := s.EnsurePartitions(t.Context(), time.Now(), 3)
	list, err2 := s.Partitions(t.Context())
	warnings, err3 := s.PartitionWarnings(t.Context())
	if made != 0 || len(list) != 0 || len(warnings) != 0 || err != nil || err2 != nil || err3 != nil {
		t.Errorf("made %d, list %v, warnings %v: %v %v %v", made, list, warnings, err, err2, err3)
	}
}

// partitioned is a migrated store on a database of its own.
type partitioned struct {
	t     *testing.T
	pool  *pgxpool.Pool
	store *store.Store
	now   time.Time
}

func (p *partitioned) open() *store.Store {
	return openOn(p.t, store.Options{Postgres: p.pool, Now: func() time.Time { return p.now }, Logger: zap.NewNop()})
}

func (p *partitioned) exec(text string, args ...any) {
	p.t.Helper()
	if _, err := p.pool.Exec(p.t.Context(), text, args...); err != nil {
		p.t.Fatal(err)
	}
}

func (p *partitioned) number(text string, args ...any) (n int64) {
	p.t.Helper()
	if err := p.pool.QueryRow(p.t.Context(), text, args...).Scan(&n); err != nil {
		p.t.Fatal(err)
	}
	return n
}

const insertRows = `INSERT INTO event_audit (id, received_at, event_timestamp, ruleset_version, source, severity, handling, fate,
	environment, hostname, rule_name, team, signature, correlation_id, raw_message)
	SELECT (lpad(to_hex($1::bigint), 12, '0') || '7' || right(gen_random_uuid()::text, 3) || '8' || right(md5(g::text || random()), 15))::uuid,
	0, 0, 0, 1, 1, 1, 1, 0, 'h', '', '', '', '', repeat('x', $3) FROM generate_series(1, $2::bigint) AS g`

// rows inserts n rows that were received at a time, each with a message of some bytes.
func (p *partitioned) rows(at time.Time, n, bytes int) {
	p.t.Helper()
	p.exec(insertRows, at.UnixMilli(), n, bytes)
}

func (p *partitioned) ensure(want int) {
	p.t.Helper()
	if made, err := p.store.EnsurePartitions(p.t.Context(), p.now, 3); err != nil || made != want {
		p.t.Fatalf("made %d partitions, want %d: %v", made, want, err)
	}
}

func (p *partitioned) names() (names []string) {
	p.t.Helper()
	list, err := p.store.Partitions(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	for _, x := range list {
		names = append(names, x.Name)
	}
	return names
}

func (p *partitioned) warnings() []string {
	p.t.Helper()
	w, err := p.store.PartitionWarnings(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return w
}

// waitForLock waits until somebody waits for a lock.
func (p *partitioned) waitForLock() {
	p.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for p.number(`SELECT count(*) FROM pg_locks WHERE NOT granted`) == 0 {
		if time.Now().After(deadline) {
			p.t.Fatal("nobody waits for the lock")
		}
	}
}

func partitionsAhead(t *testing.T, p *partitioned) {
	if w := p.warnings(); len(w) != 1 {
		t.Errorf("without partitions: %q", w)
	}
	p.ensure(4)
	p.ensure(0)
	list, err := p.store.Partitions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	want := []store.Partition{}
	for i := range 4 {
		from := day.AddDate(0, 0, i)
		want = append(want, store.Partition{Name: "event_audit_" + from.Format("20060102"), From: from, To: from.AddDate(0, 0, 1)})
	}
	want = append(want, store.Partition{Name: "event_audit_default"})
	if d := cmp.Diff(want, list, cmpopts.IgnoreFields(store.Partition{}, "Rows", "Bytes")); d != "" {
		t.Error(d)
	}
	for _, x := range list {
		if x.Bytes == 0 || x.Default() != (x.Name == "event_audit_default") {
			t.Errorf("%+v", x)
		}
	}
	p.rows(p.now, 10, 1)
	p.rows(day.AddDate(0, 0, 1).Add(-time.Millisecond), 10, 1) // the last millisecond of the day
	if n := p.number(`SELECT count(*) FROM event_audit_20261124`); n != 20 {
		t.Errorf("%d rows of the day are in its partition, want 20", n)
	}
	if n, indexes := p.number(`SELECT count(*) FROM pg_index WHERE indrelid = 'event_audit_20261124'::regclass`),
		p.number(`SELECT count(*) FROM pg_index WHERE indrelid = 'event_audit'::regclass`); n != indexes || n == 0 {
		t.Errorf("the partition has %d indexes, the table %d", n, indexes)
	}
	for _, days := range []int{2, 3, 4} {
		p.now = day.AddDate(0, 0, days)
		if w := p.warnings(); (len(w) > 0) != (days >= 3) {
			t.Errorf("on day %d: %q", days, w)
		}
	}
}

// partitionsAtOnce also writes all the time: no writer fails.
func partitionsAtOnce(t *testing.T, p *partitioned) {
	ctx, stop := context.WithCancel(t.Context())
	var writing, making sync.WaitGroup
	for range 2 {
		writing.Go(func() {
			for n := 0; ctx.Err() == nil && n < 500; n++ {
				if _, err := p.pool.Exec(ctx, insertRows, p.now.UnixMilli(), 3, 10); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	made := make([]int, 4)
	for i := range made {
		making.Go(func() {
			var err error
			if made[i], err = p.open().EnsurePartitions(t.Context(), p.now, 3); err != nil {
				t.Error(err)
			}
		})
	}
	making.Wait()
	stop()
	writing.Wait()
	if sum := made[0] + made[1] + made[2] + made[3]; sum != 4 || len(p.names()) != 5 {
		t.Errorf("made %v, there are %v", made, p.names())
	}
}

func partitionsMove(t *testing.T, p *partitioned) {
	p.rows(p.now, 5000, 100)
	p.rows(p.now.AddDate(0, 0, 2), 7, 100) // by a clock that is ahead
	p.rows(p.now.AddDate(0, 0, -1), 3, 100)
	p.ensure(4)
	for table, want := range map[string]int64{"event_audit_20261124": 5000, "event_audit_20261126": 7, "event_audit_default": 3, "event_audit": 5010} {
		if n := p.number(`SELECT count(*) FROM ` + table); n != want {
			t.Errorf("%s has %d rows, want %d", table, n, want)
		}
	}
}

func partitionsLeave(t *testing.T, p *partitioned) {
	p.rows(p.now, 10_001, 1)
	p.ensure(3)
	if d := cmp.Diff([]string{"event_audit_20261125", "event_audit_20261126", "event_audit_20261127", "event_audit_default"}, p.names()); d != "" {
		t.Error(d)
	}
	if w := p.warnings(); len(w) != 1 {
		t.Errorf("today is in DEFAULT: %q", w)
	}
	p.rows(p.now, 1, 1) // and goes on to be
	p.now = p.now.AddDate(0, 0, 1)
	p.ensure(1)
}

// partitionsLargeDefault is what a janitor finds that was away for a while.
func partitionsLargeDefault(t *testing.T, p *partitioned) {
	p.rows(p.now.AddDate(0, 0, -1), 30_000, 1500)
	p.rows(p.now, 10, 1)
	p.rows(p.now.AddDate(0, 0, 2), 1, 1) // in the way of that day
	p.ensure(2)
	if d := cmp.Diff([]string{"event_audit_20261125", "event_audit_20261127", "event_audit_default"}, p.names()); d != "" {
		t.Error(d)
	}
	if n := p.number(`SELECT count(*) FROM pg_constraint WHERE conrelid = 'event_audit_default'::regclass AND contype = 'c'`); n != 0 {
		t.Errorf("%d constraints were left on the default partition", n)
	}
	p.rows(p.now.AddDate(0, 0, 2), 1, 2)
	if n := p.number(`SELECT count(*) FROM event_audit`); n != 30_012 {
		t.Errorf("%d rows", n)
	}
}

// partitionsUnderReader: whoever reads DEFAULT keeps it locked; nobody who writes waits for that.
func partitionsUnderReader(t *testing.T, p *partitioned) {
	tx, err := p.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), `SELECT count(*) FROM event_audit_default`); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		made, err := p.store.EnsurePartitions(t.Context(), p.now, 3)
		if err == nil && made != 4 {
			err = fmt.Errorf("made %d", made)
		}
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
	if n := p.number(`SELECT count(*) FROM event_audit_20261124`); n != 1 {
		t.Errorf("the row that was written meanwhile was not moved: %d", n)
	}
}
