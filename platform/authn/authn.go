// Package authn says who is asking and what they may do.
//
// Principles:
//  1. Four roles, and one table of routes that names the least role for each (package httpserver).
//  2. Secrets are compared in constant time and kept as SHA-256 only; names, never secrets, are logged and audited.
//  3. A Keyring is swapped whole; readers take no lock.
package authn

import (
	"crypto/sha256"
	"crypto/subtle"
	"strings"
	"sync/atomic"
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
)

var roleNames = [...]string{"public", "ingest", "viewer", "operator", "admin"}

// String gives the role's name in APIs and tables.
func (r Role) String() string {
	if int(r) < len(roleNames) {
		return roleNames[r]
	}
	return roleNames[0]
}

// ParseRole reads a role that a key can have; ok is false for an unknown one.
func ParseRole(s string) (r Role, ok bool) {
	for i, n := range roleNames {
		if i > 0 && strings.EqualFold(n, s) {
			return Role(i), true
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
}

// Key is one entry of a Keyring.
type Key struct {
	Identity Identity
	Hash     [sha256.Size]byte
	Expires  time.Time // zero for never
}

// HashSecret gives what is stored of a secret.
func HashSecret(secret string) [sha256.Size]byte { return sha256.Sum256([]byte(secret)) }

// Keyring holds the keys that are valid now.
type Keyring struct {
	keys atomic.Pointer[map[[sha256.Size]byte]Key]
	now  func() time.Time
}

// NewKeyring makes an empty Keyring, which knows nobody.
func NewKeyring(now func() time.Time) *Keyring {
	k := &Keyring{now: now}
	k.Swap(nil)
	return k
}

// Swap replaces all keys at once.
func (k *Keyring) Swap(keys []Key) {
	m := make(map[[sha256.Size]byte]Key, len(keys))
	for _, key := range keys {
		m[key.Hash] = key
	}
	k.keys.Store(&m)
}

// Authenticate finds the identity of a secret; ok is false when it is unknown or expired.
// The lookup is by hash, so its time tells nothing about a secret; the comparison is constant-time all the same.
func (k *Keyring) Authenticate(secret string) (id Identity, ok bool) {
	if secret == "" {
		return Identity{}, false
	}
	hash := HashSecret(secret)
	key, found := (*k.keys.Load())[hash]
	if !found || subtle.ConstantTimeCompare(key.Hash[:], hash[:]) != 1 {
		return Identity{}, false
	}
	if !key.Expires.IsZero() && !k.now().Before(key.Expires) {
		return Identity{}, false
	}
	return key.Identity, true
}
