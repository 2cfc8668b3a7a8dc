package postgres

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/fault"
)

// retryAfter is what a client is told while PostgreSQL is away.
const retryAfter = 2 * time.Second

// SQLSTATE codes that have a meaning of their own here; the rest goes by class, the first two characters.
const (
	stateBadPassword  = "28P01"
	stateBadRole      = "28000"
	stateTooMany      = "53300"
	stateNoDatabase   = "3D000"
	stateReadOnly     = "25006"
	stateNoPrivilege  = "42501"
	stateProtocol     = "08P01"
	stateNoStatement  = "26000"
	stateStatementDup = "42P05"
	stateUnique       = "23505"
	stateDataDamaged  = "XX001"
	stateIndexDamaged = "XX002"
)

// Fault gives a native error its meaning: `unavailable` (StoreUnavailable or QueueUnavailable) when PostgreSQL cannot be used now, Corrupt for
// damaged data, ValueRefused when it refuses the values themselves, Internal when a constraint does. doing says what was being done ("read the rules"). A deadline is
// `unavailable` too, because the pool's own are not told from the caller's, and remains context.DeadlineExceeded for errors.Is.
// Cancellation and errors that have a code already are returned as they are.
func Fault(err error, unavailable fault.Code, doing string) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if _, ok := fault.As(err); ok {
		return err
	}
	var connecting *pgconn.ConnectError
	if errors.As(err, &connecting) {
		err = connecting.Unwrap() // its own text names the role
	}
	var refused *connect.RefusedError
	message, remedy, aboutTLS := peer().Explain(err)
	switch {
	case errors.As(err, &refused):
		return allRefused(refused, unavailable, doing)
	case errors.Is(err, connect.ErrNone):
		return away(err, unavailable, "set DB_USER and DB_PASS_CURRENT", "%s: no user and password for PostgreSQL is known", doing)
	case State(err) != "":
		return answered(err, unavailable, doing)
	case aboutTLS:
		return away(err, unavailable, remedy, "%s: %s", doing, message)
	case errors.Is(err, context.DeadlineExceeded):
		return away(err, unavailable, "", "%s: PostgreSQL did not answer in time", doing)
	case connecting != nil:
		return away(err, unavailable, "check that PostgreSQL runs, DB_HOST, DB_PORT and DB_TLS_ENABLED",
			"%s: PostgreSQL cannot be reached", doing)
	default:
		return away(err, unavailable, "", "%s: the connection to PostgreSQL failed", doing)
	}
}

// answered gives errors of the server their meaning.
func answered(err error, unavailable fault.Code, doing string) error {
	state := State(err)
	switch state {
	case stateTooMany:
		return away(unnamed{err, state}, unavailable, "raise max_connections of PostgreSQL, or lower DB_POOL_MAX_CONN", "%s: PostgreSQL has too many connections", doing)
	case stateNoDatabase:
		return away(err, unavailable, "create the database, or correct DB_NAME", "%s: the database does not exist", doing)
	case stateReadOnly:
		return away(err, unavailable, "give the address of the primary", "%s: this PostgreSQL is a standby", doing)
	case stateNoPrivilege:
		return away(unnamed{err, state}, unavailable, "run 'mutt migrate up' as the role that owns the schema: it migrates, and gives the role of the processes its rights; "+
			"if one role does both, make DB_USER the owner of the database", "%s: PostgreSQL does not allow this to DB_USER", doing)
	case stateNoStatement, stateStatementDup:
		return away(err, unavailable, "set pool_mode = session in PgBouncer, or give the address of PostgreSQL in DB_HOST and DB_PORT",
			"%s: a pooler before PostgreSQL lends connections for a transaction only", doing)
	case stateDataDamaged, stateIndexDamaged:
		return fault.Wrap(fault.Corrupt, err, "%s: data in PostgreSQL is damaged", doing).
			WithRemedy("look in the log of PostgreSQL; restore from a backup, or rebuild the index")
	}
	switch state[:min(2, len(state))] {
	case "57":
		return away(err, unavailable, "", "%s: PostgreSQL is starting or stopping", doing)
	case "53", "58":
		return away(err, unavailable, "look at the disk and memory of PostgreSQL", "%s: PostgreSQL has no resources left", doing)
	case "40", "55":
		return away(err, unavailable, "", "%s: another transaction was in the way", doing)
	case "22", "54": // data exception, program limit exceeded (a row that is too long for an index): the same values never get better
		return fault.Wrap(fault.ValueRefused, err, "%s: PostgreSQL refuses the values", doing)
	case "23":
		return fault.Wrap(fault.Internal, err, "%s: PostgreSQL refuses the values", doing)
	default:
		return away(err, unavailable, "", "%s: PostgreSQL answers with an error", doing)
	}
}

// allRefused names the secrets that PostgreSQL refuses.
func allRefused(err *connect.RefusedError, unavailable fault.Code, doing string) error {
	which, state := strings.Join(err.Labels, " and "), State(err)
	if state == stateBadRole {
		return away(unnamed{err, state}, unavailable, "check DB_USER, DB_TLS_ENABLED, DB_TLS_CLIENT_CERT and the server's pg_hba.conf",
			"%s: PostgreSQL does not let this user in (%s)", doing, which)
	}
	return away(unnamed{err, state}, unavailable, "check DB_USER, DB_PASS_CURRENT and DB_PASS_NEXT; the right password is used as soon as it is known",
		"%s: PostgreSQL refuses the user and password (%s)", doing, which)
}

func away(err error, unavailable fault.Code, remedy, format string, args ...any) error {
	return fault.Wrap(unavailable, err, format, args...).WithRetryAfter(retryAfter).WithRemedy("%s", remedy)
}

// unnamed hides the server's sentence, which names the role, from logs.
type unnamed struct {
	error
	state string
}

func (u unnamed) Error() string { return "SQLSTATE " + u.state }

func (u unnamed) Unwrap() error { return u.error }

// State gives the SQLSTATE of err, "" when the server did not give one.
func State(err error) string {
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		return answer.Code
	}
	return ""
}

// IsUnique reports that a row with this key exists.
func IsUnique(err error) bool { return State(err) == stateUnique }

// isRefusal reports that the server does not accept the credential; another one may be right.
func isRefusal(err error) bool {
	state := State(err)
	return state == stateBadPassword || state == stateBadRole
}
