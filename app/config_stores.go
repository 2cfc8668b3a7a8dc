package app

import (
	"net"
	"strconv"
	"strings"

	"github.com/muttproject/mutt/platform/config/static"
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
	Mode                  string   // RedisStandalone, RedisSentinel or RedisCluster
	Addrs                 []string // host:port of Redis, of the Sentinels, or of some nodes of the Cluster
	Master                string   // the name of the master, with Sentinel
	User                  string   // "" is Redis's default user
	Database              int
	TLS                   bool
	CAFile                string // PEM; "" takes the system's authorities
	ClientCert, ClientKey string // PEM; what the server may ask for

	host               string
	port               int
	sentinels, cluster []string
	password, next     secret.Secret
}

// PostgresConfig says where PostgreSQL is and how to log in. Without a Host there is none.
type PostgresConfig struct {
	Host                  string
	Port                  int
	Name                  string // of the database
	User, UserNext        string // UserNext belongs to the next password when it is set
	TLS                   bool
	CAFile                string // PEM; "" takes the system's authorities
	ClientCert, ClientKey string // PEM; what the server may ask for
	MinConns, MaxConns    int

	password, next secret.Secret
}

// Distributed reports whether the process works on Redis and PostgreSQL instead of the data directory.
func (c *Config) Distributed() bool { return len(c.Redis.Addrs) > 0 || c.Postgres.Host != "" }

// derive fills what follows from the settings.
func (c *Config) derive() {
	r := &c.Redis
	switch {
	case len(r.sentinels) > 0:
		r.Mode, r.Addrs = RedisSentinel, r.sentinels
	case len(r.cluster) > 0:
		r.Mode, r.Addrs = RedisCluster, r.cluster
	case r.host != "":
		r.Mode, r.Addrs = RedisStandalone, []string{net.JoinHostPort(r.host, strconv.Itoa(r.port))}
	}
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
	forms := 0
	for _, yes := range []bool{r.host != "", len(r.sentinels) > 0, len(r.cluster) > 0} {
		if yes {
			forms++
		}
	}
	say(forms > 1, "REDIS_HOST, REDIS_SENTINELS and REDIS_CLUSTER exclude each other: set one of them")
	say(r.Mode == RedisSentinel && r.Master == "", "REDIS_SENTINELS needs REDIS_SENTINEL_MASTER, the name of the master")
	say(r.Mode == RedisCluster && r.Database != 0, "a Redis Cluster has database 0 only: leave REDIS_DB out")
	say(p.Host != "" && len(r.Addrs) == 0, "DB_HOST is set and Redis is not: set REDIS_HOST, REDIS_SENTINELS or REDIS_CLUSTER too")
	say(p.Host == "" && len(r.Addrs) > 0 && roles.Any([]Role{Alerter, UI, Janitor}),
		"Redis is set and PostgreSQL is not, which the roles alerter, ui and janitor need: set DB_HOST too")
	if missing := c.Secrets.Vault.check(); missing != "" {
		say(true, missing)
	}
	say(p.MinConns > p.MaxConns, "DB_POOL_MIN_CONN is above DB_POOL_MAX_CONN")
	if len(wrong) > 0 {
		return fault.New(fault.ConfigInvalid, "%s", strings.Join(wrong, "; "))
	}
	return nil
}

