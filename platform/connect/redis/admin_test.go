package redis_test

import (
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/testkit"
)

const adminPassword = "of-the-administrator"

// administrator makes the user that administers on each server, and gives who administers name.
func administrator(t *testing.T, c redis.Config, name string, servers ...*testkit.RedisServer) *redis.Administrator {
	t.Helper()
	for _, r := range servers {
		r.Do("ACL", "SETUSER", "admin", "on", ">"+adminPassword, "~*", "&*", "+@all")
	}
	c.Credentials = offer(redis.Credential{User: "admin", Password: secret.New(adminPassword)})
	a, err := redis.NewAdministrator(c, name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// rotate adds a password on every node, moves what the servers do themselves, and removes the old one.
func rotate(t *testing.T, a *redis.Administrator, old, next secret.Secret) []redis.Node {
	t.Helper()
	ctx := t.Context()
	nodes, err := a.Nodes(ctx)
	if err != nil {
		t.Fatal(err)
	}
	each := func(do func(n redis.Node) error) {
		t.Helper()
		for range 2 { // a repeat changes nothing
			for _, n := range nodes {
				if err := do(n); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	watched := false
	each(func(n redis.Node) error { return a.MayAlter(ctx, n) })
	each(func(n redis.Node) error { return a.AddPassword(ctx, n, next) })
	check(t, a, nodes, old, true)
	check(t, a, nodes, next, true)
	each(func(n redis.Node) error {
		w, err := a.MoveReplication(ctx, n, old, next)
		watched = watched || w
		return err
	})
	if watched {
		each(func(n redis.Node) error {
			if !n.Sentinel {
				return nil
			}
			return a.MoveWatch(ctx, n, next)
		})
	}
	each(func(n redis.Node) error { return a.RemovePassword(ctx, n, old) })
	check(t, a, nodes, old, false)
	check(t, a, nodes, next, true)
	return nodes
}

func check(t *testing.T, a *redis.Administrator, nodes []redis.Node, password secret.Secret, want bool) {
	t.Helper()
	for _, n := range nodes {
		if got, err := a.Accepts(t.Context(), n, password); err != nil || got != want {
			t.Errorf("%+v accepts the password: %v, %v; want %v", n, got, err, want)
		}
	}
}

// TestAdministrator also restarts the servers: what was changed has to outlast that.
func TestAdministrator(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]testkit.RedisOptions{"config file": {}, "tls": {TLS: true}, "acl file": {ACLFile: true}} {
		for _, user := range []string{"", testkit.RedisUser} {
			t.Run(name+"/"+user, func(t *testing.T) {
				t.Parallel()
				r := testkit.Redis(t, o)
				next := secret.New("the-next-password")
				a := administrator(t, config(r), user, r)
				nodes := rotate(t, a, r.Password, next)
				r.User, r.Password = "admin", secret.New(adminPassword) // for redis-cli
				old := right(r)
				r.Stop()
				r.Start()
				check(t, a, nodes, next, true)
				check(t, a, nodes, old.Password, false)
			})
		}
	}
}

func TestAdministratorOfACluster(t *testing.T) {
	t.Parallel()
	s := testkit.RedisCluster(t, testkit.RedisOptions{})
	c := config(s.Nodes[0])
	c.Mode, c.Addrs = redis.Cluster, s.Addrs()[:1]
	a := administrator(t, c, testkit.RedisUser, s.Nodes...)
	if nodes := rotate(t, a, s.Nodes[0].Password, secret.New("the-next-password")); len(nodes) != 3 {
		t.Errorf("nodes %+v", nodes)
	}
	s.Nodes[1].Kill()
	eventually(t, func() error {
		_, err := a.Nodes(t.Context())
		if err == nil {
			return fault.New(fault.Internal, "the node that is down is not missed")
		}
		mustFail(t, err, fault.QueueUnavailable, "is down")
		return nil
	})
}

// TestAdministratorWithSentinel: the servers follow each other and are watched as the user that is rotated, and go on with that.
func TestAdministratorWithSentinel(t *testing.T) {
	t.Parallel()
	s := testkit.RedisSentinel(t, testkit.RedisOptions{})
	c := config(s.Servers[0])
	c.Mode, c.Addrs, c.Master = redis.Sentinel, s.Addrs()[:1], s.Master
	old, next := s.Servers[0].Password, secret.New("the-next-password")
	a := administrator(t, c, testkit.RedisUser, append(s.Servers, s.Sentinels...)...)
	eventually(t, func() error {
		nodes, err := a.Nodes(t.Context())
		if err == nil && len(nodes) != 5 {
			err = fault.New(fault.Internal, "the Sentinels do not all know each other")
		}
		return err
	})
	rotate(t, a, old, next)
	for _, r := range append(s.Servers, s.Sentinels...) {
		r.User, r.Password = "admin", secret.New(adminPassword)
	}
	// Every connection between them is made anew.
	for _, r := range append(s.Servers, s.Sentinels...) {
		r.Do("CLIENT", "KILL", "USER", testkit.RedisUser)
	}
	eventually(t, func() error {
		if !strings.Contains(s.Servers[1].Do("INFO", "replication"), "master_link_status:up") {
			return fault.New(fault.Internal, "the replica does not follow")
		}
		return nil
	})
	s.Servers[0].Kill()
	eventually(t, func() error {
		if s.Primary() != s.Servers[1] {
			return fault.New(fault.Internal, "there was no failover")
		}
		return nil
	})
}

func TestAdministratorRefused(t *testing.T) {
	t.Parallel()
	r := testkit.Redis(t, testkit.RedisOptions{})
	a := administrator(t, config(r), "nobody", r)
	n := redis.Node{Addr: r.Addr()}
	mustFail(t, a.MayAlter(t.Context(), n), fault.NotFound, "no such user")
	r.Do("ACL", "SETUSER", "nobody", "on", "nopass")
	mustFail(t, a.MayAlter(t.Context(), n), fault.ConfigInvalid, "any password")
	r.Do("ACL", "SETUSER", "admin", "resetpass", ">another")
	mustFail(t, a.MayAlter(t.Context(), n), fault.Forbidden, "refuses the administrator")
	a = administrator(t, config(r), "nobody", r)
	r.Do("ACL", "SETUSER", "nobody", "resetpass", ">some")
	r.Do("ACL", "SETUSER", "admin", "-client|list") // which is needed at the end
	if err := a.MayAlter(t.Context(), n); !strings.Contains(mustFail(t, err, fault.Forbidden, "may not do this").Error(), "client|list") {
		t.Errorf("it does not say what: %v", err)
	}
	r.Do("ACL", "SETUSER", "admin", ">"+adminPassword, "-@all", "+ping", "+hello", "+client", "+acl")
	mustFail(t, a.MayAlter(t.Context(), n), fault.Forbidden, "administrator of Redis may not do this")
}
