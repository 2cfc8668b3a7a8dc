package acceptance

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/testkit"
)

// postgresEnv gives the settings of a PostgreSQL that takes TLS only.
func postgresEnv(t *testing.T) map[string]string {
	t.Helper()
	s := testkit.Postgres(t, testkit.PostgresOptions{TLS: true})
	return map[string]string{"DB_HOST": s.Host, "DB_PORT": strconv.Itoa(s.Port), "DB_NAME": s.NewDatabase(t), "DB_USER": s.User,
		"DB_PASS_CURRENT": "wrong", "DB_PASS_NEXT": s.Password.Reveal(), "DB_TLS_ENABLED": "true", "DB_TLS_CA_CERT_PATH": s.CAFile}
}

// redisEnv gives the settings that the servers of a Redis have in common.
func redisEnv(s *testkit.RedisServer) map[string]string {
	return map[string]string{"REDIS_USER": s.User, "REDIS_PASS_CURRENT": "wrong", "REDIS_PASS_NEXT": s.Password.Reveal(),
		"REDIS_TLS_ENABLED": "true", "REDIS_CA_CERT_PATH": s.CAFile, "MUTT_QUEUE_DURABILITY": "strict"}
}

// with starts a MUTT on servers that are given by settings.
func with(t *testing.T, settings ...map[string]string) *apptest.MUTT {
	t.Helper()
	env := postgresEnv(t)
	for _, s := range settings {
		maps.Copy(env, s)
	}
	return apptest.Start(t, apptest.Options{Env: env, Rules: []byte(rules)})
}

// through sends events of many devices and sees each of them delivered.
func through(m *apptest.MUTT, what string) {
	for i := range 20 {
		m.Send(apptest.Event(fmt.Sprintf("%s-%d", what, i), down(what+strconv.Itoa(i))))
	}
	for i := range 20 {
		m.ExpectDescription(down(what + strconv.Itoa(i)))
	}
}

// TestRedisOverTLS runs on a standalone Redis and a PostgreSQL that take TLS only and know NEXT's passwords only.
func TestRedisOverTLS(t *testing.T) {
	t.Parallel()
	s := testkit.Redis(t, testkit.RedisOptions{AOF: "always", TLS: true})
	host, port, _ := strings.Cut(s.Addr(), ":")
	m := with(t, redisEnv(s), map[string]string{"REDIS_HOST": host, "REDIS_PORT": port})
	through(m, "tls")
	m.ExpectBalanced()
}

// TestRedisCluster runs on three nodes, over which the partitions are spread.
func TestRedisCluster(t *testing.T) {
	t.Parallel()
	c := testkit.RedisCluster(t, testkit.RedisOptions{AOF: "always", TLS: true})
	m := with(t, redisEnv(c.Nodes[0]), map[string]string{"REDIS_CLUSTER": strings.Join(c.Addrs(), ",")})
	through(m, "cluster")
	m.ExpectBalanced()
	for _, n := range c.Nodes {
		n.Kill()
		n.Start()
	}
	healthy(t, m)
	through(m, "again")
	m.ExpectBalanced()
}

// TestRedisSentinel loses the primary: the replica takes over, and MUTT follows by itself.
func TestRedisSentinel(t *testing.T) {
	t.Parallel()
	s := testkit.RedisSentinel(t, testkit.RedisOptions{AOF: "always", TLS: true})
	primary := s.Primary()
	m := with(t, redisEnv(primary), map[string]string{"REDIS_SENTINELS": strings.Join(s.Addrs(), ","), "REDIS_SENTINEL_MASTER": s.Master})
	through(m, "primary")
	m.ExpectBalanced()
	primary.Kill()
	healthy(t, m)
	through(m, "replica")
	m.ExpectBalanced()
}

// healthy waits until every part of the process works.
func healthy(t *testing.T, m *apptest.MUTT) {
	t.Helper()
	apptest.Eventually(t, "it is healthy again", func() (bool, any) {
		a := m.Do(http.MethodGet, m.OpsURL+"/health", nil)
		return a.Status == http.StatusOK, string(a.Body)
	})
}
