package app

import (
	"context"

	"github.com/muttproject/mutt/app/rotate"
	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/postgres"
	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/rotation"
	"github.com/muttproject/mutt/platform/secret"
)

// Administrators are who may change passwords at the servers. They are never those of a process.
type Administrators struct {
	DSN           secret.Secret // of PostgreSQL
	RedisUser     string
	RedisPassword secret.Secret
}

// RotationVault gives the path of the secrets as an operator sees it.
func (c *Config) RotationVault(token secret.Secret) (*rotate.Vault, error) {
	operator, err := c.VaultOperator(token)
	if err != nil {
		return nil, err
	}
	return &rotate.Vault{Operator: operator, Path: c.Vault.Path}, nil
}

// RotationServer gives the server that the password of a subject is for; nil for a key. v says who the role of PostgreSQL is.
func (c *Config) RotationServer(ctx context.Context, s rotation.Subject, v *rotate.Vault, a Administrators) (rotate.Server, error) {
	switch s {
	case rotation.Postgres:
		return c.rotationPostgres(ctx, v, a)
	case rotation.Redis:
		return c.rotationRedis(a)
	default:
		return nil, nil
	}
}

func (c *Config) rotationPostgres(ctx context.Context, v *rotate.Vault, a Administrators) (rotate.Server, error) {
	if a.DSN.Empty() {
		return nil, fault.New(fault.ConfigInvalid, "there is no administrator of PostgreSQL").WithRemedy("set MUTT_ADMIN_DSN, or give --admin-dsn-file")
	}
	admin, err := postgres.NewAdministrator(a.DSN)
	if err != nil {
		return nil, err
	}
	now, err := v.Latest(ctx)
	if err != nil {
		return nil, err
	}
	role := c.Postgres.User
	if user := secret.Tidy(now.Values["DB_USER"].Reveal()); user != "" {
		role = user
	}
	return &rotate.Postgres{Admin: admin, Role: role}, nil
}

func (c *Config) rotationRedis(a Administrators) (rotate.Server, error) {
	r := &c.Redis
	switch {
	case len(r.Addrs()) == 0:
		return nil, fault.New(fault.ConfigInvalid, "Redis is not configured").WithRemedy("give this command the settings of 'mutt serve': REDIS_HOST, REDIS_SENTINELS or REDIS_CLUSTER, REDIS_USER, REDIS_TLS_ENABLED")
	case a.RedisPassword.Empty():
		return nil, fault.New(fault.ConfigInvalid, "there is no administrator of Redis").WithRemedy("set MUTT_REDIS_ADMIN_USER and MUTT_REDIS_ADMIN_PASS, or give --redis-admin-user and --redis-admin-password-file")
	case sameUser(a.RedisUser, r.User):
		return nil, fault.New(fault.ConfigInvalid, "the administrator of Redis is the user whose password is rotated").WithRemedy("make another user with the rights to ACL, CONFIG, CLIENT and INFO, and to CLUSTER or SENTINEL")
	}
	cfg, err := r.Config(tlsconf.New)
	if err != nil {
		return nil, err
	}
	cfg.Database, cfg.Credentials = 0, connect.Only(a.RedisUser, a.RedisPassword)
	admin, err := redis.NewAdministrator(cfg, r.User)
	if err != nil {
		return nil, err
	}
	return &rotate.Redis{Admin: admin}, nil
}

// sameUser compares users of Redis, whose default user needs no name.
func sameUser(a, b string) bool {
	name := func(s string) string {
		if s == "" {
			return "default"
		}
		return s
	}
	return name(a) == name(b)
}
