package ui

import (
	"context"
	"fmt"
	"time"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/slo"
	"github.com/muttproject/mutt/platform/store"
)

// scene is what the pages show besides judged events. The figures of its parts agree with each other to the last event.
type scene struct {
	problems     []apiclient.Problem // nil: those of the console's health
	destinations []apiclient.Destination
	waiting      int // alerts
	parked       int
	discarded    int
	brought      int // alerts that waited 24 h ago
	opened       int // minutes ago that the breaker opened; 0: it is closed
	burning      bool
}

// healthy is an ordinary night.
func healthy() scene {
	status, at := 200, sceneTime().Add(-300*time.Millisecond)
	return scene{waiting: 2, brought: 3, destinations: []apiclient.Destination{{Name: "moogsoft", RateLimit: 50, Breaker: apiclient.BreakerState{State: "closed"},
		LastStatus: &status, LastSent: &at, LastDelivered: &at}}}
}

// troubled is the scene of the pictures: moogsoft answers 503, and the breaker is open since 03:04:37 after ten failures.
func troubled() scene {
	status, opened, next := 503, sceneTime().Add(-8*time.Minute-7*time.Second), sceneTime().Add(113*time.Second)
	delivered, last := opened.Add(-6*time.Second), opened
	known := apiclient.Problem{Consequence: "the destination did not get these alerts, and gets them only when they are replayed", Remedy: "list them with the reason: mutt dlq list --queue alert",
		Promise: "nothing is lost", Runbook: "destination"}
	parked := known
	parked.Code, parked.Severity, parked.Since, parked.Fact, parked.Count, parked.Unit = "alerts_dead_lettered", "warn", sceneTime().Add(-3*time.Hour), "alerts went to the dead letters", 29, "alerts"
	return scene{waiting: 1604, parked: 37, discarded: 12, brought: 118, opened: 8, burning: true,
		destinations: []apiclient.Destination{{Name: "moogsoft", RateLimit: 50, LastStatus: &status, SameStatus: &status, LastSent: &last, LastDelivered: &delivered,
			Breaker: apiclient.BreakerState{State: "open", Since: &opened, Failures: 10, NextProbe: &next}}},
		problems: []apiclient.Problem{
			{Code: "breaker_open", Severity: "bad", Since: opened, Title: "Alerts are not reaching the destination", Fact: "the circuit breaker of the destination is open and alerts wait in the queue",
				Consequence: "no retries are used up, probes go on by themselves; intake and judging are not affected", Remedy: "see whether the destination is up", Promise: "nothing is lost", Runbook: "destination"},
			parked,
			{Code: "tls", Severity: "warn", Since: sceneTime().Add(-26 * time.Hour), Fact: "the certificate of the listener ingest ends in 9 days",
				Consequence: "the certificate in force stays in use; peers refuse it when it has expired", Remedy: "replace the files of the certificate; they are read again by themselves", Runbook: "start"},
			{Code: "queue", Severity: "note", Since: sceneTime().Add(-160 * time.Hour), Fact: "queue.durability is everysec: when the host of Redis and a MUTT process fail together, the last second of accepted events can be lost",
				Consequence: "events get through; how safe they are while they wait depends on Redis", Remedy: "see which promise queue.durability makes, and how Redis is set", Runbook: "redis"},
		}}
}

// show makes the console's process know the scene.
func (c *console) show(d *Deps) {
	d.Problems = func(context.Context) (apiclient.Problems, error) {
		out := apiclient.Problems{Problems: c.scene.problems}
		if out.Problems == nil {
			h := c.health.Load()
			for severity, facts := range map[string][]string{"bad": h.Errors, "warn": h.Warnings} {
				for _, fact := range facts {
					out.Problems = append(out.Problems, apiclient.Problem{Code: "test", Severity: severity, Since: sceneTime().Add(-time.Minute), Fact: fact,
						Consequence: "events wait", Remedy: "look at the log", Processes: []string{"mutt-0"}})
				}
			}
		}
		for i := range out.Problems {
			if out.Problems[i].Processes == nil {
				out.Problems[i].Processes = []string{"mutt-0"}
			}
		}
		return out, nil
	}
	d.Destinations = func(context.Context) ([]apiclient.Destination, error) { return c.scene.destinations, nil }
	d.Processes = func(context.Context) (out []apiclient.Process, err error) {
		for i, roles := range [][]string{{"ingestor"}, {"ingestor"}, {"alerter"}, {"forwarder"}, {"forwarder"}, {"ui", "janitor"}} {
			out = append(out, apiclient.Process{ID: fmt.Sprint("run-", i), Name: fmt.Sprint("mutt-", i), Roles: roles, Version: "v3.0.0", StartedAt: sceneTime().Add(-158 * time.Hour),
				ConfigRevision: 230, RulesetVersion: 214, Listeners: []string{}, SecretVersions: map[string]string{}})
		}
		return out, nil
	}
	d.Top = func(_ context.Context, by string) (apiclient.Top, error) {
		items := []apiclient.TopItem{{Name: "fw-fra-1", Events: 61204}, {Name: "edge-fra-1", Events: 4118}, {Name: "core-sw-01", Events: 1902}, {Name: "mx-par-1", Events: 388}}
		if by == apiclient.TopRules {
			items = []apiclient.TopItem{{Name: "BGP neighbor down", Events: 612}, {Name: "interface down", Events: 418}, {Name: "OSPF neighbor lost", Events: 240}, {Name: attack, Events: 97}}
		}
		return apiclient.Top{Items: items}, nil
	}
}

