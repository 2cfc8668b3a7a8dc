package page

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
)

// topic is a part of pages that changes while it is looked at. An element of a page asks for topics by data-topics="pulse,problems". Each
// topic that an open page asks for is rendered once in the process, however many pages there are, and is sent when it differs from what
// was sent last; of two renderings that a slow page has not taken yet it gets the newer.
type topic struct {
	name string
	// every is how often it is rendered: 1 s, 5 s or 10 s.
	every time.Duration
	// fragment renders elements with ids, each of which takes the place of the element with its id. It reads the API through c, as a viewer:
	// readers of all roles get the same, so what depends on the role stands outside of it.
	fragment func(c echo.Context) templ.Component
	// points returns what a chart is drawn from, instead of a fragment. The page's script gets it, as JSON, in the event "live:" + name.
	points func(c echo.Context) (any, error)
}

// topics lists what the pages show live. The tail of judged events is the one that depends on a query: see tailTopic.
func (p *Pages) topics() []topic {
	return []topic{
		{name: "pulse", every: time.Second, fragment: p.pulse},
		{name: "problems", every: time.Second, fragment: p.liveProblems},
		{name: "pipeline", every: time.Second, fragment: p.liveLine},
		{name: "overview", every: 10 * time.Second, fragment: p.liveOverview},
	}
}

// Tail follows the judged events that fit a filter. Its methods are called by one goroutine.
type Tail interface {
	// Next waits for the next sample and reports whether there is one before ctx ends.
	Next(ctx context.Context) bool
	// Sample returns it.
	Sample() apiclient.StreamSample
	Leave()
}

// Bounds of the live stream.
const (
	maxReaders     = 200              // streams of a process; a page that gets none polls
	maxTopics      = 8                // of one page
	maxPolled      = 200              // topics that are kept for pages that poll
	renderPatience = 3 * time.Second  // for one rendering
	pollLease      = 12 * time.Second // how long a topic is rendered on after a page polled it
	readAge        = 900 * time.Millisecond
	slowReadAge    = 10 * time.Second
)

// hub renders the topics in use.
type hub struct {
	pages *Pages
	reads memo // of the API, for topics that read the same

	mu      sync.Mutex
	feeds   map[string]*feed // in use, by topic and query
	streams int
}

// feed is a topic in use. Its fields below are guarded by the hub.
type feed struct {
	key, event string
	stop       context.CancelFunc

	readers map[*reader]bool
	until   time.Time // it goes on until then without readers, for pages that poll
	version int       // of the text; 0: there is none yet
	text    []byte    // the message that is sent
	data    []byte    // what it says
	initial []byte    // what a new reader gets instead of data; nil for the same
}

// reader is one page that is fed.
type reader struct {
	hub   *hub
	wake  chan struct{} // holds one token while there is something to send
	feeds []*feed
	sent  []int // the version of each that was sent
	next  int   // the feed to begin with, so that none waits for ever
}

// join adds a reader of topics. q is the query of the tail, if that is among them. ending ends the feeds that this starts.
func (h *hub) join(names []string, q string, ending <-chan struct{}) (*reader, error) {
	r := &reader{hub: h, wake: make(chan struct{}, 1)}
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	if len(names) > maxTopics {
		return nil, fault.Field(fault.InvalidField, "topics", "at most %d topics can be followed at once", maxTopics)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, name := range names {
		f, err := h.feed(name, q, ending)
		if err != nil {
			r.leaveLocked()
			return nil, err
		}
		f.readers[r] = true
		r.feeds, r.sent = append(r.feeds, f), append(r.sent, 0)
	}
	r.wake <- struct{}{}
	return r, nil
}

// feed returns the feed of a topic, and starts it when it is not in use.
func (h *hub) feed(name, q string, ending <-chan struct{}) (*feed, error) {
	key := name
	if name == tailTopic {
		key += ":" + q
	}
	if f := h.feeds[key]; f != nil {
		return f, nil
	}
	run, err := h.runner(name, q)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	f := &feed{key: key, event: name, stop: stop, readers: map[*reader]bool{}}
	h.feeds[key] = f
	go func() {
		select {
		case <-ending:
			stop()
		case <-ctx.Done():
		}
	}()
	go func() {
		defer h.drop(f)
		run(ctx, f)
	}()
	return f, nil
}

// runner returns what renders a topic until its context ends.
func (h *hub) runner(name, q string) (func(context.Context, *feed), error) {
	if name == tailTopic {
		return h.tail(q)
	}
	known := h.pages.topics()
	at := slices.IndexFunc(known, func(t topic) bool { return t.name == name })
	if at < 0 {
		names := []string{tailTopic}
		for _, t := range known {
			names = append(names, t.name)
		}
		return nil, fault.Field(fault.InvalidField, "topics", "%q is not a topic; the topics are %s", visible(name), strings.Join(names, ", "))
	}
	t := known[at]
	return func(ctx context.Context, f *feed) {
		tick := time.NewTicker(t.every)
		defer tick.Stop()
		for {
			if data, err := h.rendered(ctx, &t); err == nil {
				h.publish(f, data, nil)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			if h.idle(f) {
				return
			}
		}
	}, nil
}

// drop removes a feed that has ended, so that the next reader starts it again.
func (h *hub) drop(f *feed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f.stop()
	if h.feeds[f.key] == f {
		delete(h.feeds, f.key)
	}
}

// rendered renders a topic once. A panic is an error, as it is for a page: the same rendering fails there, where it is logged.
func (h *hub) rendered(ctx context.Context, t *topic) (data []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			data, err = nil, fmt.Errorf("render the topic %s: panic: %v", t.name, p)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, renderPatience)
	defer cancel()
	c := h.caller(ctx)
	c.Set(keyReads, &h.reads)
	if t.points != nil {
		value, err := t.points(c)
		if err != nil {
			return nil, err
		}
		return json.Marshal(value)
	}
	var b bytes.Buffer
	if err := t.fragment(c).Render(ctx, &b); err != nil {
		return nil, fmt.Errorf("render the topic %s: %w", t.name, err)
	}
	return b.Bytes(), nil
}

// caller returns the context of reads that no page causes alone.
func (h *hub) caller(ctx context.Context) echo.Context {
	return httpserver.Apart(ctx, authn.Identity{Name: "console", Role: authn.Viewer})
}

// publish makes data what readers get next, unless it is what they have. initial is what a new reader gets; nil for the same.
func (h *hub) publish(f *feed, data, initial []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if initial != nil {
		f.initial = initial
	}
	if f.version > 0 && bytes.Equal(data, f.data) {
		return
	}
	f.version++
	f.data, f.text = data, message(f.event, data)
	for r := range f.readers {
		select {
		case r.wake <- struct{}{}:
		default: // it is awake already
		}
	}
}

// message writes a server-sent event.
func message(event string, data []byte) []byte {
	text := append([]byte("event: "), event...)
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		text = append(append(text, "\ndata: "...), bytes.ReplaceAll(line, []byte("\r"), nil)...)
	}
	return append(text, "\n\n"...)
}

