package rotate

import (
	"context"
	"errors"
	"slices"

	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/fault"
)

// Redis is the user of a Redis, on all of its nodes. It may have several passwords.
type Redis struct {
	Admin *redis.Administrator
}

var _ Server = (*Redis)(nil)

// each does something on every node, also after one failed.
func (r *Redis) each(ctx context.Context, do func(n redis.Node) error) error {
	nodes, err := r.Admin.Nodes(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, n := range nodes {
		errs = append(errs, do(n))
	}
	return errors.Join(errs...)
}

// Check implements Server.
func (r *Redis) Check(ctx context.Context, current, _ Secret) error {
	return r.each(ctx, func(n redis.Node) error {
		if err := r.Admin.MayAlter(ctx, n); err != nil {
			return err
		}
		accepted, err := r.Admin.Accepts(ctx, n, current)
		if err == nil && !accepted {
			err = fault.New(fault.Conflict, "the node %s of Redis does not accept REDIS_PASS_CURRENT", n.Addr).
				WithRemedy("correct it in Vault or at the server first; when a rotation by hand is under way, finish it")
		}
		return err
	})
}

// Admit implements Server.
func (r *Redis) Admit(ctx context.Context, _, next Secret, did func() error) error {
	return r.each(ctx, func(n redis.Node) error {
		if err := r.Admin.AddPassword(ctx, n, next); err != nil {
			return err
		}
		accepted, err := r.Admin.Accepts(ctx, n, next)
		return errors.Join(outcome("the node "+n.Addr, true, accepted, err), did())
	})
}

// Retire implements Server. What the servers themselves log in to each other with moves first.
func (r *Redis) Retire(ctx context.Context, next Secret, old []Secret, did func() error) error {
	watched := false
	err := r.each(ctx, func(n redis.Node) error {
		for _, s := range old {
			w, err := r.Admin.MoveReplication(ctx, n, s, next)
			if watched = watched || w; err != nil {
				return err
			}
		}
		return did()
	})
	if err == nil && watched {
		err = r.each(ctx, func(n redis.Node) error {
			if !n.Sentinel {
				return nil
			}
			return errors.Join(r.Admin.MoveWatch(ctx, n, next), did())
		})
	}
	if err != nil {
		return err
	}
	return r.each(ctx, func(n redis.Node) error {
		for _, s := range old {
			if err := r.Admin.RemovePassword(ctx, n, s); err != nil {
				return err
			}
		}
		return did()
	})
}

// Verify implements Server.
func (r *Redis) Verify(ctx context.Context, next Secret, old []Secret) error {
	return r.each(ctx, func(n redis.Node) error {
		return verify(slices.Concat([]Secret{next}, old), func(i int, s Secret) error {
			accepted, err := r.Admin.Accepts(ctx, n, s)
			return outcome("the node "+n.Addr, i == 0, accepted, err)
		})
	})
}

// Withdraw implements Server.
func (r *Redis) Withdraw(ctx context.Context, next Secret, did func() error) error {
	return r.each(ctx, func(n redis.Node) error { return errors.Join(r.Admin.RemovePassword(ctx, n, next), did()) })
}
