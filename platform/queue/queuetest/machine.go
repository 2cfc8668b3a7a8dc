package queuetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// machine drives a driver and the model with the same calls.
type machine struct {
	*fixture
	m      *model
	leases []queue.Lease // the last ones given, alive or not
}

// checkModel runs random sequences of calls.
func checkModel(t *testing.T, h Harness) {
	rapid.Check(t, func(rt *rapid.T) {
		f := newFixture(t, h)
		defer f.Close()
		x := &machine{fixture: f, m: newModel()}
		rt.Repeat(map[string]func(*rapid.T){
			"":          x.check,
			"append":    x.append,
			"acquire":   x.acquire,
			"renew":     x.renew,
			"yield":     x.yield,
			"claim":     x.claim,
			"claimMore": x.claim,
			"settle":    x.settle,
			"settle2":   x.settle,
			"release":   x.release,
			"advance":   x.advance,
			"stepWall":  x.stepWall,
			"requeue":   x.requeue,
			"giveUp":    x.giveUp,
			"stored":    x.stored,
			"discard":   x.discard,
			"crash":     x.crash,
		})
	})
}

// agree wants an error with this code, or none for "".
func agree(t *rapid.T, what string, err error, code fault.Code) {
	t.Helper()
	if got := fault.CodeOf(err); got != code {
		t.Fatalf("%s: want %q, got %v", what, code, err)
	}
}

func drawQueue(t *rapid.T) queue.Name { return rapid.SampledFrom(queue.Names()).Draw(t, "queue") }

func (x *machine) drawEntry(t *rapid.T, q queue.Name) queue.Entry {
	l := x.m.lane(q)
	if len(l.entries) > 0 && rapid.IntRange(0, 7).Draw(t, "repeat") == 0 {
		return rapid.SampledFrom(l.entries).Draw(t, "stored").Entry
	}
	e := entry(rapid.IntRange(1, 5).Draw(t, "events"))
	e.Queue, e.Body = q, append(e.Body, make([]byte, rapid.IntRange(0, 3000).Draw(t, "size"))...)
	return e
}

func (x *machine) drawLease(t *rapid.T) queue.Lease {
	if len(x.leases) == 0 {
		t.Skip("no lease yet")
	}
	return x.leases[max(0, len(x.leases)-1-rapid.IntRange(0, 3).Draw(t, "lease"))]
}

// drawClaimed draws some of what is claimed, and now and then something that is not.
func (x *machine) drawClaimed(t *rapid.T, l *modelLane) []event.ID {
	in := sortedIDs(l.entries, func(e *modelEntry) bool { return e.claimed })
	var some []event.ID
	for _, id := range in {
		if rapid.Bool().Draw(t, "take") {
			some = append(some, id)
		}
	}
	if rapid.IntRange(0, 9).Draw(t, "stale") == 0 {
		some = append(some, queue.NewEntryID())
	}
	return some
}

func (x *machine) append(t *rapid.T) {
	e := x.drawEntry(t, drawQueue(t))
	agree(t, "append", x.d.Append(x.ctx(), queue.AppendParams{Entries: []queue.Entry{e}}), "")
	x.m.append(e)
}

func (x *machine) acquire(t *rapid.T) {
	l := x.m.lane(drawQueue(t))
	owner := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "owner")
	ttl := time.Duration(rapid.IntRange(10, 100).Draw(t, "ttl")) * x.Unit
	got, err := x.d.Acquire(x.ctx(), queue.LeaseParams{Queue: l.queue, Owner: owner, TTL: ttl})
	if x.m.alive(l) && l.owner != owner {
		agree(t, "acquire", err, fault.LeaseHeld)
		return
	}
	agree(t, "acquire", err, "")
	if x.m.alive(l) {
		if got.Token != l.token {
			t.Fatalf("a renewed lease has token %d, not %d", got.Token, l.token)
		}
	} else {
		if got.Token <= l.token {
			t.Fatalf("token %d after %d", got.Token, l.token)
		}
		l.handOver()
	}
	l.token, l.owner, l.until = got.Token, owner, x.m.lease+ttl
	x.leases = append(x.leases, got)
}

// lost is the code that a lease that is not alive gets.
func (x *machine) lost(q queue.Lease) fault.Code {
	if x.m.holds(q) {
		return ""
	}
	return fault.LeaseLost
}

func (x *machine) renew(t *rapid.T) {
	q := x.drawLease(t)
	agree(t, "renew", x.d.Renew(x.ctx(), q, 50*x.Unit), x.lost(q))
	if x.m.holds(q) {
		x.m.lane(q.Queue).until = x.m.lease + 50*x.Unit
	}
}

func (x *machine) yield(t *rapid.T) {
	q := x.drawLease(t)
	agree(t, "yield", x.d.Yield(x.ctx(), q), "")
	if x.m.holds(q) {
		l := x.m.lane(q.Queue)
		l.owner = ""
		l.handOver()
	}
}

