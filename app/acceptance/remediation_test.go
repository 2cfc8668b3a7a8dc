package acceptance

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/apiclient"
)

// refusing lets the destination answer 503 to the alerts whose body fails says, and take the others.
func refusing(m *apptest.MUTT, fails func(body string) bool) {
	m.Destination.Answer(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if fails(string(body)) {
			http.Error(w, "on fire", http.StatusServiceUnavailable)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		m.Destination.Sink.ServeHTTP(w, r)
	})
}

// arrived counts the different alerts of a device that the destination took.
func arrived(m *apptest.MUTT, host string) int {
	seen := map[string]bool{}
	for _, a := range m.Destination.Alerts() {
		if a.Source == host {
			seen[a.ExternalID] = true
		}
	}
	return len(seen)
}

// TestDeadLettersArriveByThemselves lets alerts become dead letters: /health and the API say so, and what the janitor will do. When
// the destination works again, all of them arrive without anybody's help, and the books balance.
func TestDeadLettersArriveByThemselves(t *testing.T) { inBothModes(t, deadLettersArrive) }

func deadLettersArrive(t *testing.T, in mode) {
	t.Parallel()
	env := quick()
	env["MOOG_MAX_RETRIES"], env["REMEDIATION_INTERVAL"], env["MAX_POISON_RETRIES"] = "1", "2", "100"
	m := in.start(t, env)
	var broken atomic.Bool
	broken.Store(true)
	refusing(m, func(body string) bool { return broken.Load() && strings.Contains(body, "broken") })
	const n = 5
	for i := range n {
		m.Send(apptest.Event("broken", down(fmt.Sprintf("Gi%d", i))))
	}
	alive := 0
	others := func() { // an attempt counts while the destination takes something else
		alive++
		m.Send(apptest.Event("alive", down(fmt.Sprintf("Gi%d", alive))))
	}
	apptest.Eventually(t, "there are dead letters, and health says what becomes of them", func() (bool, any) {
		others()
		q := m.Queue("alert")
		a := m.Do(http.MethodGet, m.OpsURL+"/health", nil)
		said := strings.Contains(string(a.Body), "in the queue alert") && strings.Contains(string(a.Body), "mutt dlq list --queue alert")
		return a.Status == 200 && said && q.DeadLetters != nil && q.DeadLetters.Plan != "", string(a.Body)
	})
	broken.Store(false)
	apptest.Eventually(t, "all of them arrive", func() (bool, any) {
		return arrived(m, "broken") == n && m.Queue("alert").Dead == 0, m.Queue("alert")
	})
	m.ExpectBalanced()
	apptest.Eventually(t, "the change audit says who replayed them", func() (bool, any) {
		var got apiclient.Changes
		m.Get(&got, url.Values{"table_name": {"dead_letters"}}, "audit")
		return len(got.Logs) > 0 && got.Logs[0].ChangedBy == "system:janitor" && got.Logs[0].Operation == "UPDATE" && got.Logs[0].RecordID == "alert", got
	})
	if a := m.Do(http.MethodGet, m.OpsURL+"/health", nil); strings.Contains(string(a.Body), "dlq") {
		t.Errorf("health still names dead letters: %s", a.Body)
	}
}

// TestALetterThatAlwaysFailsIsGivenUp holds that one alert is given up after max_poison_retries automatic replays, while the others arrive. It
// stays where people see it, and arrives when they replay it after a repair.
func TestALetterThatAlwaysFailsIsGivenUp(t *testing.T) { inBothModes(t, oneIsGivenUp) }

func oneIsGivenUp(t *testing.T, in mode) {
	t.Parallel()
	env := quick()
	env["MOOG_MAX_RETRIES"], env["REMEDIATION_INTERVAL"], env["MAX_POISON_RETRIES"] = "0", "1", "2"
	m := in.start(t, env)
	var broken, hopeless atomic.Bool
	broken.Store(true)
	hopeless.Store(true)
	refusing(m, func(body string) bool {
		return broken.Load() && strings.Contains(body, "broken") || hopeless.Load() && strings.Contains(body, "hopeless")
	})
	m.Send(apptest.Event("hopeless", down("Gi0")))
	for i := range 3 {
		m.Send(apptest.Event("broken", down(fmt.Sprintf("Gi%d", i))))
	}
	alive := 0
	others := func() {
		alive++
		m.Send(apptest.Event("alive", down(fmt.Sprintf("Gi%d", alive))))
	}
	apptest.Eventually(t, "there are dead letters", func() (bool, any) { others(); return m.Queue("alert").Dead > 0, m.Queue("alert") })
	broken.Store(false)
	apptest.Eventually(t, "one is given up, the others arrive", func() (bool, any) {
		others()
		dead := m.DeadLetters("alert")
		return len(dead) == 1 && dead[0].GivenUp && arrived(m, "broken") == 3, dead
	})
	dead := m.DeadLetters("alert")[0]
	if dead.Hostname != "hopeless" || dead.Replays != 2 || dead.Code != "exhausted" {
		t.Errorf("given up: %+v", dead)
	}
	apptest.Eventually(t, "health says that it needs a decision", func() (bool, any) {
		a := m.Do(http.MethodGet, m.OpsURL+"/health", nil)
		return strings.Contains(string(a.Body), "1 dead letter in the queue alert") && strings.Contains(string(a.Body), "1 given up"), string(a.Body)
	})
	hopeless.Store(false)
	m.Change(http.MethodPost, apiclient.ReplayRequest{IDs: []string{dead.ID}, Reason: "repaired"}, nil, "dlq", "alert", "replay")
	apptest.Eventually(t, "it arrives", func() (bool, any) { return arrived(m, "hopeless") == 1, m.Queue("alert") })
	m.ExpectBalanced()
}
