package unhandled

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/store"
)

func TestCollectAggregatesByHostAndMask(t *testing.T) {
	t.Parallel()
	none := event.Decision{Fate: event.FateUnhandled, Team: "T"}
	events := []event.Event{
		{Hostname: "a", Message: "port 1 down", ReceivedAt: 30},
		{Hostname: "A", Message: "port 22 down", ReceivedAt: 10},
		{Hostname: "b", Message: "port 1 down", ReceivedAt: 20},
		{Hostname: "a", Message: "matched 1", ReceivedAt: 20},
		{Hostname: "A", Message: "fan broken", ReceivedAt: 20},
	}
	decisions := []event.Decision{none, none, none, {Fate: event.FateForwarded}, none}
	var c Collector
	for range 2 { // the memory of the first round must not show in the second
		got := c.Collect(nil, events, decisions)
		want := []Tally{
			{Host: "a", Name: "a", Mask: "port <n> down", Key: "a\x00port <n> down", Sample: "port 1 down", Team: "T", N: 2, First: 10},
			{Host: "b", Name: "b", Mask: "port <n> down", Key: "b\x00port <n> down", Sample: "port 1 down", Team: "T", N: 1, First: 20},
			{Host: "a", Name: "A", Mask: "fan broken", Key: "a\x00fan broken", Sample: "fan broken", Team: "T", N: 1, First: 20},
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
	}
}

// counted is the real store, with the number of its calls.
type counted struct {
	*store.Store
	calls int
}

func (c *counted) CountUnhandledBatch(ctx context.Context, p []store.CountParams) ([][]store.Counter, error) {
	c.calls++
	return c.Store.CountUnhandledBatch(ctx, p)
}

func open(t *testing.T) *counted {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "mutt.db"), Logger: zap.NewNop(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &counted{Store: st}
}

func tally(host string, n, first int64) Tally {
	return Tally{Host: host, Name: strings.ToUpper(host), Mask: "m <n>", Key: host + "\x00m <n>", Sample: "m 1", Team: "T", N: n, First: first}
}

func entry(tallies ...Tally) []Entry {
	return []Entry{{ID: uuid.Must(uuid.NewV7()), Tallies: tallies}}
}

func TestWindowIsDueOnceAndNotCountedAfterwards(t *testing.T) {
	t.Parallel()
	st := open(t)
	c := &Counters{Store: st}
	const hour = int64(time.Hour / time.Microsecond)
	at := event.Micros(time.Now())
	count := func(first int64, entries ...Entry) []Window {
		t.Helper()
		due, err := c.Count(t.Context(), entries, 10, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return due
	}
	first := entry(tally("h", 9, at))
	if due := count(at, first...); len(due) != 0 {
		t.Fatalf("due at 9 of 10: %+v", due)
	}
	if due := count(at, first...); len(due) != 0 {
		t.Fatal("the same entry counted twice")
	}
	// Two entries at once reach the threshold: one window, with the later number.
	due := count(at, append(entry(tally("h", 1, at)), entry(tally("h", 5, at))...)...)
	if len(due) != 1 || due[0].N != 15 || due[0].Team != "T" || due[0].Name != "H" {
		t.Fatalf("due %+v", due)
	}
	id := due[0].ID()
	if err := c.Mark(t.Context(), due); err != nil {
		t.Fatal(err)
	}
	if due := count(at, entry(tally("h", 50, at+1))...); len(due) != 0 {
		t.Fatal("due again in a marked window")
	}
	calls := st.calls
	if due := count(at, entry(tally("h", 50, at+2))...); len(due) != 0 || st.calls != calls {
		t.Fatalf("%d calls to count in a window that is known to be marked", st.calls-calls)
	}
	due = count(at, entry(tally("h", 50, at+hour))...)
	if len(due) != 1 || due[0].N != 50 || due[0].ID() == id {
		t.Fatalf("the next window: %+v", due)
	}
}

type broken struct{ counted }

func (broken) CountUnhandledBatch(context.Context, []store.CountParams) ([][]store.Counter, error) {
	return nil, errors.New("broken")
}

func TestCountReportsErrors(t *testing.T) {
	t.Parallel()
	c := &Counters{Store: &broken{}}
	if _, err := c.Count(t.Context(), entry(tally("h", 1, 1)), 1, time.Hour); err == nil {
		t.Fatal("no error")
	}
}

func TestFoldedCounterOfAllHostsHasNoHostsTeam(t *testing.T) {
	t.Parallel()
	var d due
	d.add(&store.Counter{Host: store.FoldedHost, Mask: store.FoldedMask, N: 5, Folded: true}, &Tally{Name: "EDGE-1", Team: "NET"})
	d.add(&store.Counter{Host: "h", Mask: store.FoldedMask, N: 5, Folded: true}, &Tally{Name: "EDGE-1", Team: "NET"})
	if got := []string{d.windows[0].Team, d.windows[1].Team}; got[0] != "" || got[1] != "NET" {
		t.Fatalf("teams %q", got)
	}
}

func TestSettledIsBounded(t *testing.T) {
	t.Parallel()
	var c Counters
	for i := range 3 * maxSettled {
		c.settle(fmt.Sprint(i), 1)
		if len(c.settled) > maxSettled {
			t.Fatalf("%d keys", len(c.settled))
		}
	}
}

func TestAlertOfAWindow(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	w := Window{Name: "H", Counter: store.Counter{Host: "h", Mask: "m <n>", N: 120, Sample: "m \"7\"", WindowStart: start}}
	a, again := w.Alert(start.Add(time.Hour), "ALL"), w.Alert(start.Add(2*time.Hour), "ALL")
	if a.Event.ID != again.Event.ID || a.Event.ID.Version() != 8 || a.Event.ID.Variant() != uuid.RFC4122 {
		t.Errorf("id %s, then %s", a.Event.ID, again.Event.ID)
	}
	for _, other := range []Window{
		{Counter: store.Counter{Host: "h2", Mask: "m <n>", WindowStart: start}},
		{Counter: store.Counter{Host: "h", Mask: "m <n> ", WindowStart: start}},
		{Counter: store.Counter{Host: "h", Mask: "m <n>", WindowStart: start.Add(time.Microsecond)}},
	} {
		if other.ID() == a.Event.ID {
			t.Errorf("%+v has the same id", other)
		}
	}
	var fields map[string]any
	if err := json.Unmarshal([]byte(a.Event.Fields), &fields); err != nil || fields["unhandled_count"] != 120.0 || fields["sample"] != `m "7"` {
		t.Errorf("fields %v, %v", fields, err)
	}
	if a.Event.Hostname != "H" || !strings.HasPrefix(a.Decision.Signature, "h::unhandled::") {
		t.Errorf("host %q, signature %q", a.Event.Hostname, a.Decision.Signature)
	}
	if a.Decision.Team != "ALL" || a.Event.Source != event.SourceMeta || !a.Decision.Handling.Forwards() {
		t.Errorf("alert %+v", a)
	}
	if !strings.Contains(a.Event.Message, "120") || !strings.Contains(a.Event.Message, "2026-03-01T12:00:00Z") {
		t.Errorf("message %q", a.Event.Message)
	}
}

func TestClip(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", maxSample)
	if got := clip("x" + long); len(got) > maxSample || !strings.HasPrefix("x"+long, got) || strings.ContainsRune(got, '\uFFFD') {
		t.Errorf("clipped to %d bytes", len(got))
	}
	if clip("short") != "short" {
		t.Error("a short text was changed")
	}
}
