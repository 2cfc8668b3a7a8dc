package acceptance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/apiclient"
)

// The keys that the writers fight for.
const (
	contested = "unhandled_threshold"
	counted   = "alerter_max_retries" // up to 100
)

// attempt is one write of a writer, and what was answered.
type attempt struct {
	correlation string
	ifMatch     string // the revision that the writer had read, "" for none
	status      int
	answer      apiclient.ConfigChanged
}

// applied reports whether the write changed something: the same value again is no change.
func (a *attempt) applied() bool {
	return a.status == http.StatusOK && a.answer.OldValue != a.answer.NewValue
}

// writer writes over the real HTTP API, in its own goroutine.
type writer struct {
	m        *apptest.MUTT
	n        int
	rnd      *rand.Rand
	attempts []attempt
}

// do makes one call. A correlation id of the writer's own names it in the audit.
func (w *writer) do(method, key string, body any, ifMatch string) (a attempt, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return a, err
	}
	req, err := http.NewRequest(method, w.m.AdminURL+"/api/v2/config/"+key, bytes.NewReader(text))
	if err != nil {
		return a, err
	}
	a.correlation, a.ifMatch = fmt.Sprintf("w%d-%d", w.n, len(w.attempts)), ifMatch
	for name, value := range map[string]string{"X-API-KEY": apptest.AdminKey, "X-Correlation-ID": a.correlation, "If-Match": ifMatch} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return a, err
	}
	defer func() { _ = resp.Body.Close() }()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		return a, err
	}
	if a.status = resp.StatusCode; a.status != http.StatusOK && a.status != http.StatusPreconditionFailed {
		return a, fmt.Errorf("%s %s: %d %s", method, key, a.status, got)
	}
	if a.status == http.StatusOK {
		err = json.Unmarshal(got, &a.answer)
	}
	if method != http.MethodGet {
		w.attempts = append(w.attempts, a)
	}
	return a, err
}

// read gives a key's present value and revision.
func (w *writer) read(key string) (value int, revision string, err error) {
	var item apiclient.ConfigItem
	err = w.m.Client.Do(context.Background(), apiclient.Call{Method: http.MethodGet, Path: []string{"config", key}}, &item)
	n, _ := item.Value.(float64)
	return int(n), strconv.FormatInt(item.Revision, 10), err
}

// fight changes the contested key in one way or another.
func (w *writer) fight() error {
	ifMatch := ""
	if w.rnd.IntN(2) == 0 {
		var err error
		if _, ifMatch, err = w.read(contested); err != nil {
			return err
		}
	}
	if w.rnd.IntN(4) == 0 {
		_, err := w.do(http.MethodDelete, contested, nil, ifMatch)
		return err
	}
	_, err := w.do(http.MethodPut, contested, map[string]int{"value": 1 + w.rnd.IntN(5)}, ifMatch)
	return err
}

// count adds one to the counted key, whoever else does so too.
func (w *writer) count() error {
	for {
		n, revision, err := w.read(counted)
		if err != nil {
			return err
		}
		a, err := w.do(http.MethodPut, counted, map[string]int{"value": n + 1}, revision)
		if err != nil || a.status == http.StatusOK {
			return err
		}
	}
}

// TestConcurrentChanges lets 16 writers change one key in every way, with and without If-Match, and count up another
// one with If-Match. The history must be that of one writer after the other.
func TestConcurrentChanges(t *testing.T) { inBothModes(t, concurrentChanges) }

func concurrentChanges(t *testing.T, in mode) {
	t.Parallel()
	const writers, fights, counts = 16, 4, 2
	m := in.start(t, nil)
	m.SetConfig(counted, 1)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	all := make([]*writer, writers)
	var wg sync.WaitGroup
	for i := range all {
		w := &writer{m: m, n: i, rnd: rand.New(rand.NewPCG(seed, uint64(i)))}
		all[i] = w
		wg.Go(func() {
			for n := range fights {
				if err := w.fight(); err != nil {
					t.Error(err)
				}
				if n < counts {
					if err := w.count(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	var attempts []attempt
	for _, w := range all {
		attempts = append(attempts, w.attempts...)
	}
	checkHistory(t, m, contested, attempts)
	rows := checkHistory(t, m, counted, attempts)
	for i, row := range rows {
		if string(row.NewValue) != strconv.Itoa(i+1) {
			t.Errorf("count %d wrote %s: an update was lost", i, row.NewValue)
		}
	}
	if got := configOf(m, counted); len(rows) != 1+writers*counts || got != float64(1+writers*counts) {
		t.Errorf("counted to %v in %d rows, want %d", got, len(rows), 1+writers*counts)
	}
	var verified apiclient.AuditVerified
	if m.Get(&verified, nil, "audit", "verify"); !verified.Valid || !verified.Complete {
		t.Errorf("the chain: %+v", verified)
	}
}

// checkHistory holds the history of a key against what its writers were answered: one row for each applied change and no
// other, each old value the new one before, each If-Match that of the change before. It gives the rows, oldest first.
func checkHistory(t *testing.T, m *apptest.MUTT, key string, attempts []attempt) []apiclient.Change {
	t.Helper()
	applied := map[string]*attempt{}
	for i := range attempts {
		if a := &attempts[i]; a.answer.Key == key && a.applied() {
			applied[a.correlation] = a
		}
	}
	rows := history(m, key)
	before, revision := "null", "0"
	for _, row := range rows {
		if old := string(row.OldValue); old != before {
			t.Errorf("%s, row %d: the old value is %s, but %s was set before", key, row.ID, old, before)
		}
		a := applied[row.CorrelationID]
		delete(applied, row.CorrelationID)
		before = string(row.NewValue)
		if a == nil {
			if row.Reason != "test" { // set by the test itself
				t.Errorf("%s, row %d: nobody was told of it, or twice: %+v", key, row.ID, row)
			}
			revision = ""
			continue
		}
		if a.ifMatch != "" && revision != "" && a.ifMatch != revision {
			t.Errorf("%s, row %d: it was made for revision %s, and came after %s", key, row.ID, a.ifMatch, revision)
		}
		if shown := fmt.Sprint(a.answer.NewValue); before != "null" && shown != before {
			t.Errorf("%s, row %d: %s was set, and %s answered", key, row.ID, before, shown)
		}
		revision = strconv.FormatInt(a.answer.Revision, 10)
	}
	for _, a := range applied {
		t.Errorf("%s: a change without a row: %+v", key, a)
	}
	return rows
}

// history gives all changes of a key, oldest first.
func history(m *apptest.MUTT, key string) (rows []apiclient.Change) {
	for page := 1; ; page++ {
		var got apiclient.History
		m.Get(&got, url.Values{"key": {key}, "limit": {"200"}, "page": {strconv.Itoa(page)}}, "config", "history")
		for _, row := range got.History {
			rows = append([]apiclient.Change{row}, rows...)
		}
		if int64(page) >= got.Pagination.Pages {
			return rows
		}
	}
}
