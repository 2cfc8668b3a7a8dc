package provision

import (
	"crypto/rand"
	"slices"
	"strings"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/secret/secrets"
)

// keys lists what there should be at a path: what can be made, and what was given.
func (e *environment) keys() (out []string) {
	made := []secrets.Key{secrets.DBUser, secrets.DBPass, secrets.DBPassNext, secrets.RedisPass, secrets.RedisPassNext, secrets.IngestKey, secrets.AdminKey}
	for _, k := range secrets.Keys() {
		_, given := e.Values[string(k)]
		if given || slices.Contains(made, k) {
			out = append(out, string(k))
		}
	}
	return out
}

// value gives what was given, else makes it.
func (e *environment) value(key string) secret.Secret {
	if v, given := e.Values[key]; given {
		return v
	}
	switch secrets.Key(key) {
	case secrets.DBUser:
		return secret.New(e.User)
	case secrets.IngestKey, secrets.AdminKey:
		return authn.NewSecret()
	default:
		return NewPassword()
	}
}

// NewPassword makes a password of 256 random bits, of letters and digits: it stands in URLs, in SQL and in configuration files as it is.
func NewPassword() secret.Secret { return secret.New(strings.ToLower(rand.Text() + rand.Text())) }
