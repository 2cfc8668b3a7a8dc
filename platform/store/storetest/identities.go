package storetest

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/store"
)

func identityCases() map[string]func(*testing.T, Harness) {
	return map[string]func(*testing.T, Harness){
		"a second secret reads back":             secondSecret,
		"use is noted without a change":          keyUse,
		"use stays with its secret":              useFollowsSecrets,
		"uses that come at once deadlock nobody": usesAtOnce,
		"sessions read back, and end":            sessions,
	}
}

// hashOf makes a hash that is told by its letter.
func hashOf(letter string) []byte { return []byte(strings.Repeat(letter, 32)) }

func putKey(t *testing.T, s *store.Store, k store.APIKey) store.APIKey {
	t.Helper()
	change(t, s, func(tx *store.Tx) (err error) { k.ID, err = tx.PutAPIKey(k); return err })
	return onlyKey(t, s)
}

func onlyKey(t *testing.T, s *store.Store) store.APIKey {
	t.Helper()
	keys := value[[]store.APIKey](t)(s.APIKeys(t.Context()))
	if len(keys) != 1 {
		t.Fatalf("%d keys", len(keys))
	}
	return keys[0]
}

func secondSecret(t *testing.T, h Harness) {
	s := open(t, h)
	k := sampleKey("netops")
	k.RateLimit, k.Second, k.SecondUntil = 600, hashOf("s"), time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	got := putKey(t, s.Store, k)
	k.ID, k.Revision, k.CreatedAt = got.ID, 1, got.CreatedAt
	if diff := cmp.Diff(k, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	k.Second, k.SecondUntil, k.RateLimit = nil, time.Time{}, 0
	got = putKey(t, s.Store, k)
	if got.Second != nil || !got.SecondUntil.IsZero() || got.RateLimit != 0 || got.Revision != 2 {
		t.Errorf("taken away: %+v", got)
	}
	row := value[store.Page[store.Change]](t)(s.Changes(t.Context(), store.ChangeFilter{Limit: 1})).Items[0]
	if !containsText(row.OldValue, `"second_secret":true`) || !containsText(row.OldValue, `"rate_limit":600`) || containsText(row.OldValue, "ssss") {
		t.Errorf("the audit says %s", row.OldValue)
	}
	if _, err := s.Change(t.Context(), actor(), "", func(tx *store.Tx) error {
		bad := sampleKey("bad")
		bad.Second = []byte("short")
		_, err := tx.PutAPIKey(bad)
		return err
	}); err == nil {
		t.Error("a hash of another length is taken")
	}
}

func keyUse(t *testing.T, h Harness) {
	s := open(t, h)
	k := sampleKey("netops")
	k.Second = hashOf("s")
	putKey(t, s.Store, k)
	early, late := time.Date(2026, 3, 4, 5, 0, 0, 1000, time.UTC), time.Date(2026, 3, 4, 6, 0, 0, 0, time.UTC)
	for _, uses := range [][]store.KeyUse{nil, {{Hash: k.Hash, At: late}, {Hash: k.Second, At: early}, {Hash: hashOf("x"), At: late}}, {{Hash: k.Hash, At: early}}} {
		must(t, s.NoteKeyUse(t.Context(), uses))
	}
	got := onlyKey(t, s.Store)
	if !got.LastUsed.Equal(late) || !got.SecondUsed.Equal(early) || got.Revision != 1 {
		t.Errorf("got %+v", got)
	}
	revision, _, err := s.Revisions(t.Context())
	if err != nil || revision != 1 {
		t.Errorf("revision %d %v: a use is no change", revision, err)
	}
}

func useFollowsSecrets(t *testing.T, h Harness) {
	s := open(t, h)
	k := putKey(t, s.Store, sampleKey("netops"))
	at := time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)
	must(t, s.NoteKeyUse(t.Context(), []store.KeyUse{{Hash: k.Hash, At: at}}))
	k.Second, k.Hash = k.Hash, hashOf("n")
	if k = putKey(t, s.Store, k); !k.LastUsed.IsZero() || !k.SecondUsed.Equal(at) {
		t.Errorf("rotated: %+v", k)
	}
	k.Hash, k.Second = k.Second, nil
	if k = putKey(t, s.Store, k); !k.LastUsed.Equal(at) || !k.SecondUsed.IsZero() {
		t.Errorf("turned back: %+v", k)
	}
	k.Hash = hashOf("z")
	if k = putKey(t, s.Store, k); !k.LastUsed.IsZero() {
		t.Errorf("a new secret was never used: %+v", k)
	}
}

