package redisq_test

import (
	"testing"

	"github.com/redis/rueidis"

	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/queue/queuetest"
	"github.com/muttproject/mutt/platform/testkit"
)

func TestContract(t *testing.T) {
	t.Parallel()
	s := testkit.Redis(t, testkit.RedisOptions{AOF: "everysec"})
	queuetest.Run(t, sharing(func(t testing.TB) rueidis.Client { return connect(t, redis.Standalone, s) }))
}

// TestContractOverCrashes holds the contract when each crash and each restart is also one of Redis.
func TestContractOverCrashes(t *testing.T) {
	t.Parallel()
	queuetest.Run(t, crashing(t))
}

// TestContractOnACluster holds the contract where the partitions lie on different nodes.
func TestContractOnACluster(t *testing.T) {
	t.Parallel()
	c := testkit.RedisCluster(t, testkit.RedisOptions{AOF: "everysec"})
	queuetest.Run(t, sharing(func(t testing.TB) rueidis.Client { return connect(t, redis.Cluster, c.Nodes[0], c.Addrs()...) }))
}
