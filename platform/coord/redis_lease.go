package coord

import (
	"context"
	"time"
)

// Lease implements Coord.
func (r *Redis) Lease(ctx context.Context, p LeaseParams) (Leased, error) {
	if err := p.check(); err != nil {
		return Leased{}, err
	}
	m, err := r.eval(ctx, "take a lease", r.scripts.lease, []string{r.key("lease", p.Key)},
		p.Owner, number(p.TTL.Microseconds()), number(p.Token))
	if err != nil {
		return Leased{}, err
	}
	return Leased{Granted: integer(m, 0) == 1, Token: integer(m, 1), Owner: text(m, 2),
		TTL: time.Duration(integer(m, 3)) * time.Microsecond}, nil
}

// Release implements Coord.
func (r *Redis) Release(ctx context.Context, key string, token int64) error {
	_, err := r.eval(ctx, "end a lease", r.scripts.release, []string{r.key("lease", key)}, number(token))
	return err
}

// Announce implements Coord.
func (r *Redis) Announce(ctx context.Context, p AnnounceParams) error {
	if err := p.check(); err != nil {
		return err
	}
	args := []string{p.Member}
	if p.Data != nil {
		args = append(args, number(millis(p.TTL)), string(p.Data))
	}
	_, err := r.eval(ctx, "announce a member", r.scripts.announce, []string{r.key("group", p.Group)}, args...)
	return err
}

// Members implements Coord.
func (r *Redis) Members(ctx context.Context, group string) ([]Member, error) {
	m, err := r.eval(ctx, "list members", r.scripts.members, []string{r.key("group", group)})
	if err != nil {
		return nil, err
	}
	var out []Member
	for i := 0; i < len(m); i += 2 {
		out = append(out, Member{Name: text(m, i), Data: []byte(text(m, i+1))})
	}
	sortMembers(out)
	return out, nil
}