// Sums of the books over the 24 hours of the scene, and what came before.
const (
	sceneReceived  = 18_402_038
	sceneForwarded = 261_940
	sceneMeta      = 212
	sceneInFlight  = 45
	sceneBrought   = 31 // events in the ingest queue 24 h ago
	sceneEarlier   = 1000
)

// keepBooks writes the books of 24 hours, in which every figure agrees with every other: 268 events come per second now, of which 16,080 of the
// last minute 216 are forwarded, and what waits is what was forwarded and not delivered.
func (c *console) keepBooks(s scene) {
	c.Helper()
	t, db := c.T, c.store
	now := sceneTime().Unix() / 60
	first := now - 24*60
	fates := []event.Fate{event.FateForwarded, event.FateUnhandled, event.FateSilenced, event.FateRecorded, event.FateIgnored}
	judged := map[int64][5]int64{now - 1: {210, 405, 0, 5415, 10050}, now: {160, 300, 6, 3968, 7358}}
	received := map[int64]int64{now - 1: 16080, now: 11792}
	for i := range int64(8) { // edge-fra-1 flaps since 03:03
		received[now-2-i] = 17100 - 220*((i*5)%7)
	}
	var sumReceived, sumForwarded int64
	for m := first; m <= now; m++ {
		n, fixed := received[m]
		if !fixed {
			h := float64(m-first) / 60
			n = 12560 + int64(1700*wave(h/24)) + 480*((m*37)%11-5)/3
			received[m] = n
		}
		if _, fixed = judged[m]; !fixed {
			f := 172 + (m*13)%19
			if at := now - m; at >= 2 && at <= 7 {
				f = []int64{206, 206, 205, 205, 205, 205}[at-2]
			}
			judged[m] = [5]int64{f, n * 408 / 16080, n * 6 / 16080, n * 5412 / 16080, 0}
		}
		sumReceived += n
		sumForwarded += judged[m][0]
	}
	// What the sums lack goes into one hour of yesterday evening, evenly.
	const hour = 60
	lack, lackForwarded := sceneReceived-sumReceived, sceneForwarded-sumForwarded
	for i := range int64(12 * hour) {
		m := first + 2*hour + i
		received[m] += lack/(12*hour) + carry(i, lack%(12*hour))
		j := judged[m]
		j[0] += lackForwarded/(12*hour) + carry(i, lackForwarded%(12*hour))
		judged[m] = j
	}
	var counts []store.MinuteCount
	kept := store.JudgedEntry{Entry: queue.NewEntryID()}
	add := func(m int64, kind, label string, n int64) {
		if n != 0 {
			counts = append(counts, store.MinuteCount{Minute: m, Process: "test", Kind: kind, Label: label, N: n})
		}
	}
	fate := func(m int64, f event.Fate, n int64) {
		if n != 0 {
			kept.Counts = append(kept.Counts, store.LedgerCount{Minute: m, Source: event.SourceSyslog, Fate: f, N: n})
		}
	}
	before := first - 1
	add(before, queue.CountReceived, "syslog", sceneEarlier)
	fate(before, event.FateForwarded, int64(s.brought))
	fate(before, event.FateIgnored, sceneEarlier-sceneBrought-int64(s.brought))
	dead := int64(s.parked + s.discarded)
	drained := int64(s.brought) - 2 // as many more are delivered, one a minute, until two wait
	for m := first; m <= now; m++ {
		i, j := m-first, judged[m]
		if j[4] == 0 {
			j[4] = received[m] - j[0] - j[1] - j[2] - j[3]
			if i == 10 { // what waits now is not judged, and what waited then is
				j[4] += sceneBrought - sceneInFlight
			}
		}
		for k, f := range fates {
			fate(m, f, j[k])
		}
		http := received[m] * 26 / 268
		add(m, queue.CountReceived, "syslog", received[m]-http)
		add(m, queue.CountReceived, "http", http)
		if delivered := j[0] + one(i < drained) + one(i < sceneMeta) - one(i >= 300 && i < 300+dead); s.opened == 0 || m <= now-int64(s.opened) {
			add(m, queue.CountDelivered, "", delivered)
		}
		add(m, queue.CountMeta, "", one(i < sceneMeta))
		add(m, queue.CountParked, "", one(i >= 300 && i < 300+dead))
		add(m, queue.CountDiscarded, "", one(i >= 400 && i < 400+int64(s.discarded)))
		add(m, queue.CountRefused, "queue_full", one(i >= 500 && i < 648))
		add(m, queue.CountRejected, "wrong", one(i >= 700 && i < 741))
		add(m, queue.CountJudgingLatency, bucket(.25), j[0]+j[1]+j[2]+j[3]+j[4]-200)
		add(m, queue.CountJudgingLatency, bucket(.5), 200)
		late := one(s.burning && now-m < 40) * j[0] / 8
		add(m, queue.CountDeliveryLatency, bucket(.5), j[0]-late)
		add(m, queue.CountDeliveryLatency, bucket(60), late)
	}
	if _, err := db.Judge(t.Context(), "test", []store.JudgedEntry{kept}); err != nil {
		t.Fatal(err)
	}
	if err := db.FoldCounts(t.Context(), counts); err != nil {
		t.Fatal(err)
	}
	c.fill(s)
}

