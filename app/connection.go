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
		Refresh: p.secrets.Refresh, Within: p.opts.Config.Logins.RecycleWithin, Metrics: p.connecting, Log: p.opts.Logger.Named("connect")})
	p.logins = append(p.logins, login{server, c})
	return c
}

// login is a server with its credentials.
type login struct {
	server      string
	credentials *connect.Credentials
}

// redisConfig returns what the connector needs.
func (p *parts) redisConfig() (redis.Config, error) {
	c := &p.opts.Config.Redis
	out, err := c.Config(p.tls.Open)
	out.Name, out.Credentials = clientName(p.process), p.logIn(redisServer, func(set *secrets.Set) []connect.Credential { return redisCredentials(c, set) })
	out.Exposure = redis.Exposure(p.opts.Logger.Named("redis"))
	return out, err
}

// redisCredentials returns the order to try.
func redisCredentials(c *redis.Server, set *secrets.Set) []connect.Credential {
	return slices.Concat(credential(set, secrets.RedisPass, c.User), credential(set, secrets.RedisPassNext, c.User))
}

// credential gives the user with a password of the secrets; none when there is no such password.
func credential(set *secrets.Set, key secrets.Key, user string) []connect.Credential {
	password, version := set.Get(key)
	if password.Empty() {
		return nil
	}
	return []connect.Credential{{User: user, Password: password, Name: string(key), Version: version.String(), Source: set.Origin(key)}}
}

// postgresCredentials returns the order to try. The next password belongs to the next user when there is one.
func postgresCredentials(c *postgres.Server, set *secrets.Set) []connect.Credential {
	user := cmp.Or(set.Secret(secrets.DBUser).Reveal(), c.User)
	next := cmp.Or(set.Secret(secrets.DBUserNext).Reveal(), c.UserNext, user)
	order := slices.Concat(credential(set, secrets.DBPass, user), credential(set, secrets.DBPassNext, next))
	if len(order) == 0 {
		order = []connect.Credential{{User: user}} // a server that trusts its network
	}
	return order
}

func buildTLS(_ context.Context, p *parts) (lifecycle.Service, error) {
	p.tls = tlsconf.NewWatcher(tlsconf.WatcherOptions{Log: p.opts.Logger.Named("tls"), Registerer: p.registry, Now: p.opts.Now})
	p.reportClearText()
	return p.tls, nil
}

// clientName is shown in the server's list of clients, which takes no spaces.
func clientName(process string) string { return "mutt-" + strings.ReplaceAll(process, " ", "-") }

// connected is a server that the process is connected to. After a rotation its connections are replaced.
type connected struct {
	*lifecycle.Runner
	people      string // name of the server in messages
	credentials *connect.Credentials
	exposure    *connect.Exposure
	ready       func(context.Context) ([]string, error) // may be nil
	close       func() error
}

func newConnected(people string, r *connect.Recycler, exposure *connect.Exposure, close func() error) *connected {
	return &connected{Runner: lifecycle.NewRunner(people, r.Run), people: people, credentials: r.Credentials, exposure: exposure, close: close}
}

// Ready says what is wrong with the credentials too. Open connections live on under refused ones, so that is a warning.
func (c *connected) Ready(ctx context.Context) (warnings []string, err error) {
	if c.ready != nil {
		warnings, err = c.ready(ctx)
	}
	if w := c.credentials.Warning(c.people); w != "" {
		warnings = append(warnings, w)
	}
	return append(warnings, c.exposure.Warnings()...), err
}

// Stop closes the connections.
func (c *connected) Stop(ctx context.Context) error {
	return errors.Join(c.Runner.Stop(ctx), c.close())
}
