package sqliteq_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/queuetest"
)

// mutant is a driver with one mistake.
type mutant struct {
	queue.Driver
	append  func(context.Context, queue.AppendParams) error
	acquire func(context.Context, queue.LeaseParams) (queue.Lease, error)
	claim   func(context.Context, queue.ClaimParams) ([]queue.Claimed, error)
	settle  func(context.Context, queue.SettleParams) error
	release func(context.Context, queue.ReleaseParams) error
	requeue func(context.Context, queue.RequeueParams) (int, error)
	giveUp  func(context.Context, queue.Name, []event.ID) (int, error)
	purge   func(context.Context, int64) error
	depth   func(context.Context, queue.Name) (queue.Depth, error)
}

func (m *mutant) Append(ctx context.Context, p queue.AppendParams) error {
	if m.append != nil {
		return m.append(ctx, p)
	}
	return m.Driver.Append(ctx, p)
}

func (m *mutant) Acquire(ctx context.Context, p queue.LeaseParams) (queue.Lease, error) {
	if m.acquire != nil {
		return m.acquire(ctx, p)
	}
	return m.Driver.Acquire(ctx, p)
}

func (m *mutant) Claim(ctx context.Context, p queue.ClaimParams) ([]queue.Claimed, error) {
	if m.claim != nil {
		return m.claim(ctx, p)
	}
	return m.Driver.Claim(ctx, p)
}

func (m *mutant) Settle(ctx context.Context, p queue.SettleParams) error {
	if m.settle != nil {
		return m.settle(ctx, p)
	}
	return m.Driver.Settle(ctx, p)
}

func (m *mutant) Release(ctx context.Context, p queue.ReleaseParams) error {
	if m.release != nil {
		return m.release(ctx, p)
	}
	return m.Driver.Release(ctx, p)
}

func (m *mutant) Requeue(ctx context.Context, p queue.RequeueParams) (int, error) {
	if m.requeue != nil {
		return m.requeue(ctx, p)
	}
	return m.Driver.Requeue(ctx, p)
}

func (m *mutant) GiveUp(ctx context.Context, q queue.Name, ids []event.ID) (int, error) {
	if m.giveUp != nil {
		return m.giveUp(ctx, q, ids)
	}
	return m.Driver.GiveUp(ctx, q, ids)
}

func (m *mutant) Purge(ctx context.Context, before int64) error {
	if m.purge != nil {
		return m.purge(ctx, before)
	}
	return m.Driver.Purge(ctx, before)
}

func (m *mutant) Depth(ctx context.Context, q queue.Name) (queue.Depth, error) {
	if m.depth != nil {
		return m.depth(ctx, q)
	}
	return m.Driver.Depth(ctx, q)
}

