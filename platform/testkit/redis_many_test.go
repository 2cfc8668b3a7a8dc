package testkit_test

import (
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/testkit"
)

func TestSentinelFailsOver(t *testing.T) {
	t.Parallel()
	s := testkit.RedisSentinel(t, testkit.RedisOptions{})
	first := s.Primary()
	if first != s.Servers[0] {
		t.Fatal("the first server is the primary at the start")
	}
	first.Kill()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(90 * time.Second); s.Primary() == first; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("no failover")
		}
	}
}

func TestClusterServesAllSlots(t *testing.T) {
	t.Parallel()
	c := testkit.RedisCluster(t, testkit.RedisOptions{AOF: "everysec", TLS: true})
	for _, key := range []string{"a", "b", "c", "d"} {
		c.Nodes[0].Do("-c", "SET", key, key)
		if got := c.Nodes[1].Do("-c", "GET", key); got != key {
			t.Fatalf("%s = %q", key, got)
		}
	}
	if n := len(c.Addrs()); n != 3 {
		t.Fatalf("%d nodes", n)
	}
}
