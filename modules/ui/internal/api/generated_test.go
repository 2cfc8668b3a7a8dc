package api

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/openapi/openapitest"
	"github.com/muttproject/mutt/platform/queue"
)

// TestGeneratedRequests makes requests to every operation from the document: valid ones, at the bounds and far beyond
// them. No answer is the server's fault, and each is one that the document names. What PostgreSQL refuses and SQLite
// takes (NUL, numbers that do not fit) shows up on PostgreSQL only, so it runs on both.
//
// MUTT_TEST_API_ROUNDS (requests to each operation) and MUTT_TEST_API_SEED make it longer and other.
func TestGeneratedRequests(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		newBundle(t).attack(40)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		newPostgresBundle(t).attack(25)
	})
}

// newPostgresBundle is newBundle on a PostgreSQL of its own.
func newPostgresBundle(t *testing.T) *bundle {
	t.Helper()
	o, _ := postgresOptions(t)
	return newBundleOn(t, o)
}

func (b *bundle) attack(rounds int) {
	b.Helper()
	b.createRule(sampleRule)
	b.judge(auditRow(1, "sw1", event.FateForwarded, event.PageOnly, 1), auditRow(2, "sw2", event.FateUnhandled, event.HandlingNone, 0))
	numbers := make([]int, 100)
	for i := range numbers {
		numbers[i] = i + 3
	}
	b.kill(queue.Alert, numbers...)
	b.kill(queue.Ingest, 1, 2)
	seed := fromEnv("MUTT_TEST_API_SEED", 1)
	a := openapitest.Attack{Document: b.document, Maker: openapitest.NewMaker(b.document, uint64(seed)), Seed: uint64(seed),
		Rounds: fromEnv("MUTT_TEST_API_ROUNDS", rounds), Send: b.send}
	a.Maker.Headers = true
	a.Run(b)
	if _, _, err := b.store.VerifyChain(b.Context()); err != nil {
		b.Errorf("the change audit: %v", err)
	}
}

func fromEnv(name string, absent int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return absent
}

// send makes a call under one of the prefixes.
func (b *bundle) send(r openapitest.Request) (openapitest.Exchange, bool) {
	prefix := Prefixes()[len(r.Body)%2]
	req, err := http.NewRequest(r.Method, "http://localhost"+prefix+r.Target, strings.NewReader(string(r.Body)))
	if err != nil {
		return openapitest.Exchange{}, false
	}
	if strings.Contains(r.Target, "/events/stream") {
		req = req.WithContext(b.briefly())
	}
	req.Header = r.Header
	req.Header.Set("X-API-KEY", "admin")
	rec := httptest.NewRecorder()
	b.handler.ServeHTTP(rec, req)
	if rec.Header().Get("X-Injected") != "" {
		b.Errorf("%s %s %v: a header was injected", r.Method, r.Target, r.Header)
	}
	return openapitest.Exchange{Method: r.Method, Target: prefix + r.Target, Request: r.Header, Body: r.Body,
		Status: rec.Code, Header: rec.Header(), Answer: rec.Body.Bytes()}, true
}
