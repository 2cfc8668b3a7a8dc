package apptest

import (
	"encoding/json"
	"net"
	"net/http"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/muttproject/mutt/app/sink"
)

// keepAlerts is how many alerts a Destination remembers.
const keepAlerts = 100_000

// Alert is what arrived at the destination (contracts.md section 9).
type Alert struct {
	Signature     string         `json:"signature"`
	SourceID      string         `json:"source_id"`
	Source        string         `json:"source"`
	ExternalID    string         `json:"external_id"`
	Manager       string         `json:"manager"`
	Class         string         `json:"class"`
	Agent         string         `json:"agent"`
	AgentLocation string         `json:"agent_location"`
	Type          string         `json:"type"`
	Severity      int            `json:"severity"`
	Description   string         `json:"description"`
	AgentTime     int64          `json:"agent_time"`
	CustomInfo    map[string]any `json:"custom_info"`
}

// Destination is the webhook that alerts are delivered to: a sink that can also go away, answer as the test likes and
// remember who asked how.
type Destination struct {
	*sink.Sink
	URL string

	t    testing.TB
	addr string

	mu       sync.Mutex
	server   *http.Server // nil while down
	answer   http.HandlerFunc
	requests []Request
	bodies   map[uuid.UUID]string // first delivery of each alert
	changed  []string             // repeats that differ from the first delivery
}

// Request is what is remembered of a request to the destination.
type Request struct {
	At     time.Time
	Header http.Header
}

// NewDestination makes a destination that listens until the test ends.
func NewDestination(t testing.TB) *Destination {
	t.Helper()
	d := &Destination{t: t, bodies: map[uuid.UUID]string{}}
	d.Sink = sink.New(keepAlerts, d.remember)
	d.serve("127.0.0.1:0")
	d.URL = "http://" + d.addr + "/moogsoft"
	t.Cleanup(d.Down)
	return d
}

func (d *Destination) serve(addr string) {
	d.t.Helper()
	l, err := (&net.ListenConfig{}).Listen(d.t.Context(), "tcp", addr)
	if err != nil {
		d.t.Fatalf("listen for the destination: %v", err)
	}
	srv := &http.Server{Handler: d, ReadHeaderTimeout: patience}
	d.mu.Lock()
	d.addr, d.server = l.Addr().String(), srv
	d.mu.Unlock()
	go func() { _ = srv.Serve(l) }() // it ends with Close
}

// Down makes the destination unreachable: connections are refused.
func (d *Destination) Down() {
	d.mu.Lock()
	srv := d.server
	d.server = nil
	d.mu.Unlock()
	if srv != nil {
		_ = srv.Close() // what it was answering is cut off, as meant
	}
}

// Up makes it reachable again, at the same address.
func (d *Destination) Up() {
	d.t.Helper()
	d.serve(d.addr)
}

// Answer makes every request be answered by h; nil puts the sink back.
func (d *Destination) Answer(h http.HandlerFunc) {
	d.mu.Lock()
	d.answer = h
	d.mu.Unlock()
}

// ServeHTTP notes the request and answers it.
func (d *Destination) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	h := d.answer
	if len(d.requests) < keepAlerts {
		d.requests = append(d.requests, Request{At: time.Now(), Header: r.Header.Clone()})
	}
	d.mu.Unlock()
	if h == nil {
		h = d.Sink.ServeHTTP
	}
	h(w, r)
}

// Requests gives what asked so far, in order.
func (d *Destination) Requests() []Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Request(nil), d.requests...)
}

// remember compares a repeat with the first delivery.
func (d *Destination) remember(raw json.RawMessage) {
	var a Alert
	if err := json.Unmarshal(raw, &a); err != nil {
		d.t.Errorf("the destination got what is no alert: %v: %s", err, raw)
		return
	}
	id, err := uuid.Parse(a.ExternalID)
	if err != nil {
		d.t.Errorf("the destination got an alert without an id: %s", raw)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if first, ok := d.bodies[id]; !ok {
		d.bodies[id] = string(raw)
	} else if first != string(raw) && !same(first, a) {
		d.changed = append(d.changed, "first: "+first+"\nthen: "+string(raw))
	}
}

// same reports whether a repeat says what the first delivery said. The process that delivers it may be another. A
// meta-alert that was published, but not yet marked so when its process died, is published again when more were counted:
// that it is the same window is told by its id alone.
func same(first string, repeat Alert) bool {
	var a Alert
	if json.Unmarshal([]byte(first), &a) != nil {
		return false
	}
	a.AgentLocation, repeat.AgentLocation = "", ""
	return reflect.DeepEqual(a, repeat) || a.Type == "unhandled" && repeat.Type == "unhandled" && a.Signature == repeat.Signature
}

// Delivered gives each alert once, by its external_id.
func (d *Destination) Delivered() map[uuid.UUID]Alert {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make(map[uuid.UUID]Alert, len(d.bodies))
	for id, body := range d.bodies {
		var a Alert
		if err := json.Unmarshal([]byte(body), &a); err != nil {
			d.t.Fatal(err)
		}
		out[id] = a
	}
	return out
}

// Changed gives the repeats that were not the same as their first delivery.
func (d *Destination) Changed() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.changed...)
}

// Alerts gives every delivery in the order of arrival, repeats included.
func (d *Destination) Alerts() []Alert {
	d.t.Helper()
	last := d.Last(keepAlerts)
	out := make([]Alert, len(last))
	for i, raw := range last {
		if err := json.Unmarshal(raw, &out[len(last)-1-i]); err != nil {
			d.t.Fatal(err)
		}
	}
	return out
}
