package secrets

import (
	"time"

	"github.com/muttproject/mutt/platform/config/static"
)

// Config holds the static settings of the files that secrets come from, and of the Watcher.
type Config struct {
	Dir   string        // a Directory; "" for none
	File  string        // a File; "" for none
	Every time.Duration // Options.Every
}

// Settings declares the settings.
func (c *Config) Settings() []static.Setting {
	return []static.Setting{
		{Path: "secrets.dir", Example: "/run/secrets/mutt", Variables: static.Variables("MUTT_SECRETS_DIR"),
			About: "Directory with a file for each secret, named like its variable, as Kubernetes mounts it", Value: static.Text(&c.Dir)},
		{Path: "secrets.file", Example: "/etc/mutt/secrets.yaml", Variables: static.Variables("MUTT_SECRETS_FILE"),
			About: "YAML file of secrets by the names of their variables, which only its owner may read", Value: static.Text(&c.File)},
		{Path: "secrets.poll_interval", Default: "30s", Variables: static.Variables("MUTT_SECRETS_POLL_INTERVAL"),
			About: "How often Vault and the files are looked at for new versions", Value: static.Span(&c.Every)},
	}
}
