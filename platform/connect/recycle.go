package connect

import (
	"context"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"
)

// lookEvery is how often open connections are compared with what the source gives.
const lookEvery = time.Second

// checkEvery is how often a process logs in anew while a NEXT is there: so it notices a rotation at the server, which open connections do not.
const checkEvery = 10 * time.Second

// Turnover is what has to be done after a rotation.
type Turnover struct {
	// Unverified is a server at which one login should say what works: the preferred credential is new, or another one was accepted since
	// its connections were opened, or there is a NEXT and the last login was long ago. "" when there is none.
	Unverified string
	// Due is how many connections of before should be replaced now: those are Retired. Waiting ones come later.
	Due, Waiting int
}

// Recycler replaces the connections that logged in with a credential that is no longer the preferred one.
type Recycler struct {
	Credentials *Credentials
	// Verify logs in to a server once, by way of Login.
	Verify func(ctx context.Context, server string) error
	// Replace replaces the connections that are Retired, without failing whoever uses them.
	Replace func(ctx context.Context) error

	since time.Time // when there was first something to do; of Run
}

// Run works until ctx ends. What fails is repeated, ever more slowly.
func (r *Recycler) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var failures int
	var again time.Time
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if time.Now().Before(again) {
			continue
		}
		if err := r.look(ctx); err != nil && ctx.Err() == nil {
			again = time.Now().Add(doubled(lookEvery, failures, lastWait))
			failures++
			r.Credentials.opts.Log.Debug("connections of an old credential are not replaced yet", zap.Error(err))
			continue
		}
		failures = 0
	}
}

func (r *Recycler) look(ctx context.Context) error {
	t := r.Credentials.Turnover()
	r.tell(t)
	if t.Unverified != "" {
		if err := r.Verify(ctx, t.Unverified); err != nil {
			return err
		}
		t = r.Credentials.Turnover()
	}
	if t.Due == 0 {
		return nil
	}
	return r.Replace(ctx)
}

// tell logs when connections were replaced. A login that only looks whether NEXT works by now is not told of.
func (r *Recycler) tell(t Turnover) {
	switch idle := t.Due+t.Waiting == 0; {
	case !idle && r.since.IsZero():
		r.since = time.Now()
	case idle && !r.since.IsZero():
		s := r.Credentials.Status()
		r.Credentials.opts.Log.Info("connections were looked at after a change of credentials: "+s.Reason, zap.Duration("took", time.Since(r.since)))
		r.since = time.Time{}
	}
}

// Turnover compares the open connections with what the source gives, and retires those whose time has come.
func (c *Credentials) Turnover() (t Turnover) {
	all, now := c.all(), time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		d := c.doors[conn.server]
		one, known, accepted := d.preferred(all, now)
		if known && len(all) > 1 && now.Sub(d.seen) >= checkEvery {
			t.Unverified = conn.server
		}
		switch {
		case !known, one.equal(conn.one):
			conn.due = time.Time{}
			conn.retired.Store(false)
			if known && !accepted && d.trusted != nil { // a rotation was taken back before its connections were replaced
				t.Unverified = conn.server
			}
		case !accepted:
			t.Unverified = conn.server
		case conn.due.IsZero():
			conn.due = now.Add(rand.N(c.opts.Within + 1))
			t.Waiting++
		case now.Before(conn.due):
			t.Waiting++
		default:
			conn.retired.Store(true)
			t.Due++
		}
	}
	return t
}
