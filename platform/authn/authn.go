// Package authn says who is asking and what they may do.
//
// Principles:
//  1. Four roles, and one table of routes that names the least role for each (package httpserver).
//  2. Secrets are compared in constant time and kept as SHA-256 only; names, never secrets, are logged and audited.
//  3. A Keyring is swapped whole; readers take no lock, do no I/O and allocate nothing.
//  4. What strangers can make grow has a bound.
package authn

import (
	"context"
	"strings"
	"time"
)

// Role is what an identity may do.
type Role uint8

// The roles. Viewer, Operator and Admin include each other in this order; Ingest stands beside them.
const (
	Public Role = iota // no key needed
	Ingest             // send events, nothing else
	Viewer             // read
	Operator
	Admin
	// Any is no role of a key: a route that asks for it takes every valid key.
	Any
)

// Roles lists the roles that a key can have.
func Roles() []Role { return []Role{Ingest, Viewer, Operator, Admin} }

// String gives the role's name in APIs and tables.
func (r Role) String() string {
	switch r {
	case Ingest:
		return "ingest"
	case Viewer:
		return "viewer"
	case Operator:
		return "operator"
	case Admin:
		return "admin"
	case Any:
		return "any"
	default:
		return "public"
	}
}

// ParseRole reads a role that a key can have; ok is false for an unknown one.
func ParseRole(s string) (r Role, ok bool) {
	for _, r := range Roles() {
		if strings.EqualFold(r.String(), s) {
			return r, true
		}
	}
	return Public, false
}

// Allows reports whether a holder of r may do what needs least. An admin may also send events: the predecessor's
// operators test with one key.
func (r Role) Allows(least Role) bool {
	switch least {
	case Public:
		return true
	case Any:
		return r != Public
	case Ingest:
		return r == Ingest || r == Admin
	default:
		return r >= least
	}
}

// Identity is an authenticated caller.
type Identity struct {
	Name string // "key:bootstrap-admin", as the audit names it
	Role Role
	// Bootstrap marks the key of the secret source, which many callers may share.
	Bootstrap bool
}

// Limiter is the rate limit of an identity.
type Limiter interface {
	// Take asks for one request; when it refuses, wait says when to try again.
	Take(ctx context.Context) (wait time.Duration, ok bool)
}

// Session is an open session of the user interface, as a listener needs it.
type Session struct {
	Identity  Identity
	Limit     Limiter // that of the key behind it; nil for none
	CSRF      string  // what a write must bring beside the cookie
	ExpiresAt time.Time
}
