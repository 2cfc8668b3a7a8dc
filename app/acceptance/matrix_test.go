package acceptance

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muttproject/mutt/app/apptest"
)

// matrix is a distributed MUTT under load, two processes of each role on servers of its own, that scenarios disturb one
// after the other.
type matrix struct {
	*killTest
	root    *testing.T // the scenarios are its subtests
	seed    uint64
	dir     string
	servers *apptest.Servers
	members []*member
	senders []*sender
	probe   *sender
	outage  time.Duration   // of a server that is away
	back    []time.Duration // until fresh events were delivered after the last fault, one for each scenario
}

// TestMatrix kills processes and servers of a distributed MUTT under load, in the scenarios of the table, and asks after
// each whether every guarantee was kept. A process that was killed is started again, as systemd would; one that ends by
// itself fails the test. MUTT_TEST_KILL_SEED repeats the choices of a run; MUTT_TEST_CHAOS_MINUTES adds faults at random
// for so long and makes outages last a minute.
func TestMatrix(t *testing.T) { // not parallel: it measures the CPU time of idle processes
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	m := newMatrix(t)
	m.begin()
	for _, s := range scenarios() {
		if !m.run(s) {
			return // what follows would report the same again
		}
	}
	minutes := time.Duration(number(t, "MUTT_TEST_CHAOS_MINUTES", 0)) * time.Minute
	for n, begin := 1, time.Now(); time.Since(begin) < minutes; n++ {
		if !m.run(scenario{fmt.Sprintf("mix %d", n), func(m *matrix) { m.mix(15) }}) {
			return
		}
	}
	if m.run(last()) {
		m.end()
	}
}

// run runs one scenario: load, faults, recovery, quiet, checks.
func (m *matrix) run(s scenario) bool {
	return m.root.Run(strings.ReplaceAll(s.name, " ", "_"), func(t *testing.T) {
		m.during(t)
		defer m.during(m.root)
		defer func() {
			if t.Failed() {
				m.tell(s.name)
			}
		}()
		sent, begin := len(m.word.acked), time.Now()
		s.play(m)
		worked := time.Since(begin)
		m.settle()
		t.Logf("%s: %s under load, %d events acknowledged, fresh events delivered %s after the last fault, checked in %s", s.name,
			worked.Round(time.Millisecond), len(m.word.acked)-sent, m.back[len(m.back)-1].Round(time.Millisecond), (time.Since(begin) - worked).Round(time.Millisecond))
	})
}

// during makes failures those of t.
func (m *matrix) during(t *testing.T) {
	m.T, m.probe.t = t, t
	for _, x := range m.members {
		x.p.t = t
	}
	for _, s := range m.senders {
		s.t = t
	}
}

// load has the senders work while the faults happen and until fresh events arrive after the last of them. faults gives
// the moment of that.
func (m *matrix) load(faults func() (last time.Time)) {
	m.Helper()
	m.sending(func() {
		m.pass(300 * time.Millisecond)
		m.recovers(faults())
		m.pass(300 * time.Millisecond)
	})
}

// sending has the senders work for as long as during takes. What they began is acknowledged when it returns.
func (m *matrix) sending(during func()) {
	m.Helper()
	ctx, enough := context.WithCancel(m.Context())
	hurry, giveUp := context.WithTimeout(m.Context(), 5*time.Minute)
	defer giveUp()
	var senders sync.WaitGroup
	defer senders.Wait()
	defer enough()
	for _, s := range m.senders {
		senders.Go(func() { s.run(ctx, hurry) })
	}
	during()
}

// pass lets time pass.
func (m *matrix) pass(d time.Duration) {
	m.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
	m.lives()
}

// between chooses a time.
func (m *matrix) between(least, most time.Duration) time.Duration {
	return least + time.Duration(m.rnd.Int64N(int64(most-least)))
}
