package app

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/queue/redisq"
	"github.com/muttproject/mutt/platform/secret/secrets"
)

func load(t *testing.T, environ ...string) Config {
	t.Helper()
	c, warnings, err := LoadConfig(environ)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v %v", err, warnings)
	}
	return c
}

func TestDistributed(t *testing.T) {
	t.Parallel()
	c := load(t, "REDIS_HOST=redis.example", "REDIS_PORT=tcp://10.0.0.1:6380", "REDIS_DB=3", "REDIS_PASS=old", "REDIS_PASS_CURRENT=now", "REDIS_PASS_NEXT=soon",
		"DB_HOST=::1", "DB_PORT=5433", "DB_PASS=only", "DB_TLS_ENABLED=true", "MUTT_QUEUE_PARTITIONS=64", "MUTT_QUEUE_DURABILITY=strict")
	r, p := c.Redis, c.Postgres
	if !c.Distributed() || r.Mode() != redis.Standalone || !cmp.Equal(r.Addrs(), []string{"redis.example:6380"}) || r.Database != 3 || p.Host != "::1" || p.Port != 5433 ||
		p.Database != "mutt" || !p.TLS.Enabled || !r.TLS.Enabled || c.Queue.Partitions != 64 || c.Queue.Durability != redisq.Strict || c.Queue.KeyPrefix != "mutt" {
		t.Fatalf("got %+v", c)
	}
	set, err := secrets.NewSet(c.settingValues())
	if err != nil {
		t.Fatal(err)
	}
	inRedis, inPostgres := redisCredentials(&r, set), postgresCredentials(&p, set)
	if len(inRedis) != 2 || inRedis[0].Password.Reveal() != "now" || inRedis[1].Password.Reveal() != "soon" || len(inPostgres) != 1 || inPostgres[0].Password.Reveal() != "only" {
		t.Fatal("the current password comes before the next, and replaces the legacy one")
	}
	if c := load(t); c.Distributed() || c.Check(Roles()) != nil {
		t.Fatal("nothing set is embedded")
	}
	if c := load(t, "REDIS_SENTINELS=a:1, b:2", "REDIS_SENTINEL_MASTER=m"); c.Redis.Mode() != redis.Sentinel || len(c.Redis.Addrs()) != 2 || c.Check(RoleSet{Ingestor}) != nil {
		t.Fatalf("got %+v", c.Redis)
	}
	if c := load(t, "REDIS_CLUSTER=a:1"); c.Redis.Mode() != redis.Cluster {
		t.Fatalf("got %+v", c.Redis)
	}
}

func TestHalfAConfiguration(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		roles   RoleSet
		environ string
		names   string // "" when it is whole
	}{
		{RoleSet{Ingestor, Forwarder}, "REDIS_HOST=r", ""},
		{Roles(), "REDIS_HOST=r DB_HOST=d", ""},
		{RoleSet{Alerter}, "REDIS_HOST=r", "DB_HOST"},
		{RoleSet{Ingestor, Janitor}, "REDIS_HOST=r", "DB_HOST"},
		{RoleSet{Ingestor}, "DB_HOST=d", "REDIS_HOST"},
		{RoleSet{Ingestor}, "REDIS_SENTINELS=s:1", "REDIS_SENTINEL_MASTER"},
		{RoleSet{Ingestor}, "REDIS_CLUSTER=s:1 REDIS_HOST=r", "exclude"},
		{RoleSet{Ingestor}, "REDIS_CLUSTER=s:1 REDIS_DB=1", "REDIS_DB"},
		{Roles(), "DB_POOL_MIN_CONN=11", "DB_POOL_MAX_CONN"},
		{Roles(), "MOOG_AUTH_SCHEME=basic", "MOOG_AUTH_USER"},
	} {
		c := load(t, strings.Fields(tc.environ)...)
		err := c.Check(tc.roles)
		if (err == nil) != (tc.names == "") || err != nil && !strings.Contains(err.Error(), tc.names) {
			t.Errorf("%v %s: %v", tc.roles, tc.environ, err)
		}
	}
}
