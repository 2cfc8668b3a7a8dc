// Package session keeps the sessions of the user interface.
//
// Principles:
//  1. The token is the browser's alone: the store has its hash, and the CSRF token is made from it.
//  2. A session that was opened with a key lives by the secret of that key: it ends when the secret is replaced, expires or is
//     deleted, and has whatever role the key has now. There is no second list of rights to keep in step.
//  3. Nothing is cached: a session that was ended is refused by every process at once.
package session

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/store"
)

// Store is where sessions are kept.
type Store interface {
	CreateSession(ctx context.Context, n store.Session) error
	Session(ctx context.Context, tokenHash []byte) (*store.Session, error)
	SeeSession(ctx context.Context, tokenHash []byte, at time.Time) error
	DeleteSession(ctx context.Context, tokenHash []byte) error
}

// Issuer opens sessions. It is the door for every way to log in: the API's login by key comes through it, and a login at an
// identity provider (OIDC) is a pair of routes that ends here with OfIdentity.
type Issuer interface {
	Open(ctx context.Context, who Principal) (token secret.Secret, s *authn.Session, err error)
}

// Principal is who a session is opened for.
type Principal struct {
	key      *authn.Key
	identity authn.Identity
}

// OfKey is the holder of a key.
func OfKey(key *authn.Key) Principal { return Principal{key: key, identity: key.Identity} }

// OfIdentity is somebody whom another authority vouches for. The name is what the audit shows, such as "user:anna"; the
// role stays for the length of the session.
func OfIdentity(id authn.Identity) Principal { return Principal{identity: id} }

// Options configure Sessions.
type Options struct {
	Store Store
	Keys  *authn.Keyring
	Idle  time.Duration // how long a session lives without a call
	Max   time.Duration // and how long in all
	Now   func() time.Time
}

// Sessions opens, finds and ends sessions.
type Sessions struct{ opts Options }

var _ Issuer = (*Sessions)(nil)

// New makes Sessions.
func New(o Options) *Sessions {
	deps.Must(o)
	return &Sessions{o}
}

// Open opens a session and gives its token, which is shown to nobody but its owner.
func (s *Sessions) Open(ctx context.Context, who Principal) (token secret.Secret, opened *authn.Session, err error) {
	token = authn.NewSecret()
	hash := authn.HashSecret(token.Reveal())
	now := s.opts.Now()
	row := store.Session{TokenHash: hash[:], Name: who.identity.Name, Role: who.identity.Role.String(), CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(s.opts.Max)}
	if who.key != nil {
		row.KeyHash = who.key.Hash[:]
	}
	if err := s.opts.Store.CreateSession(ctx, row); err != nil {
		return token, nil, err
	}
	opened, err = s.open(&row, token.Reveal())
	return token, opened, err
}

// Find returns the open session of a token and notes that it was used; fault.Unauthorized when there is none.
func (s *Sessions) Find(ctx context.Context, token string) (*authn.Session, error) {
	row, found, err := s.read(ctx, token)
	if now := s.opts.Now(); err == nil && now.Sub(row.SeenAt) >= min(time.Minute, s.opts.Idle/4) {
		err = s.opts.Store.SeeSession(ctx, row.TokenHash, now)
	}
	return found, err
}

// Peek returns the open session of a token, for a call that nobody made by hand: it does not prolong the session.
func (s *Sessions) Peek(ctx context.Context, token string) (*authn.Session, error) {
	_, found, err := s.read(ctx, token)
	return found, err
}

func (s *Sessions) read(ctx context.Context, token string) (*store.Session, *authn.Session, error) {
	hash := authn.HashSecret(token)
	row, err := s.opts.Store.Session(ctx, hash[:])
	if err != nil {
		return nil, nil, err
	}
	now := s.opts.Now()
	if row == nil || !now.Before(row.ExpiresAt) || now.Sub(row.SeenAt) >= s.opts.Idle {
		return nil, nil, ended("the session has ended")
	}
	found, err := s.open(row, token)
	return row, found, err
}

// End ends the session of a token; one that is not open is fine.
func (s *Sessions) End(ctx context.Context, token string) error {
	hash := authn.HashSecret(token)
	return s.opts.Store.DeleteSession(ctx, hash[:])
}

// open gives the rights of a session as they are now.
func (s *Sessions) open(row *store.Session, token string) (*authn.Session, error) {
	out := &authn.Session{CSRF: csrf(token), ExpiresAt: row.ExpiresAt}
	if row.KeyHash == nil {
		role, ok := authn.ParseRole(row.Role)
		if !ok {
			return nil, ended("the session has a role that this version does not know")
		}
		out.Identity = authn.Identity{Name: row.Name, Role: role}
		return out, nil
	}
	if len(row.KeyHash) != sha256.Size {
		return nil, ended("the session is damaged")
	}
	key, verdict := s.opts.Keys.Lookup([sha256.Size]byte(row.KeyHash))
	if verdict != authn.Accepted {
		return nil, ended("the key that the session was opened with is no longer valid")
	}
	out.Identity, out.Limit = key.Identity, key.Limit
	if !key.Expires.IsZero() && key.Expires.Before(out.ExpiresAt) {
		out.ExpiresAt = key.Expires
	}
	return out, nil
}

func ended(why string) error {
	return fault.New(fault.Unauthorized, "%s", why).WithRemedy("log in again, or send a valid key in X-API-KEY")
}

// csrf makes the token that writes must bring. Who has it cannot find the session's token from it.
func csrf(token string) string {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte("mutt csrf"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
