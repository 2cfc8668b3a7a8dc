package api

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

// TestTheTailCountsOverDaysFromFewRows: a reader that runs for days counts each judged event once, also those of a process whose clock is two
// minutes behind, and reads an hour and a half of the book at most.
func TestTheTailCountsOverDaysFromFewRows(t *testing.T) {
	t.Parallel()
	b, now := newBundle(t), noon
	reader := tail{store: b.store, now: func() time.Time { return now }}
	judge := func(minute, n int64) {
		_, err := b.store.Judge(t.Context(), "a", []store.JudgedEntry{{Entry: queue.NewEntryID(),
			Counts: []store.LedgerCount{{Minute: minute, Source: event.SourceSyslog, Fate: event.FateUnhandled, N: n}}}})
		b.must(err)
	}
	var counted books
	judge(noon.Unix()/60, 1000)
	l, _, err := reader.look(t.Context(), now, &counted, nil)
	b.must(err)
	if l.judged != 0 {
		t.Errorf("what was judged before the first look counts: %d", l.judged)
	}
	total, want := int64(0), int64(0)
	for i := range int64(300) {
		now = now.Add(11 * time.Minute)
		judge(now.Unix()/60, i)
		judge(now.Unix()/60-2, 3)
		want += i + 3
		l, _, err := reader.look(t.Context(), now, &counted, nil)
		b.must(err)
		total += l.judged
		if back := now.Unix()/60 - counted.from; back > 90 {
			t.Fatalf("counts from %d minutes ago on", back)
		}
	}
	if total != want {
		t.Errorf("counted %d judged events of %d", total, want)
	}
}

// judgings is a store of which only the judged events are read.
type judgings struct {
	Store
	mu   sync.Mutex
	rows []store.AuditLog // newest first
	read int
}

func (j *judgings) AuditLogs(_ context.Context, f store.AuditFilter) (page store.Page[store.AuditLog], err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.read++
	for _, r := range j.rows {
		if !r.ReceivedAt.Before(f.Start) {
			page.Items = append(page.Items, r)
		}
	}
	return page, nil
}

func (j *judgings) Judged(context.Context, int64) (int64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return int64(len(j.rows)), nil
}

func (j *judgings) judge(n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.rows = append([]store.AuditLog{{ID: testID(n), ReceivedAt: time.Now()}}, j.rows...)
}

// TestAStreamThatComesAgainMissesNothing: what is judged between the end of a stream and the next one of the same client is in the next one, once. The
// reader ends when nobody comes.
func TestAStreamThatComesAgainMissesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := &judgings{}
		reader := &tail{store: j, log: zap.NewNop(), now: time.Now}
		j.judge(1)
		looks, leave := reader.watch()
		<-time.After(1500 * time.Millisecond)
		j.judge(2)
		shown := map[event.ID]int{}
		note := func(l *look) {
			for _, r := range l.rows {
				shown[r.ID]++
			}
		}
		<-time.After(time.Second)
		note(<-looks)
		leave()
		j.judge(3)
		<-time.After(1200 * time.Millisecond)
		looks, leave = reader.watch()
		j.judge(4)
		for range 3 {
			<-time.After(time.Second)
			note(<-looks)
		}
		if len(shown) != 3 || shown[testID(2)] != 1 || shown[testID(3)] != 1 || shown[testID(4)] != 1 {
			t.Errorf("shown: %v", shown)
		}
		leave()
		<-time.After(time.Minute)
		reader.mu.Lock()
		if reader.reading || j.read > 10 {
			t.Errorf("the reader goes on without watchers: %v, %d reads", reader.reading, j.read)
		}
		reader.mu.Unlock()
		_, leave = reader.watch()
		<-time.After(1500 * time.Millisecond)
		leave()
		<-time.After(time.Minute)
	})
}
