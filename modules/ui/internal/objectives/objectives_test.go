package objectives

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/config/configtest"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/slo"
	"github.com/muttproject/mutt/platform/store"
)

var noon = time.Date(2026, 11, 23, 12, 30, 15, 0, time.UTC)

// ledger is a store of counts by minute.
type ledger struct {
	counts []store.MinuteCount
	asked  int
	err    error
}

func (l *ledger) Sums(_ context.Context, from, to int64) (out []store.KindSum, err error) {
	l.asked++
	for _, c := range l.counts {
		if c.Minute >= from && c.Minute < to {
			out = append(out, store.KindSum{Kind: c.Kind, Label: c.Label, N: c.N})
		}
	}
	return out, l.err
}

// add counts n events some minutes before noon.
func (l *ledger) add(ago int64, kind, label string, n int64) {
	l.counts = append(l.counts, store.MinuteCount{Minute: noon.Unix()/60 - ago, Kind: kind, Label: label, N: n})
}

func dynamic(t *testing.T) Dynamic {
	t.Helper()
	keys, _ := configtest.Load(t, DeclareDynamic, nil)
	return keys
}

func fromLedger(d Dynamic, l *ledger) *Report {
	return FromCounters(Counters{Store: l, Dynamic: d, Now: func() time.Time { return noon }, Fold: func(context.Context) error { return nil }})
}

// now gives a report by the objectives' names.
func now(t *testing.T, r *Report) map[string]apiclient.SLO {
	t.Helper()
	got, err := r.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]apiclient.SLO{}
	for _, s := range got.SLOs {
		by[s.Name] = s
	}
	if len(by) != len(slo.Objectives()) {
		t.Fatalf("%d objectives in the report: %+v", len(by), got)
	}
	return by
}

func TestEveryObjectiveIsMeasured(t *testing.T) {
	t.Parallel()
	for _, m := range measures() {
		counted := []summands{m.good, m.bad}
		if m.objective.Latency() {
			counted = []summands{m.latency}
		}
		for _, c := range counted {
			if len(c.kinds) == 0 || len(c.series) == 0 {
				t.Errorf("%s is not measured from both sources: %+v", m.objective.Name, c)
			}
		}
	}
}

func TestNothingHappened(t *testing.T) {
	t.Parallel()
	l := &ledger{}
	for name, s := range now(t, fromLedger(dynamic(t), l)) {
		if s.Status != slo.NoData || s.ActualValue != nil || s.BurnRate != nil || !strings.Contains(s.Message, "nothing happened in the last 24 h") {
			t.Errorf("%s: %+v", name, s)
		}
		if text, err := json.Marshal(s); err != nil || !strings.Contains(string(text), `"actual_value":null,"window_hours":24,"error_budget_remaining":null,"burn_rate":null`) {
			t.Errorf("%s, %v", text, err)
		}
	}
	if l.asked != 2 {
		t.Errorf("the store was asked %d times, two windows are enough", l.asked)
	}
}