// idle removes a feed that nobody reads or polls, and reports whether it did.
func (h *hub) idle(f *feed) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.idleLocked(f)
}

func (h *hub) idleLocked(f *feed) bool {
	if len(f.readers) > 0 || time.Now().Before(f.until) {
		return false
	}
	f.stop()
	if h.feeds[f.key] == f {
		delete(h.feeds, f.key)
	}
	return true
}

// take returns the messages of the topics that changed, at most most of them and about size bytes, and how many there are. more says that
// others wait.
func (r *reader) take(most, size int) (text []byte, messages int, more bool) {
	r.hub.mu.Lock()
	defer r.hub.mu.Unlock()
	first := r.next
	for i := range r.feeds {
		at := (first + i) % len(r.feeds)
		f := r.feeds[at]
		if f.version == r.sent[at] {
			continue
		}
		says := f.text
		if r.sent[at] == 0 && f.initial != nil {
			says = message(f.event, f.initial)
		}
		if messages == most || messages > 0 && len(text)+len(says) > size {
			more = true
			continue
		}
		text, r.sent[at] = append(text, says...), f.version
		messages++
		r.next = at + 1
	}
	return text, messages, more
}

// newest returns what a page that polls gets of each topic, and whether all have something.
func (r *reader) newest() (data map[string]string, whole bool) {
	r.hub.mu.Lock()
	defer r.hub.mu.Unlock()
	data, whole = map[string]string{}, true
	for _, f := range r.feeds {
		if f.version == 0 {
			whole = whole && f.event == tailTopic // the page has a list already
			continue
		}
		says := f.data
		if f.initial != nil {
			says = f.initial
		}
		data[f.event] = string(says)
	}
	return data, whole
}

// keep lets the reader's topics go on for a while without it.
func (r *reader) keep() {
	r.hub.mu.Lock()
	defer r.hub.mu.Unlock()
	if len(r.hub.feeds) > maxPolled {
		return
	}
	for _, f := range r.feeds {
		f.until = time.Now().Add(pollLease)
	}
}

// leave ends what only this reader used.
func (r *reader) leave() {
	r.hub.mu.Lock()
	defer r.hub.mu.Unlock()
	r.leaveLocked()
}

func (r *reader) leaveLocked() {
	for _, f := range r.feeds {
		delete(f.readers, r)
		r.hub.idleLocked(f)
	}
}

// memo keeps what many ask for within a moment, and asks once.
type memo struct {
	mu   sync.Mutex
	kept map[string]*memory
}

type memory struct {
	at   time.Time
	done chan struct{} // closed when value and err are there
	body []byte
	err  error
}

// get returns what ask returned at most age ago, or asks.
func (m *memo) get(ctx context.Context, key string, age time.Duration, ask func() ([]byte, error)) ([]byte, error) {
	m.mu.Lock()
	now := time.Now()
	k := m.kept[key]
	fresh := k != nil && now.Sub(k.at) < age
	if !fresh {
		for old, k := range m.kept {
			if now.Sub(k.at) > time.Minute {
				delete(m.kept, old)
			}
		}
		if m.kept == nil {
			m.kept = map[string]*memory{}
		}
		k = &memory{at: now, done: make(chan struct{}), err: fault.New(fault.Internal, "a fault inside MUTT")}
		m.kept[key] = k
	}
	m.mu.Unlock()
	if !fresh {
		defer close(k.done) // also after a panic
		k.body, k.err = ask()
		return k.body, k.err
	}
	select {
	case <-k.done:
		if errors.Is(k.err, context.Canceled) && ctx.Err() == nil { // who asked has gone
			return ask()
		}
		return k.body, k.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// keyReads is where the context of a topic has the memo of its reads.
const keyReads = "page.reads"

// remembered calls ask unless another topic of this moment has read the same.
func remembered(c echo.Context, path string, query url.Values, ask func() ([]byte, error)) ([]byte, error) {
	reads, _ := c.Get(keyReads).(*memo)
	if reads == nil {
		return ask()
	}
	age := readAge
	switch path {
	case "/ledger", "/slo", "/processes": // they take longer, and tell of hours
		age = slowReadAge
	}
	return reads.get(c.Request().Context(), path+"?"+query.Encode(), age, ask)
}
