package redisq

import (
	"github.com/redis/rueidis"

	"github.com/muttproject/mutt/platform/fault"
)

// nothing reports that Redis answered, but has nothing.
func nothing(err error) bool { return rueidis.IsRedisNil(err) }

func unavailable(err error, doing string) error {
	return fault.Wrap(fault.QueueUnavailable, err, "%s", doing)
}