func TestFromCounters(t *testing.T) {
	t.Parallel()
	l := &ledger{}
	l.add(60*24+1, queue.CountRefused, "queue_full", 1_000_000) // before the window
	l.add(90, queue.CountReceived, "http", 99_950)
	l.add(90, queue.CountReceived, "replay", 7) // taken in long ago
	l.add(90, queue.CountRefused, "queue_full", 50)
	l.add(90, store.FatePrefix+"forwarded", "http", 900)
	l.add(5, store.FatePrefix+"unhandled", "syslog", 99)
	l.add(5, store.FatePrefix+"poison", "http", 1)
	l.add(5, queue.CountDelivered, "", 80)
	l.add(5, queue.CountParked, "", 20)
	l.add(90, queue.CountJudgingLatency, "0.1", 990)
	l.add(90, queue.CountJudgingLatency, "10", 10)
	l.add(90, queue.CountJudgingLatency, "0.3", 5) // a bucket of another version
	l.add(0, queue.CountDeliveryLatency, "0.25", 50)
	l.add(0, queue.CountDeliveryLatency, "+Inf", 50)
	got := now(t, fromLedger(dynamic(t), l))

	for _, c := range []struct {
		name                     string
		actual, remaining, burns float64
		status                   slo.Status
	}{
		{slo.IngestAvailability, 0.9995, 0.5, 0, slo.OK},
		{slo.JudgingSuccess, 0.999, 0, 10, slo.Warning}, // 1 of 1,000 in the window, 1 of 100 in the last hour
		{slo.DeliverySuccess, 0.8, -19, 20, slo.Critical},
		{slo.JudgingLatency, 0.1, 0, 0, slo.OK},
		{slo.DeliveryLatency, 300, -49, 50, slo.Critical},
	} {
		s := got[c.name]
		if s.ActualValue == nil || *s.ActualValue != c.actual || *s.Remaining != c.remaining || *s.BurnRate != c.burns || s.Status != c.status {
			text, err := json.Marshal(s)
			t.Errorf("%s: %s %v, want %+v", c.name, text, err, c)
		}
	}
	if s := got[slo.IngestAvailability]; s.Message != "99.95 % good of 100000 in the last 24 h, 99.9 % wanted: 50 % of the error budget is left, burning at 0" || s.Events != 100_000 || s.BadEvents != 50 {
		t.Errorf("%+v", s)
	}
	if s := got[slo.DeliveryLatency]; s.TargetSeconds == nil || *s.TargetSeconds != 30 || s.Target != nil || !strings.HasPrefix(s.Message, "50 % within 30 s of 100 ") {
		t.Errorf("%+v", s)
	}
}

// TestKeysAreInForceAtOnce: targets, windows and burn rates are read at each report.
func TestKeysAreInForceAtOnce(t *testing.T) {
	t.Parallel()
	l := &ledger{}
	l.add(100, queue.CountDelivered, "", 95)
	l.add(100, queue.CountParked, "", 5)
	l.add(200, queue.CountParked, "", 100)
	l.add(720*60, queue.CountParked, "", 1000) // a merged hour, in which the window of 30 days begins
	l.add(721*60, queue.CountParked, "", 1000)
	keys, d := configtest.Load(t, DeclareDynamic, nil)
	r := fromLedger(keys, l)
	for i, c := range []struct {
		keys   map[string]string
		status slo.Status
		events float64
	}{
		{nil, slo.Breaching, 200}, // nothing failed in the last hour
		{map[string]string{"slo_delivery_success_window_hours": "2"}, slo.Breaching, 100},
		{map[string]string{"slo_delivery_success_window_hours": "720"}, slo.Breaching, 1200},
		{map[string]string{"slo_delivery_success_window_hours": "2", "slo_delivery_success_target": "0.9"}, slo.OK, 100},
		{map[string]string{"slo_delivery_success_window_hours": "1"}, slo.NoData, 0},
	} {
		if problems := d.Apply(int64(i), c.keys); len(problems) > 0 {
			t.Fatal(problems)
		}
		if s := now(t, r)[slo.DeliverySuccess]; s.Status != c.status || s.Events != c.events {
			t.Errorf("%v: %+v", c.keys, s)
		}
	}
	l.add(1, queue.CountParked, "", 2)
	l.add(1, queue.CountDelivered, "", 98)
	for rates, want := range map[[2]string]slo.Status{{"6", "14.4"}: slo.Breaching, {"1", "14.4"}: slo.Warning, {"1", "1"}: slo.Critical} {
		d.Apply(9, map[string]string{"slo_delivery_success_burn_rate_warning": rates[0], "slo_delivery_success_burn_rate_critical": rates[1]})
		if s := now(t, r)[slo.DeliverySuccess]; s.Status != want {
			t.Errorf("burn rates %v: %+v, want %s", rates, s, want)
		}
	}
}

func TestStoreAway(t *testing.T) {
	t.Parallel()
	away := errors.New("away")
	if _, err := fromLedger(dynamic(t), &ledger{err: away}).Now(t.Context()); !errors.Is(err, away) {
		t.Errorf("got %v", err)
	}
	r := FromCounters(Counters{Store: &ledger{}, Dynamic: dynamic(t), Now: time.Now, Fold: func(context.Context) error { return away }})
	if _, err := r.Now(t.Context()); !errors.Is(err, away) {
		t.Errorf("got %v", err)
	}
}