// fill puts into the queues what waits, and the dead letters.
func (c *console) fill(s scene) {
	c.Helper()
	t, q := c.T, c.queue
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	put := func(name queue.Name, n int, age time.Duration) {
		if n > 0 {
			c.ago.Store(int64(age))
			defer c.ago.Store(0)
			e := queue.Entry{ID: idAt(sceneTime().Add(-age), n), Queue: name, Events: n, Body: []byte("x")}
			must(q.Append(t.Context(), queue.AppendParams{Entries: []queue.Entry{e}, Process: "test"}))
		}
	}
	if s.parked > 0 {
		lease, err := q.Acquire(t.Context(), queue.LeaseParams{Queue: queue.Alert, Owner: "test", TTL: time.Minute})
		must(err)
		put(queue.Alert, s.parked, 3*time.Hour)
		claimed, err := q.Claim(t.Context(), queue.ClaimParams{Lease: lease, Max: 1})
		must(err)
		p := queue.SettleParams{Lease: lease, Ack: []event.ID{claimed[0].Entry}, Process: "test"}
		for i := range s.parked {
			e := event.Event{ID: idAt(sceneTime().Add(-3*time.Hour), 5000+i), Hostname: "edge-fra-1", Message: "down", Severity: 3, Facility: event.Absent, Source: event.SourceSyslog}
			p.Dead = append(p.Dead, queue.DeadLetter{ID: e.ID, Queue: queue.Alert, Hostname: e.Hostname, Code: "rejected", Reason: "HTTP 400", Attempts: 1, First: sceneTime().Add(-3 * time.Hour),
				Body: event.EncodeAlerts([]event.Alert{{Event: e, Decision: event.Decision{Fate: event.FateForwarded, Handling: event.PageOnly, Severity: 4, RuleName: "link down", Team: "NETO"}}})})
		}
		must(q.Settle(t.Context(), p))
		must(q.Yield(t.Context(), lease))
	}
	oldest := 400 * time.Millisecond
	if s.opened > 0 {
		oldest = 8*time.Minute + 8*time.Second
	}
	put(queue.Ingest, sceneInFlight, 200*time.Millisecond)
	put(queue.Alert, s.waiting, oldest)
}

func bucket(seconds float64) string {
	for b := range slo.Buckets {
		if slo.Bound(b) >= seconds {
			return slo.Label(b)
		}
	}
	return slo.Label(slo.Buckets - 1)
}

// carry spreads a remainder over steps, one to each of the first ones; it may be below zero.
func carry(i, rest int64) int64 {
	switch {
	case i < rest:
		return 1
	case i < -rest:
		return -1
	}
	return 0
}

func one(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// wave rises and falls once from 0 to 1.
func wave(x float64) float64 { return 1 - 4*(x-.5)*(x-.5) }
