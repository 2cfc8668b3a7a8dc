package coord_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	login "github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/coord/coordtest"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/testkit"
)

// connect opens a client of one process.
func connect(tb testing.TB, s *testkit.RedisServer) rueidis.Client {
	tb.Helper()
	return open(tb, redis.Config{Addrs: []string{s.Addr()}}, s.User, s.Password)
}

func open(tb testing.TB, c redis.Config, user string, password secret.Secret) rueidis.Client {
	tb.Helper()
	c.Credentials = login.Only(user, password)
	client, err := redis.Open(tb.Context(), c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(client.Close)
	return client
}

// wait lets real time pass.
func wait(d time.Duration) { <-time.After(d) }

// namespaces gives an empty namespace of one server to each case.
func namespaces(client rueidis.Client) func(testing.TB) (coord.Coord, func(time.Duration)) {
	var n atomic.Int64
	return func(testing.TB) (coord.Coord, func(time.Duration)) {
		return coord.NewRedis(client, fmt.Sprintf("test%d:", n.Add(1))), wait
	}
}

func TestRedisConforms(t *testing.T) {
	t.Parallel()
	client := connect(t, testkit.Redis(t, testkit.RedisOptions{}))
	coordtest.Run(t, coordtest.Harness{Open: namespaces(client), Slack: 100 * time.Millisecond, Unit: 150 * time.Millisecond, RealTime: true})
}

func TestRedisClusterConforms(t *testing.T) {
	t.Parallel()
	cluster := testkit.RedisCluster(t, testkit.RedisOptions{})
	client := open(t, redis.Config{Mode: redis.Cluster, Addrs: cluster.Addrs()}, cluster.Nodes[0].User, cluster.Nodes[0].Password)
	coordtest.Run(t, coordtest.Harness{Open: namespaces(client), Slack: 100 * time.Millisecond, Unit: 150 * time.Millisecond, RealTime: true})
}

// TestRedisConformsOverRestarts restarts the server whenever time passes, so in the middle of each case that waits.
func TestRedisConformsOverRestarts(t *testing.T) {
	t.Parallel()
	coordtest.Run(t, coordtest.Harness{Slack: 500 * time.Millisecond, Unit: 250 * time.Millisecond, RealTime: true,
		Open: func(tb testing.TB) (coord.Coord, func(time.Duration)) {
			server := testkit.Redis(tb, testkit.RedisOptions{AOF: "everysec"})
			client := connect(tb, server)
			return coord.NewRedis(client, "test:"), func(d time.Duration) {
				over := time.After(d)
				server.Stop()
				server.Start()
				answers(tb, client)
				<-over
			}
		}})
}

// answers waits until the server does on each of the client's connections, some of which notice the restart only now.
func answers(tb testing.TB, client rueidis.Client) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 10*time.Second)
	defer cancel()
	for row := 0; row < 64; row++ {
		if err := client.Do(ctx, client.B().Get().Key(fmt.Sprint(row)).Build()).Error(); err != nil && !rueidis.IsRedisNil(err) {
			row = -1
		}
		if ctx.Err() != nil {
			tb.Fatal("Redis does not answer")
		}
	}
}
