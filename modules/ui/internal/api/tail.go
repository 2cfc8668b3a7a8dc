package api

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/apiclient"
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
	// tailBooks is from how many minutes ago judged events are counted, for the sake of processes whose clocks are behind.
	tailBooks = 5
	// tailRebase is after how many minutes the reader counts from a later minute, so that a look reads few rows however long the tail runs.
	tailRebase = 60
	// tailPatience bounds a look, so that a store that is away does not keep the reader.
	tailPatience = 5 * time.Second
	// tailLingers is how many looks the reader waits for a watcher before it ends. A watcher whose stream ended and who comes again at once then
	// sees what was judged in between.
	tailLingers = 3
)

// look is what the reader saw in one look. It is shared, and never changed.
type look struct {
	at     time.Time
	rows   []store.AuditLog // newest first
	judged int64

	fold   sync.Once
	folded []string // the texts of the rows, once a watcher looks for one
}

// text returns the text of a row with the letters A to Z in lower case. All watchers share them.
func (l *look) text(row int) string {
	l.fold.Do(func() {
		l.folded = make([]string, len(l.rows))
		for i := range l.rows {
			l.folded[i] = event.FoldHost(l.rows[i].RawMessage)
		}
	})
	return l.folded[row]
}

// tail reads what is judged, once for all watchers of this process, while there are any.
type tail struct {
	store Store
	log   *zap.Logger
	now   func() time.Time

	mu       sync.Mutex
	watchers map[chan *look]bool
	reading  bool // there is a reader
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
	if !t.reading {
		t.reading = true
		go t.read()
	}
	return looks, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.watchers, looks)
	}
}

// Watch follows what is judged for readers inside the process. One goroutine uses it.
type Watch struct {
	filter store.AuditFilter
	looks  chan *look
	last   *look
	leave  func()
}

// Watch begins to follow the judged events that fit a query of /events/stream. All watchers of the process have one reader.
func (a *API) Watch(query url.Values) (*Watch, error) {
	if err := checkQuery(query, queryNames(opStreamEvents())); err != nil {
		return nil, err
	}
	f, err := auditFilterOf(echo.New().NewContext(&http.Request{URL: &url.URL{RawQuery: query.Encode()}}, nil))
	if err != nil {
		return nil, err
	}
	w := &Watch{filter: f}
	w.looks, w.leave = a.tail.watch()
	return w, nil
}

// Leave ends it.
func (w *Watch) Leave() { w.leave() }

// Next waits for the next look of the reader and reports whether there was one before ctx ended.
func (w *Watch) Next(ctx context.Context) bool {
	select {
	case w.last = <-w.looks:
		return true
	case <-ctx.Done():
		return false
	}
}

// Sample picks what /events/stream shows of the look that Next waited for.
func (w *Watch) Sample() apiclient.StreamSample { return sampleOf(w.last, w.filter) }

// read looks once a second while there are watchers, and ends when there have been none for a while.
func (t *tail) read() {
	tick := time.NewTicker(tailEvery)
	defer tick.Stop()
	var counted books
	seen, since := map[event.ID]bool{}, t.now().Add(-tailBack)
	first, alone := true, 0
	for ; ; <-tick.C {
		if t.watched() {
			alone = 0
		} else if alone++; t.ends(alone) {
			return
		} else {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), tailPatience)
		l, kept, err := t.look(ctx, since, &counted, seen)
		cancel()
		if err != nil {
			t.log.Debug("the tail cannot read what was judged", zap.Error(err))
			continue
		}
		seen, since = kept, l.at.Add(-tailBack)
		if !first { // the first one only learns what is there already
			t.tell(l)
		}
		first = false
	}
}

func (t *tail) watched() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.watchers) > 0
}

// ends reports that the reader ends, after so many looks without watchers.
func (t *tail) ends(alone int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reading = alone < tailLingers || len(t.watchers) > 0
	return !t.reading
}

// books is how many events were judged since a minute, as they were counted last. The zero books has counted nothing.
type books struct{ from, judged int64 }

// look reads the newest rows that were not seen, and counts what was judged since the look before. kept are the ids to know next time. counted
// is moved on when the look succeeds.
func (t *tail) look(ctx context.Context, since time.Time, counted *books, seen map[event.ID]bool) (l *look, kept map[event.ID]bool, err error) {
	l, kept = &look{at: t.now().UTC()}, map[event.ID]bool{}
	page, err := t.store.AuditLogs(ctx, store.AuditFilter{Start: since, Limit: tailRows, WithoutTotal: true})
	if err != nil {
		return nil, nil, err
	}
	for i := range page.Items {
		id := page.Items[i].ID
		if kept[id] = true; !seen[id] {
			l.rows = append(l.rows, page.Items[i])
		}
	}
	l.judged = int64(len(l.rows))
	next := books{from: l.at.Unix()/60 - tailBooks}
	if counted.from > 0 {
		total, err := t.store.Judged(ctx, counted.from)
		if err != nil {
			return nil, nil, err
		}
		l.judged = max(l.judged, total-counted.judged)
		if next.from-counted.from < tailRebase {
			next = books{counted.from, total}
		}
	}
	if next.from != counted.from {
		if next.judged, err = t.store.Judged(ctx, next.from); err != nil {
			return nil, nil, err
		}
	}
	*counted = next
	return l, kept, nil
}

// tell sends a look to every watcher; one that has not taken the last one receives this instead.
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
