package app

import (
	"net"
	"strconv"
	"strings"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
)

// The forms of a Redis.
const (
	RedisStandalone = "standalone"
	RedisSentinel   = "sentinel"
	RedisCluster    = "cluster"
)

// RedisConfig says where Redis is and how to log in. Without Addrs there is none.
type RedisConfig struct {
	Mode      string   // RedisStandalone, RedisSentinel or RedisCluster
	Addrs     []string // host:port of Redis, of the Sentinels, or of some nodes of the Cluster
	Master    string   // the name of the master, with Sentinel
	User      string   // "" is Redis's default user
	Database  int
	TLS       bool
	CAFile    string          // PEM; "" takes the system's authorities
	Passwords []secret.Secret // in the order to try

	host               string
	port               int
	sentinels, cluster []string
	legacy, now, next  secret.Secret
}

// PostgresConfig says where PostgreSQL is and how to log in. Without a Host there is none.
type PostgresConfig struct {
	Host               string
	Port               int
	Name               string // of the database
	User, UserNext     string // UserNext belongs to the last password when it is set
	Passwords          []secret.Secret
	TLS                bool
	CAFile             string // PEM; "" takes the system's authorities
	MinConns, MaxConns int

	legacy, now, next secret.Secret
}

// Distributed reports whether the process works on Redis and PostgreSQL instead of the data directory.
func (c *Config) Distributed() bool { return len(c.Redis.Addrs) > 0 || c.Postgres.Host != "" }

// derive fills what follows from the settings.
func (c *Config) derive() {
	r, p := &c.Redis, &c.Postgres
	switch {
	case len(r.sentinels) > 0:
		r.Mode, r.Addrs = RedisSentinel, r.sentinels
	case len(r.cluster) > 0:
		r.Mode, r.Addrs = RedisCluster, r.cluster
	case r.host != "":
		r.Mode, r.Addrs = RedisStandalone, []string{net.JoinHostPort(r.host, strconv.Itoa(r.port))}
	}
	r.Passwords, p.Passwords = passwords(r.legacy, r.now, r.next), passwords(p.legacy, p.now, p.next)
}

// passwords gives the order to try: the current one, which replaces the legacy name's, then the next.
func passwords(legacy, now, next secret.Secret) (order []secret.Secret) {
	if now.Empty() {
		now = legacy
	}
	for _, s := range []secret.Secret{now, next} {
		if !s.Empty() {
			order = append(order, s)
		}
	}
	return order
}

// Check refuses a configuration that is half of one for these roles, and says what is missing.
func (c *Config) Check(roles RoleSet) error {
	var wrong []string
	say := func(bad bool, what string) {
		if bad {
			wrong = append(wrong, what)
		}
	}
	r, p := &c.Redis, &c.Postgres
	given := 0
	for _, yes := range []bool{r.host != "", len(r.sentinels) > 0, len(r.cluster) > 0} {
		if yes {
			given++
		}
	}
	say(given > 1, "REDIS_HOST, REDIS_SENTINELS and REDIS_CLUSTER exclude each other: set one of them")
	say(r.Mode == RedisSentinel && r.Master == "", "REDIS_SENTINELS needs REDIS_SENTINEL_MASTER, the name of the master")
	say(r.Mode == RedisCluster && r.Database != 0, "a Redis Cluster has database 0 only: leave REDIS_DB out")
	say(p.Host != "" && len(r.Addrs) == 0, "DB_HOST is set and Redis is not: set REDIS_HOST, REDIS_SENTINELS or REDIS_CLUSTER too")
	say(p.Host == "" && len(r.Addrs) > 0 && roles.Any([]Role{Alerter, UI, Janitor}),
		"Redis is set and PostgreSQL is not, which the roles alerter, ui and janitor need: set DB_HOST too")
	say(p.MinConns > p.MaxConns, "DB_POOL_MIN_CONN is above DB_POOL_MAX_CONN")
	if len(wrong) > 0 {
		return fault.New(fault.ConfigInvalid, "%s", strings.Join(wrong, "; "))
	}
	return nil
}
