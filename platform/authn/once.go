package authn

import (
	"crypto/sha256"
	"crypto/subtle"
	"sync"
	"time"

	"github.com/muttproject/mutt/platform/secret"
)

// onceLife is how long a key for one login is valid.
const onceLife = 2 * time.Minute

// Once creates and accepts keys that open one session each. Only the demonstration has one: no setting and no route creates such a key.
type Once struct {
	who Identity
	now func() time.Time

	mu      sync.Mutex
	hash    [sha256.Size]byte
	expires time.Time // zero when there is no key, or when it was used
}

// NewOnce returns a Once without a key, whose keys log who in.
func NewOnce(who Identity, now func() time.Time) *Once { return &Once{who: who, now: now} }

// Issue returns a new key, which replaces the one before.
func (o *Once) Issue() secret.Secret {
	key := NewSecret()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hash, o.expires = HashSecret(key.Reveal()), o.now().Add(onceLife)
	return key
}

// Redeem uses a key up and returns whom it logs in. ok is false for a key that is unknown, was used or has expired.
func (o *Once) Redeem(key string) (who Identity, ok bool) {
	hash := HashSecret(key)
	o.mu.Lock()
	defer o.mu.Unlock()
	if subtle.ConstantTimeCompare(hash[:], o.hash[:]) != 1 || !o.now().Before(o.expires) {
		return Identity{}, false
	}
	o.expires = time.Time{}
	return o.who, true
}
