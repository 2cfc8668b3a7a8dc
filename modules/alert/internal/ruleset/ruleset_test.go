package ruleset

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

// source is a table of rules that a test changes.
type source struct {
	mu      sync.Mutex
	version int64
	epoch   int64
	match   string
	err     error
	loads   int
}

func (s *source) Position(context.Context) (store.Position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return store.Position{Epoch: s.epoch, Revision: s.version + 100, Ruleset: s.version}, s.err
}

// set changes the table.
func (s *source) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// loaded is how often the rules were read.
func (s *source) loaded() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loads
}

func (s *source) Ruleset(context.Context) ([]rule.Rule, rule.Tables, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loads++
	return []rule.Rule{{ID: 1, Name: "r", MatchType: rule.Regex, MatchString: s.match, Priority: 1, ProdHandling: "Page_only",
			DevHandling: "Ignore", TeamAssignment: "T", IsActive: true}},
		rule.Tables{Version: s.version, DevHosts: []string{"d1", "d2"}, Teams: map[string]string{"h": "T"}}, s.err
}

func setup(t *testing.T, s *source) (*Ruleset, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewRegistry()
	r := New(Params{Source: s, Log: zap.NewNop(), Metrics: NewMetrics(reg), Now: time.Now, ReloadEvery: func() time.Duration { return 5 * time.Minute }})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = r.Run(ctx) // ends with the context
	}()
	t.Cleanup(func() { cancel(); <-done })
	synctest.Wait()
	return r, reg
}

func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func version(r *Ruleset) int64 {
	e := &event.Event{Hostname: "h", Message: "x", Severity: event.Absent}
	var d event.Decision
	r.Current().Judge(e, 0, r.Current().NewScratch(), &d)
	return d.RulesetVersion
}

func TestChangeIsInUseWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{version: 1, match: "a"}
		r, reg := setup(t, s)
		<-r.Ready()
		if version(r) != 1 || r.Warning() != "" {
			t.Fatalf("version %d, warning %q", version(r), r.Warning())
		}
		pass(time.Minute)
		if s.loaded() != 1 {
			t.Fatalf("%d loads of an unchanged ruleset", s.loaded())
		}
		s.set(func() { s.version = 2 })
		pass(time.Second)
		if version(r) != 2 || s.loaded() != 2 {
			t.Fatalf("version %d after %d loads", version(r), s.loaded())
		}
		s.set(func() { s.epoch = 1 }) // a restored store has come to the same number
		pass(time.Second)
		if s.loaded() != 3 {
			t.Fatalf("%d loads after a new epoch", s.loaded())
		}
		pass(5 * time.Minute)
		if s.loaded() != 4 {
			t.Fatalf("%d loads: the net does not hold", s.loaded())
		}
		const want = `
			# HELP mutt_alerter_cache_dev_hosts_count Development hosts in use.
			# TYPE mutt_alerter_cache_dev_hosts_count gauge
			mutt_alerter_cache_dev_hosts_count 2
			# HELP mutt_alerter_cache_reload_failures_total Looks at the rules that failed; the last good ones stayed in use.
			# TYPE mutt_alerter_cache_reload_failures_total counter
			mutt_alerter_cache_reload_failures_total 0
			# HELP mutt_alerter_cache_rules_count Rules in use.
			# TYPE mutt_alerter_cache_rules_count gauge
			mutt_alerter_cache_rules_count 1
			# HELP mutt_alerter_cache_teams_count Hosts with a team of their own.
			# TYPE mutt_alerter_cache_teams_count gauge
			mutt_alerter_cache_teams_count 1
		`
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "mutt_alerter_cache_dev_hosts_count",
			"mutt_alerter_cache_reload_failures_total", "mutt_alerter_cache_rules_count", "mutt_alerter_cache_teams_count"); err != nil {
			t.Error(err)
		}
	})
}

func TestFailedLoadKeepsTheLastGoodSet(t *testing.T) {
	for name, spoil := range map[string]func(*source){
		"store away":    func(s *source) { s.err = errors.New("away") },
		"does not load": func(s *source) { s.match = "(" },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &source{version: 1, match: "a"}
				r, _ := setup(t, s)
				good := r.Current()
				s.set(func() { s.version = 2; spoil(s) })
				pass(time.Minute)
				if r.Current() != good || !strings.Contains(r.Warning(), "version 1") {
					t.Fatalf("the good set is gone, or nothing is said: %q", r.Warning())
				}
				if testutil.ToFloat64(r.p.Metrics.failures) < 10 || s.loaded() > 20 {
					t.Fatalf("%v failures, %d loads in a minute", testutil.ToFloat64(r.p.Metrics.failures), s.loaded())
				}
				s.set(func() { s.err, s.match = nil, "a" })
				pass(retryEvery + time.Second)
				if version(r) != 2 || r.Warning() != "" {
					t.Fatalf("version %d, warning %q", version(r), r.Warning())
				}
			})
		})
	}
}

func TestNoSetBeforeTheFirstGoodLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{version: 1, match: "("}
		r, _ := setup(t, s)
		pass(time.Minute)
		select {
		case <-r.Ready():
			t.Fatal("ready without rules")
		default:
		}
		if r.Current() != nil || !strings.Contains(r.Warning(), "wait in the queue") {
			t.Fatalf("warning %q", r.Warning())
		}
		s.set(func() { s.version, s.match = 2, "a" }) // a correction is taken up at once
		pass(time.Second)
		<-r.Ready()
		if version(r) != 2 {
			t.Fatal("not loaded")
		}
	})
}
