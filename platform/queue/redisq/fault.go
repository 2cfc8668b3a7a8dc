package redisq

import (
	"github.com/redis/rueidis"

	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/fault"
)

// nothing reports that Redis answered, but has nothing.
func nothing(err error) bool { return rueidis.IsRedisNil(err) }

// unavailable gives an error of Redis its meaning; it always has a code.
func unavailable(err error, doing string) error {
	err = redis.Fault(err, doing)
	if _, ok := fault.As(err); !ok {
		return fault.Wrap(fault.QueueUnavailable, err, "%s", doing)
	}
	return err
}
