package postgres

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/fault"
)

// Credential is a role with its password.
type Credential = connect.Credential

// Config says where PostgreSQL is and how many connections to keep.
type Config struct {
	Host     string
	Port     int
	Database string
	MinConns int32       // kept open
	MaxConns int32       // at least 1; 4 when 0
	TLS      *tls.Config // nil for plain TCP, where passwords are sent hashed only; its ServerName is Host when empty
	Name     string      // of the connections in pg_stat_activity
	// Credentials is asked for every new connection and gives what to try, in order.
	Credentials func() []Credential
}

// Times bound what does not depend on the caller's context.
const (
	connectWithin = 3 * time.Second // one connection, from the first packet to the last answer of the authentication
	pingWithin    = 3 * time.Second // the check of an idle connection
	keepAlive     = 5 * time.Second // of TCP, between probes; three unanswered ones end a connection
	idleInTx      = time.Minute     // a transaction in which nothing happens is ended by the server
	lifetime      = time.Hour       // a connection is replaced, so that load spreads again after a failover
	jitter        = 10 * time.Minute
	healthCheck   = 15 * time.Second // how soon MinConns are there again
)

const defaultMaxConns = 4

// Open connects and checks that PostgreSQL answers. The error is a fault: StoreUnavailable, or ConfigInvalid.
// The pool reconnects by itself from then on; Close it at the end.
func Open(ctx context.Context, c Config) (*pgxpool.Pool, error) {
	pc, err := c.pool()
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, Fault(err, fault.StoreUnavailable, "open the pool of PostgreSQL connections")
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, Fault(err, fault.StoreUnavailable, "connect to PostgreSQL")
	}
	return pool, nil
}

func (c Config) validate() error {
	switch {
	case c.Host == "" || c.Port < 1 || c.Port > 65535 || c.Database == "":
		return fault.New(fault.ConfigInvalid, "PostgreSQL needs a host, a port and the name of a database").
			WithRemedy("set DB_HOST, DB_PORT and DB_NAME")
	case c.MaxConns < 0 || c.MinConns < 0 || c.MinConns > max(c.MaxConns, defaultMaxConns):
		return fault.New(fault.ConfigInvalid, "a pool of %d to %d connections is not possible", c.MinConns, c.MaxConns).
			WithRemedy("correct DB_POOL_MIN_CONN and DB_POOL_MAX_CONN")
	}
	return nil
}

func (c Config) pool() (*pgxpool.Config, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	// The library makes configurations only by parsing, and fills in what is not said from its environment: the string names
	// what is read from there, and the fields are then set without quoting.
	pc, err := pgxpool.ParseConfig("host=- port=1 user=- password=- dbname=- sslmode=disable target_session_attrs=read-write application_name=-")
	if err != nil {
		return nil, fmt.Errorf("prepare the configuration of the pool: %w", err)
	}
	cc := pc.ConnConfig
	cc.Host, cc.Port, cc.Database = c.Host, uint16(c.Port), c.Database
	cc.TLSConfig, cc.Fallbacks = c.tls(), nil
	cc.ConnectTimeout = connectWithin
	cc.DialFunc = (&net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: keepAlive, Interval: keepAlive, Count: 3}}).DialContext
	cc.RuntimeParams = map[string]string{
		"application_name": c.Name, "timezone": "UTC",
		"idle_in_transaction_session_timeout": fmt.Sprint(idleInTx.Milliseconds()),
	}
	if c.TLS == nil {
		cc.RequireAuth = "!password" // it would cross the network as it is
	}
	pc.MinConns, pc.MaxConns = c.MinConns, c.MaxConns
	if c.MaxConns == 0 {
		pc.MaxConns = defaultMaxConns
	}
	pc.MaxConnLifetime, pc.MaxConnLifetimeJitter = lifetime, jitter
	pc.HealthCheckPeriod, pc.PingTimeout = healthCheck, pingWithin
	pc.BeforeConnect = chooser{connect.NewCredentials(c.Credentials)}.choose
	pc.ShouldPing = doubtful
	return pc, nil
}

func (c Config) tls() *tls.Config {
	if c.TLS == nil || c.TLS.ServerName != "" {
		return c.TLS
	}
	own := c.TLS.Clone()
	own.ServerName = c.Host
	return own
}

// chooser gives each new connection its user and password.
type chooser struct{ credentials *connect.Credentials }

func (ch chooser) choose(ctx context.Context, cc *pgx.ConnConfig) error {
	order := ch.credentials.Order()
	if len(order) == 0 {
		return fault.New(fault.StoreUnavailable, "no user and password for PostgreSQL is known").
			WithRemedy("set DB_USER and DB_PASS_CURRENT")
	}
	var err error
	for _, c := range order {
		cc.User, cc.Password = c.User, c.Password.Reveal()
		if len(order) == 1 {
			return nil
		}
		if err = try(ctx, cc); err == nil {
			ch.credentials.Worked(c)
			return nil
		}
		if !isRefusal(err) {
			break
		}
	}
	return err
}

// try makes a connection and ends it again.
func try(ctx context.Context, cc *pgx.ConnConfig) error {
	conn, err := pgconn.ConnectConfig(ctx, &cc.Config)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}
