// Package connect holds what the connections to all servers have in common; each kind of server has a package below it.
//
// Principles:
//  1. A credential is chosen anew for every connection, so that a rotation needs no restart.
//  2. A credential counts as working only after a server accepted it, and is then tried first until one refuses it.
package connect

import (
	"slices"
	"sync"

	"github.com/muttproject/mutt/platform/secret"
)

// Credential is a user with its password.
type Credential struct {
	User     string
	Password secret.Secret
}

func (c Credential) equal(o Credential) bool { return c.User == o.User && c.Password.Equal(o.Password) }

// Credentials gives the credentials in the order in which connections should try them. It is safe for concurrent use.
type Credentials struct {
	source func() []Credential

	mu     sync.Mutex
	worked *Credential
}

// NewCredentials makes one from a source, which is asked for each connection: CURRENT first, then NEXT. A nil source gives none.
func NewCredentials(source func() []Credential) *Credentials { return &Credentials{source: source} }

// Order gives the credentials to try; the one that worked last comes first as long as the source still gives it.
func (c *Credentials) Order() []Credential {
	if c.source == nil {
		return nil
	}
	var all []Credential
	for _, one := range c.source() {
		if !slices.ContainsFunc(all, one.equal) { // after a rotation NEXT is often what CURRENT is
			all = append(all, one)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.worked == nil {
		return all
	}
	if i := slices.IndexFunc(all, c.worked.equal); i > 0 {
		first := all[i]
		return slices.Insert(slices.Delete(all, i, i+1), 0, first)
	}
	return all
}

// Worked remembers a credential that a server accepted.
func (c *Credentials) Worked(one Credential) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.worked = &one
}