// usesAtOnce has processes note uses of the same keys in other orders, beside changes of them.
func usesAtOnce(t *testing.T, h Harness) {
	s := open(t, h)
	names := []string{"a", "b", "c", "d", "e"}
	uses := make([]store.KeyUse, 0, len(names))
	change(t, s.Store, func(tx *store.Tx) error {
		for _, n := range names {
			k := sampleKey(n)
			k.Hash = hashOf(n)
			if _, err := tx.PutAPIKey(k); err != nil {
				return err
			}
		}
		return nil
	})
	for _, n := range names {
		uses = append(uses, store.KeyUse{Hash: hashOf(n), At: time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)})
	}
	keys := value[[]store.APIKey](t)(s.APIKeys(t.Context()))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			turned := append(append([]store.KeyUse{}, uses[i%5:]...), uses[:i%5]...)
			if err := s.NoteKeyUse(context.WithoutCancel(t.Context()), turned); err != nil {
				t.Error(err)
			}
			if _, err := s.Change(context.WithoutCancel(t.Context()), actor(), "", func(tx *store.Tx) error {
				for j := range keys {
					k := keys[(len(keys)-1-j+i)%len(keys)]
					k.RateLimit = int64(i + 1)
					if _, err := tx.PutAPIKey(k); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func sampleSession(letter string) store.Session {
	at := time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC)
	return store.Session{TokenHash: hashOf(letter), KeyHash: hashOf("k"), Name: "key:netops", Role: "admin", CreatedAt: at, SeenAt: at, ExpiresAt: at.Add(time.Hour)}
}

func sessions(t *testing.T, h Harness) {
	s := open(t, h)
	ctx := t.Context()
	a, b := sampleSession("a"), sampleSession("b")
	b.KeyHash, b.Name, b.ExpiresAt = nil, "user:größe", b.ExpiresAt.Add(time.Hour)
	must(t, s.CreateSession(ctx, a))
	must(t, s.CreateSession(ctx, b))
	if err := s.CreateSession(ctx, a); err == nil {
		t.Error("a token is taken twice")
	}
	must(t, s.SeeSession(ctx, a.TokenHash, a.SeenAt.Add(time.Minute)))
	must(t, s.SeeSession(ctx, a.TokenHash, a.SeenAt)) // late: no step back
	a.SeenAt = a.SeenAt.Add(time.Minute)
	for _, want := range []store.Session{a, b} {
		if diff := cmp.Diff(&want, value[*store.Session](t)(s.Session(ctx, want.TokenHash))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	must(t, s.PruneSessions(ctx, a.ExpiresAt))
	if found := value[*store.Session](t)(s.Session(ctx, a.TokenHash)); found != nil {
		t.Errorf("it has reached its age: %+v", found)
	}
	must(t, s.DeleteSession(ctx, b.TokenHash))
	must(t, s.DeleteSession(ctx, b.TokenHash))
	if found := value[*store.Session](t)(s.Session(ctx, b.TokenHash)); found != nil {
		t.Errorf("it was ended: %+v", found)
	}
	if revision, _, err := s.Revisions(ctx); err != nil || revision != 0 {
		t.Errorf("revision %d %v: a session is no configuration", revision, err)
	}
}
