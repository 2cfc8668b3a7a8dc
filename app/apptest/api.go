package apptest

import (
	"net/http"
	"net/url"

	"github.com/muttproject/mutt/platform/apiclient"
)

// Get reads from the admin API and fails the test when that is refused.
func (m *MUTT) Get(out any, query url.Values, path ...string) {
	m.t.Helper()
	m.call(apiclient.Call{Method: http.MethodGet, Path: path, Query: query}, out)
}

// Change writes to the admin API; body and out may be nil.
func (m *MUTT) Change(method string, body, out any, path ...string) {
	m.t.Helper()
	m.call(apiclient.Call{Method: method, Path: path, Body: body, Reason: "test"}, out)
}

func (m *MUTT) call(c apiclient.Call, out any) {
	m.t.Helper()
	if err := m.Client.Do(m.t.Context(), c, out); err != nil {
		m.t.Fatalf("%s %v: %v", c.Method, c.Path, err)
	}
}

// SetConfig sets a dynamic key.
func (m *MUTT) SetConfig(key string, value any) {
	m.t.Helper()
	m.Change(http.MethodPut, map[string]any{"value": value}, nil, "config", key)
}

// AddRule creates a rule and gives its id.
func (m *MUTT) AddRule(rule map[string]any) int64 {
	m.t.Helper()
	var got apiclient.Created
	m.Change(http.MethodPost, rule, &got, "rules")
	return got.ID
}

// Queue gives the depth of one queue.
func (m *MUTT) Queue(name string) apiclient.Queue {
	m.t.Helper()
	var all apiclient.Queues
	m.Get(&all, nil, "queues")
	for _, q := range all.Queues {
		if q.Name == name {
			return q
		}
	}
	m.t.Fatalf("there is no queue %s: %+v", name, all)
	return apiclient.Queue{}
}

// Ledger gives the two books.
func (m *MUTT) Ledger() (l apiclient.Ledger) {
	m.t.Helper()
	m.Get(&l, nil, "ledger")
	return l
}

// Audit lists audit rows, newest first, one page.
func (m *MUTT) Audit(query url.Values) []apiclient.AuditLog {
	m.t.Helper()
	var got apiclient.AuditLogs
	m.Get(&got, query, "audit-logs")
	return got.Logs
}

// DeadLetters lists the first page of a queue's dead letters.
func (m *MUTT) DeadLetters(queue string) []apiclient.DeadLetter {
	m.t.Helper()
	var got apiclient.DeadLetters
	m.Get(&got, nil, "dlq", queue)
	return got.Items
}
