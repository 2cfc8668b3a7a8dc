package redis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
)

// Administrator changes the passwords of one user on every node. It makes connections for each call.
type Administrator struct {
	config Config
	user   string
}

// Node is one server of a Redis.
type Node struct {
	Addr     string // host:port
	Sentinel bool   // it watches, and keeps users of its own
}

// adminWithin bounds one call to one node.
const adminWithin = 10 * time.Second

// NewAdministrator takes how Redis is reached, with the credential of a user who may use ACL and CONFIG, and the user to administer, ""
// for the default one. It does no I/O.
func NewAdministrator(c Config, name string) (*Administrator, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	return &Administrator{c, user(Credential{User: name})}, nil
}

// AddPassword lets the user in with one more password on a node, and keeps that over a restart. It does nothing that is done already.
func (a *Administrator) AddPassword(ctx context.Context, n Node, password secret.Secret) error {
	return a.setUser(ctx, n, "#", password)
}

// RemovePassword has a node forget a password of the user, and keeps that over a restart. It does nothing that is done already. Open connections
// live on.
func (a *Administrator) RemovePassword(ctx context.Context, n Node, password secret.Secret) error {
	return a.setUser(ctx, n, "!", password)
}

// setUser gives Redis the hash of the password, so that nothing that it writes down shows the password.
func (a *Administrator) setUser(ctx context.Context, n Node, rule string, password secret.Secret) error {
	return a.on(ctx, n, func(ctx context.Context, c rueidis.Client) error {
		has, err := about(ctx, c, a.user, "passwords")
		if err != nil {
			return err
		}
		if h := hash(password); slices.Contains(has, h) != (rule == "#") {
			if err := c.Do(ctx, c.B().Arbitrary("ACL", "SETUSER").Args(a.user, rule+h).Build()).Error(); err != nil {
				return Fault(err, "change the passwords of the user of Redis")
			}
		}
		return persist(ctx, c, n)
	})
}

// Accepts reports whether a node lets the user in with a password.
func (a *Administrator) Accepts(ctx context.Context, n Node, password secret.Secret) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, adminWithin)
	defer cancel()
	c := a.single(n)
	c.Credentials = connect.Only(a.user, password)
	client, err := connectNode(ctx, c, n)
	var refused *connect.RefusedError
	switch {
	case err == nil:
		client.Close()
		return true, nil
	case errors.As(err, &refused):
		return false, nil
	default:
		return false, Fault(err, "try a password on Redis")
	}
}

// MayAlter sees that the administrator may change users on a node, that the user is there, that it needs a password, and that what is
// changed outlasts a restart.
func (a *Administrator) MayAlter(ctx context.Context, n Node) error {
	return a.on(ctx, n, func(ctx context.Context, c rueidis.Client) error {
		flags, err := about(ctx, c, a.user, "flags")
		if err != nil {
			return err
		}
		if slices.Contains(flags, "nopass") {
			return fault.New(fault.ConfigInvalid, "Redis lets the user in with any password").WithRemedy("give the user a password first: ACL SETUSER, or requirepass")
		}
		if err := a.permitted(ctx, c, n); err != nil {
			return err
		}
		return persist(ctx, c, n)
	})
}

// MoveReplication has a node use the new password for what it does itself as this user: a server that follows its primary, a Sentinel that
// speaks to the others. watched tells that Sentinels log in to the node as this user.
func (a *Administrator) MoveReplication(ctx context.Context, n Node, old, next secret.Secret) (watched bool, err error) {
	err = a.on(ctx, n, func(ctx context.Context, c rueidis.Client) error {
		if n.Sentinel {
			return a.move(ctx, c, n, []string{"SENTINEL", "CONFIG"}, "sentinel-user", "sentinel-pass", old, next)
		}
		if err := a.move(ctx, c, n, []string{"CONFIG"}, "masteruser", "masterauth", old, next); err != nil {
			return err
		}
		clients, err := c.Do(ctx, c.B().Arbitrary("CLIENT", "LIST").Build()).ToString()
		if err != nil {
			return Fault(err, "list the clients of Redis")
		}
		for line := range strings.Lines(clients) {
			watched = watched || strings.Contains(line, " name=sentinel-") && strings.Contains(line, " user="+a.user+" ")
		}
		return nil
	})
	return watched, err
}

