// Package connect holds what the connections to all servers have in common; each kind of server has a package below it.
//
// Principles:
//  1. A credential is chosen anew for every connection, so that a rotation needs no restart: CURRENT, and NEXT only after the server
//     refused CURRENT. Any other error, such as too many connections, tries nothing else.
//  2. A credential counts as working only after the server answered on the connection. Each server has its own memory of what
//     it accepted and refused: the nodes of a Cluster may differ.
//  3. Refusals are bounded: while one is possible a single login tries, and when all are refused the next try waits, twice as long
//     each time. A credential that was never tried waits for nothing, so that the right one works as soon as it is known.
//  4. It is known of each open connection which credential it logged in with. That is what decides which are replaced
//     after a rotation, and whether an old password may be retired.
package connect

import (
	"slices"

	"github.com/muttproject/mutt/platform/secret"
)

// Credential is a user with its password.
type Credential struct {
	User     string
	Password secret.Secret
	Name     string // the key of the secret, such as DB_PASS_CURRENT
	Version  string // as the provider counts it, such as vault:7; "" when it does not
	Source   string // where the secret is, for people, such as "version 7 of vault secret/mutt/prod"; "" when it is not known
}

// Label names a credential without showing anything of it.
func (c Credential) Label() string {
	switch {
	case c.Name == "":
		return "the only credential"
	case c.Source != "":
		return c.Name + " from " + c.Source
	case c.Version == "":
		return c.Name
	default:
		return c.Name + " " + c.Version
	}
}

// equal says that the server cannot tell them apart: after a promotion CURRENT is what NEXT was, under another name.
func (c Credential) equal(o Credential) bool { return c.User == o.User && c.Password.Equal(o.Password) }

// distinct leaves out what is there already: after a rotation NEXT is often what CURRENT is.
func distinct(all []Credential) (out []Credential) {
	for _, one := range all {
		if !slices.ContainsFunc(out, one.equal) {
			out = append(out, one)
		}
	}
	return out
}
