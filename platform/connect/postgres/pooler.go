package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muttproject/mutt/platform/fault"
)

// Bounds of the look for a pooler that shares sessions.
const (
	poolerRounds = 5
	poolerWithin = 3 * time.Second
)

// requireSessions refuses a pooler that lends a server connection for a transaction or a statement only. Prepared statements, the
// session's settings and the advisory lock of a migration would then be on another connection than the one that uses them, and the
// errors would come at random. A pooler that lends it for the whole session is fine.
func requireSessions(ctx context.Context, pool *pgxpool.Pool) error {
	ctx, cancel := context.WithTimeout(ctx, poolerWithin)
	defer cancel()
	one, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer one.Release()
	first := one.Conn().PgConn()
	pid, err := backend(ctx, first)
	if err != nil || pid == first.PID() { // the process that was logged in to is the one that answers: there is no pooler
		return err
	}
	var shared bool
	other, err := pgconn.ConnectConfig(ctx, &one.Conn().Config().Config)
	if err == nil {
		shared, err = shares(ctx, first, other)
		err = errors.Join(err, other.Close(context.WithoutCancel(ctx)))
	}
	if shared {
		return fault.New(fault.ConfigInvalid, "the pooler before PostgreSQL (PgBouncer) lends connections for a transaction only, and MUTT needs them for a session: "+
			"it prepares statements and holds locks").WithRemedy("set pool_mode = session for this database in pgbouncer.ini, or give the address of PostgreSQL in DB_HOST and DB_PORT")
	}
	if errors.Is(err, context.DeadlineExceeded) && !first.IsClosed() {
		return nil // the second session got no connection while the first was idle: they do not share theirs
	}
	return err
}

// shares reports whether two sessions that are open at the same time were served by one server process. While one of them is idle
// such a pooler lends its process to the other; other clients of the pooler may get it first, hence several rounds.
func shares(ctx context.Context, a, b *pgconn.PgConn) (bool, error) {
	for range poolerRounds {
		before, err := backend(ctx, a)
		if err != nil {
			return false, err
		}
		if _, err := b.Exec(ctx, "BEGIN").ReadAll(); err != nil {
			return State(err) == stateProtocol, err // transactions are refused where statements are pooled
		}
		during, err := backend(ctx, b)
		if err != nil {
			return false, err
		}
		if during == before {
			return true, nil
		}
		after, err := backend(ctx, a)
		if err != nil || after != before {
			return err == nil, err
		}
		if _, err := b.Exec(ctx, "ROLLBACK").ReadAll(); err != nil {
			return false, err
		}
	}
	return false, nil
}

// backend returns the number of the server's process that answers.
func backend(ctx context.Context, conn *pgconn.PgConn) (uint32, error) {
	all, err := conn.Exec(ctx, "SELECT pg_backend_pid()").ReadAll()
	if err != nil {
		return 0, err
	}
	if len(all) != 1 || len(all[0].Rows) != 1 || len(all[0].Rows[0]) != 1 {
		return 0, errors.New("the server does not say which process it is")
	}
	pid, err := strconv.ParseUint(string(all[0].Rows[0][0]), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("the number of the server's process: %w", err)
	}
	return uint32(pid), nil
}
