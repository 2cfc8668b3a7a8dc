package redis

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/fault"
)

// retryAfter is what a client is told while Redis is away.
const retryAfter = 2 * time.Second

// Fault gives a native error its meaning: QueueUnavailable when Redis cannot be used now, Internal when it refuses the command as such.
// doing says what was being done ("append to the queue"). A deadline is QueueUnavailable too, because the client's own are not told
// from the caller's: look at the context to know. Cancellation, a key that does not exist and errors that have a code already
// are returned as they are.
func Fault(err error, doing string) error {
	if err == nil || rueidis.IsRedisNil(err) || errors.Is(err, context.Canceled) {
		return err
	}
	if _, ok := fault.As(err); ok {
		return err
	}
	var refused *connect.RefusedError
	var reply *rueidis.RedisError
	var early answer
	message, remedy, aboutTLS := peer().Explain(err)
	switch {
	case errors.As(err, &refused):
		return noEntry(err, doing, " ("+strings.Join(refused.Labels, " and ")+")")
	case errors.As(err, &reply):
		return answered(err, reply.Error(), doing)
	case errors.As(err, &early):
		return answered(err, string(early), doing)
	case aboutTLS:
		return away(err, remedy, "%s: %s", doing, message)
	case errors.Is(err, rueidis.ErrClosing):
		return fault.Wrap(fault.Closed, err, "%s: the connections to Redis are closed", doing)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return away(err, "check that Redis runs and is not overloaded; a Redis without TLS does not answer to TLS: "+peer().AllowClearText(),
			"%s: Redis did not answer in time", doing)
	default:
		return away(err, "", "%s: Redis cannot be reached", doing)
	}
}

// answered gives errors of the server their meaning by the first word, which Redis keeps stable.
func answered(err error, text, doing string) error {
	word, _, _ := strings.Cut(text, " ")
	switch word {
	case "WRONGPASS", "NOAUTH":
		return noEntry(err, doing, "")
	case "NOPERM":
		return away(err, "give the user REDIS_USER the right to all commands on MUTT's keys", "%s: the user of Redis may not do this", doing)
	case "LOADING":
		return away(err, "", "%s: Redis is loading its data", doing)
	case "READONLY", "MASTERDOWN":
		return away(err, "give the address of the primary, or use Sentinel", "%s: this Redis is a replica", doing)
	case "CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK":
		return away(err, "", "%s: the Redis Cluster does not serve this key now", doing)
	case "OOM":
		return away(err, "raise maxmemory of Redis; look at why consumers are slow", "%s: Redis has no memory left", doing)
	case "MISCONF", "NOREPLICAS":
		return away(err, "look in the log of Redis", "%s: Redis accepts no writes", doing)
	case "BUSY":
		return away(err, "", "%s: Redis is busy with a script", doing)
	}
	if strings.Contains(text, "max number of clients") {
		return away(err, "raise maxclients of Redis", "%s: Redis has too many connections", doing)
	}
	return fault.Wrap(fault.Internal, err, "%s: Redis refuses the command", doing)
}

// noEntry names the secrets that Redis refuses, when they are known.
func noEntry(err error, doing, which string) error {
	return away(err, "check REDIS_USER, REDIS_PASS_CURRENT and REDIS_PASS_NEXT; the right password is used as soon as it is known",
		"%s: Redis refuses the user and password%s", doing, which)
}

func away(err error, remedy, format string, args ...any) error {
	return fault.Wrap(fault.QueueUnavailable, err, format, args...).WithRetryAfter(retryAfter).WithRemedy("%s", remedy)
}
