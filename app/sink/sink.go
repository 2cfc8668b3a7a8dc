// Package sink is a receiving webhook for trying MUTT out and for its tests: it counts, remembers the last alerts,
// and fails, delays or limits on request.
//
// Principles:
//  1. It tells deliveries from repeats by external_id, so that "at least once" can be checked.
//  2. It is cheap enough not to be what a benchmark measures.
package sink

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Faults are what the sink does wrong on request.
type Faults struct {
	Status   int           `json:"status"`    // answer with this status; 0 for none
	FailRate float64       `json:"fail_rate"` // share of requests that get Status, 1 when Status is set and this is 0
	Delay    time.Duration `json:"delay"`     // before each answer, in nanoseconds
	Limit    int           `json:"limit"`     // requests per second before 429 with Retry-After; 0 for none
}

// Stats is what the sink counted.
type Stats struct {
	Requests int64 `json:"requests"` // all, refused ones too
	Refused  int64 `json:"refused"`
	Alerts   int64 `json:"alerts"`   // delivered, repeats included
	Distinct int64 `json:"distinct"` // by external_id
	Repeats  int64 `json:"repeats"`
}

// Sink is an http.Handler: POST takes alerts; GET /stats, GET /last?n=, PUT /faults, POST /reset steer it.
type Sink struct {
	keep    int
	onAlert func(alert json.RawMessage)

	mu      sync.Mutex
	faults  Faults
	stats   Stats
	seen    map[uuid.UUID]struct{}
	last    []json.RawMessage // ring
	next    int
	second  int64
	inLimit int
}

// New makes a Sink that remembers the last keep alerts. onAlert, if not nil, sees each delivered alert in turn.
func New(keep int, onAlert func(alert json.RawMessage)) *Sink {
	return &Sink{keep: max(keep, 1), onAlert: onAlert, seen: map[uuid.UUID]struct{}{}}
}

// SetFaults changes what goes wrong from now on.
func (s *Sink) SetFaults(f Faults) {
	s.mu.Lock()
	s.faults = f
	s.mu.Unlock()
}

// Stats gives the counts.
func (s *Sink) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Has reports whether an alert with this external_id was delivered.
func (s *Sink) Has(id uuid.UUID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.seen[id]
	return ok
}

// Last gives up to n of the last alerts, newest first.
func (s *Sink) Last(n int) []json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []json.RawMessage{}
	for i := 1; i <= min(n, len(s.last)); i++ {
		out = append(out, s.last[(s.next-i+len(s.last))%len(s.last)])
	}
	return out
}

// ServeHTTP serves the webhook and its steering.
func (s *Sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodGet && r.URL.Path == "/stats":
		reply(w, s.Stats())
	case r.Method == http.MethodGet && r.URL.Path == "/last":
		n, err := strconv.Atoi(r.URL.Query().Get("n"))
		if err != nil || n < 1 {
			n = 10
		}
		reply(w, s.Last(n))
	case r.Method == http.MethodPut && r.URL.Path == "/faults":
		var f Faults
		if err := json.NewDecoder(io.LimitReader(r.Body, 4096)).Decode(&f); err != nil {
			http.Error(w, "faults: "+err.Error(), http.StatusBadRequest)
			return
		}
		s.SetFaults(f)
		reply(w, f)
	case r.Method == http.MethodPost && r.URL.Path == "/reset":
		s.reset()
		reply(w, s.Stats())
	case r.Method == http.MethodPost:
		s.receive(w, r)
	default:
		http.Error(w, "POST alerts here; GET /stats, GET /last?n=10, PUT /faults, POST /reset", http.StatusNotFound)
	}
}

func (s *Sink) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats, s.seen, s.last, s.next = Stats{}, map[uuid.UUID]struct{}{}, nil, 0
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client went away: nothing to tell it
}

func (s *Sink) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<20))
	if err != nil {
		return
	}
	status, delay := s.verdict(time.Now())
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-r.Context().Done():
			return
		}
	}
	if status != 0 {
		if status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "1")
		}
		http.Error(w, "the sink was asked to refuse", status)
		return
	}
	alerts, err := split(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.take(alerts)
	w.WriteHeader(http.StatusOK)
}

// verdict decides what becomes of one request.
func (s *Sink) verdict(now time.Time) (status int, delay time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Requests++
	f := s.faults
	if now.Unix() != s.second {
		s.second, s.inLimit = now.Unix(), 0
	}
	s.inLimit++
	if f.Limit > 0 && s.inLimit > f.Limit {
		status = http.StatusTooManyRequests
	} else if f.Status != 0 && (f.FailRate == 0 || rand.Float64() < f.FailRate) {
		status = f.Status
	}
	if status != 0 {
		s.stats.Refused++
	}
	return status, f.Delay
}

func (s *Sink) take(alerts []json.RawMessage) {
	ids := make([]uuid.UUID, len(alerts))
	for i, a := range alerts {
		ids[i] = externalID(a)
	}
	s.mu.Lock()
	for i, a := range alerts {
		s.stats.Alerts++
		if _, ok := s.seen[ids[i]]; ok {
			s.stats.Repeats++
		} else {
			s.seen[ids[i]] = struct{}{}
			s.stats.Distinct++
		}
		if len(s.last) < s.keep {
			s.last = append(s.last, a)
			s.next = len(s.last) % s.keep
		} else {
			s.last[s.next] = a
			s.next = (s.next + 1) % s.keep
		}
	}
	s.mu.Unlock()
	if s.onAlert != nil {
		for _, a := range alerts {
			s.onAlert(a)
		}
	}
}

// split gives the alerts of a body: one object, or {"events":[…]}.
func split(body []byte) ([]json.RawMessage, error) {
	if !bytes.HasPrefix(bytes.TrimSpace(body), []byte(`{"events"`)) {
		return []json.RawMessage{body}, nil
	}
	var batch struct {
		Events []json.RawMessage `json:"events"`
	}
	if err := json.Unmarshal(body, &batch); err != nil {
		return nil, err
	}
	return batch.Events, nil
}

// externalID finds the id without parsing the whole alert; a nil UUID when there is none.
func externalID(alert []byte) uuid.UUID {
	const name = `"external_id":"`
	i := bytes.Index(alert, []byte(name))
	if i < 0 || len(alert) < i+len(name)+36 {
		return uuid.Nil
	}
	id, err := uuid.ParseBytes(alert[i+len(name) : i+len(name)+36])
	if err != nil {
		return uuid.Nil
	}
	return id
}
