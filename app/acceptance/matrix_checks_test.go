package acceptance

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/apiclient"
)

// recovery is how long after the last fault fresh events may take to their destination.
const recovery = 15 * time.Second

// recovers holds that fresh events get through soon after the last fault.
func (m *matrix) recovers(last time.Time) {
	m.Helper()
	if _, ok := m.fresh(time.Until(last.Add(recovery))); !ok {
		m.Errorf("fresh events were not delivered within %s of the last fault", recovery)
		m.fresh(time.Minute) // how long it does take
	}
	m.back = append(m.back, time.Since(last))
	m.lives()
}

// fresh sends an event of each of seven devices, which a rule forwards, and waits for their delivery.
func (m *matrix) fresh(bound time.Duration) (tags []string, ok bool) {
	m.Helper()
	hurry, cancel := context.WithTimeout(m.Context(), bound)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	events := make([]json.RawMessage, m.probe.batch)
	for i := range events {
		tags = append(tags, m.probe.name+"-"+strconv.Itoa(m.probe.seq))
		events[i] = m.probe.event(tags[i], m.probe.seq)
		m.probe.seq += 10 // so each of them pages, and the next is of another device
	}
	m.word.note(tags, false)
	if !m.probe.insist(hurry, hurry, client, m.probe.body(events), uuid.NewString()) {
		return tags, false
	}
	m.word.note(tags, true)
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for len(tags) > 0 {
		for _, raw := range m.destination.Last(1000) {
			tags = slices.DeleteFunc(tags, func(tag string) bool { return strings.Contains(string(raw), " tag="+tag+".") })
		}
		select {
		case <-tick.C:
		case <-hurry.Done():
			return tags, len(tags) == 0
		}
	}
	return nil, true
}

// settle waits until nothing is left to do, and checks everything.
func (m *matrix) settle() {
	m.Helper()
	m.ready()
	apptest.EventuallyWithin(m, time.Minute, "the queues are drained", func() (bool, any) {
		var got apiclient.Queues
		if err := m.site.client.Do(m.Context(), apiclient.Call{Method: http.MethodGet, Path: []string{"queues"}}, &got); err != nil {
			return false, err
		}
		left := int64(0)
		for _, q := range got.Queues {
			left += q.Depth
			if q.Dead > 0 {
				m.Fatalf("%d dead letters in %s", q.Dead, q.Name)
			}
		}
		return left == 0 && len(got.Queues) == 2, got
	})
	rows := m.audit()
	m.checkJudged(rows)
	m.checkDelivered(rows)
	m.checkOrder()
	apptest.EventuallyWithin(m, recovery, "the books balance", func() (bool, any) {
		var l apiclient.Ledger
		err := m.site.client.Do(m.Context(), apiclient.Call{Method: http.MethodGet, Path: []string{"ledger"}}, &l)
		return err == nil && l.Judging.Balanced && (l.Delivery.Balanced || len(m.rolled) > 0) && l.Judging.InFlight == 0 && l.Delivery.InFlight == 0, fmt.Sprint(l, err)
	})
	m.checkHits(rows)
	m.checkBooks(rows)
}

// checkOrder holds that the first deliveries of a signature are in the order in which its events were accepted. That is
// the order of their numbers: a device's events are one sender's, which waits for each answer.
func (m *matrix) checkOrder() {
	m.Helper()
	var wrong []string
	seen, latest := map[string]bool{}, map[string]int{} // by external_id; by signature
	for _, a := range m.destination.Alerts() {
		tag := tagOf.FindStringSubmatch(a.Description)
		if seen[a.ExternalID] || a.Type == "unhandled" || tag == nil || m.forgotten(tag[1]) {
			continue
		}
		seen[a.ExternalID] = true
		_, text, _ := strings.Cut(tag[1], "-")
		n, err := strconv.Atoi(text)
		if err != nil {
			m.Fatal(err)
		}
		if n < latest[a.Signature] {
			wrong = append(wrong, fmt.Sprintf("%s: %d came after %d", a.Signature, n, latest[a.Signature]))
		}
		latest[a.Signature] = n
	}
	m.report("first deliveries are out of order", wrong)
}

// forgotten reports whether Redis may have lost the event after it was acknowledged.
func (m *matrix) forgotten(tag string) bool {
	at, ok := m.word.acked[tag]
	return ok && m.lost(at)
}

// tell prints what a failure is looked for in.
func (m *matrix) tell(scenario string) {
	m.Logf("seed %d, scenario %q", m.seed, scenario)
	for _, x := range m.members {
		m.Logf("the log of %s:\n%s", x.name, x.site.tail())
	}
	for _, x := range m.those(app.UI) {
		for _, what := range []string{"queues", "processes", "ledger"} {
			var answer json.RawMessage
			err := x.site.client.Do(m.Context(), apiclient.Call{Method: http.MethodGet, Path: []string{what}}, &answer)
			m.Logf("%s says of %s: %s %v", x.name, what, answer, err)
		}
	}
}

// summary prints the figures of the whole.
func (m *matrix) summary() {
	if len(m.back) == 0 {
		return // no scenario was chosen
	}
	slices.Sort(m.back)
	st := m.destination.Stats()
	m.Logf("seed %d: %d scenarios, %d events sent, %d acknowledged, %d requests repeated, %d deliveries of which %d repeats; "+
		"fresh events delivered after the last fault: p50 %s, max %s", m.seed, len(m.back), len(m.word.sent), len(m.word.acked), m.word.tries,
		st.Alerts, st.Repeats, m.back[len(m.back)/2].Round(time.Millisecond), m.back[len(m.back)-1].Round(time.Millisecond))
}
