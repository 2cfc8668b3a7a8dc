package app

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"strings"

	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/postgres"
	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/fault"
)

// redisConfig gives what the connector needs. Each new connection takes the passwords that are in force then.
func (p *parts) redisConfig() (redis.Config, error) {
	c := &p.opts.Config.Redis
	modes := map[string]redis.Mode{RedisStandalone: redis.Standalone, RedisSentinel: redis.Sentinel, RedisCluster: redis.Cluster}
	t, err := tlsConfig(c.TLS, c.CAFile, "REDIS_CA_CERT_PATH")
	return redis.Config{Mode: modes[c.Mode], Addrs: c.Addrs, Master: c.Master, Database: c.Database, TLS: t, Name: clientName(p.process),
		Credentials: func() []connect.Credential { return p.secrets().Redis.credentials() }}, err
}

func (c *RedisConfig) credentials() (order []connect.Credential) {
	for _, p := range c.Passwords {
		order = append(order, connect.Credential{User: c.User, Password: p})
	}
	return order
}

// postgresConfig gives what the connector needs; secrets gives the configuration whose passwords are in force.
func postgresConfig(c *Config, process string, secrets func() *Config) (postgres.Config, error) {
	pg := &c.Postgres
	t, err := tlsConfig(pg.TLS, pg.CAFile, "DB_TLS_CA_CERT_PATH")
	return postgres.Config{Host: pg.Host, Port: pg.Port, Database: pg.Name, MinConns: int32(pg.MinConns), MaxConns: int32(pg.MaxConns), TLS: t,
		Name: clientName(process), Credentials: func() []connect.Credential { return secrets().Postgres.credentials() }}, err
}

// credentials gives the order to try. The last password belongs to UserNext when there is one.
func (c *PostgresConfig) credentials() (order []connect.Credential) {
	for i, p := range c.Passwords {
		user := c.User
		if last := i == len(c.Passwords)-1; last && !c.next.Empty() && c.UserNext != "" {
			user = c.UserNext
		}
		order = append(order, connect.Credential{User: user, Password: p})
	}
	if len(order) == 0 {
		order = []connect.Credential{{User: c.User}} // a server that trusts its network
	}
	return order
}

// clientName is shown in the server's list of clients, which takes no spaces.
func clientName(process string) string { return "mutt-" + strings.ReplaceAll(process, " ", "-") }

// tlsConfig verifies the server by the authorities in a file, or the system's; nil when TLS is off.
func tlsConfig(on bool, caFile, setting string) (*tls.Config, error) {
	if !on {
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fault.Wrap(fault.ConfigInvalid, err, "%s: the file cannot be read", setting)
	}
	t.RootCAs = x509.NewCertPool()
	if !t.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fault.New(fault.ConfigInvalid, "%s: %s holds no certificate in PEM form", setting, caFile)
	}
	return t, nil
}
