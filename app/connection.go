package app

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/postgres"
	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/lifecycle"
	"github.com/muttproject/mutt/platform/secret/secrets"
)

// Servers whose credentials rotate, as logs, metrics and the API call them.
const (
	redisServer    = "redis"
	postgresServer = "postgres"
)

// logIn makes the credentials for a server. Each new connection takes the passwords that are in force then.
func (p *parts) logIn(server string, order func(*secrets.Set) []connect.Credential) *connect.Credentials {
	c := connect.NewCredentials(connect.Options{Server: server, Source: func() []connect.Credential { return order(p.secrets.Current()) },
		Refresh: p.secrets.Refresh, Within: p.opts.Config.RecycleWithin, Metrics: p.connecting, Log: p.opts.Logger.Named("connect")})
	p.logins = append(p.logins, login{server, c})
	return c
}

// login is a server with its credentials.
type login struct {
	server      string
	credentials *connect.Credentials
}

// redisConfig gives what the connector needs.
func (p *parts) redisConfig() (redis.Config, error) {
	c := &p.opts.Config.Redis
	out := redis.Config{Mode: redisModes()[c.Mode], Addrs: c.Addrs, Master: c.Master, Database: c.Database, Name: clientName(p.process),
		Credentials: p.logIn(redisServer, c.credentials)}
	if !c.TLS {
		return out, nil
	}
	files, err := p.tls.Open(c.files())
	if err != nil {
		return out, err
	}
	out.TLS = files.Client()
	return out, nil
}

func redisModes() map[string]redis.Mode {
	return map[string]redis.Mode{RedisStandalone: redis.Standalone, RedisSentinel: redis.Sentinel, RedisCluster: redis.Cluster}
}

func (c *RedisConfig) files() tlsconf.Files {
	return tlsconf.Files{Server: "Redis", CA: tlsconf.File{Path: c.CAFile, Setting: "REDIS_CA_CERT_PATH"},
		Cert: tlsconf.File{Path: c.ClientCert, Setting: "REDIS_CLIENT_CERT"}, Key: tlsconf.File{Path: c.ClientKey, Setting: "REDIS_CLIENT_KEY"}}
}

// credentials gives the order to try.
func (c *RedisConfig) credentials(set *secrets.Set) []connect.Credential {
	return slices.Concat(credential(set, secrets.RedisPass, c.User), credential(set, secrets.RedisPassNext, c.User))
}

// credential gives the user with a password of the secrets; none when there is no such password.
func credential(set *secrets.Set, key secrets.Key, user string) []connect.Credential {
	password, version := set.Get(key)
	if password.Empty() {
		return nil
	}
	return []connect.Credential{{User: user, Password: password, Name: string(key), Version: version.String()}}
}

// postgresConfig gives what the connector needs.
func (c *PostgresConfig) postgresConfig(process string, credentials *connect.Credentials, client tlsconf.Client) postgres.Config {
	return postgres.Config{Host: c.Host, Port: c.Port, Database: c.Name, MinConns: int32(c.MinConns), MaxConns: int32(c.MaxConns), TLS: client,
		Name: clientName(process), Credentials: credentials}
}

// client gives the TLS of PostgreSQL's connections; nil when it is off. open reads the files.
func (c *PostgresConfig) client(open func(tlsconf.Files) (*tlsconf.Source, error)) (tlsconf.Client, error) {
	if !c.TLS {
		return nil, nil
	}
	s, err := open(tlsconf.Files{Server: "PostgreSQL", CA: tlsconf.File{Path: c.CAFile, Setting: "DB_TLS_CA_CERT_PATH"},
		Cert: tlsconf.File{Path: c.ClientCert, Setting: "DB_TLS_CLIENT_CERT"}, Key: tlsconf.File{Path: c.ClientKey, Setting: "DB_TLS_CLIENT_KEY"}})
	if err != nil {
		return nil, err
	}
	return s.Client(), nil
}

// credentials gives the order to try. The next password belongs to the next user when there is one.
func (c *PostgresConfig) credentials(set *secrets.Set) []connect.Credential {
	user := cmp.Or(set.Secret(secrets.DBUser).Reveal(), c.User)
	next := cmp.Or(set.Secret(secrets.DBUserNext).Reveal(), c.UserNext, user)
	order := slices.Concat(credential(set, secrets.DBPass, user), credential(set, secrets.DBPassNext, next))
	if len(order) == 0 {
		order = []connect.Credential{{User: user}} // a server that trusts its network
	}
	return order
}

// destinationTLS gives the TLS of connections to the destination; nil takes the system's authorities.
func (p *parts) destinationTLS() (tlsconf.Client, error) {
	c := &p.opts.Config
	if c.MoogCAFile == "" && c.MoogClientCert == "" && c.MoogClientKey == "" {
		return nil, nil
	}
	s, err := p.tls.Open(tlsconf.Files{Server: "the destination", CA: tlsconf.File{Path: c.MoogCAFile, Setting: "MOOG_CA_CERT_PATH"},
		Cert: tlsconf.File{Path: c.MoogClientCert, Setting: "MOOG_CLIENT_CERT"}, Key: tlsconf.File{Path: c.MoogClientKey, Setting: "MOOG_CLIENT_KEY"}})
	if err != nil {
		return nil, err
	}
	return s.Client(), nil
}

// prometheusTLS gives the TLS of connections to Prometheus; nil takes the system's authorities.
func (p *parts) prometheusTLS() (tlsconf.Client, error) {
	file := p.opts.Config.PrometheusCAFile
	if file == "" {
		return nil, nil
	}
	s, err := p.tls.Open(tlsconf.Files{Server: "Prometheus", CA: tlsconf.File{Path: file, Setting: "PROMETHEUS_CA_CERT_PATH"}})
	if err != nil {
		return nil, err
	}
	return s.Client(), nil
}

func buildTLS(_ context.Context, p *parts) (lifecycle.Service, error) {
	p.tls = tlsconf.NewWatcher(p.opts.Logger.Named("tls"))
	return p.tls, nil
}

// clientName is shown in the server's list of clients, which takes no spaces.
func clientName(process string) string { return "mutt-" + strings.ReplaceAll(process, " ", "-") }

// connected is a server that the process is connected to. After a rotation its connections are replaced.
type connected struct {
	*lifecycle.Runner
	people      string // name of the server in messages
	credentials *connect.Credentials
	ready       func(context.Context) ([]string, error) // may be nil
	close       func() error
}

func newConnected(people string, r *connect.Recycler, close func() error) *connected {
	return &connected{Runner: lifecycle.NewRunner(people, r.Run), people: people, credentials: r.Credentials, close: close}
}

// Ready says what is wrong with the credentials too. Open connections live on under refused ones, so that is a warning.
func (c *connected) Ready(ctx context.Context) (warnings []string, err error) {
	if c.ready != nil {
		warnings, err = c.ready(ctx)
	}
	if w := c.credentials.Warning(c.people); w != "" {
		warnings = append(warnings, w)
	}
	return warnings, err
}

// Stop closes the connections.
func (c *connected) Stop(ctx context.Context) error {
	return errors.Join(c.Runner.Stop(ctx), c.close())
}