// mutants pairs each mistake with a clause that must catch it.
func mutants() map[string]struct {
	clause string
	mutate func(m *mutant, d queue.Driver)
} {
	type row = struct {
		clause string
		mutate func(m *mutant, d queue.Driver)
	}
	return map[string]row{
		"append answers and forgets": {"append is durable before it returns", func(m *mutant, _ queue.Driver) {
			m.append = func(context.Context, queue.AppendParams) error { return nil }
		}},
		"append drops the last entry": {"entries of a partition come in the order of their appends", func(m *mutant, d queue.Driver) {
			m.append = func(ctx context.Context, p queue.AppendParams) error {
				p.Entries = p.Entries[:max(1, len(p.Entries)-1)]
				return d.Append(ctx, p)
			}
		}},
		"append ignores the cap": {"full says so and loses nothing", func(m *mutant, d queue.Driver) {
			m.append = func(ctx context.Context, p queue.AppendParams) error { p.Cap = 0; return d.Append(ctx, p) }
		}},
		"append ignores the cap in bytes": {"full in bytes says so, and counts what waits exactly", func(m *mutant, d queue.Driver) {
			m.append = func(ctx context.Context, p queue.AppendParams) error { p.CapBytes = 0; return d.Append(ctx, p) }
		}},
		"append ignores the reserve": {"a storage with no more than its reserve refuses what comes in and nothing else", func(m *mutant, d queue.Driver) {
			m.append = func(ctx context.Context, p queue.AppendParams) error { p.Intake = false; return d.Append(ctx, p) }
		}},
		"bytes are those of all entries ever": {"full in bytes says so, and counts what waits exactly", func(m *mutant, d queue.Driver) {
			var most int64
			m.depth = func(ctx context.Context, q queue.Name) (queue.Depth, error) {
				got, err := d.Depth(ctx, q)
				most = max(most, got.Bytes)
				got.Bytes = most
				return got, err
			}
		}},
		"append stores a repeat": {"an entry id is stored once", func(m *mutant, d queue.Driver) {
			m.append = func(ctx context.Context, p queue.AppendParams) error {
				for i := range p.Entries {
					p.Entries[i].ID = queue.NewEntryID()
				}
				return d.Append(ctx, p)
			}
		}},
		"append ignores keys": {"an idempotency key is accepted once", func(m *mutant, d queue.Driver) {
			m.append = func(ctx context.Context, p queue.AppendParams) error {
				for i := range p.Entries {
					p.Entries[i].Keys = nil
				}
				return d.Append(ctx, p)
			}
		}},
		"acquire takes a lease away": {"two holders never work on one entry within its lease", func(m *mutant, d queue.Driver) {
			m.acquire = func(ctx context.Context, p queue.LeaseParams) (queue.Lease, error) {
				p.Owner = "everybody"
				return d.Acquire(ctx, p)
			}
		}},
		"a lease never ends": {"an expired lease is redelivered, before newer entries", func(m *mutant, d queue.Driver) {
			m.acquire = func(ctx context.Context, p queue.LeaseParams) (queue.Lease, error) {
				p.TTL = 1000 * time.Hour
				return d.Acquire(ctx, p)
			}
		}},
		"ack hides that it is stale": {"a stale or double ack is harmless and reported", func(m *mutant, d queue.Driver) {
			m.settle = func(ctx context.Context, p queue.SettleParams) error {
				if err := d.Settle(ctx, p); !fault.Is(err, fault.StaleReceipt) {
					return err
				}
				return nil
			}
		}},
		"settle is two steps": {"settle is one step over both queues, or nothing", func(m *mutant, d queue.Driver) {
			m.settle = func(ctx context.Context, p queue.SettleParams) error {
				if err := d.Settle(ctx, queue.SettleParams{Lease: p.Lease, Ack: p.Ack}); err != nil {
					return err
				}
				p.Ack = nil
				return d.Settle(ctx, p)
			}
		}},
		"settle keeps the depth until the ack": {"what is settled of an entry leaves the depth at once, and for good", func(m *mutant, d queue.Driver) {
			m.settle = func(ctx context.Context, p queue.SettleParams) error {
				p.Progress = slices.Clone(p.Progress)
				for i := range p.Progress {
					p.Progress[i].Left = 0
				}
				return d.Settle(ctx, p)
			}
		}},
		"settle loses progress": {"progress stays beside an entry, also over a crash", func(m *mutant, d queue.Driver) {
			m.settle = func(ctx context.Context, p queue.SettleParams) error { p.Progress = nil; return d.Settle(ctx, p) }
		}},
		"release loses the delay": {"a delayed release honours its delay and is passed by others", func(m *mutant, d queue.Driver) {
			m.release = func(ctx context.Context, p queue.ReleaseParams) error { p.Delay = 0; return d.Release(ctx, p) }
		}},
		"release always counts": {"a release counts an attempt only when told to", func(m *mutant, d queue.Driver) {
			m.release = func(ctx context.Context, p queue.ReleaseParams) error {
				p.CountAttempt = true
				return d.Release(ctx, p)
			}
		}},
		"requeue drops": {"requeue moves dead letters and keeps what they carry", func(m *mutant, d queue.Driver) {
			m.requeue = func(ctx context.Context, p queue.RequeueParams) (int, error) {
				return d.Discard(ctx, queue.DiscardParams{Queue: p.Queue, IDs: p.IDs})
			}
		}},
		"an automatic replay forgets its number": {"an automatic replay keeps the entry's id and the number of replays", func(m *mutant, d queue.Driver) {
			m.requeue = func(ctx context.Context, p queue.RequeueParams) (int, error) {
				for i := range p.Revive {
					p.Revive[i].Replays = 0
				}
				return d.Requeue(ctx, p)
			}
		}},
		"giving up discards": {"a letter that is given up stays, and can be requeued and discarded", func(m *mutant, d queue.Driver) {
			m.giveUp = func(ctx context.Context, q queue.Name, ids []event.ID) (int, error) {
				return d.Discard(ctx, queue.DiscardParams{Queue: q, IDs: ids})
			}
		}},
		"purge deletes entries": {"purge deletes old counters and never entries", func(m *mutant, d queue.Driver) {
			m.purge = func(ctx context.Context, before int64) error { return ackAll(ctx, d, before) }
		}},
		"depth counts entries": {"full says so and loses nothing", func(m *mutant, d queue.Driver) {
			m.depth = func(ctx context.Context, q queue.Name) (queue.Depth, error) {
				depth, err := d.Depth(ctx, q)
				depth.Ready = depth.Entries
				return depth, err
			}
		}},
		"a claim is lost when its context ends": {"a claim whose context ended locks nothing", func(m *mutant, d queue.Driver) {
			m.claim = func(ctx context.Context, p queue.ClaimParams) ([]queue.Claimed, error) {
				got, err := d.Claim(context.WithoutCancel(ctx), queue.ClaimParams{Lease: p.Lease, Max: p.Max})
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				return got, err
			}
		}},
	}
}

// ackAll deletes what the alert queue's next holder would have got.
func ackAll(ctx context.Context, d queue.Driver, before int64) error {
	for _, owner := range []string{"a", "undertaker"} {
		l, err := d.Acquire(ctx, queue.LeaseParams{Queue: queue.Ingest, Owner: owner, TTL: time.Hour})
		if err != nil {
			continue
		}
		got, err := d.Claim(ctx, queue.ClaimParams{Lease: l, Max: 1})
		if err != nil || len(got) == 0 {
			continue
		}
		if err := d.Settle(ctx, queue.SettleParams{Lease: l, Ack: []event.ID{got[0].Entry}}); err != nil {
			return err
		}
	}
	return d.Purge(ctx, before)
}

// TestSuiteCatchesMutants proves that the suite notices what it claims to.
func TestSuiteCatchesMutants(t *testing.T) {
	t.Parallel()
	for name, c := range mutants() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if failed, log := queuetest.Fails(t, harness(), c.clause); failed {
				t.Fatalf("the clause fails on the right driver: %s", log)
			}
			wrong := queuetest.Harness{Open: func(t testing.TB) *queuetest.Rig {
				r := harness().Open(t)
				wrap := func(d queue.Driver) queue.Driver {
					m := &mutant{Driver: d}
					c.mutate(m, d)
					return m
				}
				crash, restart := r.Crash, r.Restart
				r.Driver = wrap(r.Driver)
				r.Crash = func() queue.Driver { return wrap(crash()) }
				r.Restart = func() queue.Driver { return wrap(restart()) }
				return r
			}}
			if failed, _ := queuetest.Fails(t, wrong, c.clause); !failed {
				t.Errorf("clause %q lets it pass", c.clause)
			}
		})
	}
}