func (x *machine) claim(t *rapid.T) {
	q, most := x.drawLease(t), rapid.IntRange(1, 4).Draw(t, "most")
	got, err := x.d.Claim(x.ctx(), queue.ClaimParams{Lease: q, Max: most})
	agree(t, "claim", err, x.lost(q))
	if !x.m.holds(q) {
		return
	}
	want := x.m.claim(x.m.lane(q.Queue), most)
	ignore := cmpopts.IgnoreFields(queue.Claimed{}, "AppendedAt")
	if diff := cmp.Diff(want, got, ignore, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("claimed (-want +got):\n%s", diff)
	}
}

func (x *machine) settle(t *rapid.T) {
	q := x.drawLease(t)
	l := x.m.lane(q.Queue)
	p := queue.SettleParams{Lease: q, Ack: x.drawClaimed(t, l)}
	for _, id := range x.drawClaimed(t, l) {
		p.Progress = append(p.Progress, queue.Progress{Entry: id, Note: fmt.Append(nil, "at ", x.m.lease), Left: rapid.IntRange(0, 4).Draw(t, "left")})
	}
	if rapid.Bool().Draw(t, "publish") {
		p.Publish = append(p.Publish, x.drawEntry(t, drawQueue(t)))
	}
	if rapid.IntRange(0, 3).Draw(t, "bury") == 0 {
		p.Dead = append(p.Dead, deadLetter(drawQueue(t)))
		p.Counts = append(p.Counts, queue.Count{Minute: 1, Kind: queue.CountParked, N: 1})
	}
	err := x.d.Settle(x.ctx(), p)
	noted := make([]event.ID, 0, len(p.Progress))
	for _, n := range p.Progress {
		noted = append(noted, n.Entry)
	}
	switch {
	case !x.m.holds(q):
		agree(t, "settle", err, fault.LeaseLost)
	case !l.claimedAll(p.Ack) || !l.claimedAll(noted):
		agree(t, "settle", err, fault.StaleReceipt)
	default:
		agree(t, "settle", err, "")
		x.m.settle(l, &p)
	}
}

func (x *machine) release(t *rapid.T) {
	q := x.drawLease(t)
	l := x.m.lane(q.Queue)
	p := queue.ReleaseParams{Lease: q, Entries: x.drawClaimed(t, l), Reason: rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "reason"),
		Delay: time.Duration(rapid.SampledFrom([]int{0, 5, 30}).Draw(t, "delay")) * x.Unit, CountAttempt: rapid.Bool().Draw(t, "attempt")}
	err := x.d.Release(x.ctx(), p)
	switch {
	case !x.m.holds(q):
		agree(t, "release", err, fault.LeaseLost)
	case !l.claimedAll(p.Entries):
		agree(t, "release", err, fault.StaleReceipt)
	default:
		agree(t, "release", err, "")
		x.m.release(l, &p)
	}
}

func (x *machine) advance(t *rapid.T) {
	d := time.Duration(rapid.IntRange(1, 40).Draw(t, "units")) * x.Unit
	x.Advance(d)
	x.m.lease += d
	x.m.wall += d
}

func (x *machine) stepWall(t *rapid.T) {
	d := time.Duration(rapid.IntRange(-20, 20).Draw(t, "units")) * x.Unit
	x.StepWall(d)
	x.m.wall += d
}

func (x *machine) drawDead(t *rapid.T, q queue.Name) []event.ID {
	some := []event.ID{}
	for _, d := range x.m.dead[q] {
		if rapid.Bool().Draw(t, "take") {
			some = append(some, d.ID)
		}
	}
	return some
}

func (x *machine) requeue(t *rapid.T) {
	q := drawQueue(t)
	p := queue.RequeueParams{Queue: q, Limit: 2, Minute: 1}
	ids := p.IDs
	switch rapid.IntRange(0, 2).Draw(t, "way") {
	case 0:
		p.IDs = x.drawDead(t, q)
		ids = p.IDs
	case 1:
		ids, p.Revive = x.drawDead(t, q), []queue.Revival{}
		for _, id := range ids {
			p.Revive = append(p.Revive, queue.Revival{ID: id, Entry: queue.NewEntryID(), Replays: rapid.IntRange(0, 3).Draw(t, "replays")})
		}
	}
	n, err := x.d.Requeue(x.ctx(), p)
	agree(t, "requeue", err, "")
	taken := x.m.takeDead(q, ids, p.Limit)
	if n != len(taken) {
		t.Fatalf("requeued %d, not %d", n, len(taken))
	}
	var chosen []event.ID
	for i, r := range p.Revive {
		taken[i].Replays = r.Replays
		chosen = append(chosen, r.Entry)
	}
	stored, err := x.d.Stored(x.ctx(), q, chosen)
	agree(t, "stored", err, "")
	if diff := cmp.Diff(chosen, stored, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("entries of a replay (-chosen +stored):\n%s", diff)
	}
	x.learn(t, q, taken)
}

