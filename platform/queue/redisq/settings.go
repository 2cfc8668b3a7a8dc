package redisq

import (
	"errors"
	"strings"

	"github.com/muttproject/mutt/platform/config/static"
)

// Config holds the static settings of the queues in Redis.
type Config struct {
	Partitions int
	Durability Durability
	Reserve    int64  // bytes that events leave free in Redis; static.Auto for a share of its maxmemory
	KeyPrefix  string // of every key of MUTT in Redis, without braces
}

// Settings declares the settings.
func (c *Config) Settings() []static.Setting {
	return []static.Setting{
		{Path: "queue.partitions", Default: "4", Variables: static.Variables("MUTT_QUEUE_PARTITIONS"),
			About: "Partitions of each queue on Redis, the same in every process; the embedded queue has one", Value: static.Whole(&c.Partitions, 1, 64)},
		{Path: "queue.durability", Default: "everysec", Variables: static.Variables("MUTT_QUEUE_DURABILITY"),
			About: "What Redis must promise before an event counts as accepted", Value: static.OneOf(&c.Durability, Everysec, Strict, Memory)},
		{Path: "limits.redis_reserve", Default: "auto", Variables: static.Variables("MUTT_LIMITS_REDIS_RESERVE"),
			About: "What events that come in leave free of the maxmemory of each Redis, for everything else; 0 for nothing, auto for 10 %",
			Value: static.AutoSize(&c.Reserve, 0, 1<<50)},
		{Path: "redis.key_prefix", Default: "mutt", Variables: static.Variables("MUTT_KEY_PREFIX"),
			About: "Begins every key in Redis, the same in every process", Value: keyPrefix(&c.KeyPrefix)},
	}
}

// keyPrefix takes what begins every key in Redis. Braces would move the hash tags of a Cluster.
func keyPrefix(field *string) static.Value {
	return static.NewValue("up to 60 letters, digits, and - _ . :", func(text string) error {
		if len(text) > 60 || strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:") != "" {
			return errors.New("takes up to 60 letters, digits, and - _ . :")
		}
		*field = text
		return nil
	}, func() any { return *field })
}
