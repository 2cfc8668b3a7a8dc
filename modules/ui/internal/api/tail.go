package api

import (
	"context"
	"math"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/store"
)

// Bounds of the tail.
const (
	tailEvery = time.Second
	// tailRows is how many of the newest rows one look compares with the filters of all watchers.
	tailRows = 1000
	// tailBack is how long an event may be judged after a newer one and is still shown: ids are in the order of receipt.
	tailBack = 5 * time.Second
	// tailBooks is how many minutes before its start the reader counts judged events from: those that wait longer are not in the counts.
	tailBooks = 120
	// tailPatience bounds a look, so that a store that is away does not keep the reader.
	tailPatience = 5 * time.Second
)

// look is what the reader saw in one look. It is shared, and never changed.
type look struct {
	at     time.Time
	rows   []store.AuditLog // newest first
	judged int64
}

// tail reads what is judged, once for all watchers of this process, while there are any.
type tail struct {
	store Store
	log   *zap.Logger
	now   func() time.Time

	mu       sync.Mutex
	watchers map[chan *look]bool
	stop     context.CancelFunc // of the reader; nil while there are no watchers
}

// watch returns a channel with the newest look. A watcher that is slow misses looks: the channel holds one.
func (t *tail) watch() (looks chan *look, leave func()) {
	looks = make(chan *look, 1)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.watchers == nil {
		t.watchers = map[chan *look]bool{}
	}
	t.watchers[looks] = true
	if t.stop == nil {
		ctx, stop := context.WithCancel(context.Background())
		t.stop = stop
		go t.read(ctx)
	}
	return looks, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if delete(t.watchers, looks); len(t.watchers) == 0 && t.stop != nil {
			t.stop()
			t.stop = nil
		}
	}
}

// read looks once a second until ctx ends.
func (t *tail) read(ctx context.Context) {
	tick := time.NewTicker(tailEvery)
	defer tick.Stop()
	seen, judged := map[event.ID]bool{}, int64(-1)
	base := t.now().Unix()/60 - tailBooks
	since := t.now().Add(-tailBack)
	for first := true; ; first = false {
		bounded, cancel := context.WithTimeout(ctx, tailPatience)
		l, kept, total, err := t.look(bounded, since, base, seen)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			t.log.Debug("the tail cannot read what was judged", zap.Error(err))
		} else {
			seen = kept
			if judged >= 0 {
				l.judged = max(0, total-judged, int64(len(l.rows)))
			}
			judged = total
			if since = l.at.Add(-tailBack); !first { // the first one only learns what is there already
				t.tell(l)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// look reads the newest rows that were not seen, and how many events that were received since the minute base were judged. kept are the ids to
// know next time.
func (t *tail) look(ctx context.Context, since time.Time, base int64, seen map[event.ID]bool) (l *look, kept map[event.ID]bool, judged int64, err error) {
	l, kept = &look{at: t.now().UTC()}, map[event.ID]bool{}
	page, err := t.store.AuditLogs(ctx, store.AuditFilter{Start: since, Limit: tailRows, WithoutTotal: true})
	if err != nil {
		return nil, nil, 0, err
	}
	for i := range page.Items {
		id := page.Items[i].ID
		if kept[id] = true; !seen[id] {
			l.rows = append(l.rows, page.Items[i])
		}
	}
	sums, err := t.store.Sums(ctx, base, math.MaxInt64)
	if err != nil {
		return nil, nil, 0, err
	}
	for _, s := range sums {
		if strings.HasPrefix(s.Kind, store.FatePrefix) {
			judged += s.N
		}
	}
	return l, kept, judged, nil
}

// tell gives a look to every watcher; one that has not taken the last one gets this instead.
func (t *tail) tell(l *look) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for w := range t.watchers {
		select {
		case <-w:
		default:
		}
		select {
		case w <- l:
		default: // cannot be: this is the only sender
		}
	}
}
