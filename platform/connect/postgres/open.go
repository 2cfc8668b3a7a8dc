package postgres

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/fault"
)

// Pool are the connections; the name saves its users the import of the library.
type Pool = pgxpool.Pool

// Credential is a role with its password.
type Credential = connect.Credential

// Config says where PostgreSQL is and how many connections to keep.
type Config struct {
	Host     string
	Port     int
	Database string
	MinConns int32          // kept open
	MaxConns int32          // at least 1
	TLS      tlsconf.Client // nil for plain TCP, where passwords are sent hashed only
	Name     string         // of the connections in pg_stat_activity
	// Credentials say who logs in. Those of one Config are shared by its connections only.
	Credentials *connect.Credentials
	Exposure    *connect.Exposure // notes the connections; nil for none
}

// Times bound what does not depend on the caller's context.
const (
	connectWithin = 3 * time.Second  // one try, from the first packet to the last answer of the authentication
	loginWithin   = 15 * time.Second // all tries for a connection, and the question to the providers of secrets between them
	pingWithin    = 3 * time.Second  // the check of an idle connection
	keepAlive     = 5 * time.Second  // of TCP, between probes; three unanswered ones end a connection
	idleInTx      = time.Minute      // a transaction in which nothing happens is ended by the server
	lifetime      = time.Hour        // a connection is replaced, so that load spreads again after a failover
	jitter        = 10 * time.Minute
	healthCheck   = 15 * time.Second // how soon MinConns are there again
)

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
	if err := requireSessions(ctx, pool); err != nil {
		pool.Close()
		return nil, Fault(err, fault.StoreUnavailable, "look for a pooler before PostgreSQL")
	}
	return pool, nil
}

func (c Config) validate() error {
	switch {
	case c.Host == "" || c.Port < 1 || c.Port > 65535 || c.Database == "":
		return fault.New(fault.ConfigInvalid, "PostgreSQL needs a host, a port and the name of a database").
			WithRemedy("set DB_HOST, DB_PORT and DB_NAME")
	case c.MaxConns < 1 || c.MinConns < 0 || c.MinConns > c.MaxConns:
		return fault.New(fault.ConfigInvalid, "a pool of %d to %d connections is not possible", c.MinConns, c.MaxConns).
			WithRemedy("correct DB_POOL_MIN_CONN and DB_POOL_MAX_CONN")
	}
	return nil
}

// template is a configuration to be filled. The library makes them only by parsing, and takes what is not said from its environment: the string
// names what is read from there, and the fields are then set without quoting.
func template() (*pgxpool.Config, error) {
	pc, err := pgxpool.ParseConfig("host=- port=1 user=- password=- dbname=- sslmode=disable target_session_attrs=read-write application_name=-")
	if err != nil {
		return nil, fmt.Errorf("prepare the configuration of the pool: %w", err)
	}
	return pc, nil
}

func (c Config) pool() (*pgxpool.Config, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	pc, err := template()
	if err != nil {
		return nil, err
	}
	o := c.opener(pc.ConnConfig.Config.Copy())
	cc := pc.ConnConfig // of a connection that is logged in already
	cc.Host, cc.Port, cc.Database, cc.Fallbacks, cc.ValidateConnect = c.Host, uint16(c.Port), c.Database, nil, nil
	cc.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	cc.DialFunc, cc.ConnectTimeout = o.dial, loginWithin
	pc.MinConns, pc.MaxConns = c.MinConns, c.MaxConns
	pc.MaxConnLifetime, pc.MaxConnLifetimeJitter = lifetime, jitter
	pc.HealthCheckPeriod, pc.PingTimeout = healthCheck, pingWithin
	pc.ShouldPing = doubtful
	pc.PrepareConn = func(_ context.Context, conn *pgx.Conn) (bool, error) { return !retired(conn), nil }
	return pc, nil
}

// opener completes the configuration of a login.
func (c Config) opener(cc *pgconn.Config) *opener {
	cc.Host, cc.Port, cc.Database, cc.Fallbacks = c.Host, uint16(c.Port), c.Database, nil
	cc.ConnectTimeout = connectWithin
	cc.DialFunc = (&net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: keepAlive, Interval: keepAlive, Count: 3}}).DialContext
	// A pooler refuses startup parameters that it does not know, so only those that PgBouncer takes are here; begin sets the rest.
	cc.RuntimeParams = map[string]string{"application_name": c.Name, "timezone": "UTC"}
	cc.ValidateConnect = begin
	return &opener{credentials: c.Credentials, exposure: c.Exposure, server: net.JoinHostPort(c.Host, strconv.Itoa(c.Port)), config: cc, tls: c.TLS}
}

// begin prepares a session that has just logged in, and refuses a server that takes no writes.
func begin(ctx context.Context, conn *pgconn.PgConn) error {
	set := fmt.Sprintf("SET idle_in_transaction_session_timeout = %d", idleInTx.Milliseconds())
	if _, err := conn.Exec(ctx, set).ReadAll(); err != nil {
		return err
	}
	return pgconn.ValidateConnectTargetSessionAttrsReadWrite(ctx, conn)
}

// NewRecycler replaces connections of a pool that Open gave after a rotation: each when nobody uses it.
func NewRecycler(c Config, pool *pgxpool.Pool) (*connect.Recycler, error) {
	pc, err := template()
	if err != nil {
		return nil, err
	}
	o := c.opener(&pc.ConnConfig.Config)
	verify := func(ctx context.Context, _ string) error {
		ctx, cancel := context.WithTimeout(ctx, loginWithin)
		defer cancel()
		s, err := o.open(ctx)
		if err != nil {
			return err
		}
		return s.Close()
	}
	replace := func(ctx context.Context) error {
		for _, idle := range pool.AcquireAllIdle(ctx) { // which closes those that are retired
			idle.Release()
		}
		return nil
	}
	return &connect.Recycler{Credentials: c.Credentials, Verify: verify, Replace: replace}, nil
}