// move sets the password that a node logs in to others with, when it does so as the user with the old one.
func (a *Administrator) move(ctx context.Context, c rueidis.Client, n Node, command []string, name, password string, old, next secret.Secret) error {
	set := map[string]string{}
	for _, one := range []string{name, password} {
		got, err := c.Do(ctx, c.B().Arbitrary(command...).Args("GET", one).Build()).AsStrMap()
		if err != nil {
			return Fault(err, "read what a node of Redis logs in to others with")
		}
		maps.Copy(set, got)
	}
	if user(Credential{User: set[name]}) != a.user || !old.Equal(secret.New(set[password])) {
		return nil
	}
	if c.Do(ctx, c.B().Arbitrary(command...).Args("SET", password, next.Reveal()).Build()).Error() != nil { // which may repeat the password
		return fault.New(fault.QueueUnavailable, "a node of Redis does not take the new password for logging in to others")
	}
	return rewrite(ctx, c, n)
}

// MoveWatch has a Sentinel use the new password for the servers that it watches.
func (a *Administrator) MoveWatch(ctx context.Context, n Node, next secret.Secret) error {
	return a.on(ctx, n, func(ctx context.Context, c rueidis.Client) error {
		if c.Do(ctx, c.B().Arbitrary("SENTINEL", "SET").Args(a.config.Master, "auth-pass", next.Reveal()).Build()).Error() != nil { // likewise
			return fault.New(fault.QueueUnavailable, "a Sentinel does not take the new password of the servers that it watches")
		}
		return rewrite(ctx, c, n)
	})
}

// single is the configuration for one node alone.
func (a *Administrator) single(n Node) Config {
	c := a.config
	c.Mode, c.Addrs, c.Master, c.Database, c.Name = Standalone, []string{n.Addr}, "", 0, "mutt-rotation"
	return c
}

func connectNode(ctx context.Context, c Config, n Node) (rueidis.Client, error) {
	d := &dialer{credentials: c.Credentials, tls: c.TLS, sentinels: n.Sentinel}
	return d.open(ctx, c.options(d))
}

// on runs fn with a connection to a node. Whoever gets an error knows which node it was.
func (a *Administrator) on(ctx context.Context, n Node, fn func(context.Context, rueidis.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, adminWithin)
	defer cancel()
	client, err := connectNode(ctx, a.single(n), n)
	if err == nil {
		defer client.Close()
		err = fn(ctx, client)
	}
	if err != nil {
		return fmt.Errorf("node %s: %w", n.Addr, Fault(disallowed(err), "administer Redis"))
	}
	return nil
}

// disallowed says what is in the way of an administrator, who is not MUTT's user.
func disallowed(err error) error {
	var refused *connect.RefusedError
	var reply *rueidis.RedisError
	switch {
	case errors.As(err, &refused):
		return fault.Wrap(fault.Forbidden, err, "Redis refuses the administrator").WithRemedy("correct the administrator's user and password")
	case !errors.As(err, &reply):
		return err
	case strings.HasPrefix(reply.Error(), "NOPERM"):
		return tooFew(reply)
	case strings.HasPrefix(reply.Error(), "ERR unknown command"):
		return fault.Wrap(fault.ConfigInvalid, reply, "this Redis does not let its users be changed by ACL and CONFIG").
			WithRemedy("a hosted or restricted Redis: change the password by the means of whoever runs it, as in docs/SECRET_ROTATION_PROCEDURE.md (By hand)")
	}
	return err
}