// learn finds out the ids of requeued entries, which the driver made, by claiming all that is there.
func (x *machine) learn(t *rapid.T, q queue.Name, taken []queue.DeadLetter) {
	l := x.m.lane(q)
	if len(taken) == 0 {
		return
	}
	if x.m.alive(l) {
		agree(t, "yield", x.d.Yield(x.ctx(), queue.Lease{Queue: q, Owner: l.owner, Token: l.token}), "")
	}
	lease, err := x.d.Acquire(x.ctx(), queue.LeaseParams{Queue: q, Owner: "a", TTL: 100 * x.Unit})
	agree(t, "acquire", err, "")
	l.handOver()
	l.token, l.owner, l.until = lease.Token, "a", x.m.lease+100*x.Unit
	x.leases = append(x.leases, lease)
	got, err := x.d.Claim(x.ctx(), queue.ClaimParams{Lease: lease, Max: 1 << 20})
	agree(t, "claim", err, "")
	if len(got) < len(taken) {
		t.Fatalf("of %d requeued %d are there", len(taken), len(got))
	}
	for i, d := range taken {
		id := got[len(got)-len(taken)+i].Entry
		l.entries = append(l.entries, &modelEntry{Entry: queue.Entry{ID: id, Queue: q, Events: 1, Body: d.Body}, attempts: d.Attempts, replays: d.Replays, reason: d.Reason})
	}
	want := x.m.claim(l, 1<<20)
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(queue.Claimed{}, "AppendedAt"), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("claimed after a requeue (-want +got):\n%s", diff)
	}
}

func (x *machine) giveUp(t *rapid.T) {
	q := drawQueue(t)
	list := x.drawDead(t, q)
	n, err := x.d.GiveUp(x.ctx(), q, append(list, queue.NewEntryID()))
	agree(t, "give up", err, "")
	if want := x.m.giveUp(list); n != want {
		t.Fatalf("gave up %d, not %d", n, want)
	}
}

func (x *machine) stored(t *rapid.T) {
	q := drawQueue(t)
	var asked, want []event.ID
	for _, l := range x.m.lanes {
		for _, e := range l.entries {
			asked = append(asked, e.ID)
			if l.queue == q {
				want = append(want, e.ID)
			}
		}
	}
	got, err := x.d.Stored(x.ctx(), q, append(asked, queue.NewEntryID()))
	agree(t, "stored", err, "")
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("stored entries of %s (-want +got):\n%s", q, diff)
	}
}

func (x *machine) discard(t *rapid.T) {
	q := drawQueue(t)
	list := x.drawDead(t, q)
	n, err := x.d.Discard(x.ctx(), queue.DiscardParams{Queue: q, IDs: list})
	agree(t, "discard", err, "")
	if taken := x.m.takeDead(q, list, 0); n != len(taken) {
		t.Fatalf("discarded %d, not %d", n, len(taken))
	}
}

func (x *machine) crash(*rapid.T) {
	x.fixture.crash()
	x.Advance(x.ttl() + x.Unit)
	x.m.lease += x.ttl() + x.Unit
	x.m.wall += x.ttl() + x.Unit
}

// check compares what the driver says of itself.
func (x *machine) check(t *rapid.T) {
	for _, q := range queue.Names() {
		got, err := x.d.Depth(x.ctx(), q)
		agree(t, "depth", err, "")
		live, claimed, entries, sure := x.m.depth(q)
		if got.Live() != live || got.Entries != int64(entries) || got.Dead != int64(len(x.m.dead[q])) || sure && got.Claimed != claimed {
			t.Fatalf("depth of %s is %+v, want %d live, %d claimed (sure: %v), %d entries, %d dead", q, got, live, claimed, sure, entries, len(x.m.dead[q]))
		}
		if want := x.m.lane(q).bytes(); got.Bytes != want {
			t.Fatalf("%s holds %d bytes, want %d", q, got.Bytes, want)
		}
		items, err := x.d.Dead(x.ctx(), queue.DeadParams{Queue: q, Limit: 1000})
		agree(t, "dead", err, "")
		if diff := cmp.Diff(x.m.dead[q], letters(items), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("dead letters of %s (-want +got):\n%s", q, diff)
		}
		for _, i := range items {
			if i.GivenUp != x.m.given[i.ID] {
				t.Fatalf("dead letter %s of %s is given up: %v, want %v", i.ID, q, i.GivenUp, !i.GivenUp)
			}
		}
	}
	all, err := x.d.Counters(x.ctx(), 0)
	agree(t, "counters", err, "")
	var parked int64
	for _, c := range all {
		if c.Kind == queue.CountParked {
			parked += c.N
		}
	}
	if parked != x.m.total[queue.CountParked] {
		t.Fatalf("%d parked, want %d", parked, x.m.total[queue.CountParked])
	}
}
