package app

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/store"
)

// storedKeys gives the keys in the store by name.
func storedKeys(t *testing.T, p *parts) map[string]store.APIKey {
	t.Helper()
	keys, err := p.store.APIKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]store.APIKey{}
	for _, k := range keys {
		out[k.Name] = k
	}
	return out
}

// accepted wants some keys to be let in and the others not.
func accepted(t *testing.T, p *parts, want map[string]bool) {
	t.Helper()
	for key, in := range want {
		if p.accepts(key) != in {
			t.Errorf("%s is let in: %v, want %v", key, !in, in)
		}
	}
}

// TestBootstrapRotation changes both keys by way of their next ones, in the running process.
func TestBootstrapRotation(t *testing.T) {
	t.Parallel()
	p := controlled(t, true)
	set := func(k bootstrapKeys) {
		t.Helper()
		if err := p.control.SetBootstrap(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	one, two := secret.New("the-ingest-key-for-tests"), secret.New("ingest-two")
	admin := secret.New("the-admin-key-for-tests")
	set(bootstrapKeys{ingest: one, ingestNext: two, admin: admin})
	accepted(t, p, map[string]bool{"the-ingest-key-for-tests": true, "ingest-two": true, "the-admin-key-for-tests": true})
	a, _ := p.keyring.Authenticate("the-ingest-key-for-tests")
	b, _ := p.keyring.Authenticate("ingest-two")
	if a.Identity != b.Identity {
		t.Errorf("the next key is another sender: %+v %+v", a.Identity, b.Identity)
	}
	if k := storedKeys(t, p)["bootstrap-ingest"]; k.Second == nil {
		t.Error("the next key is not stored for the others")
	}
	set(bootstrapKeys{ingest: two, admin: admin})
	accepted(t, p, map[string]bool{"the-ingest-key-for-tests": false, "ingest-two": true, "the-admin-key-for-tests": true})
	if k := storedKeys(t, p)["bootstrap-ingest"]; k.Second != nil {
		t.Error("a next key is still stored")
	}
	set(bootstrapKeys{adminNext: secret.New("admin-two"), ingest: two}) // a next one alone is the present one
	accepted(t, p, map[string]bool{"the-admin-key-for-tests": false, "admin-two": true})
	before, _, _ := p.store.Revisions(t.Context())
	set(bootstrapKeys{adminNext: secret.New("admin-two"), admin: secret.New("admin-two"), ingest: two})
	if after, _, _ := p.store.Revisions(t.Context()); after != before {
		t.Error("the same keys are no change")
	}
	page, err := p.store.Changes(t.Context(), store.ChangeFilter{Limit: 1})
	if err != nil || page.Items[0].ChangedBy != "system" || page.Items[0].TableName != store.TableKeys {
		t.Errorf("the audit says %+v %v", page.Items, err)
	}
}

// refusing is a source that cannot keep keys for a while.
type refusing struct {
	source
	away bool
}

func (r *refusing) keep(ctx context.Context, keys []store.APIKey) error {
	if r.away {
		return fault.New(fault.StoreUnavailable, "away")
	}
	return r.source.keep(ctx, keys)
}

// TestBootstrapWhileTheStoreIsAway: the process accepts the new key at once, and stores it when it can.
func TestBootstrapWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	p := controlled(t, true)
	source := &refusing{p.control.source, true}
	p.control.refreshing.Lock()
	p.control.source = source
	p.control.refreshing.Unlock()
	if err := p.control.SetBootstrap(t.Context(), bootstrapKeys{ingest: secret.New("new"), admin: secret.New("the-admin-key-for-tests")}); !fault.Is(err, fault.StoreUnavailable) {
		t.Errorf("got %v", err)
	}
	accepted(t, p, map[string]bool{"new": true, "the-admin-key-for-tests": true})
	p.control.refreshing.Lock()
	source.away = false
	p.control.refreshing.Unlock()
	refresh(t, p)
	accepted(t, p, map[string]bool{"new": true, "the-ingest-key-for-tests": false})
}

// TestGraceAndExpiry have a second secret end by itself, and with its key.
func TestGraceAndExpiry(t *testing.T) {
	t.Parallel()
	p := controlled(t, true)
	now := time.Now()
	first, second := authn.HashSecret("new"), authn.HashSecret("old")
	for _, tc := range []struct {
		expires, until   time.Time
		oldIsIn, newIsIn bool
	}{
		{time.Time{}, time.Time{}, true, true},
		{time.Time{}, now.Add(time.Hour), true, true},
		{time.Time{}, now.Add(-time.Hour), false, true},
		{now.Add(-time.Hour), time.Time{}, false, false},
		{now.Add(-time.Hour), now.Add(time.Hour), false, false},
		{now.Add(time.Hour), now.Add(-time.Hour), false, true},
	} {
		p.control.keyring.Swap(p.control.ringOf([]store.APIKey{{ID: 9, Name: "k", Role: "viewer", Hash: first[:], ExpiresAt: tc.expires, Second: second[:], SecondUntil: tc.until}}))
		accepted(t, p, map[string]bool{"old": tc.oldIsIn, "new": tc.newIsIn})
	}
}

// TestKeyUseIsTold has a process without the store announce its uses, and one with the store write both.
func TestKeyUseIsTold(t *testing.T) {
	t.Parallel()
	shared := coord.NewLocal(time.Now)
	with := publishing(t, shared)
	without := apart(t, shared)
	refresh(t, with)
	refresh(t, without)
	report := func(p *parts) {
		t.Helper()
		u, err := buildKeyUse(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		if err := u.(*keyUse).tell(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	with.accepts("the-admin-key-for-tests")
	report(with)
	used := storedKeys(t, with)
	if used["bootstrap-admin"].LastUsed.IsZero() || !used["bootstrap-ingest"].LastUsed.IsZero() {
		t.Errorf("its own uses: %+v", used)
	}
	without.accepts("the-ingest-key-for-tests")
	report(without)
	report(with)
	if k := storedKeys(t, with)["bootstrap-ingest"]; time.Since(k.LastUsed) > time.Minute {
		t.Errorf("those of the others: %v", k.LastUsed)
	}
}

// TestKeyUseEveryMinute runs the component by its own clock, and stops it.
func TestKeyUseEveryMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ring := authn.NewKeyring(time.Now)
		ring.Swap([]authn.Key{{Hash: authn.HashSecret("a")}})
		shared := coord.NewLocal(time.Now)
		told := func() int {
			members, err := shared.Members(t.Context(), keyUseGroup)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range members {
				if len(m.Data) > 2 {
					return 1
				}
			}
			return 0
		}
		s, err := buildKeyUse(t.Context(), &parts{keyring: ring, coord: shared, run: "p", opts: Options{Now: time.Now, Logger: zap.NewNop()}})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		ring.Authenticate("a")
		time.Sleep(keyUseEvery - time.Second)
		if told() != 0 {
			t.Error("it is told by the minute")
		}
		time.Sleep(2 * time.Second)
		if told() != 1 {
			t.Error("it is told after a minute")
		}
		time.Sleep(keyUseKept + keyUseEvery)
		if told() != 0 {
			t.Error("an old use is not told for ever")
		}
		ring.Authenticate("a")
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if told() != 1 {
			t.Error("the end tells what is left")
		}
	})
}
