package session

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/connect/sqlite"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/store"
)

// rig is Sessions on a real store with a clock of its own and one key.
type rig struct {
	*testing.T
	*Sessions
	now   time.Time
	ring  *authn.Keyring
	store *store.Store
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{T: t, now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return r.now }
	var err error
	if r.store, err = store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "mutt.db"), Now: clock,
		Connect: sqlite.Options{Synchronous: "OFF"}, Logger: zap.NewNop()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.store.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := r.store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.ring = authn.NewKeyring(clock)
	r.key(authn.Viewer, "secret", time.Time{})
	r.Sessions = New(Options{Store: r.store, Keys: r.ring, Idle: time.Hour, Max: 12 * time.Hour, Now: clock})
	return r
}

// key makes the ring have one key.
func (r *rig) key(role authn.Role, secret string, expires time.Time) {
	r.ring.Swap([]authn.Key{{Identity: authn.Identity{Name: "key:anna", Role: role}, Hash: authn.HashSecret(secret), Expires: expires}})
}

// login opens a session with the key.
func (r *rig) login() (token string, s *authn.Session) {
	r.Helper()
	key, _ := r.ring.Authenticate("secret")
	opened, s, err := r.Open(r.Context(), OfKey(key))
	if err != nil {
		r.Fatal(err)
	}
	return opened.Reveal(), s
}

// ended wants the session of a token to be over.
func (r *rig) ended(token, why string) {
	r.Helper()
	_, err := r.Find(r.Context(), token)
	if !fault.Is(err, fault.Unauthorized) || !strings.Contains(err.Error(), why) {
		r.Errorf("got %v, want %q", err, why)
	}
}

func TestSessionLivesByItsKey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token, opened := r.login()
	found, err := r.Find(t.Context(), token)
	if err != nil || *found != *opened || found.Identity != (authn.Identity{Name: "key:anna", Role: authn.Viewer}) || !found.ExpiresAt.Equal(r.now.Add(12*time.Hour)) {
		t.Fatalf("got %+v %v", found, err)
	}
	r.key(authn.Admin, "secret", r.now.Add(time.Minute))
	if found, err = r.Find(t.Context(), token); err != nil || found.Identity.Role != authn.Admin || !found.ExpiresAt.Equal(r.now.Add(time.Minute)) {
		t.Fatalf("role and end follow the key: %+v %v", found, err)
	}
	r.now = r.now.Add(time.Minute)
	r.ended(token, "key that the session was opened with")
	r.key(authn.Admin, "another secret", time.Time{})
	r.ended(token, "key that the session was opened with")
}

func TestSessionEndsByTime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	idle, _ := r.login()
	busy, _ := r.login()
	for range 23 {
		r.now = r.now.Add(30 * time.Minute)
		if _, err := r.Find(t.Context(), busy); err != nil {
			t.Fatal(err)
		}
	}
	r.ended(idle, "session has ended")
	r.now = r.now.Add(30 * time.Minute)
	r.ended(busy, "session has ended")
	late, _ := r.login()
	r.now = r.now.Add(time.Hour - time.Microsecond)
	if _, err := r.Find(t.Context(), late); err != nil {
		t.Error(err)
	}
}

func TestSessionIsEnded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token, _ := r.login()
	other, _ := r.login()
	if err := errors.Join(r.End(t.Context(), token), r.End(t.Context(), token), r.End(t.Context(), "never")); err != nil {
		t.Fatal(err)
	}
	r.ended(token, "session has ended")
	r.ended("", "session has ended")
	if _, err := r.Find(t.Context(), other); err != nil {
		t.Errorf("another session: %v", err)
	}
}

// TestExternalIdentity is the door for single sign-on: nobody's key is behind the session.
func TestExternalIdentity(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var door Issuer = r.Sessions
	token, _, err := door.Open(t.Context(), OfIdentity(authn.Identity{Name: "user:anna", Role: authn.Operator}))
	if err != nil {
		t.Fatal(err)
	}
	r.ring.Swap(nil)
	found, err := r.Find(t.Context(), token.Reveal())
	if err != nil || found.Identity != (authn.Identity{Name: "user:anna", Role: authn.Operator}) {
		t.Errorf("got %+v %v", found, err)
	}
}

// TestNothingStoredOpensASession holds that who reads the store cannot use a session.
func TestNothingStoredOpensASession(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token, opened := r.login()
	hash := authn.HashSecret(token)
	row, err := r.store.Session(t.Context(), hash[:])
	if err != nil || row == nil {
		t.Fatal(row, err)
	}
	for _, stored := range []string{string(row.TokenHash), string(row.KeyHash), row.Name} {
		r.ended(stored, "session has ended")
		if stored == token || stored == opened.CSRF {
			t.Error("a token is stored")
		}
	}
	if again, _ := r.Find(t.Context(), token); again.CSRF != opened.CSRF {
		t.Error("the CSRF token stays for the session")
	}
	if _, other := r.login(); other.CSRF == opened.CSRF {
		t.Error("each session has its own")
	}
}

// away is a store that cannot be reached.
type away struct{ Store }

func (away) Session(context.Context, []byte) (*store.Session, error) {
	return nil, fault.New(fault.StoreUnavailable, "away")
}

// TestStoreAwayIsNoRefusal: the session may be fine.
func TestStoreAwayIsNoRefusal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := New(Options{Store: away{r.store}, Keys: r.ring, Idle: time.Hour, Max: time.Hour, Now: time.Now})
	if _, err := s.Find(t.Context(), "token"); !fault.Is(err, fault.StoreUnavailable) {
		t.Errorf("got %v", err)
	}
}

// TestPeekingProlongsNothing: what a page asks for by itself keeps no session open.
func TestPeekingProlongsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token, _ := r.login()
	for range 59 {
		r.now = r.now.Add(time.Minute)
		if _, err := r.Peek(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	r.now = r.now.Add(time.Minute)
	if _, err := r.Peek(t.Context(), token); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("got %v", err)
	}
	r.ended(token, "has ended")
}
