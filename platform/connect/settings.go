package connect

import (
	"time"

	"github.com/muttproject/mutt/platform/config/static"
)

// Config holds the static settings of all Credentials.
type Config struct {
	RecycleWithin time.Duration // Options.Within
}

// Settings declares the settings.
func (c *Config) Settings() []static.Setting {
	return []static.Setting{
		{Path: "secrets.recycle_within", Default: "30s", Variables: static.Variables("MUTT_SECRETS_RECYCLE_WITHIN"),
			About: "Time over which the connections of a process are replaced after a password changed", Value: static.Span(&c.RecycleWithin)},
	}
}
