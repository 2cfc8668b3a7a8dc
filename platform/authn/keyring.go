package authn

import (
	"crypto/sha256"
	"crypto/subtle"
	"sync/atomic"
	"time"
)

// Key is one secret of a Keyring. Two of them can belong to one identity.
type Key struct {
	Identity Identity
	Hash     [sha256.Size]byte
	Expires  time.Time // zero for never
	Limit    Limiter   // nil for none

	used *atomic.Int64 // Unix microseconds, to the second; 0 for never
}

// Use says when a secret was used last.
type Use struct {
	Hash [sha256.Size]byte
	At   time.Time
}

// HashSecret gives what is stored of a secret.
func HashSecret(secret string) [sha256.Size]byte {
	var on [128]byte // the stack, but for secrets that nobody has
	return sha256.Sum256(append(on[:0], secret...))
}

// Verdict says what a Keyring makes of a secret.
type Verdict uint8

// The verdicts.
const (
	Unknown  Verdict = iota
	Accepted         // the key is valid
	Damaged          // not known, and as it was never given out: cut off, or mistyped
	Expired          // the key was valid once
)

// Keyring holds the keys that are valid now, and when they were used.
type Keyring struct {
	keys atomic.Pointer[map[[sha256.Size]byte]*Key]
	now  func() time.Time
}

// NewKeyring makes an empty Keyring, which knows nobody.
func NewKeyring(now func() time.Time) *Keyring {
	k := &Keyring{now: now}
	k.keys.Store(&map[[sha256.Size]byte]*Key{})
	return k
}

// Swap replaces all keys at once. What is known of the use of a secret stays with it. Two Swaps must not run at once.
func (k *Keyring) Swap(keys []Key) {
	before := *k.keys.Load()
	m := make(map[[sha256.Size]byte]*Key, len(keys))
	for _, key := range keys {
		if old, known := before[key.Hash]; known {
			key.used = old.used
		} else {
			key.used = new(atomic.Int64)
		}
		m[key.Hash] = &key
	}
	k.keys.Store(&m)
}

// Authenticate finds the key of a secret, and notes its use when it is valid. An expired key is given all the same, for
// its name. The lookup is by hash, so its time tells nothing about a secret; the comparison is constant-time all the same.
func (k *Keyring) Authenticate(secret string) (*Key, Verdict) {
	key, verdict := k.Lookup(HashSecret(secret))
	if verdict == Unknown && IsDamaged(secret) {
		verdict = Damaged
	}
	return key, verdict
}

// Lookup is Authenticate for the hash of a secret that was shown before.
func (k *Keyring) Lookup(hash [sha256.Size]byte) (*Key, Verdict) {
	key, found := (*k.keys.Load())[hash]
	if !found || subtle.ConstantTimeCompare(key.Hash[:], hash[:]) != 1 {
		return nil, Unknown
	}
	now := k.now()
	if !key.Expires.IsZero() && !now.Before(key.Expires) {
		return key, Expired
	}
	// By the second: a busy key's use is not written to by every core all the time.
	if at := now.UnixMicro(); at-key.used.Load() >= time.Second.Microseconds() {
		key.used.Store(at)
	}
	return key, Accepted
}

// Uses lists the secrets that were used at or after a time.
func (k *Keyring) Uses(since time.Time) (uses []Use) {
	for hash, key := range *k.keys.Load() {
		if at := key.used.Load(); at != 0 && at >= since.UnixMicro() {
			uses = append(uses, Use{hash, time.UnixMicro(at).UTC()})
		}
	}
	return uses
}
