// Package redis opens connections to Redis.
package redis

import "github.com/redis/rueidis"

// Nil reports whether err says only that a key does not exist.
func Nil(err error) bool { return rueidis.IsRedisNil(err) }
