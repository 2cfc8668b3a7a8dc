package worker

import (
	"crypto/sha1"
	"encoding/binary"
	"time"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/slo"
)

// outbox gathers what one Settle publishes and parks. It is used again for the next one.
type outbox struct {
	partition int

	seed    event.ID // the ids of the published entries follow from it
	records []byte
	n       int // records waiting to be sealed
	alert   event.Alert
	publish []queue.Entry
	dead    []queue.DeadLetter
	meta    int64 // meta-alerts published
	parked  int64 // alerts shed
	latency slo.Latencies
}

func (o *outbox) reset(seed event.ID) {
	o.seed, o.records, o.n, o.meta, o.parked, o.latency = seed, o.records[:0], 0, 0, 0, slo.Latencies{}
	clear(o.publish)
	clear(o.dead)
	o.publish, o.dead = o.publish[:0], o.dead[:0]
}

// unit takes what the decisions of u ask for.
func (o *outbox) unit(u *unit, now time.Time) {
	micros := now.UnixMicro()
	for i := range u.events {
		o.latency.Add(time.Duration(micros-u.events[i].ReceivedAt) * time.Microsecond)
		switch u.decisions[i].Fate {
		case event.FateForwarded:
			o.add(&u.events[i], &u.decisions[i])
		case event.FateShed:
			o.shed(&u.events[i], &u.decisions[i], now)
		case event.FatePoison:
			o.poison(&u.events[i], u.poison, now)
		}
	}
}

// add appends an alert, closing the entry before it where a target would be passed.
func (o *outbox) add(e *event.Event, d *event.Decision) {
	o.alert.Event, o.alert.Decision = *e, *d
	at := len(o.records)
	o.records = event.AppendAlertRecord(o.records, &o.alert)
	if o.n > 0 && (o.n == queue.TargetEvents || len(o.records) > queue.TargetBytes) {
		tail := o.records[at:]
		o.seal(o.records[:at])
		o.records = append(o.records[:0], tail...)
	}
	o.n++
}

func (o *outbox) seal(records []byte) {
	o.publish = append(o.publish, queue.Entry{ID: publishedID(o.seed, len(o.publish)), Queue: queue.Alert,
		Partition: o.partition, Events: o.n, Body: event.SealAlerts(records, o.n)})
	o.n = 0
}

// entries closes the last entry and gives all.
func (o *outbox) entries() []queue.Entry {
	if o.n > 0 {
		o.seal(o.records)
		o.records = o.records[:0]
	}
	return o.publish
}

func (o *outbox) shed(e *event.Event, d *event.Decision, now time.Time) {
	o.alert.Event, o.alert.Decision = *e, *d
	o.parked++
	o.dead = append(o.dead, queue.DeadLetter{ID: e.ID, Queue: queue.Alert, Hostname: e.Hostname, Code: queue.DeadShed,
		Reason: "more alerts waited than alerter_queue_shed_threshold allows", First: now,
		Body: event.SealAlerts(event.AppendAlertRecord(nil, &o.alert), 1)})
}

// poison parks an event that cannot be judged. v is nil when it was found poisoned in a stored row of a part
// whose dead letter is in the same Settle or an earlier one; then there is nothing to do.
func (o *outbox) poison(e *event.Event, v *verdict, now time.Time) {
	if v == nil {
		return
	}
	first := now
	if v.First != 0 {
		first = event.Time(v.First)
	}
	o.dead = append(o.dead, queue.DeadLetter{ID: e.ID, Queue: queue.Ingest, Hostname: e.Hostname, Code: queue.DeadPoison,
		Reason: v.Reason, Attempts: v.Attempts, Replays: v.Replays, First: first, Body: event.Seal(event.AppendRecord(nil, e), 1)})
}

// counts gives what this Settle adds to the book of delivery and beside it.
func (o *outbox) counts(minute int64) []queue.Count {
	all := make([]queue.Count, 0, 4) // mostly one or two buckets
	add := func(kind, label string, n int64) {
		if n > 0 {
			all = append(all, queue.Count{Minute: minute, Kind: kind, Label: label, N: n})
		}
	}
	add(queue.CountMeta, "", o.meta)
	add(queue.CountParked, "", o.parked)
	for b, n := range o.latency.N {
		add(queue.CountJudgingLatency, slo.Label(b), n)
	}
	return all
}

// publishedID names the nth entry that is published for an ingest entry: a repeat gives the same id. Like all entry ids
// it is a UUIDv7; its time is that of the ingest entry, the rest a hash.
func publishedID(seed event.ID, n int) event.ID {
	sum := sha1.Sum(binary.BigEndian.AppendUint32(append([]byte("published"), seed[:]...), uint32(n)))
	var id event.ID
	copy(id[:6], seed[:6])
	copy(id[6:], sum[:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}
