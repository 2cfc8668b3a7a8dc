package acceptance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/muttproject/mutt/app/apptest"
)

// word is what the senders of the kill test gave and what they were promised.
type word struct {
	mu    sync.Mutex
	sent  map[string]bool      // tag of each event that was tried
	acked map[string]time.Time // when those were answered with 200
	tries int                  // requests that were repeated
}

func newWord() *word { return &word{sent: map[string]bool{}, acked: map[string]time.Time{}} }

func (w *word) note(tags []string, acked bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, tag := range tags {
		w.sent[tag] = true
		if acked {
			w.acked[tag] = time.Now()
		}
	}
}

func (w *word) again() {
	w.mu.Lock()
	w.tries++
	w.mu.Unlock()
}

// saying gives the message of event number i: a tenth is always forwarded, a tenth by a rule that changes while the
// test runs, the others are recorded, ignored or unknown. The tag is found again in the audit.
func saying(tag string, i int) string {
	kinds := [...]string{"page me", "maybe page me", "never mind", "write it down", "write it down", "write it down",
		"odd thing " + strconv.Itoa(i), "odd thing " + strconv.Itoa(i), "odd thing " + strconv.Itoa(i), "odd thing " + strconv.Itoa(i)}
	return kinds[i%len(kinds)] + " tag=" + tag + "."
}

// sender sends events with one connection until ctx ends, and what it began until that is acknowledged.
type sender struct {
	t      *testing.T
	name   string
	site   *site
	also   []*site // further ones that take its events: what one of them refuses is tried at the next
	turn   int     // which of them is tried
	word   *word
	batch  int
	keyed  bool // Idempotency-Key instead of an id in each event
	ndjson bool
	own    bool   // its devices send to nobody else
	pad    string // makes messages long
	pause  time.Duration
	seq    int // of the next event
}

// target gives the address to try.
func (s *sender) target() string {
	if n := s.turn % (1 + len(s.also)); n > 0 {
		return s.also[n-1].ingest
	}
	return s.site.ingest
}

// run is the life of an HTTP sender. hurry ends the patience of an event that is not acknowledged.
func (s *sender) run(ctx, hurry context.Context) {
	client := &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(s.pause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		tags := make([]string, s.batch)
		events := make([]json.RawMessage, s.batch)
		for i := range events {
			tags[i] = s.name + "-" + strconv.Itoa(s.seq)
			events[i] = s.event(tags[i], s.seq)
			s.seq++
		}
		s.word.note(tags, false)
		if s.insist(ctx, hurry, client, s.body(events), uuid.NewString()) {
			s.word.note(tags, true)
		}
	}
}

func (s *sender) event(tag string, i int) json.RawMessage {
	device := "dev-"
	if s.own {
		device = s.name + "-"
	}
	e := map[string]any{"hostname": device + strconv.Itoa(i%7), "timestamp": time.Now().UTC().Format(time.RFC3339Nano), "message": saying(tag, i) + s.pad}
	if !s.keyed {
		e["id"] = uuid.NewString()
	}
	b, err := json.Marshal(e)
	if err != nil {
		s.t.Error(err)
	}
	return b
}

func (s *sender) body(events []json.RawMessage) []byte {
	switch {
	case s.batch == 1:
		return events[0]
	case s.ndjson:
		var b bytes.Buffer
		for _, e := range events {
			b.Write(append(e, '\n'))
		}
		return b.Bytes()
	default:
		b, err := json.Marshal(events)
		if err != nil {
			s.t.Error(err)
		}
		return b
	}
}

// insist repeats the same request until it is acknowledged whole; false when hurry ended first.
func (s *sender) insist(ctx, hurry context.Context, client *http.Client, body []byte, key string) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := s.post(hurry, client, body, key)
		if done {
			return true
		}
		if hurry.Err() != nil {
			s.t.Errorf("%s: the last request was never acknowledged: %v", s.name, err)
			return false
		}
		s.word.again()
		s.turn++
		select {
		case <-tick.C:
		case <-hurry.Done():
		}
	}
}

// post sends once. Anything but a refusal for now is a failure of the test.
func (s *sender) post(ctx context.Context, client *http.Client, body []byte, key string) (done bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.target()+"/api/v2/ingest", bytes.NewReader(body))
	if err != nil {
		s.t.Error(err)
		return false, err
	}
	req.Header.Set("X-API-KEY", apptest.IngestKey)
	req.Header.Set("Content-Type", map[bool]string{true: "application/x-ndjson", false: "application/json"}[s.ndjson])
	if s.keyed {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := client.Do(req)
	if err != nil {
		return false, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if resp.StatusCode == http.StatusServiceUnavailable {
		if resp.Header.Get("Retry-After") == "" {
			s.t.Errorf("503 without Retry-After: %s", text)
		}
		return false, fmt.Errorf("503 %s", text)
	}
	if resp.StatusCode != http.StatusOK {
		s.t.Errorf("%s was answered with %d %s", s.name, resp.StatusCode, text)
		return true, nil
	}
	if err != nil {
		return false, err // cut off: a 200 whose body is not whole is still a promise, but the sender does not know
	}
	return s.answered(text)
}

// answered reads what came with 200: all was taken, or some of a batch is to be repeated.
func (s *sender) answered(text []byte) (done bool, err error) {
	var answer struct {
		Status   string
		Accepted int
		Errors   []struct{ Retryable bool }
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.Status != "queued" || s.batch > 1 && answer.Accepted+len(answer.Errors) != s.batch {
		s.t.Errorf("%s was answered with 200 %s", s.name, text)
	}
	for _, e := range answer.Errors {
		if !e.Retryable {
			s.t.Errorf("%s was refused for good: %s", s.name, text)
			return true, nil
		}
	}
	if len(answer.Errors) > 0 {
		return false, fmt.Errorf("%d of %d were not taken", len(answer.Errors), s.batch)
	}
	return true, nil
}

// runSyslog writes lines over TCP until ctx ends. Nothing acknowledges them: those in flight at a kill are lost, none
// is written twice.
func (s *sender) runSyslog(ctx context.Context) {
	tick := time.NewTicker(s.pause)
	defer tick.Stop()
	var conn net.Conn
	for seq := 0; ; {
		select {
		case <-ctx.Done():
			if conn != nil {
				_ = conn.Close()
			}
			return
		case <-tick.C:
		}
		if conn == nil {
			var err error
			if conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", s.site.tcp); err != nil {
				conn = nil
				continue
			}
		}
		for range s.batch {
			tag := s.name + "-" + strconv.Itoa(seq)
			s.word.note([]string{tag}, false)
			_, err := fmt.Fprintf(conn, "<187>1 %s dev-%d kill - - - %s\n", time.Now().UTC().Format(time.RFC3339Nano), seq%7, saying(tag, seq))
			seq++
			if err != nil {
				_ = conn.Close()
				conn = nil
				break
			}
		}
	}
}