func storeSettings(c *Config) []static.Setting {
	r, p := &c.Redis, &c.Postgres
	withStore := readers(Alerter, UI, Janitor)
	return []static.Setting{
		{Path: "redis.host", Example: "redis.example.net", Variables: named("REDIS_HOST"), About: "Host of Redis; with PostgreSQL it takes the place of the data directory", Value: static.Text(&r.host)},
		{Path: "redis.port", Default: "6379", Variables: []static.Variable{{Name: "REDIS_PORT", Link: true}}, About: "Port of Redis", Value: static.Port(&r.port)},
		{Path: "redis.sentinels", Example: "sentinel-a:26379,sentinel-b:26379", Variables: named("REDIS_SENTINELS"), About: "Sentinels of Redis, instead of redis.host",
			Value: static.Addresses(&r.sentinels, 26379)},
		{Path: "redis.sentinel_master", Example: "mymaster", Variables: named("REDIS_SENTINEL_MASTER"), About: "Name of the master that the Sentinels watch", Value: static.Text(&r.Master)},
		{Path: "redis.cluster", Example: "redis-a:6379,redis-b:6379", Variables: named("REDIS_CLUSTER"), About: "Some nodes of a Redis Cluster, instead of redis.host",
			Value: static.Addresses(&r.cluster, 6379)},
		{Path: "redis.database", Default: "0", Variables: named("REDIS_DB"), About: "Number of the database", Value: static.Whole(&r.Database, 0, 1<<20)},
		{Path: "redis.user", Example: "mutt", Variables: named("REDIS_USER"), About: "User (ACL) of Redis; by default Redis's default user", Value: static.Text(&r.User)},
		{Path: "redis.password_file", Example: "/run/secrets/redis_password", Variables: named("REDIS_PASS", "REDIS_PASS_CURRENT"), Live: true,
			About: "Password that is tried first", Value: static.Password(&r.password)},
		{Path: "redis.password_next_file", Example: "/run/secrets/redis_password_next", Variables: named("REDIS_PASS_NEXT"), Live: true,
			About: "Password that is tried when the first is refused", Value: static.Password(&r.next)},
		{Path: "redis.tls_enabled", Default: "false", Variables: named("REDIS_TLS_ENABLED"), About: "Talk TLS to Redis, and verify its certificate", Value: static.Bool(&r.TLS)},
		{Path: "redis.ca_file", Example: "/etc/mutt/redis-ca.pem", Variables: named("REDIS_CA_CERT_PATH"), About: "Authorities (PEM) of Redis's certificate; by default the system's", Value: static.Text(&r.CAFile)},
		{Path: "redis.client_cert_file", Example: "/etc/mutt/redis-client.pem", Variables: named("REDIS_CLIENT_CERT"), About: "Certificate (PEM) that is shown to Redis when it asks for one", Value: static.Text(&r.ClientCert)},
		{Path: "redis.client_key_file", Example: "/etc/mutt/redis-client.key", Variables: named("REDIS_CLIENT_KEY"), About: "Key (PEM) of that certificate", Value: static.Text(&r.ClientKey)},
		{Path: "redis.key_prefix", Default: "mutt", Variables: named("MUTT_KEY_PREFIX"), About: "Begins every key in Redis, the same in every process", Value: keyPrefix(&c.KeyPrefix)},
		{Path: "postgres.host", Example: "postgres.example.net", Readers: withStore, Variables: named("DB_HOST"), About: "Host of PostgreSQL", Value: static.Text(&p.Host)},
		{Path: "postgres.port", Default: "5432", Readers: withStore, Variables: []static.Variable{{Name: "DB_PORT", Link: true}}, About: "Port of PostgreSQL", Value: static.Port(&p.Port)},
		{Path: "postgres.database", Default: "mutt", Readers: withStore, Variables: named("DB_NAME"), About: "Name of the database", Value: static.Text(&p.Name)},
		{Path: "postgres.user", Default: "mutt", Readers: withStore, Variables: named("DB_USER"), About: "Role of PostgreSQL", Value: static.Text(&p.User)},
		{Path: "postgres.user_next", Example: "mutt_b", Readers: withStore, Variables: named("DB_USER_NEXT"), About: "Role that the next password belongs to; by default the same role", Value: static.Text(&p.UserNext)},
		{Path: "postgres.password_file", Example: "/run/secrets/db_password", Readers: withStore, Variables: named("DB_PASS", "DB_PASS_CURRENT"), Live: true,
			About: "Password that is tried first", Value: static.Password(&p.password)},
		{Path: "postgres.password_next_file", Example: "/run/secrets/db_password_next", Readers: withStore, Variables: named("DB_PASS_NEXT"), Live: true,
			About: "Password that is tried when the first is refused", Value: static.Password(&p.next)},
		{Path: "postgres.tls_enabled", Default: "false", Readers: withStore, Variables: named("DB_TLS_ENABLED"), About: "Talk TLS to PostgreSQL, and verify its certificate", Value: static.Bool(&p.TLS)},
		{Path: "postgres.ca_file", Example: "/etc/mutt/postgres-ca.pem", Readers: withStore, Variables: named("DB_TLS_CA_CERT_PATH"),
			About: "Authorities (PEM) of PostgreSQL's certificate; by default the system's", Value: static.Text(&p.CAFile)},
		{Path: "postgres.client_cert_file", Example: "/etc/mutt/postgres-client.pem", Readers: withStore, Variables: named("DB_TLS_CLIENT_CERT"),
			About: "Certificate (PEM) that is shown to PostgreSQL when it asks for one", Value: static.Text(&p.ClientCert)},
		{Path: "postgres.client_key_file", Example: "/etc/mutt/postgres-client.key", Readers: withStore, Variables: named("DB_TLS_CLIENT_KEY"),
			About: "Key (PEM) of that certificate", Value: static.Text(&p.ClientKey)},
		{Path: "postgres.pool_min", Default: "2", Readers: withStore, Variables: named("DB_POOL_MIN_CONN"), About: "Connections that are kept open", Value: static.Whole(&p.MinConns, 0, 1000)},
		{Path: "postgres.pool_max", Default: "10", Readers: withStore, Variables: named("DB_POOL_MAX_CONN"), About: "Connections at the most", Value: static.Whole(&p.MaxConns, 1, 1000)},
	}
}
