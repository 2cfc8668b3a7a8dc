package redis_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/testkit"
)

func set(ctx context.Context, client rueidis.Client, key, value string) error {
	return redis.Fault(client.Do(ctx, client.B().Set().Key(key).Value(value).Build()).Error(), "write")
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]testkit.RedisOptions{"plain": {}, "tls": {TLS: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testkit.RedisSentinel(t, o)
			c := config(s.Servers[0])
			c.Mode, c.Addrs, c.Master = redis.Sentinel, s.Addrs(), s.Master
			c.Credentials = offer(redis.Credential{User: testkit.RedisUser, Password: secret.New(wrong)}, right(s.Servers[0]))
			client := open(t, c)
			if err := set(t.Context(), client, "a", "1"); err != nil {
				t.Fatal(err)
			}
			s.Primary().Kill()
			eventually(t, func() error { return set(t.Context(), client, "a", "2") })
			if s.Primary() != s.Servers[1] {
				t.Fatal("it was written, but not to the replica that took over")
			}
			c.Credentials = offer(redis.Credential{User: testkit.RedisUser, Password: secret.New(wrong)})
			_, err := redis.Open(t.Context(), c)
			mustFail(t, err, fault.QueueUnavailable, "refuses the user and password")
		})
	}
}

// TestSentinelWithoutPassword is how many run it: the servers have passwords, and the Sentinels none.
func TestSentinelWithoutPassword(t *testing.T) {
	t.Parallel()
	s := testkit.RedisSentinel(t, testkit.RedisOptions{})
	for _, one := range s.Sentinels {
		one.Do("ACL", "SETUSER", "default", "nopass")
	}
	const user = "known-to-servers-only"
	for _, one := range s.Servers {
		one.Do("ACL", "SETUSER", user, "on", ">"+one.Password.Reveal(), "~*", "&*", "+@all")
	}
	c := config(s.Servers[0])
	c.Mode, c.Addrs, c.Master = redis.Sentinel, s.Addrs(), s.Master
	c.Credentials = offer(redis.Credential{User: user, Password: s.Servers[0].Password})
	if err := set(t.Context(), open(t, c), "a", "1"); err != nil {
		t.Fatal(err)
	}
}

func TestCluster(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]testkit.RedisOptions{"plain": {}, "tls": {TLS: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testkit.RedisCluster(t, o)
			c := config(s.Nodes[0])
			c.Mode, c.Addrs = redis.Cluster, s.Addrs()
			c.Credentials = offer(redis.Credential{User: testkit.RedisUser, Password: secret.New(wrong)}, right(s.Nodes[0]))
			client := open(t, c)
			for i := range 50 {
				if err := set(t.Context(), client, "key"+strconv.Itoa(i), "1"); err != nil {
					t.Fatal(err)
				}
			}
			for _, node := range s.Nodes {
				if node.Do("DBSIZE") == "0" {
					t.Fatal("a node got no key")
				}
			}
			s.Nodes[2].Kill() // and with it the slots of 'a'
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			mustFail(t, set(ctx, client, "a", "1"), fault.QueueUnavailable, "write")
		})
	}
}

func TestConfigs(t *testing.T) {
	t.Parallel()
	r := testkit.Redis(t, testkit.RedisOptions{})
	for words, c := range map[string]redis.Config{
		"no address":       {},
		"name of":          {Mode: redis.Sentinel, Addrs: []string{r.Addr()}},
		"no database 1":    {Mode: redis.Cluster, Addrs: []string{r.Addr()}, Database: 1},
		"2 addresses":      {Addrs: []string{r.Addr(), r.Addr()}},
		"not run as a Clu": {Mode: redis.Cluster, Addrs: []string{r.Addr()}, Credentials: offer(right(r))},
	} {
		_, err := redis.Open(t.Context(), c)
		mustFail(t, err, fault.ConfigInvalid, words)
	}
}
