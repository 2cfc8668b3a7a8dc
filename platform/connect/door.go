package connect

import (
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"
)

// Times between tries that may be refused.
const (
	firstWait = time.Second      // after all were refused; doubled each time
	lastWait  = 30 * time.Second // so long does it take at the most until a password that was corrected at the server works
	// A refused credential stands back behind one that works. It is tried first again after firstBack, doubled each time up to
	// lastBack, as it may have been set at the server later than here.
	firstBack = time.Minute
	lastBack  = 10 * time.Minute
	// A server without connections, where nobody wanted in for forgotten, is none of ours any more: a node that left.
	forgotten = 2 * lastWait
)

// door is what is known of one server. Its fields but turn are guarded by the Credentials' mutex.
type door struct {
	server string
	turn   chan struct{} // held by the one login that may be refused

	trusted  *Credential // accepted last, and not refused since
	refusals []refusal
	failures int       // visits in a row in which all were refused
	opens    time.Time // before that only what was never tried is
	last     error     // what the server said to the last refused one
	seen     time.Time // when somebody last wanted in
}

// refusal is a credential that stands back.
type refusal struct {
	one   Credential
	times int
	until time.Time
}

func (c *Credentials) door(server string) *door {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.doors[server]
	if d == nil {
		c.forget()
		d = &door{server: server, turn: make(chan struct{}, 1)}
		c.doors[server] = d
	}
	d.seen = time.Now()
	return d
}

// forget drops the servers that are none of ours any more.
func (c *Credentials) forget() {
	served := c.served()
	maps.DeleteFunc(c.doors, func(_ string, d *door) bool { return d.gone(served) })
}

// served gives the servers to which connections are open.
func (c *Credentials) served() map[string]bool {
	out := map[string]bool{}
	for conn := range c.open {
		out[conn.server] = true
	}
	return out
}

func (d *door) gone(served map[string]bool) bool {
	return !served[d.server] && time.Since(d.seen) > forgotten
}

// order gives what to try now: first what does not stand back, in the order of the source, then the rest. While the
// door is closed the rest is not tried.
func (c *Credentials) order(d *door) []Credential {
	all := c.all()
	c.mu.Lock()
	defer c.mu.Unlock()
	return d.order(all, time.Now())
}

func (d *door) order(all []Credential, now time.Time) []Credential {
	d.refusals = slices.DeleteFunc(d.refusals, func(r refusal) bool { return !slices.ContainsFunc(all, r.one.equal) })
	closed := now.Before(d.opens)
	var first, rest []Credential
	for _, one := range all {
		i := d.refusal(one)
		switch {
		case i < 0, !closed && !now.Before(d.refusals[i].until):
			first = append(first, one)
		case !closed:
			rest = append(rest, one)
		}
	}
	return append(first, rest...)
}

func (d *door) refusal(one Credential) int {
	return slices.IndexFunc(d.refusals, func(r refusal) bool { return r.one.equal(one) })
}

// trusted gives the credential that any number of logins may use at once: the preferred one, if it was accepted.
func (c *Credentials) trusted(d *door) (Credential, bool) {
	all := c.all()
	c.mu.Lock()
	defer c.mu.Unlock()
	one, known, accepted := d.preferred(all, time.Now())
	return one, known && accepted
}

// preferred gives the credential that a new connection should use, and whether the server accepted it.
func (d *door) preferred(all []Credential, now time.Time) (one Credential, known, accepted bool) {
	order := d.order(all, now)
	if len(order) == 0 {
		return one, false, false
	}
	return order[0], true, d.trusted != nil && d.trusted.equal(order[0])
}

func (c *Credentials) accepted(d *door, one Credential) {
	all := c.all()
	c.mu.Lock()
	defer c.mu.Unlock()
	back := d.failures > 0
	if i := d.refusal(one); i >= 0 {
		d.refusals = slices.Delete(d.refusals, i, i+1)
	}
	changed := d.trusted == nil || !d.trusted.equal(one)
	d.trusted, d.failures, d.opens, d.last = &one, 0, time.Time{}, nil
	log := c.opts.Log.With(zap.String("server", d.server), zap.String("credential", one.Label()))
	switch {
	case changed && len(all) > 0 && !all[0].equal(one):
		log.Warn("logged in with another credential than the current one, which was refused", zap.String("refused", all[0].Label()))
	case back:
		log.Info("logged in again")
	}
}

func (c *Credentials) turnedDown(d *door, one Credential, said error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d.trusted != nil && d.trusted.equal(one) {
		d.trusted = nil
	}
	d.last = said
	i := d.refusal(one)
	if i < 0 {
		d.refusals, i = append(d.refusals, refusal{one: one}), len(d.refusals)
	}
	r := &d.refusals[i]
	r.until = time.Now().Add(doubled(firstBack, r.times, lastBack))
	r.times++
}

// shut closes the door for a while after all were refused, and says so.
func (c *Credentials) shut(d *door) error {
	c.mu.Lock()
	d.opens = time.Now().Add(doubled(firstWait, d.failures, lastWait))
	d.failures++
	first := d.failures == 1
	c.mu.Unlock()
	err := c.refused(d)
	if first {
		c.opts.Log.Error("the server refuses every credential", zap.String("server", d.server), zap.Strings("credentials", err.Labels))
	}
	return err
}

// refused describes a door at which all were refused.
func (c *Credentials) refused(d *door) *RefusedError {
	e := &RefusedError{}
	for _, one := range c.all() {
		e.Labels = append(e.Labels, one.Label())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e.Wait, e.Last = max(time.Until(d.opens), 0), d.last
	return e
}

// doubled is a wait after so many failures before.
func doubled(first time.Duration, failures int, last time.Duration) time.Duration {
	return min(first<<min(failures, 16), last)
}
