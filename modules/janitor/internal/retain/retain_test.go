package retain

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

func TestRetention(t *testing.T) {
	t.Parallel()
	for name, storage := range map[string]func(*rig){"embedded": embedded, "distributed": distributed} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			throughTheYear(newRig(t, storage))
		})
	}
}

// throughTheYear: each kind goes when its days are over, not before, and it is said.
func throughTheYear(r *rig) {
	r.change(3)
	r.judge(25)
	r.kill(queue.Alert, 15)
	r.kill(queue.Ingest, 2)
	r.expect(3, 25, 17)
	r.days(30)
	r.kill(queue.Alert, 1) // one that is young
	r.expect(3, 25, 18)    // on the thirtieth day they are kept
	r.days(400)
	r.apply(map[string]string{"retention_dry_run": "true"})
	r.expect(3, 25, 18)
	if d := cmp.Diff(map[string]int64{"audit": 3, "event_audit": 25, "dlq": 18}, r.told("retention would remove (retention_dry_run)")); d != "" {
		r.Error(d)
	}
	r.apply(map[string]string{"retention_enabled": "false"})
	r.expect(3, 25, 18)

	r.apply(map[string]string{"retention_batch_size": "10"})
	r.days(31)
	r.expect(5, 25, 1) // a note for each queue
	r.days(91)
	r.expect(7, 0, 0) // and for the events, and the last letter
	r.days(366)
	r.expect(5, 0, 0)
	r.expect(5, 0, 0) // a second run of a day has nothing to do
	if d := cmp.Diff(map[string]int64{"audit": 3, "event_audit": 25, "dlq": 18}, r.told("retention removed")); d != "" {
		r.Error(d)
	}
	r.notes()
	r.figures()
}

// told sums what the log says by type.
func (r *rig) told(message string) map[string]int64 {
	sums := map[string]int64{}
	for _, e := range r.log.FilterMessage(message).All() {
		fields := e.ContextMap()
		sums[fields["type"].(string)] += fields["records"].(int64)
	}
	return sums
}

// notes checks the rows of the change audit that retention wrote.
func (r *rig) notes() {
	r.Helper()
	page, err := r.store.Changes(r.Context(), store.ChangeFilter{ChangedBy: "system:janitor", Operation: "DELETE"})
	r.must(err)
	var got []string
	for _, c := range page.Items {
		got = append(got, c.TableName+" "+c.Reason)
	}
	want := []string{"config_audit_log retention: retention_audit_days is 365", "dead_letters retention: retention_dlq_days is 30",
		"event_audit retention: retention_event_audit_days is 90", "dead_letters retention: retention_dlq_days is 30",
		"dead_letters retention: retention_dlq_days is 30"}
	if d := cmp.Diff(want, got); d != "" {
		r.Error(d)
	}
}

func (r *rig) figures() {
	r.Helper()
	want := `
# HELP mutt_retention_cleanup_records_deleted_total Records that retention removed, by what they were.
# TYPE mutt_retention_cleanup_records_deleted_total counter
mutt_retention_cleanup_records_deleted_total{type="audit"} 3
mutt_retention_cleanup_records_deleted_total{type="dlq"} 18
mutt_retention_cleanup_records_deleted_total{type="event_audit"} 25
# HELP mutt_retention_policy_days How many days something is kept.
# TYPE mutt_retention_policy_days gauge
mutt_retention_policy_days{type="audit"} 365
mutt_retention_policy_days{type="dlq"} 30
mutt_retention_policy_days{type="event_audit"} 90
`
	if err := testutil.GatherAndCompare(r.registry, strings.NewReader(want), "mutt_retention_cleanup_records_deleted_total", "mutt_retention_policy_days"); err != nil {
		r.Error(err)
	}
	if last := testutil.ToFloat64(r.retention.metrics.lastRun); last != float64(r.clock().Unix()) {
		r.Errorf("the last run was at %f", last)
	}
}

// What waits in a queue may come again: the rows that it would be published from stay.
func TestEventsStayWhileAQueueHoldsOlderOnes(t *testing.T) {
	t.Parallel()
	r := newRig(t, embedded)
	r.judge(5)
	entry := queue.Entry{ID: queue.NewEntryID(), Queue: queue.Alert, Events: 1, Body: []byte("x")}
	r.must(r.driver.Append(t.Context(), queue.AppendParams{Entries: []queue.Entry{entry}, Process: "test"}))
	r.days(200)
	r.expect(0, 5, 0)
}

// broken is a queue that is away.
type broken struct{ Queue }

func (broken) Dead(context.Context, queue.DeadParams) ([]queue.DeadItem, error) {
	return nil, errors.New("away")
}

func TestOneFailureDoesNotKeepTheRest(t *testing.T) {
	t.Parallel()
	r := newRig(t, embedded)
	r.change(1)
	r.judge(1)
	r.kill(queue.Alert, 1)
	r.days(400)
	r.retention.Queue = broken{r.driver}
	if err := r.retention.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "retention of dlq: away") {
		t.Fatalf("got %v", err)
	}
	if changes, events, letters := r.left(); changes != 2 || events != 0 || letters != 1 {
		t.Fatalf("%d changes, %d events and %d dead letters are left", changes, events, letters)
	}
	if last := testutil.ToFloat64(r.retention.metrics.lastRun); last != 0 {
		t.Errorf("a run that failed in part counts as one: %f", last)
	}
	r.retention.Queue = r.driver
	r.expect(3, 0, 0)
}

// A run that is cut off leaves nothing half done, and notes what it did.
func TestACutOffRunNotesWhatItDid(t *testing.T) {
	t.Parallel()
	r := newRig(t, embedded)
	r.judge(30)
	r.days(100)
	ctx, cancel := context.WithCancel(t.Context())
	r.retention.Store = &cutting{Store: r.store, after: 2, cut: cancel}
	if err := r.retention.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if changes, events, _ := r.left(); changes != 1 || events != 10 {
		t.Fatalf("%d notes, %d events are left", changes, events)
	}
	row, err := r.store.ChangeByID(t.Context(), 1)
	r.must(err)
	if row.OldValue != `{"older_than":"2026-03-14T00:00:00Z","rows":20}` || row.RecordID != "2026-03-14" {
		t.Fatalf("noted %+v", row)
	}
}

// cutting ends the run after a number of steps.
type cutting struct {
	Store
	after int
	cut   context.CancelFunc
}

func (c *cutting) PruneEvents(ctx context.Context, before time.Time, limit int) (int64, error) {
	n, err := c.Store.PruneEvents(ctx, before, limit)
	if c.after--; c.after == 0 {
		c.cut()
	}
	return n, err
}
