package acceptance

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/openapi/openapitest"
)

// TestAPIKeepsItsDocument makes requests to both listeners of a running MUTT from the document that it serves. No answer is
// the server's fault, each is one that the document names, and afterwards MUTT still does its work.
// TestGeneratedRequests of the api package does the same to the handlers alone, with more requests.
func TestAPIKeepsItsDocument(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, in mode) {
		m := in.start(t, nil)
		m.Send(apptest.Event("sw1", "Interface Gi0/1, changed state to down"))
		m.ExpectAudit(1, nil)
		document, err := openapitest.Read(m.Do(http.MethodGet, m.AdminURL+"/openapi.json", nil).Body)
		if err != nil {
			t.Fatal(err)
		}
		seed := fromEnv("MUTT_TEST_API_SEED", 1)
		a := openapitest.Attack{Document: document, Maker: openapitest.NewMaker(document, uint64(seed)), Seed: uint64(seed),
			Rounds: fromEnv("MUTT_TEST_API_ROUNDS", 15), Send: caller(t, m)}
		a.Run(t)
		health := m.Do(http.MethodGet, m.AdminURL+"/health", nil)
		if health.Status != http.StatusOK {
			t.Errorf("afterwards: %s", health.Body)
		}
	})
}

func fromEnv(name string, absent int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return absent
}

// caller makes calls of made requests, each on the listener and below a prefix that has it.
func caller(t *testing.T, m *apptest.MUTT) func(openapitest.Request) (openapitest.Exchange, bool) {
	client := &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(client.CloseIdleConnections)
	return func(r openapitest.Request) (x openapitest.Exchange, ok bool) {
		base, prefix := m.AdminURL, []string{"/api/v1", "/api/v2"}[len(r.Body)%2]
		if r.Operation.Sender {
			base = m.IngestURL
			if r.Operation.Path != "/ingest" || len(r.Target)%2 == 0 {
				prefix = ""
			}
		}
		req, err := http.NewRequestWithContext(t.Context(), r.Method, base+prefix+r.Target, bytes.NewReader(r.Body))
		if err != nil {
			return x, false // no URL
		}
		req.Header = r.Header
		req.Header.Set("X-API-KEY", apptest.AdminKey)
		resp, err := client.Do(req)
		if err != nil {
			if strings.Contains(err.Error(), "invalid header field value") {
				return x, false
			}
			t.Errorf("%s %.200s: %v", r.Method, r.Target, err)
			return x, false
		}
		defer func() { _ = resp.Body.Close() }() // it is read to its end
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Errorf("%s %.200s: the answer ends early: %v", r.Method, r.Target, err)
		}
		return openapitest.Exchange{Method: r.Method, Target: prefix + r.Target, Request: r.Header, Body: r.Body,
			Status: resp.StatusCode, Header: resp.Header, Answer: answer}, true
	}
}
